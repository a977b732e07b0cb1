#include "queue/lane.h"

#include "base/error.h"

/* Slots of 16 bytes. A live ring holds a burst of notifications while its worker is busy with one batch, for one to ten
 * milliseconds; after that the listener has to coalesce. A bulk ring only holds the resync thread's lead. */
enum { LIVE_CAPACITY = 8192, BULK_CAPACITY = 4096 };
_Static_assert(sizeof(struct cpi_event) == 16, "slots of 16 bytes");

cp_code cpi_lane_init(struct cpi_lane *lane, cp_error *err)
{
    atomic_init(&lane->queued, 0);
    lane->consumer = (struct cpi_owner){0};
    lane->bell.fd = -1;
    lane->rings[CPI_RING_LIVE] = cpi_ring_create(LIVE_CAPACITY);
    lane->rings[CPI_RING_BULK] = cpi_ring_create(BULK_CAPACITY);
    for (int kind = 0; kind < CPI_RINGS; kind++) {
        atomic_init(&lane->barriers_passed[kind], 0);
        lane->producers[kind] = (struct cpi_owner){0};
        if (lane->rings[kind] == NULL) {
            return cpi_error_memory(err);
        }
    }
    return cpi_bell_init(&lane->bell, err);
}

void cpi_lane_fini(struct cpi_lane *lane, const struct cpi_entity *entities)
{
    for (int kind = 0; kind < CPI_RINGS; kind++) {
        struct cpi_event event;
        while (lane->rings[kind] != NULL && cpi_ring_dequeue(lane->rings[kind], &event, 1) == 1) {
            if (cpi_event_is_id(&event)) {
                cpi_id_fini(entities[event.entity].id_type, &event.id);
            }
        }
        cpi_ring_destroy(lane->rings[kind]);
    }
    cpi_bell_fini(&lane->bell);
}

uint32_t cpi_lane_of(const struct cpi_lanes *lanes, const struct cpi_event *event)
{
    /* The upper half of the hash; the worker's set uses the lower. */
    uint64_t hash = cpi_id_hash(lanes->entities[event->entity].id_type, &event->id, event->entity);
    return (uint32_t)((hash >> 32) % lanes->count);
}

uint32_t cpi_lane_put(struct cpi_lane *lane, enum cpi_ring_kind kind, const struct cpi_event *events, uint32_t n)
{
    cpi_owner_check(&lane->producers[kind]);
    return cpi_ring_enqueue(lane->rings[kind], events, n);
}

static uint32_t capacity_of(enum cpi_ring_kind kind)
{
    return kind == CPI_RING_LIVE ? LIVE_CAPACITY : BULK_CAPACITY;
}

bool cpi_lane_has_room(const struct cpi_lane *lane, enum cpi_ring_kind kind)
{
    return cpi_ring_count(lane->rings[kind]) < capacity_of(kind);
}

static bool put_question(struct cpi_lane *lane, enum cpi_ring_kind kind, uint32_t question, int64_t number)
{
    cpi_owner_check(&lane->producers[kind]);
    struct cpi_event event = {.id.number = number, .entity = (uint16_t)question};
    return cpi_ring_enqueue(lane->rings[kind], &event, 1) == 1;
}

bool cpi_lane_put_barrier(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number)
{
    return put_question(lane, kind, CPI_BARRIER, number);
}

bool cpi_lane_put_quiesce(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number)
{
    return put_question(lane, kind, CPI_QUIESCE, number);
}

uint32_t cpi_lane_get(struct cpi_lane *lane, enum cpi_ring_kind kind, struct cpi_event *events, uint32_t n)
{
    cpi_owner_check(&lane->consumer);
    uint32_t taken = cpi_ring_dequeue(lane->rings[kind], events, n);
    /* Once a chunk, so that the ring's inlined code stays as it is. Only the consumer, whose own head is exact, may say
     * so. */
    CPI_ASSERT(taken == 0 || cpi_ring_count(lane->rings[kind]) <= capacity_of(kind));
    return taken;
}

bool cpi_lane_is_empty(const struct cpi_lane *lane)
{
    return cpi_ring_count(lane->rings[CPI_RING_LIVE]) == 0 && cpi_ring_count(lane->rings[CPI_RING_BULK]) == 0;
}

void cpi_lane_acknowledge(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number)
{
    cpi_owner_check(&lane->consumer);
    /* relaxed: only this thread writes it. */
    CPI_ASSERT(kind != CPI_RING_BULK ||
               number > atomic_load_explicit(&lane->barriers_passed[kind], memory_order_relaxed));
    /* release, pairs with the acquire in cpi_lane_has_passed(): after "ready", everything the worker did before is
     * visible, its settled callbacks included. */
    atomic_store_explicit(&lane->barriers_passed[kind], number, memory_order_release);
}

void cpi_lane_set_queued(struct cpi_lane *lane, uint32_t queued)
{
    /* relaxed, here and below: the figure publishes nothing but itself, and may be old. */
    atomic_store_explicit(&lane->queued, queued, memory_order_relaxed);
}

uint32_t cpi_lane_queued(const struct cpi_lane *lane)
{
    return atomic_load_explicit(&lane->queued, memory_order_relaxed);
}

bool cpi_lane_has_passed(const struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number)
{
    return atomic_load_explicit(&lane->barriers_passed[kind], memory_order_acquire) >= number;
}
