/* Everything in a run. It belongs to the main thread; parts that other threads may use say so. */
#ifndef WORLD_H
#define WORLD_H

#include "cache.h"
#include "cluster.h"
#include "daemon.h"
#include "history.h"
#include "proxy.h"
#include "resuming.h"

enum { DAEMONS_MAX = 2 };

struct lineup;

/* What is to be equal to Postgres. Does not change while the run lasts: any thread may look. */
struct view {
    struct cache *cache;
    const char *name;
    const struct daemon *host; /* whose process it is in; NULL: Redis */
};

struct world {
    char dir[PATH_BYTES];
    struct cluster cluster;
    struct cache cache;
    struct proxy *proxy;
    int postgres_door; /* of the proxy: what the daemons connect to */
    int redis_door;
    const struct lineup *lineup;
    struct daemon daemons[DAEMONS_MAX];
    int daemon_count;
    struct cache host_caches[DAEMONS_MAX];
    struct view views[VIEWS]; /* as numbered in the history */
    int view_count;
    struct history *history;
    const char *schema;          /* of test/schemas, besides the customers; NULL: none */
    char config[2 * PATH_BYTES]; /* the daemons' file; "": none */
    struct resuming resuming;
};

#endif
