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

#endif
