/* cachepusher as a library, inside this process, where its statistics can be read. */
#ifndef BENCH_FOLLOWER_H
#define BENCH_FOLLOWER_H

#include <cachepusher.h>

#include "servers/servers.h"

/* Listens and has done nothing yet. entities: JSON that replaces the customer example, or NULL. */
cp_syncer *follower_start(const struct servers *servers, long threads, const char *entities);

/* Settles what is queued; stats: after that. */
void follower_stop(cp_syncer *syncer, cp_stats *stats);

#endif
