#include "postgres/hosts.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/resolve.h"
#include "postgres/conninfo.h"

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

/* From another one on at each turn. */
static bool add_addresses(struct cpi_hosts *hosts, const char *host, const char *port, const struct addrinfo *found,
                          unsigned turn)
{
    char texts[ADDRESSES_MAX][NI_MAXHOST];
    unsigned count = 0;
    for (; found != NULL && count < ADDRESSES_MAX; found = found->ai_next) {
        count += getnameinfo(found->ai_addr, found->ai_addrlen, texts[count], NI_MAXHOST, NULL, 0, NI_NUMERICHOST) == 0;
    }
    bool fine = true;
    for (unsigned n = 0; n < count && fine; n++) {
        fine = add(hosts, host, texts[(n + turn) % count], port);
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

struct lookup {
    const char *list;
    const char *ports;
    unsigned turn;
    int64_t deadline_ms;
    int cancel_fd;
    unsigned names; /* that had to be looked up */
    unsigned found; /* of these */
    cp_error why;   /* the last was not */
};

/* A name that hangs leaves the ones behind it their share of the time. False: out of memory. */
static bool resolve_each(struct cpi_hosts *hosts, struct lookup *lookup)
{
    size_t count = count_entries(lookup->list);
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) {
        size_t entry = (i + lookup->turn) % count;
        char host[256];
        char port[16];
        struct addrinfo *addresses = NULL;
        take_entry(lookup->list, entry, "", host, sizeof host);
        take_entry(lookup->ports, entry, "5432", port, sizeof port);
        if (is_socket(host)) {
            fine = add(hosts, host, "", port);
            continue;
        }
        lookup->names++;
        int64_t now_ms = cpi_now_ms();
        int64_t share_ms = (lookup->deadline_ms - now_ms) / (int64_t)(count - i);
        if (cpi_resolve(host, DEFAULT_PORT, now_ms + share_ms, lookup->cancel_fd, &addresses, &lookup->why) == CP_OK) {
            lookup->found++;
            fine = add_addresses(hosts, host, port, addresses, lookup->turn);
            freeaddrinfo(addresses);
        }
    }
    return fine;
}

cp_code cpi_hosts_resolve(struct cpi_hosts *hosts, const struct cpi_pg *pg, int64_t deadline_ms, cp_error *err)
{
    *hosts = (struct cpi_hosts){.hosts = NULL};
    PQconninfoOption *options = PQconninfoParse(pg->conninfo, NULL);
    char *service = option(options, "service", "PGSERVICE");
    char *given = option(options, "hostaddr", "PGHOSTADDR");
    char *list = option(options, "host", "PGHOST");
    char *ports = option(options, "port", "PGPORT");
    PQconninfoFree(options);

    struct lookup lookup = {
        .list = list, .ports = ports, .turn = pg->turn, .deadline_ms = deadline_ms, .cancel_fd = pg->cancel_fd};
    bool fine = list == NULL || given != NULL || service != NULL || resolve_each(hosts, &lookup);
    free(service);
    free(given);
    free(list);
    free(ports);
    if (fine && lookup.names > 0 && hosts->hosts != NULL) {
        return CP_OK;
    }
    cpi_hosts_fini(hosts);
    if (!fine) {
        return cpi_error_memory(err);
    }
    return lookup.names == 0 ? CP_OK : cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", lookup.why.message);
}

void cpi_hosts_fini(struct cpi_hosts *hosts)
{
    free(hosts->hosts);
    free(hosts->addresses);
    free(hosts->ports);
    *hosts = (struct cpi_hosts){.hosts = NULL};
}

/* Among several hosts the primary is wanted, unless the user says otherwise: the first one may have been demoted. Of a
 * single host the server itself is asked, whose answer makes a better message. */
static const char *wanted_host(const struct cpi_pg *pg)
{
    bool knows_primary = PQlibVersion() >= 140000;
    return !cpi_conninfo_has_hosts(pg->conninfo) ? NULL : knows_primary ? "primary" : "read-write";
}

static struct pg_conn *begin_to_connect(const struct cpi_hosts *hosts, const struct cpi_pg *pg, const char *password)
{
    /* Later entries win, and those of the user's string stand where dbname does. A connection whose peer is gone
     * without a word looks healthy for hours unless the kernel is told to probe it. A value of NULL is none. */
    const char *const keywords[] = {"keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "target_session_attrs",
                                    "application_name",
                                    "dbname",
                                    "client_encoding",
                                    "application_name",
                                    "replication",
                                    "host",
                                    "hostaddr",
                                    "port",
                                    "password",
                                    NULL};
    const char *const values[] = {"5",
                                  "2",
                                  "3",
                                  "10000",
                                  wanted_host(pg),
                                  pg->role,
                                  pg->conninfo,
                                  "UTF8",
                                  pg->replicates ? pg->role : NULL, /* by which it is known who streams */
                                  pg->replicates ? "database" : NULL,
                                  hosts->hosts,
                                  hosts->addresses,
                                  hosts->ports,
                                  password,
                                  NULL};
    return PQconnectStartParams(keywords, values, 1);
}

/* A password in a file is read each time, so that a new one needs no restart. */
cp_code cpi_hosts_connect(const struct cpi_hosts *hosts, struct cpi_pg *pg, cp_error *err)
{
    char password[CPI_SECRET_BYTES];
    bool has_file = pg->password_file != NULL && pg->password_file[0] != '\0';
    cp_error inner;
    if (has_file && cpi_secret_read("postgres_password_file", pg->password_file, password, NULL, &inner) != CP_OK) {
        pg->failure = CPI_FAILURE_CONNECTION;
        return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", inner.message);
    }
    pg->connection = begin_to_connect(hosts, pg, has_file ? password : NULL);
    cpi_secret_wipe(password);
    return pg->connection != NULL ? CP_OK : cpi_pg_no_memory(pg, err);
}
