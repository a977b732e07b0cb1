#include "postgres/hosts.h"

#include "base/error.h"
#include "base/resolve.h"

#include <arpa/inet.h>
#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 5432, ADDRESSES_MAX = 8 };

/* An option of the string, or of the environment; NULL: neither. From malloc. */
static char *option(const PQconninfoOption *options, const char *keyword, const char *variable)
{
    const char *value = NULL;
    for (; options != NULL && options->keyword != NULL; options++) {
        value = strcmp(options->keyword, keyword) == 0 ? options->val : value;
    }
    value = value != NULL ? value : getenv(variable);
    return value != NULL && *value != '\0' ? strdup(value) : NULL;
}

static bool append(char **list, const char *entry)
{
    char *longer = NULL;
    if (asprintf(&longer, *list != NULL ? "%s,%s" : "%s%s", *list != NULL ? *list : "", entry) < 0) {
        return false;
    }
    free(*list);
    *list = longer;
    return true;
}

static bool add(struct cpi_hosts *hosts, const char *host, const char *address, const char *port)
{
    return append(&hosts->hosts, host) && append(&hosts->addresses, address) && append(&hosts->ports, port);
}

/* A directory of a unix socket, an abstract one, or the default. */
static bool is_socket(const char *host)
{
    return host[0] == '/' || host[0] == '@' || host[0] == '\0';
}

static bool add_addresses(struct cpi_hosts *hosts, const char *host, const char *port, const struct addrinfo *found)
{
    bool fine = true;
    for (int n = 0; found != NULL && n < ADDRESSES_MAX && fine; found = found->ai_next, n++) {
        char text[NI_MAXHOST];
        fine = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0 ||
               add(hosts, host, text, port);
    }
    return fine;
}

/* The n-th entry of a list; of one with a single entry, always that. */
static void take_entry(const char *list, size_t n, const char *otherwise, char *entry, size_t size)
{
    const char *at = list != NULL ? list : otherwise;
    for (const char *comma = strchr(at, ','); n > 0 && comma != NULL; n--, comma = strchr(at, ',')) {
        at = comma + 1;
    }
    snprintf(entry, size, "%.*s", (int)strcspn(at, ","), at);
}

static size_t count_entries(const char *list)
{
    size_t n = 1;
    for (const char *at = list; *at != '\0'; at++) {
        n += *at == ',';
    }
    return n;
}

/* *names: how many had to be looked up; *found: of these. False: out of memory. */
static bool resolve_each(struct cpi_hosts *hosts, const char *list, const char *ports, int64_t deadline_ms,
                         int cancel_fd, unsigned *names, unsigned *found, cp_error *why)
{
    bool fine = true;
    for (size_t i = 0; i < count_entries(list) && fine; i++) {
        char host[256];
        char port[16];
        struct addrinfo *addresses = NULL;
        take_entry(list, i, "", host, sizeof host);
        take_entry(ports, i, "5432", port, sizeof port);
        if (is_socket(host)) {
            fine = add(hosts, host, "", port);
            continue;
        }
        (*names)++;
        if (cpi_resolve(host, DEFAULT_PORT, deadline_ms, cancel_fd, &addresses, why) == CP_OK) {
            (*found)++;
            fine = add_addresses(hosts, host, port, addresses);
            freeaddrinfo(addresses);
        }
    }
    return fine;
}

cp_code cpi_hosts_resolve(struct cpi_hosts *hosts, const char *conninfo, int64_t deadline_ms, int cancel_fd,
                          cp_error *err)
{
    *hosts = (struct cpi_hosts){.hosts = NULL};
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    char *service = option(options, "service", "PGSERVICE");
    char *given = option(options, "hostaddr", "PGHOSTADDR");
    char *list = option(options, "host", "PGHOST");
    char *ports = option(options, "port", "PGPORT");
    PQconninfoFree(options);

    cp_error why = {.code = CP_OK};
    unsigned names = 0;
    unsigned found = 0;
    bool fine = true;
    if (list != NULL && given == NULL && service == NULL) {
        fine = resolve_each(hosts, list, ports, deadline_ms, cancel_fd, &names, &found, &why);
    }
    free(service);
    free(given);
    free(list);
    free(ports);
    if (fine && names > 0 && (found > 0 || hosts->hosts != NULL)) {
        return CP_OK;
    }
    cpi_hosts_fini(hosts);
    if (!fine) {
        return cpi_error_memory(err);
    }
    return names == 0 ? CP_OK : cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", why.message);
}

void cpi_hosts_fini(struct cpi_hosts *hosts)
{
    free(hosts->hosts);
    free(hosts->addresses);
    free(hosts->ports);
    *hosts = (struct cpi_hosts){.hosts = NULL};
}
