/* What happens to a single Redis server. */
#include "fault.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CONDITION_MS = 20000, LARGE = 20000 };

static struct node *primary(struct world *world)
{
    return cache_primary(&world->cache);
}

static void start_primary(struct world *world, struct start how)
{
    cache_start(&world->cache, atomic_load(&world->cache.primary), how);
}

static void kill_primary(struct world *world)
{
    cache_kill(&world->cache, atomic_load(&world->cache.primary));
}

struct condition {
    const struct node *node;
    const char *section;
    const char *text;
};

static bool info_has(void *context)
{
    const struct condition *condition = context;
    return cache_info_has(condition->node, condition->section, condition->text);
}

static void wait_info(const struct node *node, const char *section, const char *text)
{
    struct condition condition = {node, section, text};
    if (!wait_until(info_has, &condition, CONDITION_MS)) {
        die("Redis: INFO %s does not get to say %s", section, text);
    }
}

/* ---- stopped, killed ---- */

static void inject_stop(struct world *world, struct strike *strike)
{
    strike_stop(strike, primary(world)->server.pid);
}

static void heal_stop(struct world *world, struct strike *strike)
{
    (void)world;
    strike_continue(strike);
}

static void inject_kill_empty(struct world *world, struct strike *strike)
{
    (void)strike;
    history_suspend(world->history, VIEW_REDIS);
    kill_primary(world);
    history_resume(world->history, VIEW_REDIS, LOSS_ALL);
}

static void heal_kill_empty(struct world *world, struct strike *strike)
{
    (void)strike;
    start_primary(world, (struct start){.empty = true});
}

static void inject_snapshot(struct world *world, struct strike *strike)
{
    (void)strike;
    cache_do(primary(world), "SAVE");
}

/* What was written since then is lost. */
static void heal_snapshot(struct world *world, struct strike *strike)
{
    (void)strike;
    history_suspend(world->history, VIEW_REDIS);
    kill_primary(world);
    history_resume(world->history, VIEW_REDIS, LOSS_RECENT);
    start_primary(world, (struct start){0});
}

/* Everything that was acknowledged is in the append-only file: nothing is lost. */
static void inject_kill_kept(struct world *world, struct strike *strike)
{
    (void)strike;
    struct node *node = primary(world);
    cache_do(node, "CONFIG SET appendonly yes");
    wait_info(node, "persistence", "aof_rewrite_scheduled:0"); /* behind the snapshot that a replica has asked for */
    wait_info(node, "persistence", "aof_rewrite_in_progress:0");
    kill_primary(world);
}

static void heal_kill_kept(struct world *world, struct strike *strike)
{
    (void)strike;
    start_primary(world, (struct start){.appends = true});
    cache_do(primary(world), "CONFIG SET appendonly no");
}

static void inject_flushall(struct world *world, struct strike *strike)
{
    (void)strike;
    history_suspend(world->history, VIEW_REDIS);
    cache_do(primary(world), "FLUSHALL");
    history_resume(world->history, VIEW_REDIS, LOSS_ALL);
}

/* Started with a data set that takes long to load; in another database, so that its keys are nobody's documents. */
static void inject_loading(struct world *world, struct strike *strike)
{
    static const char fill[] = "redis.call('select', 1) for i = 1, ARGV[1] do redis.call('set', i, 'x') end";
    struct node *node = primary(world);
    cache_do(node, "EVAL %s 0 %d", fill, LARGE);
    cache_do(node, "SAVE");
    history_suspend(world->history, VIEW_REDIS);
    kill_primary(world);
    history_resume(world->history, VIEW_REDIS, LOSS_RECENT);
    int sleep_us = strike->lasts_ms * 1000 / LARGE - 55; /* a sleep takes that much longer than asked for */
    start_primary(world, (struct start){.slowly_us = sleep_us > 1 ? sleep_us : 1, .loads = true});
}

static void heal_loading(struct world *world, struct strike *strike)
{
    (void)strike;
    wait_info(primary(world), "persistence", "\nloading:0");
    cache_do(primary(world), "EVAL %s 0", "redis.call('select', 1) redis.call('flushdb')");
}

/* ---- refusing ---- */

static void inject_memory(struct world *world, struct strike *strike)
{
    (void)strike;
    cache_do(primary(world), "CONFIG SET maxmemory 1");
}

static void heal_memory(struct world *world, struct strike *strike)
{
    (void)strike;
    cache_do(primary(world), "CONFIG SET maxmemory 0");
}

static void make_writable(const struct node *node, bool writable)
{
    if (chmod(node->dir, writable ? 0700 : 0500) != 0) {
        die("chmod %s fails", node->dir);
    }
}

/* A snapshot fails, and Redis takes no more writes (MISCONF). */
static void inject_directory(struct world *world, struct strike *strike)
{
    (void)strike;
    struct node *node = primary(world);
    make_writable(node, false);
    cache_do(node, "CONFIG SET save %s", "3600 1000000");
    cache_do(node, "BGSAVE");
    wait_info(node, "persistence", "rdb_last_bgsave_status:err");
}

static void heal_directory(struct world *world, struct strike *strike)
{
    (void)strike;
    struct node *node = primary(world);
    make_writable(node, true);
    cache_do(node, "BGSAVE");
    wait_info(node, "persistence", "rdb_last_bgsave_status:ok");
    cache_do(node, "CONFIG SET save %s", "");
}

/* A script that does not end (BUSY). */
static void inject_script(struct world *world, struct strike *strike)
{
    int done = 0;
    strike->redis = cache_connect(primary(world), CONDITION_MS);
    if (strike->redis == NULL || redisAppendCommand(strike->redis, "EVAL %s 0", "while true do end") != REDIS_OK ||
        redisBufferWrite(strike->redis, &done) != REDIS_OK || done == 0) {
        die("cannot start the script");
    }
}

/* It takes Redis a moment after it has answered. */
static bool is_script_killed(void *context)
{
    redisContext *redis = cache_connect(context, CONDITION_MS);
    if (redis == NULL) {
        return false;
    }
    freeReplyObject(redisCommand(redis, "SCRIPT KILL"));
    redisReply *reply = redisCommand(redis, "PING");
    bool killed = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    redisFree(redis);
    return killed;
}

static void heal_script(struct world *world, struct strike *strike)
{
    if (!wait_until(is_script_killed, primary(world), CONDITION_MS)) {
        die("SCRIPT KILL has no effect");
    }
    redisFree(strike->redis);
    strike->redis = NULL;
}

static void inject_disconnect(struct world *world, struct strike *strike)
{
    (void)strike;
    cache_do(primary(world), "CLIENT KILL TYPE normal");
}

static void ask(redisContext *redis, const char *command)
{
    redisReply *reply = redis != NULL ? redisCommand(redis, command) : NULL;
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        die("Redis: %s: %s", command, reply != NULL ? reply->str : "no answer");
    }
    freeReplyObject(reply);
}

/* "max number of clients reached", for everybody but us. */
static void inject_clients(struct world *world, struct strike *strike)
{
    strike->redis = cache_connect(primary(world), CONDITION_MS);
    ask(strike->redis, "CONFIG SET maxclients 1");
    ask(strike->redis, "CLIENT KILL TYPE normal");
}

static void heal_clients(struct world *world, struct strike *strike)
{
    (void)world;
    ask(strike->redis, "CONFIG SET maxclients 1000");
    redisFree(strike->redis);
    strike->redis = NULL;
}

/* Rights are taken away, and given back: to write, and to end connections. */
static void inject_acl(struct world *world, struct strike *strike)
{
    static const char *const rules[] = {"-set", "-del", "-client", "-incr", "-info", "-@write"};
    cache_do(primary(world), "ACL SETUSER default %s", rules[roll(&strike->random, sizeof rules / sizeof *rules)]);
    if (roll(&strike->random, 2) == 0) {
        cache_do(primary(world), "ACL SETUSER default %s", "-client|kill");
    }
}

static void heal_acl(struct world *world, struct strike *strike)
{
    (void)strike;
    cache_do(primary(world), "ACL SETUSER default +@all");
}

/* A copy of the data, put in place later: Redis goes back in time, under the same run_id. */
static void inject_swap(struct world *world, struct strike *strike)
{
    static const char copy[] =
        "redis.call('select', 9) redis.call('flushdb') redis.call('select', 0)"
        " for _, key in ipairs(redis.call('keys', '*')) do redis.call('copy', key, key, 'DB', 9) end";
    (void)strike;
    cache_do(primary(world), "EVAL %s 0", copy);
}

static void heal_swap(struct world *world, struct strike *strike)
{
    (void)strike;
    history_suspend(world->history, VIEW_REDIS);
    cache_do(primary(world), "SWAPDB 0 9");
    history_resume(world->history, VIEW_REDIS, LOSS_RECENT);
    cache_do(primary(world), "EVAL %s 0", "redis.call('select', 9) redis.call('flushdb')");
}

const struct fault redis_faults[] = {
    {"redis-stop", TARGET_REDIS, 100, 4000, inject_stop, heal_stop, false, false},
    {"redis-kill-empty", TARGET_REDIS, 0, 2000, inject_kill_empty, heal_kill_empty, false, false},
    {"redis-kill-snapshot", TARGET_REDIS, 200, 3000, inject_snapshot, heal_snapshot, false, false},
    {"redis-kill-kept", TARGET_REDIS, 0, 2000, inject_kill_kept, heal_kill_kept, false, false},
    {"redis-flushall", TARGET_REDIS, 0, 0, inject_flushall, NULL, false, false},
    {"redis-loading", TARGET_REDIS, 1500, 4000, inject_loading, heal_loading, false, false},
    {"redis-memory", TARGET_REDIS, 200, 3000, inject_memory, heal_memory, false, false},
    {"redis-directory", TARGET_REDIS, 200, 3000, inject_directory, heal_directory, false, false},
    {"redis-script", TARGET_REDIS, 200, 4000, inject_script, heal_script, false, false},
    {"redis-disconnect", TARGET_REDIS, 0, 0, inject_disconnect, NULL, false, false},
    {"redis-acl", TARGET_REDIS, 200, 4000, inject_acl, heal_acl, false, false},
    {"redis-swapdb", TARGET_REDIS, 1500, 4000, inject_swap, heal_swap, false, false},
    {"redis-clients", TARGET_REDIS, 200, 3000, inject_clients, heal_clients, false, false},
    {0},
};
