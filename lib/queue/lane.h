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
 * Two kinds of marks can be put into a ring, each with a number. A lane has passed a barrier when every id before it
 * has settled or was parked; once all lanes have passed it, a warm-up is complete. A quiesce request is answered as
 * soon as the worker dequeues it: the batch before it is over, and what was read for it is in Redis or will be read
 * again. The worker answers both with cpi_lane_acknowledge().
 */
#ifndef CPI_LANE_H
#define CPI_LANE_H

#include "base/assert.h"
#include "base/bell.h"
#include "base/stats.h"
#include "queue/idset.h"
#include "queue/ring.h"

enum cpi_ring_kind { CPI_RING_LIVE, CPI_RING_BULK, CPI_RINGS };

_Static_assert(CPI_IDSET_BARRIERS == (int)CPI_RINGS, "the worker's set keeps one barrier for each ring");

struct cpi_lane {
    struct cpi_ring *rings[CPI_RINGS];
    struct cpi_bell bell; /* the worker's */
    /* The number of the newest mark answered, by ring; 0: none yet. Written by the worker. */
    _Atomic int64_t barriers_passed[CPI_RINGS];
    /* Ids in the worker's set when it last counted. Written by the worker. */
    _Atomic uint32_t queued;
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
bool cpi_lane_put_quiesce(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);

/* The worker. The bulk ring's numbers come from the resync thread's counter and only grow: acknowledging an older one
 * is a mistake. Those of the live ring have been outside, in a notification, and may be anything. */
uint32_t cpi_lane_get(struct cpi_lane *lane, enum cpi_ring_kind kind, struct cpi_event *events, uint32_t n);
bool cpi_lane_is_empty(const struct cpi_lane *lane);
void cpi_lane_acknowledge(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);

/* The worker publishes how many ids are in its set; the live feed keeps no more than the rest of the capacity. */
void cpi_lane_set_queued(struct cpi_lane *lane, uint32_t queued);
uint32_t cpi_lane_queued(const struct cpi_lane *lane);

/* Any thread: whether the mark with this number, or a newer one, has been answered. */
bool cpi_lane_has_passed(const struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number);

#endif
