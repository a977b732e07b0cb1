#include "queue/lane.h"

#include "base/error.h"

/* Slots of 16 bytes. A live ring holds a burst of notifications while its worker is busy with one batch, for one to ten
 * milliseconds; after that the listener has to coalesce. A bulk ring only holds the resync thread's lead. */
enum { LIVE_CAPACITY = 8192, BULK_CAPACITY = 4096 };
_Static_assert(sizeof(struct cpi_event) == 16, "slots of 16 bytes");

cp_code cpi_lane_init(struct cpi_lane *lane, cp_error *err)
{
    atomic_init(&lane->queued, 0);
    atomic_init(&lane->oldest, 0);
    atomic_init(&lane->waiting, 0);
    for (int queue = 0; queue < CPI_QUEUES; queue++) {
        atomic_init(&lane->queues[queue], 0);
    }
    atomic_init(&lane->position_passed, 0);
    lane->failing = (struct cpi_events){0};
    lane->knows_failing = false;
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
    cpi_events_fini(&lane->failing, entities);
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
    if (kind == CPI_RING_LIVE && n > 0 && cpi_ring_count(lane->rings[kind]) == 0) {
        /* relaxed, as all that is only to be looked at. */
        atomic_store_explicit(&lane->waiting, events[0].arrived, memory_order_relaxed);
    }
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

bool cpi_lane_put_position(struct cpi_lane *lane, int64_t number)
{
    return put_question(lane, CPI_RING_LIVE, CPI_POSITION, number);
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
    if (kind == CPI_RING_LIVE && taken > 0) {
        atomic_store_explicit(&lane->waiting, cpi_now_ticks(), memory_order_relaxed);
    }
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

void cpi_lane_pass_position(struct cpi_lane *lane, int64_t number, struct cpi_events *failing, bool is_all)
{
    cpi_owner_check(&lane->consumer);
    struct cpi_events old = lane->failing;
    lane->failing = *failing;
    *failing = old;
    lane->knows_failing = is_all;
    /* relaxed: only this thread writes it. */
    CPI_ASSERT(number > atomic_load_explicit(&lane->position_passed, memory_order_relaxed));
    /* release, pairs with the acquire in cpi_lane_has_passed_position(): a resync that the worker owes for what came
     * before has been requested, and what fails is known, before anybody believes that the rest has settled. */
    atomic_store_explicit(&lane->position_passed, number, memory_order_release);
}

bool cpi_lane_has_passed_position(const struct cpi_lane *lane, int64_t number)
{
    return atomic_load_explicit(&lane->position_passed, memory_order_acquire) >= number;
}

const struct cpi_events *cpi_lane_failing(const struct cpi_lane *lane)
{
    return lane->knows_failing ? &lane->failing : NULL;
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

void cpi_lane_show(struct cpi_lane *lane, const struct cpi_idset *set)
{
    cpi_ticks live = cpi_idset_oldest(set, CPI_LIVE);
    cpi_ticks crowd = cpi_idset_oldest(set, CPI_CROWD);
    bool is_crowd = live == 0 || (crowd != 0 && (int32_t)(crowd - live) < 0);
    atomic_store_explicit(&lane->oldest, is_crowd ? crowd : live, memory_order_relaxed);
    for (int queue = 0; queue < CPI_QUEUES; queue++) {
        atomic_store_explicit(&lane->queues[queue], cpi_idset_count(set, (enum cpi_queue)queue), memory_order_relaxed);
    }
}

int64_t cpi_lane_untaken_us(const struct cpi_lane *lane)
{
    cpi_ticks waiting = atomic_load_explicit(&lane->waiting, memory_order_relaxed);
    bool is_empty = cpi_ring_count(lane->rings[CPI_RING_LIVE]) == 0;
    return is_empty || waiting == 0 ? 0 : cpi_ticks_since_us(waiting, cpi_now_ticks());
}

int64_t cpi_lane_age_us(const struct cpi_lane *lane)
{
    cpi_ticks oldest = atomic_load_explicit(&lane->oldest, memory_order_relaxed);
    int64_t age_us = oldest != 0 ? cpi_ticks_since_us(oldest, cpi_now_ticks()) : 0;
    int64_t untaken_us = cpi_lane_untaken_us(lane);
    return age_us > untaken_us ? age_us : untaken_us;
}

static uint32_t shown(const struct cpi_lane *lane, enum cpi_queue queue)
{
    return atomic_load_explicit(&lane->queues[queue], memory_order_relaxed);
}

void cpi_lane_look(const struct cpi_lane *lane, cp_lane *out)
{
    out->in_ring = cpi_ring_count(lane->rings[CPI_RING_LIVE]) + cpi_ring_count(lane->rings[CPI_RING_BULK]);
    out->live = shown(lane, CPI_LIVE);
    out->crowd = shown(lane, CPI_CROWD);
    out->bulk = shown(lane, CPI_BULK);
    out->parked = shown(lane, CPI_PARKED);
    out->oldest_us = (uint64_t)cpi_lane_age_us(lane);
}
