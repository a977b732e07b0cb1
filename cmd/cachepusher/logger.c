#include "logger.h"

#include "common/complain.h"
#include "common/escape.h"
#include "log_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 4096, MESSAGE_BYTES = 2048, TIME_BYTES = 40, FINISH_MS = 1000 };

/* Where a line goes: a syslog priority, or one of these. */
enum { TO_LOG = -1, TO_STDERR = -2 };

static const char clear_line[] = "\r\033[K";

static const char *const level_names[] = {
    [CP_LOG_ERROR] = "error",
    [CP_LOG_WARN] = "warn",
    [CP_LOG_INFO] = "info",
    [CP_LOG_DEBUG] = "debug",
};

static const int syslog_priorities[] = {
    [CP_LOG_ERROR] = LOG_ERR,
    [CP_LOG_WARN] = LOG_WARNING,
    [CP_LOG_INFO] = LOG_INFO,
    [CP_LOG_DEBUG] = LOG_DEBUG,
};

bool logger_parse_level(const char *name, cp_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (cp_level)i;
            return true;
        }
    }
    return false;
}

bool logger_open(struct logger *logger, enum log_format format, cp_level threshold, const char *path, bool detached)
{
    *logger = (struct logger){.format = format, .threshold = threshold, .fd = STDERR_FILENO};
    if (path != NULL) {
        logger->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (logger->fd == -1) {
            complain("--log-file: %s: %s", path, strerror(errno));
            return false;
        }
    } else if (detached) {
        logger->fd = -1;
        openlog("cachepusher", LOG_PID, LOG_DAEMON);
    }
    pthread_mutex_init(&logger->mutex, NULL);
    return true;
}

static void format_time(char *buffer, size_t size)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(buffer + length, size - length, ".%03ldZ", now.tv_nsec / 1000000);
}

static void format_text(struct text *line, cp_level level, const char *message)
{
    char head[TIME_BYTES + 16];
    format_time(head, TIME_BYTES);
    size_t length = strlen(head);
    snprintf(head + length, sizeof head - length, " %-5s ", level_names[level]);
    text_add(line, head);
    text_add_plain(line, message);
}

static void format_json(struct text *line, cp_level level, const char *message)
{
    static const char tail[] = "\"}";
    char time[TIME_BYTES];
    format_time(time, sizeof time);
    line->size -= strlen(tail); /* a message that is cut has to end its string all the same */
    text_add(line, "{\"time\":\"");
    text_add(line, time);
    text_add(line, "\",\"level\":\"");
    text_add(line, level_names[level]);
    text_add(line, "\",\"message\":\"");
    text_add_json(line, message);
    line->size += strlen(tail);
    memcpy(line->data + line->length, tail, sizeof tail);
    line->length += strlen(tail);
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
    if (kind >= 0) {
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

static void write_message(struct logger *logger, cp_level level, const char *message)
{
    char data[LINE_BYTES];
    struct text line = {.data = data, .size = sizeof data};
    if (logger->format == LOG_FORMAT_JSON) {
        format_json(&line, level, message);
    } else if (logger->fd == -1) {
        text_add_plain(&line, message); /* syslog has times and levels of its own */
    } else {
        format_text(&line, level, message);
    }
    if (logger->fd == -1) {
        send_line(logger, syslog_priorities[level], line.data, line.length);
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
    snprintf(message, sizeof message, "%lu lines of the log were dropped: whoever reads it did not keep up", count);
    if (logger->format == LOG_FORMAT_JSON) {
        format_json(&line, CP_LOG_WARN, message);
    } else if (logger->fd == -1) {
        text_add(&line, message);
    } else {
        format_text(&line, CP_LOG_WARN, message);
    }
    if (logger->fd != -1) {
        data[line.length++] = '\n';
    }
    write_now(logger, logger->fd == -1 ? LOG_WARNING : TO_LOG, data, line.length);
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
    if (logger->fd == -1) {
        closelog();
    } else if (logger->fd != STDERR_FILENO) {
        close(logger->fd);
    }
    pthread_mutex_destroy(&logger->mutex);
}

void logger_write(void *context, cp_level level, const char *message)
{
    struct logger *logger = context;
    if (level <= logger->threshold) {
        write_message(logger, level, message);
    }
}

void logger_progress(struct logger *logger, const char *message)
{
    if (logger->format == LOG_FORMAT_JSON && logger->fd == STDERR_FILENO) {
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

    if (level > logger->threshold) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    logger_write(logger, level, message);
}

void logger_fail(struct logger *logger, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    logger_write(logger, CP_LOG_ERROR, message);
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
