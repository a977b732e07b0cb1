#include "postgres/message.h"

#include <stdio.h>
#include <string.h>

#define HIDDEN "\"…\""

static const char *const before_values[] = {": \"", "value \""};

/* Where a value in quotes begins; NULL: there is none. */
static const char *find_value(const char *message)
{
    const char *first = NULL;
    for (size_t i = 0; i < sizeof before_values / sizeof *before_values; i++) {
        const char *at = strstr(message, before_values[i]);
        const char *quote = at != NULL ? at + strlen(before_values[i]) - 1 : NULL;
        first = first == NULL || (quote != NULL && quote < first) ? quote : first;
    }
    return first;
}

/* A value may have quotes of its own: it ends with the last one. */
static void hide_value(const char *message, char *out, size_t size)
{
    const char *from = find_value(message);
    const char *to = from != NULL ? strrchr(from + 1, '"') : NULL;
    if (from == NULL) {
        snprintf(out, size, "%s", message);
    } else {
        snprintf(out, size, "%.*s" HIDDEN "%s", (int)(from - message), message, to != NULL ? to + 1 : "");
    }
}

cp_code cpi_message_of_server(const char *message, const char *hint, bool retriable, cp_error *err)
{
    char shown[sizeof err->message];
    if (message != NULL && strstr(message, "row-level security") != NULL) {
        hint = "the daemon's role would not see all rows: give it BYPASSRLS, or make the function security definer";
    }
    hide_value(message != NULL ? message : "an error without a message", shown, sizeof shown);
    return cpi_error(err, CP_ERR_POSTGRES, retriable, "Postgres: %s%s%s%s", shown, hint != NULL ? " (" : "",
                     hint != NULL ? hint : "", hint != NULL ? ")" : "");
}
