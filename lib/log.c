#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void cpi_log(const struct cpi_log *log, cp_level level, const char *format, ...)
{
    if (log->write == NULL) {
        return;
    }
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    log->write(log->context, level, message);
}
