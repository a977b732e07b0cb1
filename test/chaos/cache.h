/* Two Redis servers of the run's own: one is the primary, the other is started when it is to be a replica. The main
 * thread starts and stops them; any thread may connect. */
#ifndef CACHE_H
#define CACHE_H

#include "process.h"
#include "proxy.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>

enum { NODES = 2 };

struct node {
    char dir[PATH_BYTES];
    char socket[PATH_BYTES];
    char log[PATH_BYTES];
    int door; /* of the proxy: replicas connect by TCP alone */
    int port; /* of that door */
    struct process server;
};

struct cache {
    struct proxy *proxy;
    struct node nodes[NODES];
    atomic_int primary;
};

struct start {
    bool empty;    /* without what an earlier one has left */
    bool appends;  /* with an append-only file */
    int slowly_us; /* it takes so long to load a key */
    bool loads;    /* do not wait until it has loaded */
};

void cache_create(struct cache *cache, const char *dir, struct proxy *proxy);
void cache_start(struct cache *cache, int node, struct start how);
void cache_kill(struct cache *cache, int node);

struct node *cache_primary(struct cache *cache);

/* NULL: not now. */
redisContext *cache_connect(const struct node *node, int timeout_ms);

/* A command to a node that has to succeed: now, or once it is done with what keeps it from it, such as a snapshot for a
 * replica. */
void cache_do(const struct node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether INFO holds the text. */
bool cache_info_has(const struct node *node, const char *section, const char *text);

#endif
