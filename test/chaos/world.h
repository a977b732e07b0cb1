/* All that a run consists of. It belongs to the main thread; what other threads use of it says so itself. */
#ifndef WORLD_H
#define WORLD_H

#include "cache.h"
#include "cluster.h"
#include "daemon.h"
#include "history.h"
#include "proxy.h"

enum { DAEMONS_MAX = 2 };

struct world {
    char dir[PATH_BYTES];
    struct cluster cluster;
    struct cache cache;
    struct proxy *proxy;
    int postgres_door; /* of the proxy: what the daemons connect to */
    int redis_door;
    struct daemon daemons[DAEMONS_MAX];
    int daemon_count;
    struct history *history;
};

#endif
