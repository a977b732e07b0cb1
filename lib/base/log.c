#include "base/log.h"

#include "base/error.h"

#include <stdarg.h>

enum { MESSAGE_BYTES = 1024 };

void cpi_log_line(const struct cpi_log *log, cp_level level, const struct cpi_log_about *about, const char *message)
{
    if (log->write_entry != NULL) {
        cp_log_entry entry = {.size = sizeof entry, .level = level, .message = message};
        if (about != NULL) {
            entry.entity = about->entity;
            entry.key = about->key;
            entry.host = about->host;
            entry.duration_ms = about->duration_ms;
            entry.count = about->count;
        }
        log->write_entry(log->context, &entry);
    } else if (log->write != NULL) {
        log->write(log->context, level, message);
    }
}

void cpi_log(const struct cpi_log *log, cp_level level, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    if (!cpi_log_is_wanted(log)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    cpi_format(message, sizeof message, format, arguments);
    va_end(arguments);
    cpi_log_line(log, level, NULL, message);
}

void cpi_log_about(const struct cpi_log *log, cp_level level, const struct cpi_log_about *about, const char *format,
                   ...)
{
    char message[MESSAGE_BYTES];
    if (!cpi_log_is_wanted(log)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    cpi_format(message, sizeof message, format, arguments);
    va_end(arguments);
    cpi_log_line(log, level, about, message);
}
