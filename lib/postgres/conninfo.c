#include "postgres/conninfo.h"

#include "base/error.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libpq takes for a host, a port or a database it names when that fails. It may be part of a password: one with an
 * unescaped '@' or '/', or one behind which '@HOST' was forgotten, so that it stands where a port does. */
static bool is_ambiguous(const char *value)
{
    if (strncmp(value, "postgresql://", 13) != 0 && strncmp(value, "postgres://", 11) != 0) {
        return false;
    }
    const char *rest = strstr(value, "://") + 3;
    const char *at = strchr(rest, '@');
    return at != NULL && (strchr(at + 1, '@') != NULL || memchr(rest, '/', (size_t)(at - rest)) != NULL);
}

/* Whether a list is of ports, or of nothing. */
static bool are_ports(const char *ports)
{
    while (ports != NULL && *ports != '\0') {
        size_t digits = strspn(ports, "0123456789");
        if (digits > 5 || (digits > 0 && strtol(ports, NULL, 10) > 65535) || strchr(",", ports[digits]) == NULL) {
            return false;
        }
        ports += digits + (ports[digits] == ',');
    }
    return true;
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val;
        }
    }
    return NULL;
}

bool cpi_conninfo_has_hosts(const char *value)
{
    PQconninfoOption *options = PQconninfoParse(value, NULL);
    const char *hosts = option_of(options, "host");
    const char *addresses = option_of(options, "hostaddr");
    hosts = hosts != NULL ? hosts : addresses != NULL ? addresses : getenv("PGHOST");
    bool is_said =
        option_of(options, "service") != NULL || getenv("PGSERVICE") != NULL || getenv("PGTARGETSESSIONATTRS") != NULL;
    bool several = hosts != NULL && strchr(hosts, ',') != NULL && !is_said;
    PQconninfoFree(options);
    return several;
}

bool cpi_conninfo_has_password(const char *value)
{
    PQconninfoOption *options = PQconninfoParse(value, NULL);
    const char *password = option_of(options, "password");
    bool has_one = password != NULL && *password != '\0';
    PQconninfoFree(options);
    return has_one;
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
    bool numbered = are_ports(option_of(options, "port"));
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
    if (!numbered) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "postgres: the port is not one (is \"@HOST\" missing behind the password? Expected "
                         "\"postgresql://USER:PASSWORD@HOST:PORT/DATABASE\")");
    }
    return CP_OK;
}

/* What the string says, or else the environment or libpq; "" where nobody does. */
static const char *said_or_default(const PQconninfoOption *options, const PQconninfoOption *defaults,
                                   const char *keyword)
{
    const char *said = option_of(options, keyword);
    said = said != NULL && *said != '\0' ? said : option_of(defaults, keyword);
    return said != NULL ? said : "";
}

void cpi_conninfo_name(const char *conninfo, char *buffer, size_t size)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    PQconninfoOption *defaults = PQconndefaults();
    const char *service = said_or_default(options, defaults, "service");
    const char *host = said_or_default(options, defaults, "host");
    host = *host != '\0' ? host : said_or_default(options, defaults, "hostaddr");
    const char *database = said_or_default(options, defaults, "dbname");
    database = *database != '\0' ? database : said_or_default(options, defaults, "user");
    if (*service != '\0') {
        snprintf(buffer, size, "service %s", service);
    } else {
        snprintf(buffer, size, "%s:%s/%s", *host != '\0' ? host : "local", said_or_default(options, defaults, "port"),
                 database);
    }
    PQconninfoFree(options);
    PQconninfoFree(defaults);
}
