#ifndef FAKEDATA_REPORT_H
#define FAKEDATA_REPORT_H

#include <stdbool.h>

/* One line on stderr, starting with the program's name. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A line that overwrites itself while a long step runs. Only on a terminal: a log would fill up
 * with it. progress_clear() wipes it, so that the next ordinary line starts clean.
 */
struct progress {
    bool on;
    double next_s;
};

void progress_init(struct progress *progress, bool quiet);
void progress_show(struct progress *progress, const char *what, long done, long total);
void progress_clear(struct progress *progress);

#endif
