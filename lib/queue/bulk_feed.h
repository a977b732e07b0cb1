/*
 * The resync thread's side of the lanes: puts ids into the bulk rings, and barriers that show when all of them have
 * settled. It never drops an id: what does not fit into a ring stays staged, and the caller tries again.
 *
 * Belongs to the resync thread.
 */
#ifndef CPI_BULK_FEED_H
#define CPI_BULK_FEED_H

#include "queue/lane.h"

struct cpi_bulk_feed {
    const struct cpi_lanes *lanes;
    struct cpi_events *staged; /* by lane; not in its ring yet */
    int64_t barrier;           /* the number of the last one; they only grow */
};

cp_code cpi_bulk_feed_init(struct cpi_bulk_feed *feed, const struct cpi_lanes *lanes, cp_error *err);
void cpi_bulk_feed_fini(struct cpi_bulk_feed *feed);

/* Stages one id for its lane. Takes it over on success only; false: out of memory. */
bool cpi_bulk_feed_stage(struct cpi_bulk_feed *feed, const struct cpi_event *event);

/* Moves what fits into the rings and wakes the workers. True when nothing is left staged. */
bool cpi_bulk_feed_push(struct cpi_bulk_feed *feed);

/* Puts a barrier, or a quiesce request, with a new number into each bulk ring, behind everything pushed (see lane.h).
 * False while one of them is full: try again. */
bool cpi_bulk_feed_barrier(struct cpi_bulk_feed *feed);
bool cpi_bulk_feed_quiesce(struct cpi_bulk_feed *feed);

/* Whether every lane has passed the barrier, or answered the quiesce request, with this number. */
bool cpi_bulk_feed_passed(const struct cpi_bulk_feed *feed, enum cpi_ring_kind kind, int64_t number);

#endif
