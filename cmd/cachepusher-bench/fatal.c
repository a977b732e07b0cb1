#include "fatal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE = 1024 };

/* Protects the last line of the terminal. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_progress;

static const char clear_line[] = "\r\033[K";

/* libpq's messages have several lines and end with a newline. */
static void make_one_line(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        bool is_space = *from == ' ' || *from == '\n' || *from == '\t' || *from == '\r';
        if (!is_space || (to > text && to[-1] != ' ')) {
            *to++ = is_space ? ' ' : *from;
        }
    }
    *to = '\0';
    if (to > text && to[-1] == ' ') {
        to[-1] = '\0';
    }
}

static void tell(const char *format, va_list arguments)
{
    char line[LINE];
    vsnprintf(line, sizeof line, format, arguments);
    make_one_line(line);
    pthread_mutex_lock(&lock);
    fprintf(stderr, "%scachepusher-bench: %s\n", has_progress ? clear_line : "", line);
    has_progress = false;
    pthread_mutex_unlock(&lock);
}

void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
    fflush(stdout);
    _exit(1); /* not exit(): other threads still use what its handlers would destroy */
}

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(format, arguments);
    va_end(arguments);
}

void progress(const char *format, ...)
{
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&lock);
    fprintf(stderr, "%s%s", clear_line, line);
    has_progress = true;
    pthread_mutex_unlock(&lock);
}

void progress_clear(void)
{
    pthread_mutex_lock(&lock);
    if (has_progress) {
        fputs(clear_line, stderr);
        has_progress = false;
    }
    pthread_mutex_unlock(&lock);
}
