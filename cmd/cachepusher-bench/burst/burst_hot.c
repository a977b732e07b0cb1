#include "burst/burst.h"
#include "burst/follower.h"
#include "fatal.h"
#include "servers/process.h"
#include "sources/set_up.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 4, LOOK_EVERY_MS = 2, PATIENCE_S = 60, SITUATIONS = 2 };

/* Fetches that are slower than the updates, as for documents from many tables. */
static const char slow_function[] =
    "create or replace function bench_slow_get(id integer) returns json language sql stable as"
    " $$ select customer_get(id) from (select pg_catalog.pg_sleep(0.005) offset 0) as waited $$";

static const char slow_entities[] =
    "{\"entities\": [{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"fetch\": \"bench_slow_get\","
    " \"channels\": [\"customer_updated\", \"customer_deleted\"], \"list\": \"select id_customer from customer\","
    " \"watch\": [{\"table\": \"customer\", \"column\": \"id_customer\"},"
    " {\"table\": \"address\", \"column\": \"fk_customer\"}]}]}";

static const struct {
    const char *name;
    const char *entities;
} situations[SITUATIONS] = {{"customer_get()", NULL}, {"one that takes 5 ms more", slow_entities}};

struct figures {
    struct samples updates_per_s;
    struct samples fetches;
    struct samples updates_per_fetch;
    struct samples settled_ms;
};

/* One of the connections: its updates have the numbers first to first + updates - 1. */
struct writer {
    PGconn *pg;
    pthread_t thread;
    long customer;
    int run; /* whose documents differ from those of the run before, which are in Redis yet */
    long first;
    long updates;
};

static void *write_all(void *context)
{
    const struct writer *writer = context;
    char name[48];
    char id[24];
    const char *parameters[] = {name, id};
    snprintf(id, sizeof id, "%ld", writer->customer);
    for (long i = 0; i < writer->updates; i++) {
        snprintf(name, sizeof name, "bench %d.%ld", writer->run, writer->first + i);
        PGresult *result = PQexecPrepared(writer->pg, "hot", 2, parameters, NULL, NULL, 0);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fatal("burst: updating a customer: %s", PQerrorMessage(writer->pg));
        }
        PQclear(result);
    }
    return NULL;
}

static void open_writers(struct servers *servers, struct writer *writers, long customer, long updates)
{
    static int run;
    run++;
    for (long i = 0; i < WRITERS; i++) {
        struct writer *writer = &writers[i];
        *writer = (struct writer){.pg = servers_postgres(servers),
                                  .customer = customer,
                                  .run = run,
                                  .first = updates * i / WRITERS,
                                  .updates = updates * (i + 1) / WRITERS - updates * i / WRITERS};
        /* Commits that notify wait for each other's flush, so the disk would set the rate. */
        pg_do(writer->pg, "set synchronous_commit = off");
        PGresult *result = PQprepare(
            writer->pg, "hot", "update customer set name = $1 where id_customer operator(pg_catalog.=) $2", 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fatal("burst: %s", PQerrorMessage(writer->pg));
        }
        PQclear(result);
    }
}

static void run_writers(struct writer *writers)
{
    for (int i = 0; i < WRITERS; i++) {
        int error = pthread_create(&writers[i].thread, NULL, write_all, &writers[i]);
        if (error != 0) {
            fatal("cannot start a thread: %s", strerror(error));
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        PQfinish(writers[i].pg);
    }
}

/* Whether Redis holds what Postgres does. */
static bool is_equal(redisContext *redis, const char *document, long customer)
{
    redisReply *reply = redisCommand(redis, "GET customer:%ld", customer);
    if (reply == NULL) {
        fatal("Redis: GET: %s", redis->errstr);
    }
    bool equal = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, document) == 0;
    freeReplyObject(reply);
    return equal;
}

static void wait_until_equal(PGconn *pg, redisContext *redis, long customer)
{
    char sql[64];
    double deadline_s = clock_s() + (double)PATIENCE_S;
    snprintf(sql, sizeof sql, "select customer_get(%ld)", customer);
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fatal("burst: %s", PQerrorMessage(pg));
    }
    while (!is_equal(redis, PQgetvalue(result, 0, 0), customer)) {
        if (clock_s() > deadline_s) {
            fatal("burst: customer:%ld is not what its last update has made it, %d s later", customer, PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    }
    PQclear(result);
}

static void run_once(struct servers *servers, const struct options *options, int situation, enum source source,
                     PGconn *pg, redisContext *redis, struct figures *figures)
{
    struct writer writers[WRITERS];
    cp_stats before = {.size = sizeof before};
    cp_stats after;
    set_up_nothing(servers, pg);
    pg_do(pg, "vacuum customer");
    set_up(servers, pg, source);
    long customer = (long)pg_do(pg, "select pg_catalog.min(id_customer) from customer");
    cp_syncer *syncer = follower_start(servers, options->threads.items[0], source, situations[situation].entities);
    open_writers(servers, writers, customer, options->updates);
    cp_syncer_stats(syncer, &before, NULL);
    double began_s = clock_s();
    run_writers(writers);
    double ended_s = clock_s();
    wait_until_equal(pg, redis, customer);
    double settled_s = clock_s();
    follower_stop(syncer, &after);

    double fetches = (double)(after.fetches - before.fetches);
    samples_add(&figures->updates_per_s, (double)options->updates / (ended_s - began_s));
    samples_add(&figures->fetches, fetches);
    samples_add(&figures->updates_per_fetch, (double)options->updates / fetches);
    samples_add(&figures->settled_ms, 1e3 * (settled_s - ended_s));
}

/* A bare loop would fetch for every update. */
static void run_sources(struct servers *servers, const struct options *options, int situation, PGconn *pg,
                        redisContext *redis, struct figures figures[SOURCES])
{
    for (int source = 0; source < SOURCE_WAL2JSON; source++) {
        if (options->sources[source]) {
            run_once(servers, options, situation, (enum source)source, pg, redis, &figures[source]);
        }
    }
}

static void tell(struct table *table, int situation, enum source source, struct figures *figures)
{
    if (figures->fetches.count == 0) {
        return;
    }
    table_row(table);
    table_text(table, source_name(source));
    table_text(table, situations[situation].name);
    table_figure(table, &figures->updates_per_s);
    table_figure(table, &figures->fetches);
    table_figure(table, &figures->updates_per_fetch);
    table_number(table, samples_quantile(&figures->settled_ms, 1));
    samples_fini(&figures->updates_per_s);
    samples_fini(&figures->fetches);
    samples_fini(&figures->updates_per_fetch);
    samples_fini(&figures->settled_ms);
}

static struct table *begin_table(const struct options *options, struct report *report)
{
    char title[80];
    snprintf(title, sizeof title, "One row updated %s times", report_count(options->updates));
    struct table *table = report_table(report, "hot", title);
    table_column(table, "source", "source", NULL);
    table_column(table, "fetch", "fetched with", NULL);
    table_column(table, "rate", "updates", "/s");
    table_column(table, "fetches", "fetches", NULL);
    table_column(table, "updates_per_fetch", "updates/fetch", NULL);
    table_column(table, "settled", "settled after", "ms");
    return table;
}

void burst_hot(struct servers *servers, const struct options *options, struct report *report)
{
    struct table *table = begin_table(options, report);
    struct figures figures[SITUATIONS][SOURCES] = {0};
    PGconn *pg = servers_postgres(servers);
    redisContext *redis = servers_redis(servers);
    pg_do(pg, slow_function);
    for (long run = 0; run < options->runs; run++) {
        for (int situation = 0; situation < SITUATIONS; situation++) {
            progress("burst: a hot row, run %ld of %ld", run + 1, options->runs);
            run_sources(servers, options, situation, pg, redis, figures[situation]);
        }
    }
    for (int situation = 0; situation < SITUATIONS; situation++) {
        for (int source = 0; source < SOURCE_WAL2JSON; source++) {
            tell(table, situation, (enum source)source, &figures[situation][source]);
        }
    }
    table_print(table);
    report_note(report, "From four connections, each update a transaction of its own, as fast as they go, with "
                        "synchronous_commit off, where the log gets to the disk, and to who reads it, up to 200 ms "
                        "later (wal_writer_delay). The last value was in Redis each time: settled after the last "
                        "commit, at most.");
    PQfinish(pg);
    redisFree(redis);
}
