#include "document/refuse.h"

#include "common/complain.h"

#include <stdarg.h>
#include <stdio.h>

bool refuse(const char *path, const char *format, ...)
{
    char problem[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    complain("%s: %s", path, problem);
    return false;
}
