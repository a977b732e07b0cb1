/* Messages for the embedder's log callback. */
#ifndef CPI_LOG_H
#define CPI_LOG_H

#include "cachepusher.h"

struct cpi_repeats;

struct cpi_log {
    void (*write)(void *context, cp_level level, const char *message); /* NULL: not wanted */
    void (*write_entry)(void *context, const cp_log_entry *entry);     /* in its place; NULL: not wanted */
    void *context;
    struct cpi_repeats *repeats; /* NULL: what is repeated is written each time (repeats.h) */
};

/* What a message is about; zero is nothing. Strings are only used during the call. */
struct cpi_log_about {
    const char *entity;
    const char *key;
    const char *host;
    int64_t duration_ms;
    uint64_t count;
};

static inline bool cpi_log_is_wanted(const struct cpi_log *log)
{
    return log->write != NULL || log->write_entry != NULL;
}

/* Any thread. The message is one line, formatted and cut as by cpi_error(). about may be NULL. */
void cpi_log(const struct cpi_log *log, cp_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cpi_log_about(const struct cpi_log *log, cp_level level, const struct cpi_log_about *about, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* The same for a message that is formatted. */
void cpi_log_line(const struct cpi_log *log, cp_level level, const struct cpi_log_about *about, const char *message);

/* "s" unless there is one of something. */
static inline const char *cpi_plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

#endif
