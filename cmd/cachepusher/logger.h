#ifndef CMD_LOGGER_H
#define CMD_LOGGER_H

#include "cachepusher.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum log_format {
    LOG_FORMAT_USUAL, /* journal where stderr is that, else text */
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
    LOG_FORMAT_JOURNAL /* instead of stderr: journal.h */
};

enum { STATUS_BYTES = 512 };

/*
 * The log: stderr, a file, the journal or syslog, a line for each message. Any thread may write, and none ever waits
 * for whoever reads the log: a thread of the logger's own does (log_queue.h).
 *
 * The status line is the one at the bottom of a terminal that is drawn over itself; messages scroll by above it.
 */
struct logger {
    enum log_format format;
    int fd;                  /* -1: syslog */
    char *path;              /* of the file, from the root; NULL: there is none, or it is none that could be renamed */
    struct log_queue *queue; /* NULL before logger_start(): messages are written at once */

    pthread_mutex_t mutex; /* for what follows */
    cp_level threshold;    /* what is less important is dropped */
    char status[STATUS_BYTES];
    size_t status_length; /* 0: none is shown */
};

/* To the end of the file at `path`; NULL: to syslog when detached, else to stderr. False: the reason has been told. */
bool logger_open(struct logger *logger, enum log_format format, cp_level threshold, const char *path, bool detached);

/* Goes on in a file of the same name, once the one before has been renamed (logrotate). Where it cannot be opened, or
 * there is none, the log goes on where it was, and says so. */
void logger_reopen(struct logger *logger);

/* From here on a thread writes. Call it after the last fork. False: the reason has been told. */
bool logger_start(struct logger *logger);

/* Waits for what is yet to be written, a second at most. */
void logger_close(struct logger *logger);

/* The callback of a cp_syncer; context is the logger. */
void logger_write(void *context, const cp_log_entry *entry);

/* From here on. Any thread. */
void logger_set_level(struct logger *logger, cp_level level);

void logger_printf(struct logger *logger, cp_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line of progress on stderr, whatever the level: plain, unless stderr is a log in JSON. */
void logger_progress(struct logger *logger, const char *message);

/* An error that ends the program: to the log and, when that is elsewhere, to stderr too. */
void logger_fail(struct logger *logger, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Draws the status line on stderr; "" takes it away. */
void logger_status(struct logger *logger, const char *status);

/* "warn" and so on, as given to --log-level. */
bool logger_parse_level(const char *name, cp_level *level);

#endif
