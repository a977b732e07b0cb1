#include "worker/intake.h"

#include "base/clock.h"

enum {
    POSITION_BARRIER = CPI_RINGS, /* of the set, beside one for each ring */
    DRAIN_CHUNK = 256,
    DRAIN_CHUNKS_PER_CYCLE = 64, /* so that a flood of events cannot delay the batch */
    CROWD_LEAVES = 32,           /* one part in so many of the room is for live ids alone, and one id at least */
    FAILING_TOLD = 512,          /* more ids that fail are not told one by one */
    OWED_FOR_MS = 5000           /* what was dropped of a crowd that goes on is read again this often */
};

void cpi_intake_init(struct cpi_intake *intake, const struct cpi_env *env, uint32_t index, struct cpi_idset *set)
{
    *intake = (struct cpi_intake){
        .env = env, .lane = &env->lanes.items[index], .set = set, .index = index, .capacity = env->lanes.capacity};
}

void cpi_intake_fini(struct cpi_intake *intake)
{
    cpi_events_fini(&intake->failing, intake->env->config->entities);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t count(const struct cpi_intake *intake, enum cpi_queue queue)
{
    return cpi_idset_count(intake->set, queue);
}

/* ---- bounds ---- */

static uint32_t bulk_limit(const struct cpi_intake *intake)
{
    return least(intake->env->config->batch, intake->capacity / 4);
}

/* Of live and crowd together. They are all taken, since coalescing bounds memory while a server is away. */
static uint32_t live_limit(const struct cpi_intake *intake)
{
    return intake->capacity - bulk_limit(intake) - least(count(intake, CPI_PARKED), intake->capacity / 2);
}

static uint32_t room_for(const struct cpi_intake *intake, enum cpi_ring_kind kind)
{
    uint32_t limit = kind == CPI_RING_LIVE ? live_limit(intake) : bulk_limit(intake);
    uint32_t filled =
        kind == CPI_RING_LIVE ? count(intake, CPI_LIVE) + count(intake, CPI_CROWD) : count(intake, CPI_BULK);
    return filled < limit ? limit - filled : 0;
}

static bool is_crowded(const struct cpi_intake *intake)
{
    uint32_t left = live_limit(intake) / CROWD_LEAVES;
    return room_for(intake, CPI_RING_LIVE) <= (left > 1 ? left : 1);
}

/* How many may be taken from a ring: where live ids find no room, the crowd makes it for them. */
static uint32_t takeable(const struct cpi_intake *intake, enum cpi_ring_kind kind)
{
    uint32_t limit = live_limit(intake);
    uint32_t live = count(intake, CPI_LIVE);
    return kind != CPI_RING_LIVE ? room_for(intake, kind) : live < limit ? limit - live : 0;
}

/* ---- draining ---- */

/* Rings are drained between two batches, so no batch is under way. A barrier that is still open belongs to a resync
 * that was given up. */
static void take_question(struct cpi_intake *intake, const struct cpi_event *event, enum cpi_ring_kind kind)
{
    if (event->entity == CPI_BARRIER) {
        intake->barriers[kind] = event->id.number;
        cpi_idset_set_barrier(intake->set, kind);
    } else if (event->entity == CPI_POSITION) {
        intake->position = event->id.number;
        cpi_idset_set_barrier(intake->set, POSITION_BARRIER);
    } else {
        intake->barriers[kind] = 0;
        cpi_lane_acknowledge(intake->lane, kind, event->id.number);
    }
}

static void free_id(struct cpi_intake *intake, struct cpi_event *event)
{
    cpi_id_fini(intake->env->config->entities[event->entity].id_type, &event->id);
}

static void note_crowded_out(struct cpi_intake *intake)
{
    if (intake->crowded_out == 0) {
        intake->crowded_out_ms = cpi_now_ms();
        cpi_stats_add(intake->env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_log_repeated(&intake->env->log, CPI_REPEAT_CROWD, NULL, CP_LOG_WARN, NULL,
                         "worker %u: max_pending exceeded: dropping ids that one session announces by the thousand; a "
                         "resync follows",
                         intake->index);
    }
    intake->crowded_out++;
}

static enum cpi_queue queue_for(const struct cpi_event *event, enum cpi_ring_kind kind)
{
    if (kind == CPI_RING_BULK) {
        return CPI_BULK;
    }
    return event->in_crowd ? CPI_CROWD : CPI_LIVE;
}

static void add(struct cpi_intake *intake, struct cpi_event *event, enum cpi_ring_kind kind)
{
    switch (cpi_idset_add(intake->set, event, queue_for(event, kind))) {
    case CPI_ADDED:
        break;
    case CPI_RECALLED:
        intake->recalled = true;
        cpi_stats_add(intake->env->stats, CPI_STAT_COALESCED, 1);
        break;
    case CPI_COALESCED:
        cpi_stats_add(intake->env->stats, CPI_STAT_COALESCED, 1);
        break;
    case CPI_NO_MEMORY:
        free_id(intake, event);
        cpi_stats_add(intake->env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_log(&intake->env->log, CP_LOG_ERROR, "worker %u: out of memory for an id; a resync will find it",
                intake->index);
        cpi_requests_resync(intake->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_OVERFLOW);
        break;
    }
}

static bool is_known(const struct cpi_intake *intake, const struct cpi_event *event)
{
    return cpi_idset_find(intake->set, event->entity, &event->id) != 0;
}

/* The oldest of the crowd goes where a live id finds no room; one that is in the set already needs none. */
static void make_room(struct cpi_intake *intake, const struct cpi_event *event)
{
    uint32_t handle = 0;
    if (cpi_idset_peek(intake->set, CPI_CROWD, &handle, 1) == 1 && room_for(intake, CPI_RING_LIVE) == 0 &&
        !is_known(intake, event)) {
        cpi_idset_remove(intake->set, handle);
        note_crowded_out(intake);
    }
}

static void take_id(struct cpi_intake *intake, struct cpi_event *event, enum cpi_ring_kind kind)
{
    if (event->in_crowd && is_crowded(intake) && !is_known(intake, event)) {
        free_id(intake, event);
        note_crowded_out(intake);
        return;
    }
    if (kind == CPI_RING_LIVE && !event->in_crowd) {
        make_room(intake, event);
    }
    add(intake, event, kind);
}

static void take(struct cpi_intake *intake, struct cpi_event *event, enum cpi_ring_kind kind)
{
    if (cpi_event_is_id(event)) {
        take_id(intake, event, kind);
    } else {
        take_question(intake, event, kind);
    }
}

static uint32_t drain_chunk(struct cpi_intake *intake, enum cpi_ring_kind kind, uint32_t room)
{
    struct cpi_event events[DRAIN_CHUNK];
    /* Before they leave the ring: whoever adds up what is in ring and set misses none. */
    cpi_lane_set_queued(intake->lane, cpi_idset_total(intake->set) + least(room, DRAIN_CHUNK));
    uint32_t n = cpi_lane_get(intake->lane, kind, events, least(room, DRAIN_CHUNK));
    for (uint32_t i = 0; i < n; i++) {
        take(intake, &events[i], kind);
    }
    return n;
}

void cpi_intake_drain(struct cpi_intake *intake)
{
    cpi_idset_hold_parked(intake->set, intake->recalled || cpi_now_ms() < intake->rested_ms);
    for (int kind = 0; kind < CPI_RINGS; kind++) {
        for (int chunk = 0; chunk < DRAIN_CHUNKS_PER_CYCLE; chunk++) {
            uint32_t room = takeable(intake, (enum cpi_ring_kind)kind);
            if (room == 0 || drain_chunk(intake, (enum cpi_ring_kind)kind, room) == 0) {
                break;
            }
        }
    }
}

bool cpi_intake_can_drain(const struct cpi_intake *intake)
{
    for (int kind = 0; kind < CPI_RINGS; kind++) {
        if (takeable(intake, (enum cpi_ring_kind)kind) > 0 && cpi_ring_count(intake->lane->rings[kind]) > 0) {
            return true;
        }
    }
    return false;
}

/* ---- reporting ---- */

uint32_t cpi_intake_waiting(const struct cpi_intake *intake)
{
    return cpi_idset_total(intake->set) - count(intake, CPI_PARKED);
}

/* What was dropped and is owed a resync has not settled; once it is requested, others know of it. */
static bool owes_nothing(const struct cpi_intake *intake)
{
    return !intake->owes && intake->crowded_out == 0;
}

static void acknowledge_barriers(struct cpi_intake *intake)
{
    for (int kind = 0; kind < CPI_RINGS; kind++) {
        bool may_pass = kind != CPI_RING_LIVE || owes_nothing(intake);
        if (intake->barriers[kind] != 0 && may_pass && cpi_idset_barrier_left(intake->set, (unsigned)kind) == 0) {
            cpi_lane_acknowledge(intake->lane, (enum cpi_ring_kind)kind, intake->barriers[kind]);
            intake->barriers[kind] = 0;
            cpi_bell_ring(&intake->env->requests->listener_bell); /* tickets wait for those of the live ring */
        }
    }
}

static void pass_position(struct cpi_intake *intake)
{
    if (intake->position != 0 && owes_nothing(intake) && cpi_idset_barrier_left(intake->set, POSITION_BARRIER) == 0) {
        cpi_events_truncate(&intake->failing, 0, intake->env->config->entities);
        bool is_all = cpi_idset_copy_failing(intake->set, FAILING_TOLD, &intake->failing);
        cpi_lane_pass_position(intake->lane, intake->position, &intake->failing, is_all);
        intake->position = 0;
    }
}

/* As soon as there is room again, and while there is none now and then. */
static void pay_crowded_out(struct cpi_intake *intake)
{
    if (intake->crowded_out > 0 && (room_for(intake, CPI_RING_LIVE) > live_limit(intake) / 2 ||
                                    cpi_now_ms() - intake->crowded_out_ms >= OWED_FOR_MS)) {
        intake->crowded_out = 0;
        cpi_requests_resync(intake->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_OVERFLOW);
    }
}

void cpi_intake_report(struct cpi_intake *intake)
{
    pay_crowded_out(intake);
    acknowledge_barriers(intake);
    uint32_t pending = cpi_idset_total(intake->set);
    uint32_t failing = count(intake, CPI_PARKED);
    cpi_stats_add(intake->env->stats, CPI_STAT_PENDING, (int64_t)pending - intake->reported_pending);
    cpi_stats_add(intake->env->stats, CPI_STAT_FAILING, (int64_t)failing - intake->reported_failing);
    intake->reported_pending = pending;
    intake->reported_failing = failing;
    cpi_lane_set_queued(intake->lane, pending);
    cpi_lane_show(intake->lane, intake->set);
    pass_position(intake);
}
