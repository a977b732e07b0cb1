#include "commands.h"
#include "fatal.h"
#include "warmup/warmup_ways.h"

#include <stdio.h>

/* What was measured of one way: a sample for each run. */
struct costs {
    struct samples documents_s;
    struct samples client_us;
    struct samples postgres_us;
    struct samples redis_us;
    struct samples all_us;
    struct samples peak_mib;
};

/* The limit and cachepusher, in turns with by hand, for one function and number of threads. */
struct pair {
    struct costs limit;
    struct costs cachepusher;
};

/* Everything about one number of customers. */
struct size {
    long customers;
    struct list threads;
    struct costs by_hand[HANDS];
    struct pair pairs[OPTIONS_LIST][FUNCTIONS]; /* by place in threads */
};

static void costs_add(struct costs *costs, const struct cost *cost)
{
    samples_add(&costs->documents_s, cost->documents_s);
    samples_add(&costs->client_us, cost->client_us);
    samples_add(&costs->postgres_us, cost->postgres_us);
    samples_add(&costs->redis_us, cost->redis_us);
    samples_add(&costs->all_us, cost->client_us + cost->postgres_us + cost->redis_us);
    samples_add(&costs->peak_mib, cost->peak_mib);
}

static void costs_fini(struct costs *costs)
{
    samples_fini(&costs->documents_s);
    samples_fini(&costs->client_us);
    samples_fini(&costs->postgres_us);
    samples_fini(&costs->redis_us);
    samples_fini(&costs->all_us);
    samples_fini(&costs->peak_mib);
}

static void size_fini(struct size *size)
{
    for (enum hand hand = 0; hand < HANDS; hand++) {
        costs_fini(&size->by_hand[hand]);
    }
    for (unsigned i = 0; i < size->threads.count; i++) {
        for (enum function function = 0; function < FUNCTIONS; function++) {
            costs_fini(&size->pairs[i][function].limit);
            costs_fini(&size->pairs[i][function].cachepusher);
        }
    }
}

static const char *const by_hand[HANDS] = {[HAND_PLAIN] = "by hand, plain", [HAND_TUNED] = "by hand, tuned"};

/* ---- measuring ---- */

static void measure_run(struct field *field, struct size *size, const char *which)
{
    struct cost cost;
    for (enum hand hand = 0; hand < HANDS; hand++) {
        progress("%s: %s", which, by_hand[hand]);
        fill_by_hand(field, hand, &cost);
        costs_add(&size->by_hand[hand], &cost);
    }
    for (unsigned i = 0; i < size->threads.count; i++) {
        for (enum function function = 0; function < FUNCTIONS; function++) {
            struct pair *pair = &size->pairs[i][function];
            long threads = size->threads.items[i];
            progress("%s: the limit, %s, %ld threads", which, function_name(function), threads);
            fetch_only(field, function, threads, &cost);
            costs_add(&pair->limit, &cost);
            progress("%s: cachepusher, %s, %ld threads", which, function_name(function), threads);
            fill_with_cachepusher(field, function, threads, &cost);
            costs_add(&pair->cachepusher, &cost);
        }
    }
}

static void measure_size(struct servers *servers, struct size *size, long runs)
{
    struct field field;
    field_init(&field, servers, size->customers);
    for (long run = 1; run <= runs; run++) {
        char which[64];
        snprintf(which, sizeof which, "%s customers, run %ld of %ld", report_count(size->customers), run, runs);
        measure_run(&field, size, which);
    }
    field_fini(&field);
    progress_clear();
}

/* ---- tables ---- */

/* limit: NULL for none. */
static void report_throughput_row(struct table *table, const char *way, long threads, const struct costs *limit,
                                  const struct size *size, const struct costs *costs)
{
    table_row(table);
    table_text(table, way);
    table_number(table, (double)threads);
    if (limit != NULL) {
        table_figure(table, &limit->documents_s);
    } else {
        table_nothing(table);
    }
    table_figure(table, &costs->documents_s);
    table_number(table, samples_ratio(&costs->documents_s, &size->by_hand[HAND_PLAIN].documents_s));
    table_number(table, samples_ratio(&costs->documents_s, &size->by_hand[HAND_TUNED].documents_s));
    if (limit != NULL) {
        table_number(table, samples_ratio(&costs->documents_s, &limit->documents_s));
    } else {
        table_nothing(table);
    }
}

static void report_throughput(struct report *report, const struct size *size)
{
    char title[96];
    snprintf(title, sizeof title, "Warm-up of %s customers", report_count(size->customers));
    struct table *table = report_table(report, "throughput", title);
    table_column(table, "way", "way", NULL);
    table_column(table, "threads", "threads", NULL);
    table_column(table, "limit", "limit", "documents/s");
    table_column(table, "documents", "in Redis", "documents/s");
    table_column(table, "to_plain", "to plain", "×");
    table_column(table, "to_tuned", "to tuned", "×");
    table_column(table, "to_limit", "to limit", "×");
    for (enum hand hand = 0; hand < HANDS; hand++) {
        report_throughput_row(table, by_hand[hand], 1, NULL, size, &size->by_hand[hand]);
    }
    for (enum function function = 0; function < FUNCTIONS; function++) {
        for (unsigned i = 0; i < size->threads.count; i++) {
            const struct pair *pair = &size->pairs[i][function];
            report_throughput_row(table, function_name(function), size->threads.items[i], &pair->limit, size,
                                  &pair->cachepusher);
        }
    }
    table_print(table);
    report_note(report,
                "By hand: psql | redis-cli --pipe with customer_get(), one connection to each server; plain, as in "
                "tutorials, Postgres calls the function twice for each row, once for the length; "
                "tuned, an \"offset 0\" prevents that. The other rows: cachepusher warmup with a function, from "
                "the start of the process to its end; their limit is what Postgres gives over as many "
                "connections when the documents are thrown away. Ratios are medians of the runs' own ratios.");
}

static void report_cost_row(struct table *table, const char *way, const char *function, double threads,
                            const struct costs *costs)
{
    table_row(table);
    table_text(table, way);
    table_text(table, function);
    table_number(table, threads);
    table_number(table, samples_median(&costs->client_us));
    table_number(table, samples_median(&costs->postgres_us));
    table_number(table, samples_median(&costs->redis_us));
    table_number(table, samples_median(&costs->all_us));
    table_number(table, samples_median(&costs->peak_mib));
}

static void report_cost(struct report *report, const struct size *size)
{
    char title[96];
    snprintf(title, sizeof title, "Warm-up of %s customers: CPU time for a document, and memory",
             report_count(size->customers));
    struct table *table = report_table(report, "cost", title);
    table_column(table, "way", "way", NULL);
    table_column(table, "function", "function", NULL);
    table_column(table, "threads", "threads", NULL);
    table_column(table, "client", "client", "µs");
    table_column(table, "postgres", "Postgres", "µs");
    table_column(table, "redis", "Redis", "µs");
    table_column(table, "all", "together", "µs");
    table_column(table, "peak_memory", "peak memory", "MiB");
    for (enum hand hand = 0; hand < HANDS; hand++) {
        report_cost_row(table, by_hand[hand], function_name(CUSTOMER_GET), 1, &size->by_hand[hand]);
    }
    for (enum function function = 0; function < FUNCTIONS; function++) {
        for (unsigned i = 0; i < size->threads.count; i++) {
            const struct pair *pair = &size->pairs[i][function];
            double threads = (double)size->threads.items[i];
            report_cost_row(table, "limit", function_name(function), threads, &pair->limit);
            report_cost_row(table, "cachepusher", function_name(function), threads, &pair->cachepusher);
        }
    }
    table_print(table);
    report_note(report, "Client: psql and redis-cli by hand, the thread that fetches at the limit, else cachepusher, "
                        "whose resident memory is shown at its highest. The CPU time of servers is told in steps "
                        "of 10 ms: of few documents it says little.");
}

/* For each size, the pairs with the same number of threads. */
static const struct pair *pairs_of(const struct size *size, long threads)
{
    for (unsigned i = 0; i < size->threads.count; i++) {
        if (size->threads.items[i] == threads) {
            return size->pairs[i];
        }
    }
    return size->pairs[0];
}

/* limit: NULL for none. */
static void report_size_row(struct table *table, const char *way, const struct size *size, const struct costs *limit,
                            const struct costs *costs, const struct costs *reference)
{
    table_row(table);
    table_text(table, way);
    table_number(table, (double)size->customers);
    if (limit != NULL) {
        table_figure(table, &limit->documents_s);
    } else {
        table_nothing(table);
    }
    table_figure(table, &costs->documents_s);
    table_number(table, samples_median(&costs->documents_s) / samples_median(&reference->documents_s));
    table_number(table, samples_median(&costs->peak_mib));
}

static void report_sizes(struct report *report, const struct size *sizes, unsigned count, const struct size *main_size,
                         long threads)
{
    char title[96];
    snprintf(title, sizeof title, "Warm-up with %ld threads, by number of customers", threads);
    char ratio[48];
    snprintf(ratio, sizeof ratio, "to %s", report_count(main_size->customers));
    struct table *table = report_table(report, "sizes", title);
    table_column(table, "way", "way", NULL);
    table_column(table, "customers", "customers", NULL);
    table_column(table, "limit", "limit", "documents/s");
    table_column(table, "documents", "in Redis", "documents/s");
    table_column(table, "to_main_size", ratio, "×");
    table_column(table, "peak_memory", "memory", "MiB");
    for (enum hand hand = 0; hand < HANDS; hand++) {
        for (unsigned i = 0; i < count; i++) {
            report_size_row(table, by_hand[hand], &sizes[i], NULL, &sizes[i].by_hand[hand], &main_size->by_hand[hand]);
        }
    }
    for (enum function function = 0; function < FUNCTIONS; function++) {
        const struct pair *reference = &pairs_of(main_size, threads)[function];
        for (unsigned i = 0; i < count; i++) {
            const struct pair *pair = &pairs_of(&sizes[i], threads)[function];
            report_size_row(table, function_name(function), &sizes[i], &pair->limit, &pair->cachepusher,
                            &reference->cachepusher);
        }
    }
    table_print(table);
    report_note(report,
                "With few customers, starting and connecting is most of the time. Memory is that of cachepusher "
                "at its highest.");
}

/* ---- the command ---- */

static unsigned find(const struct list *list, long wanted, unsigned otherwise)
{
    for (unsigned i = 0; i < list->count; i++) {
        if (list->items[i] == wanted) {
            return i;
        }
    }
    return otherwise;
}

void bench_warmup(struct servers *servers, const struct options *options, struct report *report)
{
    enum { USUAL_CUSTOMERS = 200000, USUAL_THREADS = 4 };
    unsigned main_size = find(&options->customers, USUAL_CUSTOMERS, 0);
    unsigned usual = find(&options->threads, USUAL_THREADS, options->threads.count - 1);
    long threads = options->threads.items[usual];

    struct size sizes[OPTIONS_LIST] = {0};
    for (unsigned i = 0; i < options->customers.count; i++) {
        sizes[i].customers = options->customers.items[i];
        sizes[i].threads = i == main_size ? options->threads : (struct list){1, {threads}};
    }
    /* The most interesting figures first. */
    measure_size(servers, &sizes[main_size], options->runs);
    report_throughput(report, &sizes[main_size]);
    report_cost(report, &sizes[main_size]);
    for (unsigned i = 0; i < options->customers.count; i++) {
        if (i != main_size) {
            measure_size(servers, &sizes[i], options->runs);
        }
    }
    if (options->customers.count > 1) {
        report_sizes(report, sizes, options->customers.count, &sizes[main_size], threads);
    }
    for (unsigned i = 0; i < options->customers.count; i++) {
        size_fini(&sizes[i]);
    }
}
