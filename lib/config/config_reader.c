#include "config/config_internal.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

cp_code cpi_read_string(struct cpi_reader *reader, const json_t *value, char **string)
{
    if (!json_is_string(value)) {
        return cpi_reader_reject_type(reader, value, "a string");
    }
    if (json_string_length(value) == 0) {
        return cpi_reader_reject(reader, "must not be empty");
    }
    *string = strdup(json_string_value(value));
    return *string != NULL ? CP_OK : cpi_error_memory(reader->err);
}

/* ---- names as in SQL ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The end of the SQL identifier at the start of text; NULL: there is none. Like Postgres' lexer, it takes any byte
 * outside ASCII for a letter. */
static const char *skip_identifier(const char *text)
{
    if (*text == '"') {
        const char *start = ++text;
        while (*text != '\0' && (*text != '"' || text[1] == '"')) {
            text += *text == '"' ? 2 : 1;
        }
        return *text == '"' && text > start ? text + 1 : NULL;
    }
    if (!is_letter(*text) && *text != '_' && (unsigned char)*text < 0x80) {
        return NULL;
    }
    while (is_letter(*text) || (*text >= '0' && *text <= '9') || *text == '_' || *text == '$' ||
           (unsigned char)*text >= 0x80) {
        text++;
    }
    return text;
}

bool cpi_is_sql_name(const char *text)
{
    const char *end = skip_identifier(text);
    if (end != NULL && *end == '.') {
        end = skip_identifier(end + 1);
    }
    return end != NULL && *end == '\0';
}

bool cpi_is_sql_column(const char *text)
{
    const char *end = skip_identifier(text);
    return end != NULL && *end == '\0';
}
