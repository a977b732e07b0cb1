/*
 * When a document can be read in Redis: a thread that is woken by Redis, never by a clock.
 *
 * It subscribes to the keyspace notifications of the watched keys, each by its name: with a pattern it would be woken
 * for every document of a warm-up. A notification says that the key has been set, not to what, so that each makes it
 * GET the key and look for the sequence number in the name, "bench 4711". A change has been seen when that reply holds
 * its number or a later one. So what it reports includes its own way, there and back, which is the same for whoever
 * has set the key; tracker_floor() tells how long that is.
 */
#ifndef BENCH_TRACKER_H
#define BENCH_TRACKER_H

#include "report/samples.h"
#include "servers/servers.h"

#include <stdbool.h>
#include <stdint.h>

/* Customers that are changed in turn: change number k is about watched->ids[k % count]. */
struct watched {
    uint32_t count;
    int64_t *ids; /* ascending */
};

void watched_init(struct watched *watched, PGconn *pg, uint32_t count);
void watched_fini(struct watched *watched);

/* Redis tells of keys that are set, as the tracker needs it, beside what it tells already. A given one is set back when
 * it is given back. */
void redis_notify_sets(redisContext *redis);

struct tracker;

/* Tracks changes whose names have the numbers first to first + changes - 1. Ready to see them when it returns. */
struct tracker *tracker_start(const struct servers *servers, const struct watched *watched, int64_t first,
                              uint64_t changes);

/* Waits until every change has been seen, for patience_s at most; call it once all have been made. By number of the
 * change the time of clock_s(), NAN for one that was not seen: the caller's to free. */
double *tracker_finish(struct tracker *tracker, double patience_s);

/* Milliseconds from the reply to a SET, sent by hand, to the moment at which the tracker has seen it. `number` is
 * raised. */
void tracker_floor(const struct servers *servers, const struct watched *watched, int64_t *number,
                   struct samples *milliseconds);

#endif
