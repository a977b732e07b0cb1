#include "config/config_internal.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *describe(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

bool cpi_is_comment(const char *name)
{
    return strncmp(name, "//", 2) == 0;
}

cp_code cpi_reader_reject(struct cpi_reader *reader, const char *format, ...)
{
    char problem[sizeof((cp_error *)NULL)->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return cpi_error(reader->err, CP_ERR_CONFIG, false, "%s: %s%s%s", reader->file, reader->path,
                     reader->path[0] == '\0' ? "" : ": ", problem);
}

cp_code cpi_reader_reject_type(struct cpi_reader *reader, const json_t *value, const char *expected)
{
    return cpi_reader_reject(reader, "expected %s, found %s", expected, describe(value));
}
