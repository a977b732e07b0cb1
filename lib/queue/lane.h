/*
 * A lane: one worker's inbox. Two rings, each with one producer, and the doorbell that wakes the worker.
 *
 *     listener ──▶ live ring ──┐
 *                              ├──▶ worker (the only consumer of both; live before bulk)
 *     resync   ──▶ bulk ring ──┘
 *
 * An id always goes to the same lane, so two workers never have the same id. This is why an older read cannot overwrite
 * a newer one.
 *
 * Marks can be put into a ring, each with a number. A lane has passed a barrier when every id before it
 * has settled or was parked; once all lanes have passed it, a warm-up is complete. A quiesce request is answered as
 * soon as the worker dequeues it: the batch before it is over, and what was read for it is in Redis or will be read
 * again. The worker answers both with cpi_lane_acknowledge(). A position is a barrier of the live ring for itself: once
 * all lanes have passed it, the source of events need not bring again what came before.
 */
#ifndef CPI_LANE_H
#define CPI_LANE_H

#include "base/assert.h"
#include "base/bell.h"
#include "base/stats.h"
#include "queue/idset.h"
#include "queue/ring.h"

enum cpi_ring_kind { CPI_RING_LIVE, CPI_RING_BULK, CPI_RINGS };

_Static_assert(CPI_IDSET_BARRIERS == (int)CPI_RINGS + 1, "the worker's set keeps one for each ring, and a position");

struct cpi_lane {
    struct cpi_ring *rings[CPI_RINGS];
    struct cpi_bell bell; /* the worker's */
    /* The number of the newest mark answered, by ring; 0: none yet. Written by the worker. */
    _Atomic int64_t barriers_passed[CPI_RINGS];
    /* The number of the newest position passed; 0: none yet. Written by the worker. */
    _Atomic int64_t position_passed;
    /* What failed then. Of the worker from the time that a position is put until it passes it, of the listener else. */
    struct cpi_events failing;
    bool knows_failing; /* else there were too many */
    /* Ids in the worker's set when it last counted, by queue as well, and when the first live one or the first of a
     * crowd among them had been announced; 0: there is none. Written by the worker. */
    _Atomic uint32_t queued;
    _Atomic uint32_t queues[CPI_QUEUES];
    _Atomic cpi_ticks oldest;
    /* Since when the live ring has not been empty, at most: the listener tells when it puts something into an empty
     * one, and the worker when it has taken something. Of no meaning while it is empty. */
    _Atomic cpi_ticks waiting;
    /* The threads at either end, each checked and kept by itself. */
    struct cpi_owner producers[CPI_RINGS];
    struct cpi_owner consumer;
};

/* All lanes of a syncer. Wired up by its creator and constant from then on. */
struct cpi_lanes {
    struct cpi_lane *items;
    uint32_t count;
    /* How many ids may wait for a lane in its live feed and its worker's set together, besides its rings. An id counts
     * twice if it changes again while it waits in the set and the ring is full. */
    uint32_t capacity;
    const struct cpi_entity *entities;
    struct cpi_stats *stats;
};

cp_code cpi_lane_init(struct cpi_lane *lane, cp_error *err);

/* After the threads have ended: frees the events left in the rings. */
void cpi_lane_fini(struct cpi_lane *lane, const struct cpi_entity *entities);

/* The number of the lane that an id belongs to. */
uint32_t cpi_lane_of(const struct cpi_lanes *lanes, const struct cpi_event *event);

/* The ring's producer. Returns how many fitted. Does not wake the worker: ring the bell after the last of a burst. */
uint32_t cpi_lane_put(struct cpi_lane *lane, enum cpi_ring_kind kind, const struct cpi_event *events, uint32_t n);
bool cpi_lane_has_room(const struct cpi_lane *lane, enum cpi_ring_kind kind);
bool cpi_lane_put_barrier(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);
bool cpi_lane_put_position(struct cpi_lane *lane, int64_t number);
bool cpi_lane_put_quiesce(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);

/* The worker. The bulk ring's numbers come from the resync thread's counter and only grow: acknowledging an older one
 * is a mistake. Those of the live ring have been outside, in a notification, and may be anything. */
uint32_t cpi_lane_get(struct cpi_lane *lane, enum cpi_ring_kind kind, struct cpi_event *events, uint32_t n);
bool cpi_lane_is_empty(const struct cpi_lane *lane);
void cpi_lane_acknowledge(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);

/* The worker: everything before the position of this number has settled, or is among `failing`; unless is_all is false,
 * when more fail than can be told. *failing is exchanged for what was given the last time. Numbers only grow. */
void cpi_lane_pass_position(struct cpi_lane *lane, int64_t number, struct cpi_events *failing, bool is_all);

/* Any thread: whether that was said of this number, or a newer one. What the worker requested of other threads before
 * is then visible. */
bool cpi_lane_has_passed_position(const struct cpi_lane *lane, int64_t number);

/* The listener, once the position that it put last has been passed and until it puts another: what failed. NULL: it is
 * not known. */
const struct cpi_events *cpi_lane_failing(const struct cpi_lane *lane);

/* The worker publishes how many ids are in its set; the live feed keeps no more than the rest of the capacity. */
void cpi_lane_set_queued(struct cpi_lane *lane, uint32_t queued);
uint32_t cpi_lane_queued(const struct cpi_lane *lane);

/* The worker publishes what else others may look at. */
void cpi_lane_show(struct cpi_lane *lane, const struct cpi_idset *set);

/* Any thread: what is to be seen of it. */
void cpi_lane_look(const struct cpi_lane *lane, cp_lane *out);

/* Any thread: how long the oldest event of the lane that has not settled has waited, in microseconds; 0: there is none.
 * Ids that fail by themselves do not count. Of those in the ring it is known to within the time of a cycle. */
int64_t cpi_lane_age_us(const struct cpi_lane *lane);

/* How long something has waited in the live ring without the worker taking anything out of it. */
int64_t cpi_lane_untaken_us(const struct cpi_lane *lane);

/* Any thread: whether the mark with this number, or a newer one, has been answered. */
bool cpi_lane_has_passed(const struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);

#endif
