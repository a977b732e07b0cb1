/* cachepusher's ring. It is not part of the public interface, so this file includes from lib/, as the unit tests do. */
#include "ring/ring_race.h"

#include "queue/ring.h"

RACE_INLINE uint32_t put(void *ring, struct cpi_event *events, uint32_t n)
{
    return cpi_ring_enqueue(ring, events, n);
}

RACE_INLINE uint32_t take(void *ring, struct cpi_event *events, uint32_t n)
{
    return cpi_ring_dequeue(ring, events, n);
}

static void *create(void)
{
    return cpi_ring_create(RACE_CAPACITY);
}

static void destroy(void *ring)
{
    cpi_ring_destroy(ring);
}

/* In these three a batch is a compile-time constant, as it is for a caller that puts in one event. */

static void produce(void *ring, int64_t operations, uint32_t batch)
{
    if (batch == 1) {
        race_produce(ring, put, operations, 1);
    } else {
        race_produce(ring, put, operations, RACE_BATCH);
    }
}

static int64_t consume(void *ring, int64_t operations, uint32_t batch)
{
    return batch == 1 ? race_consume(ring, take, operations, 1) : race_consume(ring, take, operations, RACE_BATCH);
}

static int64_t alternate(void *ring, int64_t operations, uint32_t batch)
{
    return batch == 1 ? race_alternate(ring, put, take, operations, 1)
                      : race_alternate(ring, put, take, operations, RACE_BATCH);
}

const struct contender ring_ours = {create, destroy, produce, consume, alternate};
