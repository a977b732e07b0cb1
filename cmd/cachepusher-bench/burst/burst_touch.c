#include "burst/burst.h"
#include "burst/follower.h"
#include "burst/queue_usage.h"
#include "fatal.h"
#include "servers/daemon.h"
#include "servers/process.h"
#include "sources/bare_loop.h"
#include "sources/set_up.h"

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

/* Of all runs with one number of customers and one source. Those from waiting on are not known of the bare loop. */
struct figures {
    struct samples statement_s;
    struct samples settled_s;
    struct samples rate;
    struct samples waiting;
    struct samples pending;
    struct samples events_per_document;
    struct samples documents_per_fetch;
    struct samples queue_kib;
    struct samples overflows;
};

/* Of all runs with one number of customers. */
struct warmups {
    struct samples full_s;  /* over existing documents */
    struct samples empty_s; /* into an empty Redis */
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
        if (touch->settled_s > (double)PATIENCE_S) {
            fatal("burst: only %llu of %llu documents have settled after %d s",
                  (unsigned long long)(settled(&touch->after) - settled(&touch->before)), (unsigned long long)customers,
                  PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    } while (looks < (touch->after.overflows > touch->before.overflows ? STEADY_LOOKS : 1));
}

static void touch_all(struct servers *servers, long threads, PGconn *pg, enum source source, struct touch *touch)
{
    cp_syncer *syncer = follower_start(servers, threads, source, NULL);
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

static void add_touch(const struct touch *touch, struct figures *figures)
{
    double documents = (double)(settled(&touch->after) - settled(&touch->before));
    samples_add(&figures->statement_s, touch->statement_s);
    samples_add(&figures->settled_s, touch->settled_s);
    samples_add(&figures->rate, documents / touch->settled_s);
    samples_add(&figures->waiting, (double)touch->waiting);
    samples_add(&figures->pending, (double)touch->pending);
    samples_add(&figures->events_per_document, (double)(touch->after.events - touch->before.events) / documents);
    samples_add(&figures->documents_per_fetch, documents / (double)(touch->after.fetches - touch->before.fetches));
    samples_add(&figures->queue_kib, touch->queue_kib);
    samples_add(&figures->overflows, (double)(touch->after.overflows - touch->before.overflows));
}

/* It sets each document once. */
static void touch_all_with_loop(struct servers *servers, PGconn *pg, redisContext *redis, struct figures *figures)
{
    struct bare_loop loop;
    bare_loop_start(&loop, servers, pg, SOURCE_WAL2JSON);
    long long sets = burst_count_sets(redis);
    double began_s = clock_s();
    int64_t customers = pg_do(pg, "select customer_warmup()");
    double committed_s = clock_s();
    while (burst_count_sets(redis) < sets + customers) {
        if (clock_s() > committed_s + (double)PATIENCE_S) {
            fatal("burst: the bare loop has not set %lld documents after %d s", (long long)customers, PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    }
    double settled_s = clock_s() - committed_s;
    bare_loop_stop(&loop);
    samples_add(&figures->statement_s, committed_s - began_s);
    samples_add(&figures->settled_s, settled_s);
    samples_add(&figures->rate, (double)customers / settled_s);
}

static void warm_up(struct servers *servers, long threads, struct samples *seconds)
{
    struct usage usage;
    daemon_warmup(servers, threads, &usage);
    samples_add(seconds, usage.elapsed_s);
}

static void run_source(struct servers *servers, long threads, PGconn *pg, redisContext *redis, enum source source,
                       struct figures *figures)
{
    struct touch touch;
    set_up_nothing(servers, pg);
    burst_tidy(pg);
    set_up(servers, pg, source);
    if (source == SOURCE_WAL2JSON) {
        touch_all_with_loop(servers, pg, redis, figures);
    } else {
        touch_all(servers, threads, pg, source, &touch);
        add_touch(&touch, figures);
    }
}

static void run_once(struct servers *servers, const struct options *options, PGconn *pg, redisContext *redis,
                     struct figures figures[SOURCES], struct warmups *warmups)
{
    long threads = options->threads.items[0];
    burst_tidy(pg);
    redis_do(redis, "FLUSHDB");
    warm_up(servers, threads, &warmups->empty_s);
    for (int source = 0; source < SOURCES; source++) {
        if (options->sources[source]) {
            run_source(servers, threads, pg, redis, (enum source)source, &figures[source]);
        }
    }
    set_up_nothing(servers, pg);
    burst_tidy(pg);
    warm_up(servers, threads, &warmups->full_s);
}

static void tell_ratio(struct table *table, const struct samples *of, const struct samples *to)
{
    struct samples ratios = {0};
    samples_ratios(of, to, &ratios);
    table_figure(table, &ratios);
    samples_fini(&ratios);
}

static void tell_times(struct table *table, double customers, enum source source, const struct figures *figures,
                       const struct warmups *warmups)
{
    table_row(table);
    table_number(table, customers);
    table_text(table, source == SOURCE_WAL2JSON ? "wal2json, bare loop" : source_name(source));
    table_figure(table, &figures->statement_s);
    table_figure(table, &figures->settled_s);
    table_number(table, samples_median(&figures->rate));
    tell_ratio(table, &figures->settled_s, &warmups->full_s);
    tell_ratio(table, &figures->settled_s, &warmups->empty_s);
}

static void tell_warmups(struct table *table, double customers, const struct warmups *warmups)
{
    table_row(table);
    table_number(table, customers);
    table_figure(table, &warmups->full_s);
    table_figure(table, &warmups->empty_s);
}

/* A bound is the bound of all runs. */
static void tell_queue(struct table *table, double customers, enum source source, const struct figures *figures)
{
    table_row(table);
    table_number(table, customers);
    table_text(table, source_name(source));
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
                             &figures->rate,
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
    table_column(table, "source", "source", NULL);
    table_column(table, "statement", "statement", "s");
    table_column(table, "settled", "settled", "s");
    table_column(table, "rate", "documents", "1/s");
    table_column(table, "to_full", "to warm-up", "×");
    table_column(table, "to_empty", "to empty", "×");
    return table;
}

static struct table *begin_warmups(struct report *report)
{
    struct table *table = report_table(report, "warmups", "Warm-ups of the same documents");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "full", "documents are there", "s");
    table_column(table, "empty", "Redis is empty", "s");
    return table;
}

static struct table *begin_queue(struct report *report)
{
    struct table *table = report_table(report, "queue", "What waited meanwhile");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "source", "source", NULL);
    table_column(table, "waiting", "ids, at most", NULL);
    table_column(table, "pending", "with workers", NULL);
    table_column(table, "events_per_document", "events/document", NULL);
    table_column(table, "documents_per_fetch", "documents/fetch", NULL);
    table_column(table, "queue", "Postgres' queue", "KiB");
    table_column(table, "overflows", "overflows", NULL);
    return table;
}

/* The three tables. */
struct tables {
    struct table *times;
    struct table *warmups;
    struct table *queue;
};

static void measure(struct servers *servers, const struct options *options, long customers, const struct tables *tables)
{
    struct figures figures[SOURCES] = {0};
    struct warmups warmups = {0};
    servers_load(servers, customers);
    PGconn *pg = servers_postgres(servers);
    redisContext *redis = servers_redis(servers);
    for (long run = 0; run < options->runs; run++) {
        progress("burst: run %ld of %ld, %ld customers", run + 1, options->runs, customers);
        run_once(servers, options, pg, redis, figures, &warmups);
    }
    for (int source = 0; source < SOURCES; source++) {
        if (options->sources[source]) {
            tell_times(tables->times, (double)customers, (enum source)source, &figures[source], &warmups);
        }
        if (options->sources[source] && source != SOURCE_WAL2JSON) {
            tell_queue(tables->queue, (double)customers, (enum source)source, &figures[source]);
        }
        forget(&figures[source]);
    }
    tell_warmups(tables->warmups, (double)customers, &warmups);
    samples_fini(&warmups.full_s);
    samples_fini(&warmups.empty_s);
    PQfinish(pg);
    redisFree(redis);
}

void burst_touch(struct servers *servers, const struct options *options, struct report *report)
{
    const struct tables tables = {begin_times(report), begin_warmups(report), begin_queue(report)};
    for (unsigned i = 0; i < options->customers.count; i++) {
        measure(servers, options, options->customers.items[i], &tables);
    }
    table_print(tables.times);
    report_note(report,
                "settled: from the return of its commit to the last document. With messages and tables Postgres "
                "decodes what is left of the transaction then, within that time: all of one that takes less than "
                "logical_decoding_work_mem. The documents are in Redis already, and are written again. to "
                "warm-up, to empty: this time, that of cachepusher warmup, from its start to its end, being 1. Before "
                "each: VACUUM FULL and CHECKPOINT.");
    table_print(tables.warmups);
    table_print(tables.queue);
    report_note(report, "with workers: of these ids, at most, those that have left the rings and are folded together "
                        "there. Postgres' queue, looked at every 20 ms, takes 8 GiB before commits fail. overflows: "
                        "times that more ids were waiting than max_pending allows; everything is then read again.");
}
