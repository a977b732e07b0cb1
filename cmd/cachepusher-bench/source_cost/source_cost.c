#include "commands.h"
#include "fatal.h"
#include "source_cost/source_writes.h"

#include <stdio.h>

/* What was measured of one kind of write: a sample for each run. */
struct figures {
    struct samples samples[ANNOUNCEMENTS];
};

static void figures_fini(struct figures *figures)
{
    for (int announced = 0; announced < ANNOUNCEMENTS; announced++) {
        samples_fini(&figures->samples[announced]);
    }
}

static void measure_run(const struct servers *servers, PGconn *pg, const struct options *options,
                        struct figures *updates, struct figures *bulk)
{
    for (unsigned i = 0; i < options->clients.count; i++) {
        for (int announced = 0; announced < ANNOUNCEMENTS; announced++) {
            long clients = options->clients.items[i];
            progress("updates, %ld clients, trigger: %s", clients, announced_name((enum announced)announced));
            announce(pg, (enum announced)announced);
            samples_add(&updates[i].samples[announced], updates_run(servers, pg, clients, options->duration_s));
        }
    }
    for (int announced = 0; announced < ANNOUNCEMENTS; announced++) {
        progress("bulk update, trigger: %s", announced_name((enum announced)announced));
        announce(pg, (enum announced)announced);
        samples_add(&bulk->samples[announced], bulk_run(pg, options->rows));
    }
}

/* A figure and what it is to the one without a trigger; the row's last two cells. */
static void report_figure(struct table *table, const struct figures *figures, int announced)
{
    table_figure(table, &figures->samples[announced]);
    if (announced == NOT_AT_ALL) {
        table_number(table, 1);
        return;
    }
    struct samples ratios = {0};
    samples_ratios(&figures->samples[announced], &figures->samples[NOT_AT_ALL], &ratios);
    table_figure(table, &ratios);
    samples_fini(&ratios);
}

static void report_updates(struct report *report, const struct options *options, const struct figures *updates)
{
    struct table *table = report_table(report, "updates", "One-row updates at random, each committed");
    table_column(table, "clients", "clients", NULL);
    table_column(table, "trigger", "trigger", NULL);
    table_column(table, "updates", "updates", "1/s");
    table_column(table, "to_none", "to none", "×");
    for (unsigned i = 0; i < options->clients.count; i++) {
        for (int announced = 0; announced < ANNOUNCEMENTS; announced++) {
            table_row(table);
            table_number(table, (double)options->clients.items[i]);
            table_text(table, announced_name((enum announced)announced));
            report_figure(table, &updates[i], announced);
        }
    }
    table_print(table);
    report_note(report,
                "Row-level: pg_notify('customer_updated', new.id_customer::text) for each row, as one writes it "
                "by hand. Statement-level: cachepusher.watch(). Somebody listens in all cases.");
}

static void report_bulk(struct report *report, const struct options *options, const struct figures *bulk)
{
    char title[96];
    snprintf(title, sizeof title, "One statement that updates %s rows, commit included", report_count(options->rows));
    struct table *table = report_table(report, "bulk", title);
    table_column(table, "trigger", "trigger", NULL);
    table_column(table, "duration", "duration", "ms");
    table_column(table, "to_none", "to none", "×");
    for (int announced = 0; announced < ANNOUNCEMENTS; announced++) {
        table_row(table);
        table_text(table, announced_name((enum announced)announced));
        report_figure(table, bulk, announced);
    }
    table_print(table);
}

void bench_source_cost(struct servers *servers, const struct options *options, struct report *report)
{
    long customers = options->customers.items[0];
    servers_load(servers, customers);
    struct listener listener;
    listener_start(&listener, servers);
    PGconn *pg = servers_postgres(servers);
    struct figures updates[OPTIONS_LIST] = {0};
    struct figures bulk = {0};
    for (long run = 1; run <= options->runs; run++) {
        measure_run(servers, pg, options, updates, &bulk);
    }
    PQfinish(pg);
    progress_clear();
    listener_stop(&listener);
    if (listener.announced == 0) {
        fatal("source-cost: the triggers announced nothing");
    }
    report_updates(report, options, updates);
    report_bulk(report, options, &bulk);
    for (unsigned i = 0; i < options->clients.count; i++) {
        figures_fini(&updates[i]);
    }
    figures_fini(&bulk);
}
