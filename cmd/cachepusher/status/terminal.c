#include "status/terminal.h"

#include "common/escape.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_PARKED = 10, LINE_BYTES = 400 };

#define NOTEWORTHY_S 0.5 /* of waits */

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

struct screen {
    const json_t *status;
    const json_t *before;
    double seconds;
    bool coloured;
};

static const char *colour(const struct screen *screen, const char *code)
{
    return screen->coloured ? code : "";
}

/* ---- members ---- */

static double real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static bool flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* Ids and messages come from outside: no control character of theirs reaches the terminal. */
static const char *text(const json_t *object, const char *name, char line[LINE_BYTES])
{
    const char *value = json_string_value(json_object_get(object, name));
    struct text shown = {.data = line, .size = LINE_BYTES};
    *line = '\0';
    text_add_plain(&shown, value != NULL ? value : "");
    return line;
}

static double stat_of(const json_t *status, const char *name)
{
    return real(json_object_get(status, "stats"), name);
}

/* ---- numbers ---- */

static const char *span(double seconds, char line[32])
{
    if (seconds < 1) {
        snprintf(line, 32, "%.1f ms", seconds * 1000);
    } else if (seconds < 120) {
        snprintf(line, 32, "%.1f s", seconds);
    } else if (seconds < 7200) {
        snprintf(line, 32, "%.0f min", seconds / 60);
    } else if (seconds < 172800) {
        snprintf(line, 32, "%.1f h", seconds / 3600);
    } else {
        snprintf(line, 32, "%.1f days", seconds / 86400);
    }
    return line;
}

/* has_rate: it only grows. */
static void show_count(const struct screen *screen, const char *what, const char *stat, bool has_rate)
{
    double now = stat_of(screen->status, stat);
    printf("  %-10s %14.0f", what, now);
    if (has_rate && screen->before != NULL && screen->seconds > 0) {
        printf("  %9.0f/s", (now - stat_of(screen->before, stat)) / screen->seconds);
    }
    putchar('\n');
}

/* The upper bound of the bucket in which that part of all times lies; of the time since `before` where that is known.
 */
static bool quantile(const struct screen *screen, const char *name, double part, double *bound)
{
    size_t i;
    const json_t *histogram;
    const json_t *all = json_object_get(screen->status, "histograms");
    json_array_foreach(all, i, histogram)
    {
        const char *found = json_string_value(json_object_get(histogram, "name"));
        if (found == NULL || strcmp(found, name) != 0) {
            continue;
        }
        const json_t *counts = json_object_get(histogram, "counts");
        const json_t *bounds = json_object_get(histogram, "bounds");
        double total = real(histogram, "count");
        double below = 0;
        for (size_t b = 0; b < json_array_size(bounds) && total > 0; b++) {
            below += json_number_value(json_array_get(counts, b));
            if (below >= part * total) {
                *bound = json_number_value(json_array_get(bounds, b));
                return true;
            }
        }
        *bound = json_number_value(json_array_get(bounds, json_array_size(bounds) - 1));
        return total > 0;
    }
    return false;
}

static void show_quantiles(const struct screen *screen)
{
    double p50;
    double p99;
    char first[32];
    char second[32];
    if (quantile(screen, "cachepusher_settle_seconds", 0.5, &p50) &&
        quantile(screen, "cachepusher_settle_seconds", 0.99, &p99)) {
        printf("  %-10s half within %s, 99 of 100 within %s\n", "to Redis", span(p50, first), span(p99, second));
    }
}

/* ---- parts ---- */

static void show_state(const struct screen *screen)
{
    char state[LINE_BYTES];
    char why[LINE_BYTES];
    char name[LINE_BYTES];
    char version[LINE_BYTES];
    char source[LINE_BYTES];
    char up[32];
    char lag[32];
    bool ready = flag(screen->status, "ready");
    bool alive = flag(screen->status, "alive");
    text(screen->status, "why", why);
    printf("%s%s%s%s%s%s  %s, cachepusher %s, source %s, up %s\n", colour(screen, BOLD),
           colour(screen, ready   ? GREEN
                          : alive ? YELLOW
                                  : RED),
           text(screen->status, "state", state), *why != '\0' ? ": " : "", why, colour(screen, PLAIN),
           text(screen->status, "name", name), text(screen->status, "version", version),
           text(screen->status, "source", source),
           span(real(screen->status, "now") - real(screen->status, "started"), up));
    printf("  %-10s %s\n", "behind", span(real(screen->status, "lag_seconds"), lag));
    const json_t *progress = json_object_get(screen->status, "progress");
    if (strcmp(state, "warming") == 0) {
        printf("  %-10s %.0f of about %.0f documents\n", "progress", real(progress, "settled"),
               real(progress, "expected"));
    }
}

static void show_lanes(const struct screen *screen)
{
    size_t i;
    const json_t *lane;
    const json_t *lanes = json_object_get(screen->status, "lanes");
    printf("\n%slane  in ring      live     crowd      bulk    parked    oldest%s\n", colour(screen, DIM),
           colour(screen, PLAIN));
    json_array_foreach(lanes, i, lane)
    {
        char oldest[32];
        printf("%4zu %8.0f %9.0f %9.0f %9.0f %9.0f %9s\n", i, real(lane, "in_ring"), real(lane, "live"),
               real(lane, "crowd"), real(lane, "bulk"), real(lane, "parked"),
               span(real(lane, "oldest_seconds"), oldest));
    }
}

static void show_threads(const struct screen *screen)
{
    static const struct {
        const char *wait;
        const char *shown;
    } waits[] = {{"work", "waits for work"},   {"postgres", "waits for Postgres"},     {"redis", "waits for Redis"},
                 {"names", "looks up a host"}, {"thread", "waits for another thread"}, {"host", "waits for its host"}};
    size_t i;
    const json_t *thread;
    const json_t *threads = json_object_get(screen->status, "threads");
    printf("\n%sthread           doing%s\n", colour(screen, DIM), colour(screen, PLAIN));
    json_array_foreach(threads, i, thread)
    {
        char name[LINE_BYTES];
        char doing[LINE_BYTES];
        char error[LINE_BYTES];
        char time[32];
        const char *wait = json_string_value(json_object_get(thread, "waits_for"));
        const char *shown = NULL;
        for (size_t w = 0; wait != NULL && w < sizeof waits / sizeof *waits; w++) {
            shown = strcmp(waits[w].wait, wait) == 0 ? waits[w].shown : shown;
        }
        bool works = shown == NULL && flag(thread, "runs");
        printf("%-16s %s%s%s", text(thread, "name", name), colour(screen, flag(thread, "stuck") ? RED : ""),
               flag(thread, "stuck") ? "stuck: " : "",
               shown != NULL ? shown
               : works       ? text(thread, "doing", doing)
                             : "does not run");
        double for_s = real(thread, flag(thread, "stuck") ? "silent_seconds" : "for_seconds");
        if (for_s >= NOTEWORTHY_S && (wait == NULL || strcmp(wait, "work") != 0)) {
            printf(" for %s", span(for_s, time));
        }
        if (flag(thread, "failing")) {
            printf("%s; %s, for %s", colour(screen, YELLOW), text(thread, "error", error),
                   span(real(thread, "failing_seconds"), time));
        }
        printf("%s\n", colour(screen, PLAIN));
    }
}

static void show_one_parked(const json_t *parked)
{
    char entity[LINE_BYTES];
    char id[LINE_BYTES];
    char why[LINE_BYTES];
    char since[32];
    printf("%s %s: %s (%.0f times, for %s)\n", text(parked, "entity", entity), text(parked, "id", id),
           text(parked, "why", why), real(parked, "tries"), span(real(parked, "first_seconds"), since));
}

static void show_some_parked(const struct screen *screen)
{
    const json_t *all = json_object_get(screen->status, "parked");
    double more = real(screen->status, "parked_more");
    size_t shown = 0;
    if (json_array_size(all) == 0 && more == 0) {
        return;
    }
    printf("\n%sfails by itself, and is tried again%s\n", colour(screen, DIM), colour(screen, PLAIN));
    for (; shown < json_array_size(all) && shown < SHOWN_PARKED; shown++) {
        show_one_parked(json_array_get(all, shown));
    }
    more += (double)(json_array_size(all) - shown);
    if (more > 0) {
        printf("and %.0f more: cachepusher parked\n", more);
    }
}

void terminal_show_parked(const json_t *parked, double more, bool retried)
{
    for (size_t i = 0; i < json_array_size(parked); i++) {
        show_one_parked(json_array_get(parked, i));
    }
    if (more > 0) {
        printf("and %.0f more, of which only the number is known\n", more);
    }
    if (json_array_size(parked) == 0 && more == 0) {
        puts("nothing fails");
    } else if (retried) {
        puts("those listed are tried again now");
    }
}

void terminal_show(const json_t *status, const json_t *before, double seconds, bool coloured)
{
    struct screen screen = {.status = status, .before = before, .seconds = seconds, .coloured = coloured};
    show_state(&screen);
    show_count(&screen, "events", "cachepusher_events_total", true);
    show_count(&screen, "stored", "cachepusher_documents_stored_total", true);
    show_count(&screen, "deleted", "cachepusher_documents_deleted_total", true);
    show_count(&screen, "pending", "cachepusher_pending_ids", false);
    show_quantiles(&screen);
    show_lanes(&screen);
    show_threads(&screen);
    show_some_parked(&screen);
}
