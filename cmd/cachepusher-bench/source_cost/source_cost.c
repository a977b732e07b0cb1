#include "commands.h"
#include "fatal.h"
#include "source_cost/consumer.h"
#include "source_cost/source_writes.h"
#include "source_cost/ways.h"

#include <math.h>
#include <stdio.h>

/* What was measured of one kind of write: a sample for each run. */
struct figures {
    struct samples of[WAYS];
    struct samples behind_s[WAYS];
};

struct bench {
    const struct servers *servers;
    const struct options *options;
    PGconn *pg;
    redisContext *redis;
    struct figures updates[OPTIONS_LIST]; /* by number of clients */
    struct figures bulk;
};

/* ---- measuring ---- */

/* clients: 0 for the bulk update. */
static void measure(struct bench *bench, int index, long clients, struct figures *figures)
{
    const struct way *way = &ways[index];
    struct consumer consumer;
    if (!way_is_chosen(way, bench->options->sources)) {
        return;
    }
    progress("source-cost: %ld clients, %s, read by %s", clients, way->announced, way->read_by);
    way_clear(bench->servers, bench->pg);
    writes_begin(bench->pg);
    way_set_up(bench->servers, bench->pg, way);
    consumer_start(&consumer, bench->servers, bench->pg, way);
    samples_add(&figures->of[index], clients > 0
                                         ? updates_run(bench->servers, bench->pg, clients, bench->options->duration_s)
                                         : bulk_run(bench->pg, bench->options->rows));
    samples_add(&figures->behind_s[index], consumer_stop(&consumer, bench->pg, bench->redis));
}

static void measure_run(struct bench *bench)
{
    for (unsigned i = 0; i < bench->options->clients.count; i++) {
        for (int way = 0; way < WAYS; way++) {
            measure(bench, way, bench->options->clients.items[i], &bench->updates[i]);
        }
    }
    for (int way = 0; way < WAYS; way++) {
        measure(bench, way, 0, &bench->bulk);
    }
}

/* ---- telling ---- */

static void add_columns(struct table *table, const char *name, const char *unit)
{
    table_column(table, "announced", "announced by", NULL);
    table_column(table, "read_by", "read by", NULL);
    table_column(table, name, name, unit);
    table_column(table, "to_none", "to none", "×");
    table_column(table, "behind", "behind", "s");
}

/* The row's cells from "announced" on. */
static void tell_figures(struct table *table, const struct figures *figures, int way)
{
    table_text(table, ways[way].announced);
    table_text(table, ways[way].read_by);
    table_figure(table, &figures->of[way]);
    if (way == WAY_NONE) {
        table_number(table, 1);
    } else {
        struct samples ratios = {0};
        samples_ratios(&figures->of[way], &figures->of[WAY_NONE], &ratios);
        table_figure(table, &ratios);
        samples_fini(&ratios);
    }
    if (isnan(samples_median(&figures->behind_s[way]))) {
        table_nothing(table);
    } else {
        table_figure(table, &figures->behind_s[way]);
    }
}

static void tell_updates(const struct bench *bench, struct report *report)
{
    struct table *table = report_table(report, "updates", "One-row updates at random, each committed");
    table_column(table, "clients", "clients", NULL);
    add_columns(table, "updates", "1/s");
    for (unsigned i = 0; i < bench->options->clients.count; i++) {
        for (int way = 0; way < WAYS; way++) {
            if (bench->updates[i].of[way].count > 0) {
                table_row(table);
                table_number(table, (double)bench->options->clients.items[i]);
                tell_figures(table, &bench->updates[i], way);
            }
        }
    }
    table_print(table);
    report_note(
        report,
        "row: a trigger calls pg_notify('customer_updated', new.id_customer::text) for each row, as one writes it "
        "by hand. watch: cachepusher.watch(). messages: the same with pg_logical_emit_message(). tables: the log "
        "itself. wal2json: the log, as that plugin prints it. a reader throws away what it reads, as a session "
        "that listens or as pg_recvlogical. cachepusher and a loop bring every document to Redis meanwhile, and "
        "take their share of the same processors. behind: from the end of the writes until the reader had been "
        "sent all of them, or until cachepusher had written all documents and ended, the loop the last one; what was "
        "left for then, the writes have not paid for.");
}

static void tell_bulk(const struct bench *bench, struct report *report)
{
    char title[96];
    snprintf(title, sizeof title, "One statement that updates %s rows, commit included",
             report_count(bench->options->rows));
    struct table *table = report_table(report, "bulk", title);
    add_columns(table, "duration", "ms");
    for (int way = 0; way < WAYS; way++) {
        if (bench->bulk.of[way].count > 0) {
            table_row(table);
            tell_figures(table, &bench->bulk, way);
        }
    }
    table_print(table);
}

static void figures_fini(struct figures *figures)
{
    for (int way = 0; way < WAYS; way++) {
        samples_fini(&figures->of[way]);
        samples_fini(&figures->behind_s[way]);
    }
}

void bench_source_cost(struct servers *servers, const struct options *options, struct report *report)
{
    struct bench bench = {.servers = servers, .options = options};
    servers_load(servers, options->customers.items[0]);
    bench.pg = servers_postgres(servers);
    bench.redis = servers_redis(servers);
    for (long run = 1; run <= options->runs; run++) {
        measure_run(&bench);
    }
    way_clear(servers, bench.pg);
    PQfinish(bench.pg);
    redisFree(bench.redis);
    progress_clear();
    tell_updates(&bench, report);
    tell_bulk(&bench, report);
    for (unsigned i = 0; i < options->clients.count; i++) {
        figures_fini(&bench.updates[i]);
    }
    figures_fini(&bench.bulk);
}
