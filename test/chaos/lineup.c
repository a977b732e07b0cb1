#include "lineup.h"

#include <string.h>

static const struct lineup lineups[] = {
    {.name = "redis",
     .has_redis = true,
     .has_wal = true,
     .least = 1,
     .most = 2,
     .kinds = {DAEMON_COMMAND, DAEMON_COMMAND}},
    {.name = "cache", .least = 1, .most = 2, .kinds = {DAEMON_FOLLOWER, DAEMON_FOLLOWER}},
    {.name = "both", .has_redis = true, .least = 2, .most = 2, .kinds = {DAEMON_COMMAND, DAEMON_FOLLOWER}},
    {.name = "writer", .has_redis = true, .has_wal = true, .least = 1, .most = 1, .kinds = {DAEMON_WRITER}},
};

const struct lineup *lineup_find(const char *name)
{
    for (size_t i = 0; i < sizeof lineups / sizeof *lineups; i++) {
        if (strcmp(lineups[i].name, name) == 0) {
            return &lineups[i];
        }
    }
    return NULL;
}

static void add_host(struct world *world, struct daemon *daemon)
{
    static const char *const names[DAEMONS_MAX] = {"the cache of daemon 0", "the cache of daemon 1"};
    struct cache *cache = &world->host_caches[daemon->slot];
    cache_create_host(cache, daemon->socket);
    world->views[world->view_count++] = (struct view){.cache = cache, .name = names[daemon->slot], .host = daemon};
}

void lineup_make_views(struct world *world)
{
    world->view_count = 0;
    if (world->lineup->has_redis) {
        world->views[world->view_count++] = (struct view){.cache = &world->cache, .name = "Redis"};
    }
    for (int i = 0; i < world->daemon_count; i++) {
        if (world->daemons[i].kind != DAEMON_COMMAND) {
            add_host(world, &world->daemons[i]);
        }
    }
    const char *names[VIEWS] = {NULL};
    for (int i = 0; i < world->view_count; i++) {
        names[i] = world->views[i].name;
    }
    world->history = history_create(names);
    for (int i = 0; i < world->view_count; i++) {
        if (world->views[i].host != NULL && world->views[i].host->kind == DAEMON_WRITER) {
            history_may_forget(world->history, i);
        }
    }
}

void lineup_ends(struct world *world, const struct daemon *daemon)
{
    for (int i = 0; i < world->view_count; i++) {
        if (world->views[i].host == daemon) {
            history_suspend(world->history, i);
        }
    }
}

void lineup_begins(struct world *world, const struct daemon *daemon)
{
    for (int i = 0; i < world->view_count; i++) {
        if (world->views[i].host == daemon) {
            history_resume(world->history, i, LOSS_ALL);
        }
    }
}
