#include "base/log.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdarg.h>

enum { LIMIT_MESSAGES = 10, LIMIT_MS = 10000 };

static void write_message(const struct cpi_log *log, cp_level level, const char *format, va_list arguments)
{
    char message[1024];
    cpi_format(message, sizeof message, format, arguments);
    log->write(log->context, level, message);
}

void cpi_log(const struct cpi_log *log, cp_level level, const char *format, ...)
{
    if (log->write == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_message(log, level, format, arguments);
    va_end(arguments);
}

void cpi_log_limited(const struct cpi_log *log, struct cpi_log_limit *limit, cp_level level, const char *format, ...)
{
    if (log->write == NULL) {
        return;
    }
    int64_t now_ms = cpi_now_ms();
    if (now_ms - limit->since_ms >= LIMIT_MS) {
        if (limit->left_out > 0) {
            cpi_log(log, level, "(%u messages like the next one were left out)", limit->left_out);
        }
        *limit = (struct cpi_log_limit){.since_ms = now_ms};
    }
    if (limit->written == LIMIT_MESSAGES) {
        limit->left_out++;
        return;
    }
    limit->written++;
    va_list arguments;
    va_start(arguments, format);
    write_message(log, level, format, arguments);
    va_end(arguments);
}
