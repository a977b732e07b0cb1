#include "fatal.h"
#include "report/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 100, CELL = 64, GAP = 2 };

/* A cell as it is shown: the median, and the spread behind it, which have a width each in their column. */
struct shown {
    char main[CELL * 2];
    char spread[CELL];
    bool is_text;
};

struct column {
    const char *heading;
    const char *unit;
    size_t main;
    size_t spread;
    bool is_text; /* to the left; numbers stand to the right */
};

/* Of UTF-8 without combining characters. */
static size_t width(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

static void pad(size_t count)
{
    printf("%*s", (int)count, "");
}

/* ---- cells ---- */

/* Three digits or so, which is more than a benchmark knows. */
static int decimals(double value)
{
    double size = fabs(value);
    if (size >= 100 || size == 0) {
        return 0;
    }
    return size >= 10 ? 1 : size >= 0.1 ? 2 : size >= 0.01 ? 3 : 4;
}

/* With a comma for each thousand. */
static void format_number(double value, int places, char text[CELL])
{
    char digits[CELL];
    snprintf(digits, sizeof digits, "%.*f", places, value);
    size_t whole = strcspn(digits, ".");
    size_t at = 0;
    for (size_t i = 0; digits[i] != '\0' && at + 2 < CELL; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0 && digits[i - 1] != '-') {
            text[at++] = ',';
        }
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

const char *report_count(long count)
{
    static _Thread_local char texts[4][CELL];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 4];
    format_number((double)count, 0, text);
    return text;
}

static int decimals_of(const json_t *value)
{
    return json_is_integer(value) ? 0 : decimals(json_number_value(value));
}

static void show_figure(const json_t *figure, struct shown *shown)
{
    const json_t *median = json_object_get(figure, "median");
    double min = json_number_value(json_object_get(figure, "min"));
    double max = json_number_value(json_object_get(figure, "max"));
    int places = decimals_of(median);
    format_number(json_number_value(median), places, shown->main);
    if (json_array_size(json_object_get(figure, "runs")) > 1) {
        char low[CELL];
        char high[CELL];
        format_number(min, places, low);
        format_number(max, places, high);
        snprintf(shown->spread, sizeof shown->spread, " (%.24s–%.24s)", low, high);
    }
}

static void show(const json_t *value, struct shown *shown)
{
    *shown = (struct shown){.is_text = json_is_string(value)};
    if (json_is_string(value)) {
        snprintf(shown->main, sizeof shown->main, "%s", json_string_value(value));
    } else if (json_is_number(value)) {
        format_number(json_number_value(value), decimals_of(value), shown->main);
    } else if (json_is_object(value) && json_is_number(json_object_get(value, "median"))) {
        show_figure(value, shown);
    } else {
        strcpy(shown->main, "-");
    }
}

static void show_cell(const struct table *table, size_t row, size_t column, struct shown *shown)
{
    const json_t *name = json_object_get(json_array_get(table->columns, column), "name");
    show(json_object_get(json_array_get(table->rows, row), json_string_value(name)), shown);
}

/* ---- lines ---- */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct column measure(const struct table *table, size_t index)
{
    const json_t *json = json_array_get(table->columns, index);
    const char *unit = json_string_value(json_object_get(json, "unit"));
    struct column column = {.heading = json_string_value(json_object_get(json, "heading")),
                            .unit = unit == NULL ? "" : unit};
    column.main = larger(width(column.heading), width(column.unit));
    for (size_t row = 0; row < json_array_size(table->rows); row++) {
        struct shown shown;
        show_cell(table, row, index, &shown);
        column.main = larger(column.main, width(shown.main));
        column.spread = larger(column.spread, width(shown.spread));
        column.is_text = column.is_text || shown.is_text;
    }
    return column;
}

static void print_cell(const struct column *column, size_t gap, const char *text, const char *spread)
{
    pad(gap + (column->is_text ? 0 : column->main - width(text)));
    fputs(text, stdout);
    pad(column->is_text ? column->main - width(text) : 0);
    fputs(spread, stdout);
    pad(column->spread - width(spread));
}

static void print_headings(const struct column *columns, size_t count)
{
    bool has_units = false;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        print_cell(&columns[i], i == 0 ? 0 : GAP, columns[i].heading, "");
        has_units = has_units || columns[i].unit[0] != '\0';
        total += columns[i].main + columns[i].spread + (i == 0 ? 0 : GAP);
    }
    putchar('\n');
    for (size_t i = 0; has_units && i < count; i++) {
        print_cell(&columns[i], i == 0 ? 0 : GAP, columns[i].unit, "");
    }
    fputs(has_units ? "\n" : "", stdout);
    for (size_t i = 0; i < total; i++) {
        fputs("─", stdout);
    }
    putchar('\n');
}

void table_print(const struct table *table)
{
    if (table->report->silent) {
        return;
    }
    report_begin(table->report);
    bool is_terminal = isatty(STDOUT_FILENO);
    printf("\n%s%s%s\n\n", is_terminal ? "\033[1m" : "", json_string_value(json_object_get(table->json, "title")),
           is_terminal ? "\033[0m" : "");
    size_t count = json_array_size(table->columns);
    struct column *columns = calloc(count, sizeof *columns);
    if (columns == NULL) {
        fatal("out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        columns[i] = measure(table, i);
    }
    print_headings(columns, count);
    for (size_t row = 0; row < json_array_size(table->rows); row++) {
        for (size_t i = 0; i < count; i++) {
            struct shown shown;
            show_cell(table, row, i, &shown);
            print_cell(&columns[i], i == 0 ? 0 : GAP, shown.main, shown.spread);
        }
        putchar('\n');
    }
    free(columns);
    fflush(stdout);
}

/* ---- sentences ---- */

/* Breaks lines between words. */
static void print_wrapped(const char *text)
{
    size_t used = 0;
    while (*text != '\0') {
        char word[256];
        size_t length = strcspn(text, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        if (used > 0 && used + 1 + width(word) > COLUMNS) {
            putchar('\n');
            used = 0;
        }
        used += (size_t)printf("%s", used > 0 ? " " : "");
        fputs(word, stdout);
        used += width(word);
        text += length + strspn(text + length, " ");
    }
    putchar('\n');
}

void report_begin(struct report *report)
{
    progress_clear();
    if (report->begun) {
        return;
    }
    report->begun = true;
    char text[1024];
    report_describe(report, text, sizeof text);
    print_wrapped(text);
}

void report_note(struct report *report, const char *text)
{
    report_must(json_array_append_new(json_object_get(report->json, "notes"), json_string(text)));
    if (!report->silent) {
        report_begin(report);
        putchar('\n');
        print_wrapped(text);
        fflush(stdout);
    }
}
