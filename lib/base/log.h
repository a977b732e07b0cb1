/* Messages for the embedder's log callback. */
#ifndef CPI_LOG_H
#define CPI_LOG_H

#include "cachepusher.h"

struct cpi_log {
    void (*write)(void *context, cp_level level, const char *message); /* NULL: discard */
    void *context;
};

/* Any thread. The message is one line, formatted and cut as by cpi_error(). */
void cpi_log(const struct cpi_log *log, cp_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For messages that may come by the million. Ten of a kind are written in ten seconds; the next one after that says how
 * many were left out. Belongs to one thread. Zero is a valid new one. */
struct cpi_log_limit {
    int64_t since_ms;
    unsigned written;
    unsigned left_out;
};

void cpi_log_limited(const struct cpi_log *log, struct cpi_log_limit *limit, cp_level level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
