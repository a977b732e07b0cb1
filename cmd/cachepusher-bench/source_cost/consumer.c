#include "source_cost/consumer.h"

#include "fatal.h"
#include "servers/daemon.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, PATIENCE_S = 600, LOOK_EVERY_MS = 2 };

void consumer_start(struct consumer *consumer, const struct servers *servers, PGconn *pg, const struct way *way)
{
    char grace[16];
    char *const flags[] = {(char *)"--warmup", (char *)"none", (char *)"--grace", grace, NULL};
    snprintf(grace, sizeof grace, "%d", PATIENCE_S);
    *consumer = (struct consumer){.servers = servers, .way = way};
    if (way->reading == READ_BY_READER) {
        reader_start(&consumer->reader, servers, pg, way->source);
    } else if (way->reading == READ_BY_FOLLOWER && way->source == SOURCE_WAL2JSON) {
        bare_loop_start(&consumer->loop, servers, pg, way->source);
    } else if (way->reading == READ_BY_FOLLOWER) {
        daemon_start(&consumer->daemon, servers, THREADS, way->source, flags);
    }
}

static bool has(redisContext *redis, int64_t customer, const char *name)
{
    redisReply *reply = redisCommand(redis, "GET customer:%lld", (long long)customer);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        fatal("Redis: GET: %s", reply == NULL ? redis->errstr : reply->str);
    }
    bool is_there = reply->type == REDIS_REPLY_STRING && strstr(reply->str, name) != NULL;
    freeReplyObject(reply);
    return is_there;
}

/* One more change, of the customer that updates_run() leaves alone: whoever has heard of it has heard of all others. */
static void wait_for_follower(const struct way *way, PGconn *pg, redisContext *redis)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    double deadline_s = clock_s() + (double)PATIENCE_S;
    char sql[256];
    char name[64];
    snprintf(name, sizeof name, "last before %.6f", deadline_s);
    snprintf(sql, sizeof sql,
             "update customer set name = '%s' where id_customer operator(pg_catalog.=)"
             " (select pg_catalog.max(id_customer) from customer) returning id_customer",
             name);
    int64_t customer = pg_do(pg, sql);
    while (!has(redis, customer, name)) {
        if (clock_s() > deadline_s) {
            fatal("source-cost: %s, followed by %s: the last change is not in Redis after %d s", way->announced,
                  way->read_by, PATIENCE_S);
        }
        nanosleep(&pause, NULL);
    }
}

double consumer_stop(struct consumer *consumer, PGconn *pg, redisContext *redis)
{
    const struct way *way = consumer->way;
    double began_s = clock_s();
    double behind_s = NAN;
    struct usage usage;
    if (way->reading == READ_BY_READER) {
        reader_catch_up(&consumer->reader, pg);
        behind_s = clock_s() - began_s;
        reader_stop(&consumer->reader);
    } else if (way->reading == READ_BY_FOLLOWER) {
        wait_for_follower(way, pg, redis);
        if (way->source == SOURCE_WAL2JSON) {
            behind_s = clock_s() - began_s;
            bare_loop_stop(&consumer->loop);
        } else { /* what a crowd has announced may come later, but a daemon that ends settles what it has heard of */
            daemon_stop(&consumer->daemon, &usage);
            behind_s = clock_s() - began_s;
        }
    }
    return behind_s;
}
