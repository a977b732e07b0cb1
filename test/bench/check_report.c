/*
 * Usage: check_report FILE COMMAND TABLE...: whether what cachepusher-bench --json wrote is whole: of that command,
 * with at least these tables, each with rows, each row with every column, and every figure with its runs.
 */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (value == NULL || *value == '\0') {
        fail("no text in member \"%s\"", name);
    }
    return value;
}

static bool is_finite(const json_t *value)
{
    return json_is_number(value) && isfinite(json_number_value(value));
}

static void check_figure(const char *where, const json_t *figure)
{
    const json_t *median = json_object_get(figure, "median");
    const json_t *min = json_object_get(figure, "min");
    const json_t *max = json_object_get(figure, "max");
    const json_t *runs = json_object_get(figure, "runs");
    if (!is_finite(median) || !is_finite(min) || !is_finite(max) ||
        json_number_value(min) > json_number_value(median) || json_number_value(median) > json_number_value(max)) {
        fail("%s: not a figure", where);
    }
    if (json_array_size(runs) == 0) {
        fail("%s: no runs", where);
    }
    size_t index;
    json_t *run;
    json_array_foreach(runs, index, run)
    {
        if (!is_finite(run)) {
            fail("%s: run %zu is no number", where, index);
        }
    }
}

/* True: there is something in the cell. */
static bool check_cell(const char *table, size_t row, const char *column, const json_t *value)
{
    char where[256];
    snprintf(where, sizeof where, "%s, row %zu, %s", table, row, column);
    if (json_is_object(value)) {
        check_figure(where, value);
    } else if (!json_is_string(value) && !json_is_null(value) && !is_finite(value)) {
        fail("%s: missing, or neither text nor number nor null", where);
    }
    return !json_is_null(value);
}

static void check_table(const json_t *table)
{
    const char *name = text(table, "name");
    text(table, "title");
    const json_t *columns = json_object_get(table, "columns");
    const json_t *rows = json_object_get(table, "rows");
    if (json_array_size(columns) == 0 || json_array_size(rows) == 0) {
        fail("%s: no columns or no rows", name);
    }
    size_t at;
    json_t *column;
    json_array_foreach(columns, at, column)
    {
        const char *member = text(column, "name");
        text(column, "heading");
        const json_t *unit = json_object_get(column, "unit");
        if (!json_is_string(unit) && !json_is_null(unit)) {
            fail("%s: no unit, and no null, for column %s", name, member);
        }
        bool something = false;
        size_t index;
        json_t *row;
        json_array_foreach(rows, index, row)
        {
            something = check_cell(name, index, member, json_object_get(row, member)) || something;
            if (json_object_size(row) != json_array_size(columns)) {
                fail("%s, row %zu: %zu cells for %zu columns", name, index, json_object_size(row),
                     json_array_size(columns));
            }
        }
        if (!something) {
            fail("%s: nothing in column %s", name, member);
        }
    }
}

static bool has_table(const json_t *tables, const char *name)
{
    size_t index;
    json_t *table;
    json_array_foreach(tables, index, table)
    {
        if (strcmp(text(table, "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fail("usage: check_report FILE COMMAND TABLE...");
    }
    json_error_t error;
    json_t *report = json_load_file(argv[1], JSON_REJECT_DUPLICATES, &error);
    if (report == NULL) {
        fail("%s:%d: %s", argv[1], error.line, error.text);
    }
    if (strcmp(text(report, "command"), argv[2]) != 0) {
        fail("of another command: %s", text(report, "command"));
    }
    text(report, "version");
    text(report, "date");
    const json_t *machine = json_object_get(report, "machine");
    text(machine, "cpu");
    text(machine, "kernel");
    if (json_integer_value(json_object_get(machine, "cores")) < 1 ||
        json_integer_value(json_object_get(machine, "memory_mib")) < 1 ||
        !json_is_array(json_object_get(report, "arguments")) || !json_is_array(json_object_get(report, "notes"))) {
        fail("no cores, memory, arguments or notes");
    }
    const json_t *tables = json_object_get(report, "tables");
    for (int i = 3; i < argc; i++) {
        if (!has_table(tables, argv[i])) {
            fail("no table \"%s\"", argv[i]);
        }
    }
    size_t index;
    json_t *table;
    json_array_foreach(tables, index, table)
    {
        check_table(table);
    }
    json_decref(report);
    return 0;
}
