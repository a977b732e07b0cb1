#include "report.h"

#include "stop.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_EVERY_S 0.1

void report(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("cachepusher-fakedata: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void progress_init(struct progress *progress, bool quiet)
{
    progress->on = !quiet && isatty(STDERR_FILENO);
    progress->next_s = 0;
}

void progress_show(struct progress *progress, const char *what, long done, long total)
{
    double now_s;
    if (!progress->on)
        return;
    now_s = clock_now_s();
    if (now_s < progress->next_s)
        return;
    progress->next_s = now_s + PROGRESS_EVERY_S;
    fprintf(stderr, "\rloading %s: %ld of %ld (%.0f %%)\033[K", what, done, total,
            100.0 * (double)done / (double)total);
}

void progress_clear(struct progress *progress)
{
    if (progress->on)
        fputs("\r\033[K", stderr);
}
