#include "burst.h"

#include <math.h>
#include <stdio.h>

#include "daemon.h"
#include "fatal.h"
#include "follower.h"
#include "process.h"
#include "queue_usage.h"

enum { LOOK_EVERY_MS = 2, PATIENCE_S = 600 };

/* One run. */
struct touch {
    double statement_s; /* until its commit has returned */
    double settled_s;   /* from there */
    uint64_t waiting;   /* ids announced and not settled, at most */
    uint64_t pending;   /* of these with the workers, where they coalesce, at most */
    double queue_kib;
    cp_stats before;
    cp_stats after;
};

/* Of all runs with one number of customers. */
struct figures {
    struct samples statement_s;
    struct samples settled_s;
    struct samples full_s;  /* a warm-up over documents that are there */
    struct samples empty_s; /* and into an empty Redis */
    struct samples waiting;
    struct samples pending;
    struct samples events_per_document;
    struct samples documents_per_fetch;
    struct samples queue_kib;
};

static uint64_t settled(const cp_stats *stats)
{
    return stats->stored + stats->deleted;
}

/* The statement announces each id once, so that as many documents settled as there are customers are all of them. */
static void follow(cp_syncer *syncer, uint64_t customers, struct touch *touch)
{
    double committed_s = clock_s();
    cp_stats *stats = &touch->after;

    for (cp_syncer_stats(syncer, stats); settled(stats) - settled(&touch->before) < customers;
         cp_syncer_stats(syncer, stats)) {
        uint64_t waiting = stats->events - stats->coalesced - settled(stats);
        touch->waiting = waiting > touch->waiting ? waiting : touch->waiting;
        touch->pending = stats->pending > touch->pending ? stats->pending : touch->pending;
        if (clock_s() > committed_s + PATIENCE_S) {
            fatal("burst: only %llu of %llu documents have settled after %d s",
                  (unsigned long long)(settled(stats) - settled(&touch->before)), (unsigned long long)customers,
                  PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    }
    touch->settled_s = clock_s() - committed_s;
}

static void touch_all(struct servers *servers, long threads, PGconn *pg, struct touch *touch)
{
    cp_syncer *syncer = follower_start(servers, threads, NULL);
    struct queue_usage *usage = queue_usage_start(servers);

    *touch = (struct touch){0};
    cp_syncer_stats(syncer, &touch->before);
    double began_s = clock_s();
    int64_t customers = pg_do(pg, "select customer_warmup()");
    touch->statement_s = clock_s() - began_s;
    follow(syncer, (uint64_t)customers, touch);
    touch->queue_kib = queue_usage_stop(usage);
    follower_stop(syncer, &touch->after);
}

static void warm_up(struct servers *servers, struct samples *seconds)
{
    struct usage usage;
    daemon_warmup(servers, &usage);
    samples_add(seconds, usage.elapsed_s);
}

static void run_once(struct servers *servers, long threads, PGconn *pg, redisContext *redis, struct figures *figures)
{
    struct touch touch;

    burst_tidy(pg);
    redis_do(redis, "FLUSHDB");
    warm_up(servers, &figures->empty_s);
    burst_tidy(pg);
    touch_all(servers, threads, pg, &touch);
    burst_tidy(pg);
    warm_up(servers, &figures->full_s);

    double documents = (double)(settled(&touch.after) - settled(&touch.before));
    samples_add(&figures->statement_s, touch.statement_s);
    samples_add(&figures->settled_s, touch.settled_s);
    samples_add(&figures->waiting, (double)touch.waiting);
    samples_add(&figures->pending, (double)touch.pending);
    samples_add(&figures->events_per_document, (double)(touch.after.events - touch.before.events) / documents);
    samples_add(&figures->documents_per_fetch, documents / (double)(touch.after.fetches - touch.before.fetches));
    samples_add(&figures->queue_kib, touch.queue_kib);
    if (touch.after.overflows > 0) {
        complain("burst: more ids were waiting than max_pending allows");
    }
}

static void tell_times(struct table *table, double customers, const struct figures *figures)
{
    struct samples over_full = {0};
    struct samples over_empty = {0};

    samples_ratios(&figures->settled_s, &figures->full_s, &over_full);
    samples_ratios(&figures->settled_s, &figures->empty_s, &over_empty);
    table_row(table);
    table_number(table, customers);
    table_figure(table, &figures->statement_s);
    table_figure(table, &figures->settled_s);
    table_figure(table, &figures->full_s);
    table_figure(table, &over_full);
    table_figure(table, &figures->empty_s);
    table_figure(table, &over_empty);
    samples_fini(&over_full);
    samples_fini(&over_empty);
}

static void tell_queue(struct table *table, double customers, const struct figures *figures)
{
    table_row(table);
    table_number(table, customers);
    table_figure(table, &figures->waiting);
    table_figure(table, &figures->pending);
    table_figure(table, &figures->events_per_document);
    table_figure(table, &figures->documents_per_fetch);
    table_figure(table, &figures->queue_kib);
}

static void forget(struct figures *figures)
{
    struct samples *all[] = {&figures->statement_s,
                             &figures->settled_s,
                             &figures->full_s,
                             &figures->empty_s,
                             &figures->waiting,
                             &figures->pending,
                             &figures->events_per_document,
                             &figures->documents_per_fetch,
                             &figures->queue_kib};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        samples_fini(all[i]);
    }
}

static struct table *begin_times(struct report *report)
{
    struct table *table = report_table(report, "burst", "One statement touches every customer");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "statement", "statement", "s");
    table_column(table, "settled", "settled after", "s");
    table_column(table, "warmup_full", "warm-up", "s");
    table_column(table, "ratio_full", "ratio", NULL);
    table_column(table, "warmup_empty", "into empty", "s");
    table_column(table, "ratio_empty", "ratio", NULL);
    return table;
}

static struct table *begin_queue(struct report *report)
{
    struct table *table = report_table(report, "queue", "What waited meanwhile, at most");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "waiting", "ids waiting", NULL);
    table_column(table, "pending", "with workers", NULL);
    table_column(table, "events_per_document", "events/document", NULL);
    table_column(table, "documents_per_fetch", "documents/fetch", NULL);
    table_column(table, "queue", "Postgres' queue", "KiB");
    return table;
}

void burst_touch(struct servers *servers, const struct options *options, struct report *report)
{
    struct table *times = begin_times(report);
    struct table *queue = begin_queue(report);
    redisContext *redis = servers_redis(servers);

    for (unsigned i = 0; i < options->customers.count; i++) {
        long customers = options->customers.items[i];
        struct figures figures = {0};
        servers_load(servers, customers);
        PGconn *pg = servers_postgres(servers);
        for (long run = 0; run < options->runs; run++) {
            progress("burst: run %ld of %ld, %ld customers", run + 1, options->runs, customers);
            run_once(servers, options->threads.items[0], pg, redis, &figures);
        }
        tell_times(times, (double)customers, &figures);
        tell_queue(queue, (double)customers, &figures);
        forget(&figures);
        PQfinish(pg);
    }
    redisFree(redis);
    table_print(times);
    report_note(report,
                "settled after: from the statement's commit, when its notifications are sent, until the last document "
                "is in Redis. warm-up: cachepusher warmup, from its start to its end, over documents that are there, "
                "as the statement's are; and into an empty Redis. Before each of the three VACUUM FULL and CHECKPOINT.");
    table_print(queue);
    report_note(report, "Postgres' queue takes 8 GiB before commits fail; it was looked at every 20 ms.");
}
