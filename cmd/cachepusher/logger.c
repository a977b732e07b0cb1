#include "logger.h"

#include "common/complain.h"
#include "common/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 4096, MESSAGE_BYTES = 2048, TIME_BYTES = 40 };

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

void logger_close(struct logger *logger)
{
    if (logger->fd == -1) {
        closelog();
    } else if (logger->fd != STDERR_FILENO) {
        close(logger->fd);
    }
    pthread_mutex_destroy(&logger->mutex);
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

/* One system call, so that what other processes write to the same place cannot come in between. A log that takes no
 * more, such as a full disk, is no reason to stop: there is nobody to tell. */
static void write_pieces(int fd, const struct iovec *pieces, int count)
{
    while (writev(fd, pieces, count) == -1 && errno == EINTR) {
    }
}

static struct iovec piece(char *text, size_t length)
{
    return (struct iovec){.iov_base = text, .iov_len = length};
}

static void write_line(struct logger *logger, char *line, size_t length)
{
    char clear[sizeof clear_line];
    char newline[] = "\n";
    memcpy(clear, clear_line, sizeof clear);
    pthread_mutex_lock(&logger->mutex);
    bool over_status = logger->status_length > 0 && logger->fd == STDERR_FILENO;
    const struct iovec pieces[] = {
        piece(clear, over_status ? strlen(clear) : 0),
        piece(line, length),
        piece(newline, 1),
        piece(logger->status, over_status ? logger->status_length : 0),
    };
    write_pieces(logger->fd, pieces, (int)(sizeof pieces / sizeof *pieces));
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
        syslog(syslog_priorities[level], "%s", line.data);
    } else {
        write_line(logger, line.data, line.length);
    }
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
        fprintf(stderr, "%s\n", message);
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
    char clear[sizeof clear_line];
    memcpy(clear, clear_line, sizeof clear);
    pthread_mutex_lock(&logger->mutex);
    if (*status != '\0' || logger->status_length > 0) {
        snprintf(logger->status, sizeof logger->status, "%s", status);
        logger->status_length = strlen(logger->status);
        const struct iovec pieces[] = {
            piece(clear, strlen(clear)),
            piece(logger->status, logger->status_length),
        };
        write_pieces(STDERR_FILENO, pieces, (int)(sizeof pieces / sizeof *pieces));
    }
    pthread_mutex_unlock(&logger->mutex);
}
