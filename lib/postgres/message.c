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

/* The name that follows, with its quotes, up to the end of the message. */
bool cpi_message_grant(const char *message, const char *role, char *grant, size_t size)
{
    static const struct {
        const char *words;
        const char *right;
    } rights[] = {{"permission denied for schema ", "usage on schema"},
                  {"permission denied for table ", "select on table"},
                  {"permission denied for view ", "select on table"},
                  {"permission denied for materialized view ", "select on table"},
                  {"permission denied for foreign table ", "select on table"},
                  {"permission denied for sequence ", "select on sequence"},
                  {"permission denied for function ", "execute on function"}};
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        const char *found = strstr(message, rights[i].words);
        if (found != NULL) {
            found += strlen(rights[i].words);
            snprintf(grant, size, "grant %s %.*s to %s", rights[i].right, (int)strcspn(found, " ;\n"), found, role);
            return true;
        }
    }
    return false;
}

cp_code cpi_message_of_server(const char *message, const char *hint, bool retriable, cp_error *err)
{
    char shown[sizeof err->message];
    char grant[256];
    if (message != NULL && strstr(message, "row-level security") != NULL) {
        hint = "the daemon's role would not see all rows: give it BYPASSRLS, or make the function security definer";
    }
    if (message != NULL && hint == NULL && cpi_message_grant(message, "the daemon's role", grant, sizeof grant)) {
        hint = grant;
    }
    hide_value(message != NULL ? message : "an error without a message", shown, sizeof shown);
    return cpi_error(err, CP_ERR_POSTGRES, retriable, "Postgres: %s%s%s%s", shown, hint != NULL ? " (" : "",
                     hint != NULL ? hint : "", hint != NULL ? ")" : "");
}
