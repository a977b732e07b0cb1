/*
 * Finds out when a document can be read in Redis: a thread that is woken by Redis, never by a clock.
 *
 * It subscribes to the keyspace notifications of the watched keys, each by name, since a pattern would wake it for
 * every document of a warm-up. A notification says that a key was set, but not to what. So the tracker then reads the
 * key with GET and looks for the sequence number in the name, "bench 4711". A change has been seen when the reply has
 * its number or a later one. The times include this round trip, which is the same for every system; tracker_floor()
 * measures it.
 */
#ifndef BENCH_TRACKER_H
#define BENCH_TRACKER_H

#include "report/samples.h"
#include "servers/servers.h"

#include <stdbool.h>
#include <stdint.h>

/* Customers that are changed in turn: change number k changes watched->ids[k % count]. */
struct watched {
    uint32_t count;
    int64_t *ids; /* ascending */
};

void watched_init(struct watched *watched, PGconn *pg, uint32_t count);
void watched_fini(struct watched *watched);

/* Makes Redis notify of keys that are set, in addition to its present setting. A given Redis gets its setting back at
 * the end. */
void redis_notify_sets(redisContext *redis);

struct tracker;

/* Tracks changes whose names have the numbers first to first + changes - 1. Ready to see them when it returns. */
struct tracker *tracker_start(const struct servers *servers, const struct watched *watched, int64_t first,
                              uint64_t changes);

/* Waits until every change has been seen, for patience_s at most; call it when all have been made. Returns the time of
 * clock_s() for each change, NAN for one that was not seen. The caller frees it. */
double *tracker_finish(struct tracker *tracker, double patience_s);

/* Milliseconds from the reply to a SET made here until the tracker has seen it. *number is increased. */
void tracker_floor(const struct servers *servers, const struct watched *watched, int64_t *number,
                   struct samples *milliseconds);

#endif
