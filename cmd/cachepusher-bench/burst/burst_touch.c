#include "burst/burst.h"
#include "burst/follower.h"
#include "burst/queue_usage.h"
#include "fatal.h"
#include "servers/daemon.h"
#include "servers/process.h"

#include <stdio.h>

enum { LOOK_EVERY_MS = 2, STEADY_LOOKS = 50, PATIENCE_S = 600 };

/* One run. */
struct touch {
    double statement_s; /* until its commit has returned */
    double settled_s;   /* from the commit */
    uint64_t waiting;   /* ids announced and not settled, at most */
    uint64_t pending;   /* of these, in the workers' sets, where they coalesce, at most */
    double queue_kib;
    cp_stats before;
    cp_stats after;
};

/* Of all runs with one number of customers. */
struct figures {
    struct samples statement_s;
    struct samples settled_s;
    struct samples full_s;  /* a warm-up over existing documents */
    struct samples empty_s; /* a warm-up into an empty Redis */
    struct samples waiting;
    struct samples pending;
    struct samples events_per_document;
    struct samples documents_per_fetch;
    struct samples queue_kib;
    struct samples overflows;
};

static uint64_t settled(const cp_stats *stats)
{
    return stats->stored + stats->deleted;
}

/* The statement announces each id once, so everything has settled when as many documents have settled as there are
 * customers. If ids were dropped, everything is read again, and each such resync has to finish. */
static bool has_settled(const struct touch *touch, uint64_t customers)
{
    const cp_stats *before = &touch->before;
    const cp_stats *after = &touch->after;
    uint64_t begun = after->causes[CP_CAUSE_OVERFLOW] - before->causes[CP_CAUSE_OVERFLOW];
    return settled(after) - settled(before) >= customers &&
           (after->overflows == before->overflows ||
            (begun > 0 && after->resyncs - before->resyncs >= begun && after->pending == 0));
}

static void note_waiting(struct touch *touch)
{
    const cp_stats *now = &touch->after;
    uint64_t gone = now->coalesced + settled(now);
    uint64_t waiting = now->events > gone ? now->events - gone : 0;
    touch->waiting = waiting > touch->waiting ? waiting : touch->waiting;
    touch->pending = now->pending > touch->pending ? now->pending : touch->pending;
}

/* One look is enough, except between the request for a resync and its beginning. */
static void follow(cp_syncer *syncer, uint64_t customers, struct touch *touch)
{
    double committed_s = clock_s();
    int looks = 0;
    do {
        cp_syncer_stats(syncer, &touch->after, NULL);
        note_waiting(touch);
        looks = has_settled(touch, customers) ? looks + 1 : 0;
        if (looks <= 1) {
            touch->settled_s = clock_s() - committed_s;
        }
        if (touch->settled_s > PATIENCE_S) {
            fatal("burst: only %llu of %llu documents have settled after %d s",
                  (unsigned long long)(settled(&touch->after) - settled(&touch->before)), (unsigned long long)customers,
                  PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    } while (looks < (touch->after.overflows > touch->before.overflows ? STEADY_LOOKS : 1));
}

static void touch_all(struct servers *servers, long threads, PGconn *pg, struct touch *touch)
{
    cp_syncer *syncer = follower_start(servers, threads, NULL);
    struct queue_usage *usage = queue_usage_start(servers);

    *touch = (struct touch){.before = {.size = sizeof touch->before}, .after = {.size = sizeof touch->after}};
    cp_syncer_stats(syncer, &touch->before, NULL);
    double began_s = clock_s();
    int64_t customers = pg_do(pg, "select customer_warmup()");
    touch->statement_s = clock_s() - began_s;
    follow(syncer, (uint64_t)customers, touch);
    touch->queue_kib = queue_usage_stop(usage);
    follower_stop(syncer, &touch->after);
}

static void warm_up(struct servers *servers, long threads, struct samples *seconds)
{
    struct usage usage;
    daemon_warmup(servers, threads, &usage);
    samples_add(seconds, usage.elapsed_s);
}

static void run_once(struct servers *servers, long threads, PGconn *pg, redisContext *redis, struct figures *figures)
{
    struct touch touch;
    burst_tidy(pg);
    redis_do(redis, "FLUSHDB");
    warm_up(servers, threads, &figures->empty_s);
    burst_tidy(pg);
    touch_all(servers, threads, pg, &touch);
    burst_tidy(pg);
    warm_up(servers, threads, &figures->full_s);

    double documents = (double)(settled(&touch.after) - settled(&touch.before));
    samples_add(&figures->statement_s, touch.statement_s);
    samples_add(&figures->settled_s, touch.settled_s);
    samples_add(&figures->waiting, (double)touch.waiting);
    samples_add(&figures->pending, (double)touch.pending);
    samples_add(&figures->events_per_document, (double)(touch.after.events - touch.before.events) / documents);
    samples_add(&figures->documents_per_fetch, documents / (double)(touch.after.fetches - touch.before.fetches));
    samples_add(&figures->queue_kib, touch.queue_kib);
    samples_add(&figures->overflows, (double)(touch.after.overflows - touch.before.overflows));
}

/* For comparison: the time of the touch is given as a multiple of this. */
static void tell_time(struct table *table, double customers, const char *what, const struct samples *seconds,
                      const struct samples *touched_s)
{
    table_row(table);
    table_number(table, customers);
    table_text(table, what);
    table_figure(table, seconds);
    if (touched_s == NULL) {
        table_nothing(table);
    } else {
        struct samples ratios = {0};
        samples_ratios(touched_s, seconds, &ratios);
        table_figure(table, &ratios);
        samples_fini(&ratios);
    }
}

static void tell_times(struct table *table, double customers, const struct figures *figures)
{
    tell_time(table, customers, "the statement", &figures->statement_s, NULL);
    tell_time(table, customers, "its commit to the last document", &figures->settled_s, NULL);
    tell_time(table, customers, "warm-up, documents are there", &figures->full_s, &figures->settled_s);
    tell_time(table, customers, "warm-up, Redis is empty", &figures->empty_s, &figures->settled_s);
}

/* A bound is the bound of all runs. */
static void tell_queue(struct table *table, double customers, const struct figures *figures)
{
    table_row(table);
    table_number(table, customers);
    table_number(table, samples_quantile(&figures->waiting, 1));
    table_number(table, samples_quantile(&figures->pending, 1));
    table_number(table, samples_median(&figures->events_per_document));
    table_number(table, samples_median(&figures->documents_per_fetch));
    table_number(table, samples_quantile(&figures->queue_kib, 1));
    table_number(table, samples_quantile(&figures->overflows, 1));
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
                             &figures->queue_kib,
                             &figures->overflows};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        samples_fini(all[i]);
    }
}

static struct table *begin_times(struct report *report)
{
    struct table *table = report_table(report, "burst", "One statement touches every customer");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "what", "what", NULL);
    table_column(table, "time", "time", "s");
    table_column(table, "ratio", "burst/warm-up", NULL);
    return table;
}

static struct table *begin_queue(struct report *report)
{
    struct table *table = report_table(report, "queue", "What waited meanwhile");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "waiting", "ids, at most", NULL);
    table_column(table, "pending", "with workers", NULL);
    table_column(table, "events_per_document", "events/document", NULL);
    table_column(table, "documents_per_fetch", "documents/fetch", NULL);
    table_column(table, "queue", "Postgres' queue", "KiB");
    table_column(table, "overflows", "overflows", NULL);
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
    report_note(report, "Notifications are sent at the commit. The documents are in Redis already, and are written "
                        "again. warm-up: cachepusher warmup, from its start to its end. Before each: VACUUM FULL and "
                        "CHECKPOINT.");
    table_print(queue);
    report_note(report, "with workers: of these ids, at most, those that have left the rings and are folded together "
                        "there. Postgres' queue, looked at every 20 ms, takes 8 GiB before commits fail. overflows: "
                        "times that more ids were waiting than max_pending allows; everything is then read again.");
}
