#include "doctor/findings.h"

#include "common/escape.h"
#include "common/exit_code.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FINDING_BYTES = 8192 };

static const char *const verdict_names[VERDICTS] = {
    [VERDICT_OK] = "ok", [VERDICT_WARNING] = "warning", [VERDICT_WRONG] = "wrong"};

/* Padded to the same width: colours have none. */
static const char *const verdict_words[VERDICTS] = {
    [VERDICT_OK] = "ok     ", [VERDICT_WARNING] = "warning", [VERDICT_WRONG] = "WRONG  "};
static const char *const verdict_colours[VERDICTS] = {
    [VERDICT_OK] = "\033[32m", [VERDICT_WARNING] = "\033[33m", [VERDICT_WRONG] = "\033[1;31m"};

void findings_begin(struct findings *findings, bool as_json)
{
    const char *no_colour = getenv("NO_COLOR");
    *findings = (struct findings){
        .as_json = as_json, .has_colours = isatty(STDOUT_FILENO) == 1 && (no_colour == NULL || *no_colour == '\0')};
    if (as_json) {
        fputs("{\"points\":[", stdout);
    }
}

void findings_group(struct findings *findings, const char *group)
{
    findings->group = group;
    findings->is_group_told = false;
}

/* ---- one point ---- */

static void print_member(const char *name, const char *value, const char *separator)
{
    char line[FINDING_BYTES] = "";
    struct text text = {.data = line, .size = sizeof line};
    text_add_json(&text, value);
    printf("\"%s\":\"%s\"%s", name, line, separator);
}

static void print_json_point(const struct findings *findings, enum verdict verdict, const char *point,
                             const char *message, const char *cure)
{
    size_t before = findings->counts[VERDICT_OK] + findings->counts[VERDICT_WARNING] + findings->counts[VERDICT_WRONG];
    fputs(before > 0 ? ",{" : "{", stdout);
    print_member("group", findings->group, ",");
    print_member("point", point, ",");
    print_member("verdict", verdict_names[verdict], ",");
    print_member("message", message, ",");
    if (cure != NULL) {
        print_member("mend", cure, "}");
    } else {
        fputs("\"mend\":null}", stdout);
    }
}

static void print_text_point(struct findings *findings, enum verdict verdict, const char *point, const char *message,
                             const char *cure)
{
    char line[FINDING_BYTES] = "";
    struct text text = {.data = line, .size = sizeof line};
    if (!findings->is_group_told) {
        printf("%s\n", findings->group);
        findings->is_group_told = true;
    }
    text_add_plain(&text, message);
    printf("  %s%s%s  %-12s  %s\n", findings->has_colours ? verdict_colours[verdict] : "", verdict_words[verdict],
           findings->has_colours ? "\033[0m" : "", point, line);
    if (cure != NULL) {
        text.length = 0;
        text_add_plain(&text, cure);
        printf("           mend: %s\n", line);
    }
}

void findings_add(struct findings *findings, enum verdict verdict, const char *point, const char *cure,
                  const char *format, ...)
{
    char message[FINDING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    cure = verdict != VERDICT_OK && cure != NULL && *cure != '\0' ? cure : NULL;
    if (findings->as_json) {
        print_json_point(findings, verdict, point, message, cure);
    } else {
        print_text_point(findings, verdict, point, message, cure);
    }
    findings->counts[verdict]++;
    fflush(stdout); /* the next point may take seconds */
}

/* ---- the end ---- */

int findings_end(const struct findings *findings)
{
    const size_t *counts = findings->counts;
    enum verdict worst = counts[VERDICT_WRONG] > 0     ? VERDICT_WRONG
                         : counts[VERDICT_WARNING] > 0 ? VERDICT_WARNING
                                                       : VERDICT_OK;
    if (findings->as_json) {
        printf("],\"result\":\"%s\",\"ok\":%zu,\"warnings\":%zu,\"wrong\":%zu}\n", verdict_names[worst],
               counts[VERDICT_OK], counts[VERDICT_WARNING], counts[VERDICT_WRONG]);
    } else {
        printf("doctor: %zu ok, %zu warning%s, %zu wrong\n", counts[VERDICT_OK], counts[VERDICT_WARNING],
               counts[VERDICT_WARNING] == 1 ? "" : "s", counts[VERDICT_WRONG]);
    }
    fflush(stdout);
    return worst == VERDICT_WRONG ? EXIT_FAILED : EXIT_DONE;
}
