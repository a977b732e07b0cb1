#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "background.h"
#include "daemon.h"
#include "fatal.h"
#include "latency_phase.h"
#include "tracker.h"

enum { WATCHED = 1000, WATCHED_MULTIPLE = PACED_THREADS, SYSTEMS = 2 };

static const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

/* For the plot: where the tail begins, closer to its end. */
static const double curve[] = {0,     0.05,  0.1,   0.2,   0.3,   0.4,    0.5,    0.6,    0.7,
                               0.8,   0.85,  0.9,   0.93,  0.95,  0.97,   0.98,   0.985,  0.99,
                               0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1};

static const char *const situations[SITUATIONS] = {
    [SITUATION_IDLE] = "idle", [SITUATION_LOAD] = "load", [SITUATION_WARMUP] = "warm-up"};
static const char *const systems[SYSTEMS] = {"bare loop", "cachepusher"};

/* What one system did in one situation at one rate. */
struct result {
    struct samples at[QUANTILES]; /* of each run */
    struct samples all;           /* of all runs */
    uint64_t changes;
    uint64_t lost;
};

struct bench {
    struct servers *servers;
    const struct options *options;
    PGconn *pg;
    struct watched watched;
    int64_t number; /* of the next change */
    double latest_s;
    double background; /* the least share */
    unsigned resyncs;  /* the fewest in a phase */
    struct result results[SITUATIONS][OPTIONS_LIST][SYSTEMS];
};

/* There is no bare loop that warms up. */
static bool is_measured(enum situation situation, int system)
{
    return situation != SITUATION_WARMUP || system == 1;
}

/* ---- measuring ---- */

static void run_phase(struct bench *bench, enum situation situation, unsigned rate, int system)
{
    struct result *result = &bench->results[situation][rate][system];
    struct phase phase = {.situation = situation,
                          .is_bare = system == 0,
                          .rate = (double)bench->options->rates.items[rate],
                          .duration_s = bench->options->duration_s};
    struct outcome outcome;

    phase_run(bench->servers, bench->pg, &bench->watched, &phase, &bench->number, &outcome);
    for (int i = 0; i < QUANTILES; i++) {
        if (outcome.milliseconds.count > 0) {
            samples_add(&result->at[i], samples_quantile(&outcome.milliseconds, quantiles[i]));
        }
    }
    for (size_t i = 0; i < outcome.milliseconds.count; i++) {
        samples_add(&result->all, outcome.milliseconds.values[i]);
    }
    result->changes += outcome.changes;
    result->lost += outcome.lost;
    bench->latest_s = fmax(bench->latest_s, outcome.latest_s);
    bench->background = fmin(bench->background, outcome.background);
    if (situation == SITUATION_WARMUP && (bench->resyncs == 0 || outcome.resyncs < bench->resyncs)) {
        bench->resyncs = outcome.resyncs;
    }
    samples_fini(&outcome.milliseconds);
}

static void run_all(struct bench *bench)
{
    const struct options *options = bench->options;

    for (long run = 0; run < options->runs; run++) {
        for (unsigned rate = 0; rate < options->rates.count; rate++) {
            for (int situation = 0; situation < SITUATIONS; situation++) {
                for (int system = 0; system < SYSTEMS; system++) {
                    if (!is_measured((enum situation)situation, system)) {
                        continue;
                    }
                    progress("latency: run %ld of %ld, %ld changes/s, %s, %s", run + 1, options->runs,
                             options->rates.items[rate], situations[situation], systems[system]);
                    run_phase(bench, (enum situation)situation, rate, system);
                }
            }
        }
    }
}

/* ---- telling ---- */

static void begin_row(struct table *table, const struct bench *bench, int situation, unsigned rate)
{
    table_row(table);
    table_text(table, situations[situation]);
    table_number(table, (double)bench->options->rates.items[rate]);
}

static void tell_latency(const struct bench *bench, struct report *report)
{
    struct table *table = report_table(report, "latency", "From the commit's return to the document readable in Redis");

    table_column(table, "situation", "situation", NULL);
    table_column(table, "rate", "rate", "/s");
    table_column(table, "system", "system", NULL);
    table_column(table, "changes", "changes", NULL);
    table_column(table, "lost", "lost", NULL);
    table_column(table, "p50", "p50", "ms");
    table_column(table, "p90", "p90", "ms");
    table_column(table, "p99", "p99", "ms");
    table_column(table, "p99_9", "p99.9", "ms");
    table_column(table, "max", "max", "ms");
    for (int situation = 0; situation < SITUATIONS; situation++) {
        for (unsigned rate = 0; rate < bench->options->rates.count; rate++) {
            for (int system = 0; system < SYSTEMS; system++) {
                const struct result *result = &bench->results[situation][rate][system];
                if (!is_measured((enum situation)situation, system)) {
                    continue;
                }
                begin_row(table, bench, situation, rate);
                table_text(table, systems[system]);
                table_number(table, (double)result->changes);
                table_number(table, (double)result->lost);
                for (int i = 0; i < QUANTILES; i++) {
                    table_figure(table, &result->at[i]);
                }
            }
        }
    }
    table_print(table);
}

static void tell_ratios(const struct bench *bench, struct report *report)
{
    struct table *table = report_table(report, "ratio", "cachepusher's latency as a multiple of the bare loop's");

    table_column(table, "situation", "situation", NULL);
    table_column(table, "rate", "rate", "/s");
    table_column(table, "p50", "p50", NULL);
    table_column(table, "p99", "p99", NULL);
    for (int situation = 0; situation < SITUATIONS; situation++) {
        for (unsigned rate = 0; rate < bench->options->rates.count; rate++) {
            const struct result *pair = bench->results[situation][rate];
            if (!is_measured((enum situation)situation, 0)) {
                continue;
            }
            begin_row(table, bench, situation, rate);
            for (int i = 0; i <= 2; i += 2) { /* p50, p99 */
                struct samples ratios = {0};
                samples_ratios(&pair[1].at[i], &pair[0].at[i], &ratios);
                table_figure(table, &ratios);
                samples_fini(&ratios);
            }
        }
    }
    table_print(table);
}

static void tell_distribution(const struct bench *bench, struct report *report)
{
    struct table *table = report_table(report, "distribution", "All runs together");

    table_column(table, "situation", "situation", NULL);
    table_column(table, "rate", "rate", "/s");
    table_column(table, "system", "system", NULL);
    table_column(table, "quantile", "quantile", NULL);
    table_column(table, "ms", "latency", "ms");
    for (int situation = 0; situation < SITUATIONS; situation++) {
        for (unsigned rate = 0; rate < bench->options->rates.count; rate++) {
            for (int system = 0; system < SYSTEMS; system++) {
                const struct samples *all = &bench->results[situation][rate][system].all;
                for (size_t i = 0; i < sizeof curve / sizeof *curve && all->count > 0; i++) {
                    begin_row(table, bench, situation, rate);
                    table_text(table, systems[system]);
                    table_number(table, curve[i]);
                    table_number(table, samples_quantile(all, curve[i]));
                }
            }
        }
    }
}

static void tell_conditions(const struct bench *bench, const struct samples *floor, struct report *report)
{
    char text[1024];

    snprintf(
        text, sizeof text,
        "idle: nothing else runs. load: beside the changes measured, %d transactions/s that change %d other "
        "customers each, and %d reads/s; %.0f%% of it or more was done. warm-up: cachepusher reads and writes every "
        "document meanwhile, over and over (%u times or more in a phase). lost: not readable %d s after the last "
        "change.",
        BACKGROUND_TRANSACTIONS, BACKGROUND_ROWS, BACKGROUND_READS, 100 * bench->background, bench->resyncs,
        LATENCY_LOST_AFTER_S);
    report_note(report, text);
    snprintf(text, sizeof text,
             "Seeing that a document is readable takes a notification of Redis and a GET: %.2f ms of each figure "
             "(median, for a SET by hand; p99 %.2f ms). Changes were made %.1f ms late at most; they are made at times "
             "fixed in advance, however long those before took.",
             samples_median(floor), samples_quantile(floor, 0.99), 1e3 * bench->latest_s);
    report_note(report, text);
}

static void forget(struct bench *bench)
{
    for (int situation = 0; situation < SITUATIONS; situation++) {
        for (int rate = 0; rate < OPTIONS_LIST; rate++) {
            for (int system = 0; system < SYSTEMS; system++) {
                struct result *result = &bench->results[situation][rate][system];
                for (int i = 0; i < QUANTILES; i++) {
                    samples_fini(&result->at[i]);
                }
                samples_fini(&result->all);
            }
        }
    }
    watched_fini(&bench->watched);
    PQfinish(bench->pg);
    free(bench);
}

void bench_latency(struct servers *servers, const struct options *options, struct report *report)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct samples floor = {0};
    struct usage usage;
    long customers = options->customers.items[0];
    long watched = customers / BACKGROUND_SPACING < WATCHED ? customers / BACKGROUND_SPACING : WATCHED;

    if (bench == NULL) {
        fatal("out of memory");
    }
    if (watched < WATCHED_MULTIPLE) {
        fatal("latency: --customers has to be %d at least", WATCHED_MULTIPLE * BACKGROUND_SPACING);
    }
    progress("latency: loading %ld customers", customers);
    servers_load(servers, customers);
    bench->servers = servers;
    bench->options = options;
    bench->background = 1;
    bench->number = 1;
    bench->pg = servers_postgres(servers);
    /* It would come in between; each phase begins with a vacuum. */
    pg_do(bench->pg, "alter table customer set (autovacuum_enabled = false)");
    watched_init(&bench->watched, bench->pg, (uint32_t)(watched - watched % WATCHED_MULTIPLE));

    redisContext *redis = servers_redis(servers);
    char *notify_before = redis_notify_sets(redis);
    tracker_floor(servers, &bench->watched, &bench->number, &floor);
    daemon_warmup(servers, &usage);
    run_all(bench);
    redis_notify_as(redis, notify_before);
    redisFree(redis);

    tell_latency(bench, report);
    tell_ratios(bench, report);
    tell_conditions(bench, &floor, report);
    tell_distribution(bench, report);
    samples_fini(&floor);
    forget(bench);
}
