#include "verify/report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/escape.h"
#include "common/exit_code.h"

enum { STRING_BYTES = 8192 };

static const char *const kind_names[REPORT_KINDS] = {
    [CP_MISSING] = "missing", [CP_DIFFERENT] = "different", [CP_ORPHAN] = "orphan"};

static uint64_t count_of(const struct report *report, size_t kind)
{
    const cp_verify_result *result = &report->result;

    return kind == CP_MISSING ? result->missing : kind == CP_DIFFERENT ? result->different : result->orphans;
}

/* ---- collecting ---- */

static void free_example(struct example *example)
{
    free(example->entity);
    free(example->key);
    free(example->document);
    free(example->held);
}

void report_add(struct report *report, const cp_difference *difference)
{
    size_t *count = &report->counts[difference->kind];

    if (*count == REPORT_EXAMPLES) {
        return;
    }
    struct example example = {.entity = strdup(difference->entity),
                              .key = strdup(difference->key),
                              .at = difference->at,
                              .document = strdup(difference->document),
                              .held = strdup(difference->held)};
    if (example.entity == NULL || example.key == NULL || example.document == NULL || example.held == NULL) {
        free_example(&example); /* it is counted all the same */
        return;
    }
    report->examples[difference->kind][(*count)++] = example;
}

void report_fini(struct report *report)
{
    for (size_t kind = 0; kind < REPORT_KINDS; kind++) {
        for (size_t i = 0; i < report->counts[kind]; i++) {
            free_example(&report->examples[kind][i]);
        }
    }
}

uint64_t report_differences(const struct report *report)
{
    const cp_verify_result *result = &report->result;

    return result->missing + result->different + result->orphans - result->repaired;
}

int report_exit_code(const struct report *report)
{
    if (report->problem != NULL) {
        return EXIT_CANNOT_TELL;
    }
    if (report_differences(report) > 0) {
        return EXIT_DIFFERS;
    }
    return report->result.unreadable > 0 || report->result.unfit > 0 || report->result.incomplete ? EXIT_CANNOT_TELL
                                                                                                  : EXIT_EQUAL;
}

/* ---- for people ---- */

static void print_plain(const char *string)
{
    char line[STRING_BYTES];
    struct text text = {.data = line, .size = sizeof line};

    line[0] = '\0';
    text_add_plain(&text, string);
    fputs(line, stdout);
}

static void print_example(size_t kind, const struct example *example)
{
    printf("  %-10s", kind_names[kind]);
    print_plain(example->key);
    if (kind == CP_DIFFERENT) {
        printf("  at byte %zu: Postgres ", example->at);
        print_plain(example->document);
        fputs(" Redis ", stdout);
        print_plain(example->held);
    }
    putchar('\n');
}

static void print_examples(const struct report *report)
{
    for (size_t kind = 0; kind < REPORT_KINDS; kind++) {
        for (size_t i = 0; i < report->counts[kind]; i++) {
            print_example(kind, &report->examples[kind][i]);
        }
        if (count_of(report, kind) > report->counts[kind]) {
            printf("  %-10s… and %" PRIu64 " more\n", kind_names[kind],
                   count_of(report, kind) - (uint64_t)report->counts[kind]);
        }
    }
}

/* "verify: 3 that …", unless there are none. */
static void print_count(uint64_t count, const char *what)
{
    if (count > 0) {
        printf("verify: %" PRIu64 " %s\n", count, what);
    }
}

void report_print(const struct report *report)
{
    const cp_verify_result *result = &report->result;
    bool differs = result->missing + result->different + result->orphans > 0;

    if (report->problem != NULL) {
        return;
    }
    printf("verify: %" PRIu64 " compared in %.1f s (%.0f/s), %" PRIu64 " equal", result->compared, report->seconds,
           report->seconds > 0 ? (double)result->compared / report->seconds : 0.0, result->equal);
    if (differs) {
        printf("; %" PRIu64 " missing, %" PRIu64 " different, %" PRIu64 " orphan%s", result->missing, result->different,
               result->orphans, result->orphans == 1 ? "" : "s");
    }
    putchar('\n');
    print_examples(report);
    print_count(result->in_flight, "changed all the time and were never seen at rest");
    print_count(result->expired, "without a key, which may have expired");
    print_count(result->unreadable, "could not be read: the fetch function fails");
    print_count(result->unfit, "could not be compared: what is listed is no id of the entity's id_type");
    print_count(result->unmanaged, result->unmanaged == 1 ? "other key under the prefix, which is no document"
                                                          : "other keys under the prefix, which are no documents");
    if (result->incomplete) {
        puts("verify: ended early: more than a million were not equal");
    }
    if (result->repaired > 0) {
        printf("verify: %" PRIu64 " of them repaired\n", result->repaired);
    }
    fflush(stdout);
}

/* ---- as JSON ---- */

static void print_string(const char *name, const char *string)
{
    char line[STRING_BYTES];
    struct text text = {.data = line, .size = sizeof line};

    line[0] = '\0';
    text_add_json(&text, string);
    printf("\"%s\":\"%s\"", name, line);
}

static void print_json_examples(const struct report *report)
{
    const char *separator = "";

    fputs(",\"examples\":[", stdout);
    for (size_t kind = 0; kind < REPORT_KINDS; kind++) {
        for (size_t i = 0; i < report->counts[kind]; i++) {
            const struct example *example = &report->examples[kind][i];
            printf("%s{\"kind\":\"%s\",", separator, kind_names[kind]);
            print_string("entity", example->entity);
            putchar(',');
            print_string("key", example->key);
            printf(",\"at\":%zu,", example->at);
            print_string("postgres", example->document);
            putchar(',');
            print_string("redis", example->held);
            putchar('}');
            separator = ",";
        }
    }
    putchar(']');
}

void report_print_json(const struct report *report)
{
    static const char *const results[] = {
        [EXIT_EQUAL] = "equal", [EXIT_DIFFERS] = "differs", [EXIT_CANNOT_TELL] = "unknown"};
    const cp_verify_result *result = &report->result;
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"compared", result->compared},   {"equal", result->equal},
                   {"missing", result->missing},     {"different", result->different},
                   {"orphans", result->orphans},     {"in_flight", result->in_flight},
                   {"expired", result->expired},     {"unreadable", result->unreadable},
                   {"unmanaged", result->unmanaged}, {"repaired", result->repaired},
                   {"unfit", result->unfit}};

    printf("{\"result\":\"%s\",\"seconds\":%.3f", results[report_exit_code(report)], report->seconds);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        printf(",\"%s\":%" PRIu64, members[i].name, members[i].value);
    }
    printf(",\"incomplete\":%s,\"writer_differs\":%s", result->incomplete ? "true" : "false",
           result->writer_differs ? "true" : "false");
    if (report->problem != NULL) {
        putchar(',');
        print_string("error", report->problem);
    }
    print_json_examples(report);
    puts("}");
    fflush(stdout);
}
