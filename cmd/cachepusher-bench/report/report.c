#include "report/report.h"

#include "cachepusher.h"
#include "fatal.h"
#include "report/report_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

void report_must(int result)
{
    if (result != 0) {
        fatal("out of memory");
    }
}

static void put(json_t *object, const char *name, json_t *value)
{
    report_must(json_object_set_new(object, name, value));
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

/* ---- what the figures come from ---- */

/* "model name : AMD EPYC" of the first processor. */
static void read_cpu_model(char *model, size_t size)
{
    snprintf(model, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL) {
        return;
    }
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            value += 1 + strspn(value + 1, " ");
            value[strcspn(value, "\n")] = '\0';
            snprintf(model, size, "%s", value);
            break;
        }
    }
    fclose(file);
}

static json_t *describe_machine(void)
{
    char model[256];
    read_cpu_model(model, sizeof model);
    struct sysinfo memory;
    struct utsname kernel;
    sysinfo(&memory);
    uname(&kernel);
    json_t *machine = json_object();
    put(machine, "cpu", json_string(model));
    put(machine, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    put(machine, "memory_mib", json_integer((json_int_t)(memory.totalram / (1024 * 1024 / memory.mem_unit))));
    put(machine, "kernel", json_string(kernel.release));
    return machine;
}

/* Where the servers are can hold a password. */
static json_t *describe_arguments(int argc, char **argv)
{
    json_t *arguments = json_array();
    bool hidden = false;
    for (int i = 1; i < argc; i++) {
        size_t length = strcspn(argv[i], "="); /* shortened names are names, too */
        bool is_server =
            length > 2 && (strncmp(argv[i], "--dsn", length) == 0 || strncmp(argv[i], "--redis", length) == 0);
        const char *value = is_server ? strchr(argv[i], '=') : NULL;
        char shown[32];
        snprintf(shown, sizeof shown, "%.*s…", value == NULL ? 0 : (int)(value - argv[i] + 1), argv[i]);
        report_must(json_array_append_new(arguments, json_string(hidden || value != NULL ? shown : argv[i])));
        hidden = is_server && value == NULL;
    }
    return arguments;
}

struct report *report_create(const char *command, int argc, char **argv)
{
    struct report *report = calloc(1, sizeof *report);
    if (report == NULL) {
        fatal("out of memory");
    }
    time_t now = time(NULL);
    struct tm utc;
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    report->json = json_object();
    put(report->json, "command", json_string(command));
    put(report->json, "version", json_string(CP_VERSION));
    put(report->json, "arguments", describe_arguments(argc, argv));
    put(report->json, "date", json_string(date));
    put(report->json, "machine", describe_machine());
    put(report->json, "postgres", json_null());
    put(report->json, "redis", json_null());
    put(report->json, "tables", json_array());
    put(report->json, "notes", json_array());
    return report;
}

void report_silence(struct report *report)
{
    report->silent = true;
}

void report_servers(struct report *report, const char *postgres_version, const char *redis_version)
{
    put(report->json, "postgres", text_or_null(postgres_version));
    put(report->json, "redis", text_or_null(redis_version));
}

void report_destroy(struct report *report)
{
    while (report->tables != NULL) {
        struct table *table = report->tables;
        report->tables = table->next;
        free(table);
    }
    json_decref(report->json);
    free(report);
}

/* ---- tables ---- */

struct table *report_table(struct report *report, const char *name, const char *title)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        fatal("out of memory");
    }
    table->report = report;
    table->next = report->tables;
    report->tables = table;
    table->json = json_object();
    table->columns = json_array();
    table->rows = json_array();
    put(table->json, "name", json_string(name));
    put(table->json, "title", json_string(title));
    put(table->json, "columns", table->columns);
    put(table->json, "rows", table->rows);
    report_must(json_array_append_new(json_object_get(report->json, "tables"), table->json));
    return table;
}

void table_column(struct table *table, const char *name, const char *heading, const char *unit)
{
    json_t *column = json_object();
    put(column, "name", json_string(name));
    put(column, "heading", json_string(heading));
    put(column, "unit", text_or_null(unit));
    report_must(json_array_append_new(table->columns, column));
}

void table_row(struct table *table)
{
    report_must(json_array_append_new(table->rows, json_object()));
    table->cells = 0;
}

static void add_cell(struct table *table, json_t *value)
{
    json_t *column = json_array_get(table->columns, table->cells++);
    json_t *row = json_array_get(table->rows, json_array_size(table->rows) - 1);
    if (column == NULL || row == NULL) {
        fatal("table \"%s\": a cell without a row or a column",
              json_string_value(json_object_get(table->json, "name")));
    }
    put(row, json_string_value(json_object_get(column, "name")), value);
}

/* JSON has no NAN. */
static json_t *number(double value)
{
    if (!isfinite(value)) {
        return json_null();
    }
    return value == rint(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value) : json_real(value);
}

void table_text(struct table *table, const char *text)
{
    add_cell(table, json_string(text));
}

void table_number(struct table *table, double value)
{
    add_cell(table, number(value));
}

void table_figure(struct table *table, const struct samples *samples)
{
    if (samples->count == 0) {
        table_nothing(table);
        return;
    }
    json_t *runs = json_array();
    for (size_t i = 0; i < samples->count; i++) {
        report_must(json_array_append_new(runs, number(samples->values[i])));
    }
    json_t *figure = json_object();
    put(figure, "median", number(samples_median(samples)));
    put(figure, "min", number(samples_quantile(samples, 0)));
    put(figure, "max", number(samples_quantile(samples, 1)));
    put(figure, "runs", runs);
    add_cell(table, figure);
}

void table_nothing(struct table *table)
{
    add_cell(table, json_null());
}

/* ---- reading them back ---- */

const struct table *report_find(const struct report *report, const char *name)
{
    const struct table *table = report->tables;
    while (table != NULL && strcmp(json_string_value(json_object_get(table->json, "name")), name) != 0) {
        table = table->next;
    }
    return table;
}

unsigned table_rows(const struct table *table)
{
    return (unsigned)json_array_size(table->rows);
}

static const json_t *cell(const struct table *table, unsigned row, const char *column)
{
    return json_object_get(json_array_get(table->rows, row), column);
}

double table_value(const struct table *table, unsigned row, const char *column)
{
    const json_t *value = cell(table, row, column);
    if (json_is_object(value)) {
        value = json_object_get(value, "median");
    }
    return json_is_number(value) ? json_number_value(value) : NAN;
}

void table_spread(const struct table *table, unsigned row, const char *column, double *min, double *max)
{
    const json_t *value = cell(table, row, column);
    *min = *max = table_value(table, row, column);
    if (json_is_object(value)) {
        *min = json_number_value(json_object_get(value, "min"));
        *max = json_number_value(json_object_get(value, "max"));
    }
}

const char *table_title(const struct table *table)
{
    return json_string_value(json_object_get(table->json, "title"));
}

const char *table_word(const struct table *table, unsigned row, const char *column)
{
    const char *word = json_string_value(cell(table, row, column));
    return word == NULL ? "" : word;
}

void report_describe(const struct report *report, char *text, size_t size)
{
    const json_t *machine = json_object_get(report->json, "machine");
    const char *postgres = json_string_value(json_object_get(report->json, "postgres"));
    const char *redis = json_string_value(json_object_get(report->json, "redis"));
    snprintf(text, size, "cachepusher %s on %s, %d cores, %.1f GiB, Linux %s%s%s%s%s",
             json_string_value(json_object_get(report->json, "version")),
             json_string_value(json_object_get(machine, "cpu")),
             (int)json_integer_value(json_object_get(machine, "cores")),
             (double)json_integer_value(json_object_get(machine, "memory_mib")) / 1024,
             json_string_value(json_object_get(machine, "kernel")), postgres == NULL ? "" : "; Postgres ",
             postgres == NULL ? "" : postgres, redis == NULL ? "" : ", Redis ", redis == NULL ? "" : redis);
}

/* ---- the file ---- */

bool report_write_json(const struct report *report, const char *path)
{
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *file = is_stdout ? stdout : fopen(path, "w");
    bool ok = file != NULL && json_dumpf(report->json, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
              fputc('\n', file) != EOF;
    if (file != NULL && (is_stdout ? fflush(file) : fclose(file)) != 0) {
        ok = false;
    }
    if (!ok) {
        complain("--json %s: %s", path, strerror(errno));
    }
    return ok;
}
