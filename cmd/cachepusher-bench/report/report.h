/*
 * The results of a command: tables of figures, printed as text, written as JSON and plotted, all from the same rows.
 *
 *     struct table *table = report_table(report, "throughput", "Warm-up of 200,000 customers");
 *     table_column(table, "threads", "threads", NULL);
 *     table_column(table, "per_row", "customer_get()", "documents/s");
 *     table_row(table);
 *     table_number(table, 4);
 *     table_figure(table, &samples);     // median, and the spread beside it
 *
 * Everything is owned by the report, which belongs to the main thread. Running out of memory ends the program.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "report/samples.h"

#include <stdbool.h>

struct report;
struct table;

/* command: "warmup". The machine, the servers' versions (NULL: no servers) and the given options are put first. */
struct report *report_create(const char *command, int argc, char **argv);
void report_servers(struct report *report, const char *postgres_version, const char *redis_version);
void report_destroy(struct report *report);

/* From now on nothing is printed, since the JSON goes to stdout. */
void report_silence(struct report *report);

/* name: its member in the JSON, in snake_case. title: printed above it. */
struct table *report_table(struct report *report, const char *name, const char *title);

/* A sentence under the last printed table, for instance what a column means. Printed at once. */
void report_note(struct report *report, const char *text);

/* name: the member of each row in the JSON. heading: printed. unit: NULL for none. Define columns before rows. */
void table_column(struct table *table, const char *name, const char *heading, const char *unit);

/* Begins a row. Then add its cells, one per column, in order. */
void table_row(struct table *table);
void table_text(struct table *table, const char *text);
void table_number(struct table *table, double value);
void table_figure(struct table *table, const struct samples *samples); /* one sample for each run */
void table_nothing(struct table *table);                               /* not measured: "-", null */

/* "200,000", for titles and notes. The string is valid until the fourth following call in the same thread. */
const char *report_count(long count);

/* Prints the table to stdout. Call it as soon as the table is complete, since the next one may take minutes. */
void table_print(const struct table *table);

/* For plots: the median of a figure, NAN if there is none; its spread; the text of a cell, "" if there is none. NULL:
 * there is no such table. */
const struct table *report_find(const struct report *report, const char *name);
unsigned table_rows(const struct table *table);
double table_value(const struct table *table, unsigned row, const char *column);
void table_spread(const struct table *table, unsigned row, const char *column, double *min, double *max);
const char *table_word(const struct table *table, unsigned row, const char *column);

const char *table_title(const struct table *table);

/* "cachepusher 0.1.0 on …": the machine and the servers. */
void report_describe(const struct report *report, char *text, size_t size);

/* False: the file cannot be written; the reason has been reported. */
bool report_write_json(const struct report *report, const char *path);

#endif
