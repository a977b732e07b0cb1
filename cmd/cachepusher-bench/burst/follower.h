/* cachepusher as a library, inside this process, where its statistics can be read. */
#ifndef BENCH_FOLLOWER_H
#define BENCH_FOLLOWER_H

#include "servers/servers.h"
#include "sources/source.h"

#include "cachepusher.h"

/* Returns when it listens, before it has done anything else. entities: JSON that replaces the customer example, or
 * NULL. The source is set up. */
cp_syncer *follower_start(const struct servers *servers, long threads, enum source source, const char *entities);

/* Settles what is queued, then reads stats. */
void follower_stop(cp_syncer *syncer, cp_stats *stats);

#endif
