/* Concurrency Kit's ring. It has no call for a batch, so a batch is as many calls. */
#include "ring/ring_race.h"

#include <ck_ring.h>

#include <stdalign.h>
#include <stdlib.h>

struct ck {
    alignas(CK_MD_CACHELINE) struct ck_ring ring;
    alignas(CK_MD_CACHELINE) struct cpi_event slots[RACE_CAPACITY];
};

CK_RING_PROTOTYPE(event, cpi_event)

RACE_INLINE uint32_t put(void *context, struct cpi_event *events, uint32_t n)
{
    struct ck *ck = context;
    uint32_t i = 0;
    while (i < n && ck_ring_enqueue_spsc_event(&ck->ring, ck->slots, &events[i])) {
        i++;
    }
    return i;
}

RACE_INLINE uint32_t take(void *context, struct cpi_event *events, uint32_t n)
{
    struct ck *ck = context;
    uint32_t i = 0;
    while (i < n && ck_ring_dequeue_spsc_event(&ck->ring, ck->slots, &events[i])) {
        i++;
    }
    return i;
}

static void *create(void)
{
    struct ck *ck = aligned_alloc(alignof(struct ck), sizeof *ck);
    if (ck != NULL) {
        ck_ring_init(&ck->ring, RACE_CAPACITY);
    }
    return ck;
}

/* From here on as in ring_ours.c: the loops, compiled for this ring. */

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

const struct contender ring_ck = {create, free, produce, consume, alternate};
