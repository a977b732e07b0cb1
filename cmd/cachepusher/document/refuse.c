#include "document/refuse.h"

#include "base/nearest.h"
#include "common/complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

bool refuse_unknown(const char *path, const char *name, const char *expected)
{
    char words[256];
    char *rest = words;
    struct cpi_nearest nearest = {.name = name};
    snprintf(words, sizeof words, "%s", expected);
    for (const char *word; (word = strtok_r(rest, ", ", &rest)) != NULL;) {
        if (strcmp(word, "or") != 0) {
            cpi_nearest_offer(&nearest, word);
        }
    }
    return nearest.found != NULL ? refuse(path, "unknown; did you mean %s?", nearest.found)
                                 : refuse(path, "unknown; expected %s", expected);
}
