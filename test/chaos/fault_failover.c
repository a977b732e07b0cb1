/* A replica that lags takes the place of its primary. */
#include "fault.h"

enum { SYNC_MS = 20000 };

static bool is_in_sync(void *context)
{
    return cache_info_has(context, "replication", "master_link_status:up");
}

static void replicate(const struct node *replica, const struct node *from)
{
    cache_do(replica, "REPLICAOF 127.0.0.1 %d", from->port);
}

/* Starts a replica, which gets everything up to now and nothing from then on. */
static void inject_lag(struct world *world, struct strike *strike)
{
    struct cache *cache = &world->cache;
    int other = 1 - atomic_load(&cache->primary);
    struct node *old = cache_primary(cache);
    struct node *replica = &cache->nodes[other];
    if (replica->server.pid != 0) { /* demoted some time ago */
        cache_kill(cache, other);
    }
    cache_start(cache, other, (struct start){.empty = true});
    replicate(replica, old);
    if (!wait_until(is_in_sync, replica, SYNC_MS)) {
        die("the replica does not get in sync; see %s", replica->log);
    }
    proxy_behave(world->proxy, old->door,
                 (struct proxy_behaviour){.mode = PROXY_STALL, .share = 100, .random = strike->random});
}

/* Clients that connect from now on find the replica. */
static void promote(struct world *world)
{
    struct cache *cache = &world->cache;
    struct node *old = cache_primary(cache);
    int other = 1 - atomic_load(&cache->primary);
    cache_do(&cache->nodes[other], "REPLICAOF NO ONE");
    atomic_store(&cache->primary, other);
    proxy_point(world->proxy, world->redis_door, cache_primary(cache)->socket);
    proxy_reset(world->proxy, old->door);
    proxy_behave(world->proxy, old->door, (struct proxy_behaviour){.mode = PROXY_PASS});
}

static void heal_by_death(struct world *world, struct strike *strike)
{
    (void)strike;
    history_suspend(world->history, VIEW_REDIS);
    cache_kill(&world->cache, atomic_load(&world->cache.primary));
    promote(world);
    history_resume(world->history, VIEW_REDIS, LOSS_RECENT);
}

/* The old primary lives on as a replica of the new one, with the connections that it has; what is written through them
 * is refused (READONLY). */
static void heal_by_demotion(struct world *world, struct strike *strike)
{
    (void)strike;
    struct node *old = cache_primary(&world->cache);
    history_suspend(world->history, VIEW_REDIS);
    promote(world);
    replicate(old, cache_primary(&world->cache));
    history_resume(world->history, VIEW_REDIS, LOSS_RECENT);
}

const struct fault failover_faults[] = {
    {"redis-failover", TARGET_REDIS, 100, 2000, inject_lag, heal_by_death, false, false},
    {"redis-demotion", TARGET_REDIS, 100, 2000, inject_lag, heal_by_demotion, false, false},
    {0},
};
