#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"

#define DRAW_EVERY_S 0.1
#define LINE_EVERY_S 2.0
#define RATE_OVER_S 3.0 /* a rate that jumps with each batch cannot be read */
#define LONGEST_LEFT_S 359999.0

enum { DEFAULT_WIDTH = 80, LEAST_BAR = 10, LONGEST_BAR = 40, PART_BYTES = 128 };

/* "" when the rest cannot be foretold. */
static void format_left(char *left, size_t size, uint64_t done, uint64_t estimate, double rate)
{
    double left_s = estimate > done && rate > 0 ? (double)(estimate - done) / rate : -1;

    left[0] = '\0';
    if (left_s < 0 || left_s > LONGEST_LEFT_S) {
        return;
    }
    long seconds = (long)(left_s + 0.999);
    if (seconds < 60) {
        snprintf(left, size, ", %ld s left", seconds);
    } else if (seconds < 3600) {
        snprintf(left, size, ", %ld:%02ld min left", seconds / 60, seconds % 60);
    } else {
        snprintf(left, size, ", %ld:%02ld h left", seconds / 3600, seconds % 3600 / 60);
    }
}

/* The estimate is the planner's: once it is passed, or none was made, there is no whole to be a part of. */
static bool has_whole(uint64_t done, uint64_t estimate)
{
    return estimate > 0 && done <= estimate;
}

static void format_part(char *part, size_t size, uint64_t done, uint64_t estimate)
{
    if (has_whole(done, estimate)) {
        snprintf(part, size, "%" PRIu64 " of ~%" PRIu64 " document%s (%" PRIu64 "%%)", done, estimate,
                 estimate == 1 ? "" : "s", (uint64_t)(100.0 * (double)done / (double)estimate));
    } else {
        snprintf(part, size, "%" PRIu64 " document%s", done, done == 1 ? "" : "s");
    }
}

/* `width` columns at most. */
static void format_bar(char *line, size_t size, size_t width, uint64_t done, uint64_t estimate, double rate)
{
    static const char full[] = "########################################";
    static const char empty[] = "........................................";
    char part[PART_BYTES];
    char left[PART_BYTES];
    char text[2 * PART_BYTES + 32];
    size_t limit = width < size ? width : size - 1;

    format_part(part, sizeof part, done, estimate);
    format_left(left, sizeof left, done, estimate, rate);
    snprintf(text, sizeof text, "%s, %.0f/s%s", part, rate, left);

    size_t length = strlen(text);
    size_t room = limit > length + 3 ? limit - length - 3 : 0; /* "[", "]" and a space */
    size_t bar = room < LONGEST_BAR ? room : LONGEST_BAR;
    if (!has_whole(done, estimate) || bar < LEAST_BAR) {
        snprintf(line, limit + 1, "%s", text);
        return;
    }
    size_t filled = (size_t)((double)bar * (double)done / (double)estimate);
    snprintf(line, limit + 1, "[%.*s%.*s] %s", (int)filled, full, (int)(bar - filled), empty, text);
}

/* One column stays free: terminals differ in what they do when the last one is filled. */
static size_t terminal_width(void)
{
    struct winsize window;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == -1 || window.ws_col == 0) {
        return DEFAULT_WIDTH - 1;
    }
    return (size_t)window.ws_col - 1;
}

static bool can_draw(void)
{
    const char *terminal = getenv("TERM");

    return isatty(STDERR_FILENO) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

void progress_begin(struct progress *progress, const char *command, struct logger *logger)
{
    double now_s = clock_now_s();

    *progress = (struct progress){
        .command = command,
        .logger = logger,
        .is_terminal = can_draw(),
        .began_s = now_s,
        .measured_s = now_s,
    };
    progress->next_s = now_s + (progress->is_terminal ? DRAW_EVERY_S : LINE_EVERY_S);
}

static void measure(struct progress *progress, uint64_t done, double now_s)
{
    double passed_s = now_s - progress->measured_s;
    double now_rate = (double)(done - progress->measured) / passed_s;
    double weight = passed_s / (passed_s + RATE_OVER_S);

    /* Until there is a past to smooth with, the average is the best guess. */
    if (now_s - progress->began_s < RATE_OVER_S) {
        progress->rate = (double)done / (now_s - progress->began_s);
    } else {
        progress->rate += (now_rate - progress->rate) * weight;
    }
    progress->measured = done;
    progress->measured_s = now_s;
}

static void write_line(const struct progress *progress, uint64_t done, uint64_t estimate)
{
    char line[2 * PART_BYTES + 32];
    char part[PART_BYTES];
    char left[PART_BYTES];

    format_part(part, sizeof part, done, estimate);
    format_left(left, sizeof left, done, estimate, progress->rate);
    snprintf(line, sizeof line, "%s: %s, %.0f/s%s", progress->command, part, progress->rate, left);
    logger_progress(progress->logger, line);
}

/* Whether to show something now. */
static bool is_due(struct progress *progress, double now_s)
{
    if (now_s < progress->next_s) {
        return false;
    }
    progress->next_s = now_s + (progress->is_terminal ? DRAW_EVERY_S : LINE_EVERY_S);
    return true;
}

void progress_update(struct progress *progress, uint64_t done, uint64_t expected)
{
    double now_s = clock_now_s();

    if (!is_due(progress, now_s)) {
        return;
    }
    measure(progress, done, now_s);
    if (progress->is_terminal) {
        char line[STATUS_BYTES];
        format_bar(line, sizeof line, terminal_width(), done, expected, progress->rate);
        logger_status(progress->logger, line);
    } else {
        write_line(progress, done, expected);
    }
}

void progress_tell(struct progress *progress, const char *text)
{
    char line[STATUS_BYTES];

    if (!is_due(progress, clock_now_s())) {
        return;
    }
    if (progress->is_terminal) {
        snprintf(line, sizeof line, "%.*s", (int)terminal_width(), text);
        logger_status(progress->logger, line);
    } else {
        snprintf(line, sizeof line, "%s: %s", progress->command, text);
        logger_progress(progress->logger, line);
    }
}

double progress_end(struct progress *progress)
{
    logger_status(progress->logger, "");
    return clock_now_s() - progress->began_s;
}
