/*
 * The listener's side of the lanes: puts live ids into the rings, and where a ring is full keeps them as a set of
 * distinct ids until it has room again. The listener thus never waits for a worker.
 */
#ifndef CPI_LIVE_FEED_H
#define CPI_LIVE_FEED_H

#include "queue/lane.h"
#include "queue/idset.h"

struct cpi_live_feed;

/* NULL: out of memory. */
struct cpi_live_feed *cpi_live_feed_create(const struct cpi_lanes *lanes);
void cpi_live_feed_destroy(struct cpi_live_feed *feed);

/* Routes the events to their lanes and wakes the workers. Takes over all of them; events is empty afterwards. False:
 * more ids than the bound allows, or out of memory; the lane's set has been forgotten, and a resync has to find its
 * ids. */
bool cpi_live_feed_put(struct cpi_live_feed *feed, struct cpi_events *events);

/* Asks every lane to pass a barrier of this number behind everything put so far. A newer one replaces an older one that
 * has not reached a ring yet. */
void cpi_live_feed_barrier(struct cpi_live_feed *feed, int64_t number);

/* Moves what fits into the rings; true when nothing is left. */
bool cpi_live_feed_flush(struct cpi_live_feed *feed);

/* How many ids are kept. */
uint64_t cpi_live_feed_count(const struct cpi_live_feed *feed);

#endif
