#include "common/complain.h"

#include "common/escape.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = 2048 };

void complain(const char *format, ...)
{
    char message[LINE_BYTES];
    char line[LINE_BYTES];
    struct text text = {.data = line, .size = sizeof line};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    text_add(&text, "cachepusher: ");
    text_add_plain(&text, message);
    fprintf(stderr, "%s\n", line);
}
