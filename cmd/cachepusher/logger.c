#include "logger.h"

#include "common/complain.h"
#include "common/escape.h"
#include "journal.h"
#include "log_format.h"
#include "log_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 2048, FINISH_MS = 1000 };

/* Where a line goes: a syslog priority, or one of these. */
enum { TO_LOG = -1, TO_STDERR = -2, TO_JOURNAL = -3 };

static const char clear_line[] = "\r\033[K";

bool logger_parse_level(const char *name, cp_level *level)
{
    for (unsigned i = 0; i <= CP_LOG_DEBUG; i++) {
        if (strcmp(name, log_level_names[i]) == 0) {
            *level = (cp_level)i;
            return true;
        }
    }
    return false;
}

bool logger_open(struct logger *logger, enum log_format format, cp_level threshold, const char *path, bool detached)
{
    *logger = (struct logger){.format = format, .threshold = threshold, .fd = STDERR_FILENO};
    if (format == LOG_FORMAT_USUAL) {
        logger->format = path == NULL && !detached && journal_is_stderr() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
    }
    if (path != NULL) {
        logger->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (logger->fd == -1) {
            complain("--log-file: %s: %s", path, strerror(errno));
            return false;
        }
        logger->path = realpath(path, NULL); /* a detached daemon is elsewhere */
    } else if (detached) {
        logger->fd = -1;
        openlog("cachepusher", LOG_PID, LOG_DAEMON);
    }
    pthread_mutex_init(&logger->mutex, NULL);
    return true;
}

void logger_reopen(struct logger *logger)
{
    if (logger->path == NULL) {
        logger_printf(logger, CP_LOG_WARN, "SIGUSR1: there is no --log-file to be opened again");
        return;
    }
    int fd = open(logger->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    /* In the place of the other, in one step: another thread may be writing. */
    if (fd == -1 || dup3(fd, logger->fd, O_CLOEXEC) == -1) {
        logger_printf(logger, CP_LOG_ERROR, "SIGUSR1: %s: %s; going on with the one before", logger->path,
                      strerror(errno));
    } else {
        logger_printf(logger, CP_LOG_INFO, "SIGUSR1: the log has been opened again");
    }
    if (fd != -1) {
        close(fd);
    }
}

/* One system call for a line, so that what other processes write to the same place cannot come in between. A log that
 * takes no more, such as a full disk, is no reason to stop: there is nobody to tell. */
static void write_whole(int fd, const char *text, size_t length)
{
    ssize_t n;
    while (length > 0 && ((n = write(fd, text, length)) > 0 || (n == -1 && (errno == EINTR || errno == EAGAIN)))) {
        struct pollfd full = {.fd = fd, .events = POLLOUT};
        if (n == -1) { /* somebody else may have made it non-blocking */
            poll(&full, 1, -1);
            continue;
        }
        text += n;
        length -= (size_t)n;
    }
}

static void write_now(void *context, int kind, const char *line, size_t length)
{
    struct logger *logger = context;
    if (kind == TO_JOURNAL) {
        char fields[LINE_BYTES];
        snprintf(fields, sizeof fields, "%.*s", (int)length, line);
        journal_send(fields);
    } else if (kind >= 0) {
        syslog(kind, "%.*s", (int)length, line);
    } else {
        write_whole(kind == TO_LOG ? logger->fd : STDERR_FILENO, line, length);
    }
}

static void send_line(struct logger *logger, int kind, const char *line, size_t length)
{
    if (logger->queue != NULL) {
        log_queue_put(logger->queue, kind, line, length);
    } else {
        write_now(logger, kind, line, length);
    }
}

/* A line of the log, with the status line taken away above it and drawn again below. */
static void send_above_status(struct logger *logger, const char *line, size_t length)
{
    char data[LINE_BYTES + STATUS_BYTES + sizeof clear_line + 1];
    pthread_mutex_lock(&logger->mutex);
    bool over_status = logger->status_length > 0 && logger->fd == STDERR_FILENO;
    int written = snprintf(data, sizeof data, "%s%.*s\n%s", over_status ? clear_line : "", (int)length, line,
                           over_status ? logger->status : "");
    send_line(logger, TO_LOG, data, (size_t)written);
    pthread_mutex_unlock(&logger->mutex);
}

/* Where a message goes, and as what. */
static int format_entry(const struct logger *logger, struct text *line, const cp_log_entry *entry)
{
    if (logger->format == LOG_FORMAT_JOURNAL) {
        format_journal(line, entry);
        return TO_JOURNAL;
    }
    if (logger->format == LOG_FORMAT_JSON) {
        format_json(line, entry);
    } else if (logger->fd == -1) {
        text_add_plain(line, entry->message); /* syslog has times and levels of its own */
    } else {
        format_text(line, entry);
    }
    return logger->fd == -1 ? log_priorities[entry->level] : TO_LOG;
}

static void write_entry(struct logger *logger, const cp_log_entry *entry)
{
    char data[LINE_BYTES];
    struct text line = {.data = data, .size = sizeof data};
    int kind = format_entry(logger, &line, entry);
    if (kind != TO_LOG) {
        send_line(logger, kind, line.data, line.length);
    } else {
        send_above_status(logger, line.data, line.length);
    }
}

/* In the queue's thread: written there and then, not behind what has come since. */
static void tell_dropped(void *context, unsigned long count)
{
    struct logger *logger = context;
    char message[128];
    char data[LINE_BYTES];
    struct text line = {.data = data, .size = sizeof data - 1};
    snprintf(message, sizeof message, "%lu line%s of the log dropped: whoever reads it did not keep up", count,
             count == 1 ? " was" : "s were");
    const cp_log_entry entry = {.size = sizeof entry, .level = CP_LOG_WARN, .message = message, .count = count};
    int kind = format_entry(logger, &line, &entry);
    if (kind == TO_LOG) {
        data[line.length++] = '\n';
    }
    write_now(logger, kind, data, line.length);
}

bool logger_start(struct logger *logger)
{
    logger->queue = log_queue_create(write_now, tell_dropped, logger);
    if (logger->queue == NULL) {
        complain("cannot start the thread that writes the log");
    }
    return logger->queue != NULL;
}

void logger_close(struct logger *logger)
{
    struct log_queue *queue = logger->queue;
    if (queue != NULL && !log_queue_finish(queue, FINISH_MS)) {
        return; /* its thread is in the middle of a write; the process ends */
    }
    logger->queue = NULL;
    free(logger->path);
    if (logger->fd == -1) {
        closelog();
    } else if (logger->fd != STDERR_FILENO) {
        close(logger->fd);
    }
    pthread_mutex_destroy(&logger->mutex);
}

void logger_set_level(struct logger *logger, cp_level level)
{
    pthread_mutex_lock(&logger->mutex);
    logger->threshold = level;
    pthread_mutex_unlock(&logger->mutex);
}

static bool is_wanted(struct logger *logger, cp_level level)
{
    pthread_mutex_lock(&logger->mutex);
    bool wanted = level <= logger->threshold;
    pthread_mutex_unlock(&logger->mutex);
    return wanted;
}

void logger_write(void *context, const cp_log_entry *entry)
{
    struct logger *logger = context;
    if (is_wanted(logger, entry->level)) {
        write_entry(logger, entry);
    }
}

static void write_message(struct logger *logger, cp_level level, const char *message)
{
    write_entry(logger, &(cp_log_entry){.size = sizeof(cp_log_entry), .level = level, .message = message});
}

void logger_progress(struct logger *logger, const char *message)
{
    if (logger->format != LOG_FORMAT_TEXT && logger->fd == STDERR_FILENO) {
        write_message(logger, CP_LOG_INFO, message);
    } else {
        char line[MESSAGE_BYTES];
        int length = snprintf(line, sizeof line, "%s\n", message);
        send_line(logger, TO_STDERR, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
    }
}

void logger_printf(struct logger *logger, cp_level level, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;

    if (!is_wanted(logger, level)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    write_message(logger, level, message);
}

void logger_fail(struct logger *logger, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    write_message(logger, CP_LOG_ERROR, message);
    if (logger->fd != STDERR_FILENO) {
        complain("%s", message);
    }
}

void logger_status(struct logger *logger, const char *status)
{
    char data[STATUS_BYTES + sizeof clear_line];
    pthread_mutex_lock(&logger->mutex);
    if (*status != '\0' || logger->status_length > 0) {
        snprintf(logger->status, sizeof logger->status, "%s", status);
        logger->status_length = strlen(logger->status);
        int length = snprintf(data, sizeof data, "%s%s", clear_line, logger->status);
        send_line(logger, TO_STDERR, data, (size_t)length);
    }
    pthread_mutex_unlock(&logger->mutex);
}
