/* The run's two private Redis servers: one is the primary, the other is started when a replica is needed. The main
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
    int door; /* of the proxy, since replicas connect only by TCP */
    int port; /* the port of the proxy for this node */
    struct process server;
};

struct cache {
    struct proxy *proxy;
    struct node nodes[NODES];
    atomic_int primary;
};

struct start {
    bool empty;    /* without the data of an earlier run */
    bool appends;  /* with an append-only file */
    int slowly_us; /* how long it takes to load a key */
    bool loads;    /* do not wait until it has loaded */
};

void cache_create(struct cache *cache, const char *dir, struct proxy *proxy);

/* The cache in a host's process instead (answers.h): it is only connected to. */
void cache_create_host(struct cache *cache, const char *socket);

void cache_start(struct cache *cache, int node, struct start how);
void cache_kill(struct cache *cache, int node);

struct node *cache_primary(struct cache *cache);

/* NULL: cannot connect now. */
redisContext *cache_connect(const struct node *node, int timeout_ms);

/* A command that has to succeed, at once or when the node has finished what prevents it, such as a snapshot for a
 * replica. */
void cache_do(const struct node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether INFO holds the text. */
bool cache_info_has(const struct node *node, const char *section, const char *text);

#endif
