#include "cache.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { START_MS = 20000, COMMAND_MS = 5000, PATIENCE_MS = 15000, LOOK_MS = 10 };

void cache_create(struct cache *cache, const char *dir, struct proxy *proxy)
{
    *cache = (struct cache){.proxy = proxy};
    for (int i = 0; i < NODES; i++) {
        struct node *node = &cache->nodes[i];
        FORMAT(node->dir, "%s/redis%d", dir, i);
        FORMAT(node->socket, "%s/redis%d.sock", dir, i);
        FORMAT(node->log, "%s/redis%d.log", dir, i);
        make_directory(node->dir);
        node->door = proxy_listen(proxy, node->socket, &node->port);
    }
}

void cache_create_host(struct cache *cache, const char *socket)
{
    *cache = (struct cache){0};
    FORMAT(cache->nodes[0].socket, "%s", socket);
}

struct node *cache_primary(struct cache *cache)
{
    return &cache->nodes[atomic_load(&cache->primary)];
}

redisContext *cache_connect(const struct node *node, int timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    redisContext *context = redisConnectUnixWithTimeout(node->socket, timeout);
    if (context != NULL && context->err == 0 && redisSetTimeout(context, timeout) == REDIS_OK) {
        return context;
    }
    if (context != NULL) {
        redisFree(context);
    }
    return NULL;
}

static redisReply *ask(const struct node *node, const char *format, va_list arguments)
{
    redisContext *context = cache_connect(node, COMMAND_MS);
    redisReply *reply = context != NULL ? redisvCommand(context, format, arguments) : NULL;
    if (context != NULL) {
        redisFree(context);
    }
    return reply;
}

void cache_do(const struct node *node, const char *format, ...)
{
    char why[256] = "no answer";
    for (int64_t until_ms = now_ms() + PATIENCE_MS; now_ms() < until_ms; poll(NULL, 0, LOOK_MS)) {
        va_list arguments;
        va_start(arguments, format);
        redisReply *reply = ask(node, format, arguments);
        va_end(arguments);
        bool fine = reply != NULL && reply->type != REDIS_REPLY_ERROR;
        if (reply != NULL && !fine) {
            snprintf(why, sizeof why, "%s", reply->str);
        }
        freeReplyObject(reply);
        if (fine) {
            return;
        }
    }
    die("Redis: %s: %s; see %s", format, why, node->log);
}

static redisReply *askf(const struct node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = ask(node, format, arguments);
    va_end(arguments);
    return reply;
}

bool cache_info_has(const struct node *node, const char *section, const char *text)
{
    redisReply *reply = askf(node, "INFO %s", section);
    bool has = reply != NULL && reply->type == REDIS_REPLY_STRING && strstr(reply->str, text) != NULL;
    freeReplyObject(reply);
    return has;
}

struct starting {
    struct node *node;
    bool loads;
};

static bool answers(void *context)
{
    struct starting *starting = context;
    if (!process_is_running(&starting->node->server)) {
        die("Redis did not start; see %s", starting->node->log);
    }
    redisReply *reply = askf(starting->node, "PING");
    bool fine = reply != NULL && (reply->type == REDIS_REPLY_STATUS || starting->loads);
    freeReplyObject(reply);
    return fine;
}

void cache_start(struct cache *cache, int index, struct start how)
{
    struct node *node = &cache->nodes[index];
    if (how.empty) {
        char pattern[2 * PATH_BYTES];
        FORMAT(pattern, "rm -rf %s/dump.rdb %s/appendonlydir", node->dir, node->dir);
        process_run(node->log, AS_OURSELVES, (const char *const[]){"sh", "-c", pattern, NULL});
    }
    char delay[16];
    FORMAT(delay, "%d", how.slowly_us);
    process_start(&node->server, node->log, AS_SERVER,
                  (const char *const[]){"redis-server",
                                        "--port",
                                        "0",
                                        "--unixsocket",
                                        node->socket,
                                        "--dir",
                                        node->dir,
                                        "--save",
                                        "",
                                        "--appendonly",
                                        how.appends ? "yes" : "no",
                                        "--key-load-delay",
                                        delay,
                                        "--loading-process-events-interval-bytes",
                                        "1024",
                                        "--repl-diskless-sync-delay",
                                        "0",
                                        "--busy-reply-threshold",
                                        "20",
                                        "--appendfsync",
                                        "no",
                                        NULL});
    struct starting starting = {.node = node, .loads = how.loads};
    if (!wait_until(answers, &starting, START_MS)) {
        die("Redis does not answer; see %s", node->log);
    }
}

void cache_kill(struct cache *cache, int index)
{
    process_kill(&cache->nodes[index].server);
}
