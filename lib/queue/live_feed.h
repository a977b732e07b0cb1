/*
 * The listener's side of the lanes: puts live ids into the rings. While a ring is full it keeps the ids for it as a set
 * of distinct ids. So the listener never waits for a worker.
 *
 * Belongs to the listener's thread.
 */
#ifndef CPI_LIVE_FEED_H
#define CPI_LIVE_FEED_H

#include "queue/lane.h"
#include "queue/idset.h"

struct cpi_live_feed;

/* NULL: out of memory. */
struct cpi_live_feed *cpi_live_feed_create(const struct cpi_lanes *lanes);
void cpi_live_feed_destroy(struct cpi_live_feed *feed);

enum cpi_fed {
    CPI_FED,
    CPI_FED_LESS, /* more ids than the bound allows: some of a crowd have been dropped */
    CPI_FED_LOST  /* too many even so, or out of memory: a lane's set has been dropped */
};

/* Routes the events to their lanes and wakes the workers. Takes over all of them; events is empty afterwards. Unless
 * all are fed the caller has to request a resync. */
enum cpi_fed cpi_live_feed_put(struct cpi_live_feed *feed, struct cpi_events *events);

/* Puts a barrier with this number into every lane, behind everything put so far. A newer one replaces an older one that
 * is not in a ring yet. */
void cpi_live_feed_barrier(struct cpi_live_feed *feed, int64_t number);

/* The same for a position (lane.h). */
void cpi_live_feed_position(struct cpi_live_feed *feed, int64_t number);

/* How many more ids a source that loses nothing had better bring now, whatever lane they are for: up to two thirds of
 * what a lane may keep, so that none has to be dropped: the rest is a resync's, and what a crowd leaves to others. */
uint32_t cpi_live_feed_room(const struct cpi_live_feed *feed);

/* Moves what fits into the rings. True when nothing is left. */
bool cpi_live_feed_flush(struct cpi_live_feed *feed);

/* How many ids are kept outside the rings. */
uint64_t cpi_live_feed_count(const struct cpi_live_feed *feed);

#endif
