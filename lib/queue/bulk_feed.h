/* The resync thread's hand: puts ids into the lanes' bulk rings, waits where they are full, and asks with barriers
 * whether all of them have settled. */
#ifndef CPI_BULK_FEED_H
#define CPI_BULK_FEED_H

#include "queue/lane.h"

struct cpi_bulk_feed {
    const struct cpi_lanes *lanes;
    struct cpi_events *staged; /* by lane, not yet in its ring */
    int64_t barrier;           /* number of the last one; they only grow */
};

cp_code cpi_bulk_feed_init(struct cpi_bulk_feed *feed, const struct cpi_lanes *lanes, cp_error *err);
void cpi_bulk_feed_fini(struct cpi_bulk_feed *feed);

/* Stages one id for its lane. Takes it over on success only; false: out of memory. */
bool cpi_bulk_feed_stage(struct cpi_bulk_feed *feed, const struct cpi_event *event);

/* Moves what fits into the rings and wakes the workers; true when nothing is left staged. */
bool cpi_bulk_feed_push(struct cpi_bulk_feed *feed);

/* Puts a barrier, or a turn, of a new number behind everything pushed, in each bulk ring (see lane.h); false while one
 * of them is full. */
bool cpi_bulk_feed_barrier(struct cpi_bulk_feed *feed);
bool cpi_bulk_feed_quiesce(struct cpi_bulk_feed *feed);

/* Whether every lane has passed the barrier or turn of that number. */
bool cpi_bulk_feed_passed(const struct cpi_bulk_feed *feed, enum cpi_ring_kind kind, int64_t number);

#endif
