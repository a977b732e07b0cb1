#include "postgres/conninfo.h"

#include "base/error.h"

#include <libpq-fe.h>

#include <string.h>

/* With an unescaped '@' or '/' in its password libpq reads the rest of the password as a host, a port
 * or a database, and names it when that fails. */
static bool is_ambiguous(const char *value)
{
    if (strncmp(value, "postgresql://", 13) != 0 && strncmp(value, "postgres://", 11) != 0) {
        return false;
    }
    const char *rest = strstr(value, "://") + 3;
    const char *at = strchr(rest, '@');
    return at != NULL && (strchr(at + 1, '@') != NULL || memchr(rest, '/', (size_t)(at - rest)) != NULL);
}

/* libpq's own message is of no use here: it quotes the text it stumbles over, which may be the
 * password. */
cp_code cpi_conninfo_check(const char *value, cp_error *err)
{
    if (*value == '\0') {
        return CP_OK;
    }
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(value, &message);
    bool out_of_memory = options == NULL && message == NULL;
    bool valid = options != NULL;
    PQconninfoFree(options);
    PQfreemem(message);
    if (out_of_memory) {
        return cpi_error_memory(err);
    }
    if (!valid) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "postgres: not a libpq connection string "
                         "(expected \"host=… dbname=…\" or \"postgresql://…\")");
    }
    if (is_ambiguous(value)) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "postgres: the URI is ambiguous: in a password write %%40 for '@' and %%2F for '/'");
    }
    return CP_OK;
}
