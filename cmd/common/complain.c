#include "common/complain.h"

#include "common/escape.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, COMPLAIN_MS = 1000 };

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
    /* Whoever reads stderr may have stopped: said, if that can be done in a while. */
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&fd, 1, COMPLAIN_MS) > 0) {
        fprintf(stderr, "%s\n", line);
    }
}
