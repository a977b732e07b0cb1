#include "commands.h"
#include "fatal.h"
#include "latency/background.h"
#include "latency/latency_phase.h"
#include "latency/tracker.h"
#include "servers/daemon.h"

#include <stdio.h>
#include <stdlib.h>

enum system { BARE_LOOP, BY_NOTIFY, BY_MESSAGES, BY_TABLES, WAL2JSON_LOOP, SYSTEMS };

enum { WATCHED = 1000, WATCHED_MULTIPLE = PACED_THREADS, RESULTS = SITUATIONS * OPTIONS_LIST * SYSTEMS };

_Static_assert(OPTIONS_LATENCY_CUSTOMERS >= WATCHED_MULTIPLE * BACKGROUND_SPACING, "one watched for each thread");

enum { P50, P90, P99, P99_9, MAX, QUOTED };

static const struct {
    double quantile;
    const char *name;
    const char *heading;
} quoted[QUOTED] = {[P50] = {0.5, "p50", "p50"},
                    [P90] = {0.9, "p90", "p90"},
                    [P99] = {0.99, "p99", "p99"},
                    [P99_9] = {0.999, "p99_9", "p99.9"},
                    [MAX] = {1, "max", "max"}};

/* For the plot: where the tail begins, closer to each other. */
static const double curve[] = {0,     0.1,   0.2,   0.3,   0.4,   0.5,    0.6,    0.7,    0.75,
                               0.8,   0.85,  0.9,   0.925, 0.95,  0.965,  0.975,  0.985,  0.99,
                               0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1};

static const char *const situations[SITUATIONS] = {
    [SITUATION_IDLE] = "idle", [SITUATION_LOAD] = "load", [SITUATION_WARMUP] = "warm-up"};

static const struct {
    const char *name;
    enum source source;
    bool is_bare;
} systems[SYSTEMS] = {[BARE_LOOP] = {"bare loop", SOURCE_NOTIFY, true},
                      [BY_NOTIFY] = {"cachepusher", SOURCE_NOTIFY, false},
                      [BY_MESSAGES] = {"cachepusher, messages", SOURCE_MESSAGES, false},
                      [BY_TABLES] = {"cachepusher, tables", SOURCE_TABLES, false},
                      [WAL2JSON_LOOP] = {"wal2json, bare loop", SOURCE_WAL2JSON, true}};

/* What is reported as a multiple of what: cachepusher and what one would write oneself, and the log and notifications.
 */
static const struct {
    enum system of;
    enum system to;
} pairs[] = {{BY_NOTIFY, BARE_LOOP},
             {BY_MESSAGES, WAL2JSON_LOOP},
             {BY_TABLES, WAL2JSON_LOOP},
             {BY_MESSAGES, BY_NOTIFY},
             {BY_TABLES, BY_NOTIFY}};

/* What one system did in one situation at one rate, in all runs. */
struct result {
    enum situation situation;
    long rate;
    enum system system;
    struct samples at[QUOTED]; /* of each run, as are those that follow but the last */
    struct samples achieved;   /* changes per second */
    struct samples late_ms;
    struct samples commit_p50_ms;
    struct samples whole_p50_ms;
    struct samples whole_p99_ms;
    struct samples background_percent;
    struct samples resyncs;
    struct samples all; /* milliseconds, of all changes */
    uint64_t changes;
    uint64_t lost;
};

struct bench {
    struct servers *servers;
    const struct options *options;
    PGconn *pg;
    struct watched watched;
    int64_t number; /* of the next change */
    struct samples floor_ms;
    struct result results[RESULTS]; /* all systems of one situation and rate in a row */
    unsigned result_count;
};

/* ---- measuring ---- */

static void plan(struct bench *bench)
{
    for (int situation = 0; situation < SITUATIONS; situation++) {
        for (unsigned rate = 0; rate < bench->options->rates.count; rate++) {
            for (int system = 0; system < SYSTEMS; system++) {
                /* There is no bare loop that warms up. */
                if (bench->options->sources[systems[system].source] &&
                    !(situation == SITUATION_WARMUP && systems[system].is_bare)) {
                    bench->results[bench->result_count++] = (struct result){.situation = (enum situation)situation,
                                                                            .rate = bench->options->rates.items[rate],
                                                                            .system = (enum system)system};
                }
            }
        }
    }
}

/* NULL: not measured. */
static const struct result *find_result(const struct bench *bench, enum situation situation, long rate,
                                        enum system system)
{
    for (unsigned i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->results[i];
        if (result->situation == situation && result->rate == rate && result->system == system) {
            return result;
        }
    }
    return NULL;
}

static void run_phase(struct bench *bench, struct result *result)
{
    const struct phase phase = {.situation = result->situation,
                                .source = systems[result->system].source,
                                .is_bare = systems[result->system].is_bare,
                                .threads = bench->options->threads.items[0],
                                .commits_wait = bench->options->commits_wait,
                                .rate = (double)result->rate,
                                .duration_s = bench->options->duration_s};
    struct outcome outcome;

    phase_run(bench->servers, bench->pg, &bench->watched, &phase, &bench->number, &outcome);
    for (int i = 0; i < QUOTED; i++) {
        samples_add(&result->at[i], samples_quantile(&outcome.milliseconds, quoted[i].quantile));
    }
    for (size_t i = 0; i < outcome.milliseconds.count; i++) {
        samples_add(&result->all, outcome.milliseconds.values[i]);
    }
    samples_add(&result->achieved, outcome.achieved);
    samples_add(&result->late_ms, 1e3 * outcome.latest_s);
    samples_add(&result->commit_p50_ms, samples_median(&outcome.commit_ms));
    samples_add(&result->whole_p50_ms, samples_median(&outcome.whole_ms));
    samples_add(&result->whole_p99_ms, samples_quantile(&outcome.whole_ms, 0.99));
    samples_add(&result->background_percent, 100 * outcome.background);
    samples_add(&result->resyncs, outcome.resyncs);
    result->changes += outcome.changes;
    result->lost += outcome.lost;
    samples_fini(&outcome.milliseconds);
    samples_fini(&outcome.commit_ms);
    samples_fini(&outcome.whole_ms);
}

static void run_all(struct bench *bench)
{
    redisContext *redis = servers_redis(bench->servers);
    struct usage usage;
    redis_notify_sets(redis);
    redisFree(redis);
    tracker_floor(bench->servers, &bench->watched, &bench->number, &bench->floor_ms);
    daemon_warmup(bench->servers, bench->options->threads.items[0], &usage);
    for (long run = 0; run < bench->options->runs; run++) {
        for (unsigned i = 0; i < bench->result_count; i++) {
            struct result *result = &bench->results[i];
            progress("latency: run %ld of %ld, %s, %ld changes/s, %s", run + 1, bench->options->runs,
                     situations[result->situation], result->rate, systems[result->system].name);
            run_phase(bench, result);
        }
    }
}

/* ---- telling ---- */

static struct table *begin_table(struct report *report, const char *name, const char *title, bool has_system)
{
    struct table *table = report_table(report, name, title);
    table_column(table, "situation", "situation", NULL);
    table_column(table, "rate", "rate", "/s");
    if (has_system) {
        table_column(table, "system", "system", NULL);
    }
    return table;
}

static void begin_row(struct table *table, const struct result *result, bool has_system)
{
    table_row(table);
    table_text(table, situations[result->situation]);
    table_number(table, (double)result->rate);
    if (has_system) {
        table_text(table, systems[result->system].name);
    }
}

static void tell_latency(const struct bench *bench, struct report *report)
{
    struct table *table =
        begin_table(report, "latency", "From the return of a change's commit to its document readable in Redis", true);

    for (int i = 0; i < QUOTED; i++) {
        table_column(table, quoted[i].name, quoted[i].heading, "ms");
    }
    table_column(table, "lost", "lost", NULL);
    for (unsigned i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->results[i];
        begin_row(table, result, true);
        table_figure(table, &result->at[P50]);
        table_number(table, samples_median(&result->at[P90]));
        table_figure(table, &result->at[P99]);
        table_figure(table, &result->at[P99_9]);
        table_number(table, samples_quantile(&result->at[MAX], 1));
        table_number(table, (double)result->lost);
    }
    table_print(table);
}

static void tell_ratio(struct table *table, const struct samples *of, const struct samples *to)
{
    struct samples ratios = {0};
    samples_ratios(of, to, &ratios);
    if (ratios.count > 0) {
        table_figure(table, &ratios);
    } else {
        table_nothing(table);
    }
    samples_fini(&ratios);
}

static void tell_pair(struct table *table, const struct result *of, const struct result *to)
{
    begin_row(table, of, true);
    table_text(table, systems[to->system].name);
    tell_ratio(table, &of->at[P50], &to->at[P50]);
    tell_ratio(table, &of->at[P99], &to->at[P99]);
    tell_ratio(table, &of->whole_p50_ms, &to->whole_p50_ms);
    tell_ratio(table, &of->whole_p99_ms, &to->whole_p99_ms);
}

/* Whether two systems were measured of which one is reported as a multiple of the other. */
static bool has_pair(const bool sources[SOURCES])
{
    bool found = false;
    for (size_t pair = 0; pair < sizeof pairs / sizeof *pairs; pair++) {
        found = found || (sources[systems[pairs[pair].of].source] && sources[systems[pairs[pair].to].source]);
    }
    return found;
}

static void tell_ratios(const struct bench *bench, struct report *report)
{
    if (!has_pair(bench->options->sources)) {
        return;
    }
    struct table *table = begin_table(report, "ratio", "The same as a multiple of another system's", true);
    table_column(table, "to", "to", NULL);
    table_column(table, "p50", "p50", NULL);
    table_column(table, "p99", "p99", NULL);
    table_column(table, "whole_p50", "whole p50", NULL);
    table_column(table, "whole_p99", "whole p99", NULL);
    for (unsigned i = 0; i < bench->result_count; i++) {
        const struct result *of = &bench->results[i];
        for (size_t pair = 0; pair < sizeof pairs / sizeof *pairs; pair++) {
            const struct result *to = find_result(bench, of->situation, of->rate, pairs[pair].to);
            if (pairs[pair].of == of->system && to != NULL) {
                tell_pair(table, of, to);
            }
        }
    }
    table_print(table);
    report_note(report,
                "whole: from the sending of a change, so that its commit is included. Who delays the return of a "
                "commit, as by keeping the processors busy or by a lock that commits take one after the other, looks "
                "better in the first two columns than it is.");
}

static void tell_changes(const struct bench *bench, struct report *report)
{
    struct table *table = begin_table(report, "changes", "How the changes were made", true);
    table_column(table, "changes", "changes", NULL);
    table_column(table, "achieved", "achieved", "/s");
    table_column(table, "late", "late at most", "ms");
    table_column(table, "commit_p50", "commit p50", "ms");
    table_column(table, "whole_p50", "whole p50", "ms");
    table_column(table, "whole_p99", "whole p99", "ms");
    table_column(table, "load", "load", "%");
    table_column(table, "warmups", "warm-ups", NULL);
    for (unsigned i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->results[i];
        begin_row(table, result, true);
        table_number(table, (double)result->changes);
        table_number(table, samples_median(&result->achieved));
        table_number(table, samples_quantile(&result->late_ms, 1));
        table_number(table, samples_median(&result->commit_p50_ms));
        table_number(table, samples_median(&result->whole_p50_ms));
        table_number(table, samples_median(&result->whole_p99_ms));
        if (result->situation == SITUATION_LOAD) {
            table_number(table, samples_quantile(&result->background_percent, 0));
        } else {
            table_nothing(table);
        }
        if (result->situation == SITUATION_WARMUP) {
            table_number(table, samples_quantile(&result->resyncs, 0));
        } else {
            table_nothing(table);
        }
    }
    table_print(table);
}

/* Too long for a terminal. */
static void tell_distribution(const struct bench *bench, struct report *report)
{
    struct table *table = begin_table(report, "distribution", "All runs together", true);
    table_column(table, "quantile", "quantile", NULL);
    table_column(table, "ms", "latency", "ms");
    for (unsigned i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->results[i];
        for (size_t q = 0; q < sizeof curve / sizeof *curve && result->all.count > 0; q++) {
            begin_row(table, result, true);
            table_number(table, curve[q]);
            table_number(table, samples_quantile(&result->all, curve[q]));
        }
    }
}

static void tell(const struct bench *bench, struct report *report)
{
    char text[1024];
    tell_latency(bench, report);
    snprintf(text, sizeof text,
             "load: meanwhile %d transactions/s change %d other customers each, and %s others/s read one. warm-up: "
             "meanwhile cachepusher reads and writes every document, over and over. lost: not readable %d s after the "
             "last change; it counts with the time until then. Each figure contains the way of Redis' notification to "
             "us, and of a GET: %.3f ms (median, "
             "after a SET by hand; p99 %.3f ms).",
             BACKGROUND_TRANSACTIONS, BACKGROUND_ROWS, report_count(BACKGROUND_READS), LATENCY_LOST_AFTER_S,
             samples_median(&bench->floor_ms), samples_quantile(&bench->floor_ms, 0.99));
    report_note(report, text);
    tell_ratios(bench, report);
    tell_changes(bench, report);
    snprintf(text, sizeof text,
             "Changes are made at times that are fixed in advance, however long those before took, and "
             "commit with synchronous_commit %s. whole: from sending a change to its document readable, "
             "the commit included. late: where that could not be kept, at most. load: the least part of it that was "
             "done. warm-ups: the fewest that began in a run.",
             bench->options->commits_wait ? "on" : "off");
    report_note(report, text);
    tell_distribution(bench, report);
}

static void forget(struct bench *bench)
{
    for (unsigned i = 0; i < bench->result_count; i++) {
        struct result *result = &bench->results[i];
        for (int q = 0; q < QUOTED; q++) {
            samples_fini(&result->at[q]);
        }
        samples_fini(&result->achieved);
        samples_fini(&result->late_ms);
        samples_fini(&result->commit_p50_ms);
        samples_fini(&result->whole_p50_ms);
        samples_fini(&result->whole_p99_ms);
        samples_fini(&result->background_percent);
        samples_fini(&result->resyncs);
        samples_fini(&result->all);
    }
    samples_fini(&bench->floor_ms);
    watched_fini(&bench->watched);
    PQfinish(bench->pg);
    free(bench);
}

bool latency_is_possible(const struct options *options)
{
    return sources_are_possible(options->sources);
}

void bench_latency(struct servers *servers, const struct options *options, struct report *report)
{
    struct bench *bench = calloc(1, sizeof *bench);
    long customers = options->customers.items[0];
    long watched = customers / BACKGROUND_SPACING < WATCHED ? customers / BACKGROUND_SPACING : WATCHED;

    if (bench == NULL) {
        fatal("out of memory");
    }
    servers_load(servers, customers);
    bench->servers = servers;
    bench->options = options;
    bench->number = 1;
    bench->pg = servers_postgres(servers);
    watched_init(&bench->watched, bench->pg, (uint32_t)(watched - watched % WATCHED_MULTIPLE));
    plan(bench);
    run_all(bench);
    tell(bench, report);
    forget(bench);
}
