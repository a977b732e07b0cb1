#include "servers/servers_given.h"

#include "fatal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DATABASE "cachepusher_bench"

enum { NOTIFY_BYTES = 64, LOOKS = 2000 };

/* The process that makes our database and gives the servers back, and our end of the socket between us, whose closing
 * it waits for; 0 and -1: none. */
static pid_t keeper;
static int keeper_pipe = -1;

/* ---- the connection string ---- */

/* keyword='value', with what libpq wants escaped. */
static void append(char *dsn, size_t size, const char *keyword, const char *value)
{
    size_t at = strlen(dsn);
    at += (size_t)snprintf(dsn + at, size - at, "%s%s='", at == 0 ? "" : " ", keyword);
    for (; *value != '\0' && at + 4 < size; value++) {
        if (*value == '\'' || *value == '\\') {
            dsn[at++] = '\\';
        }
        dsn[at++] = *value;
    }
    if (at + 2 >= size) {
        fatal("--dsn is too long");
    }
    strcpy(dsn + at, "'");
}

/* The same with our database for theirs. False: it is no connection string. */
static bool with_our_database(const char *given, char *dsn, size_t size)
{
    char *why = NULL;
    PQconninfoOption *all = PQconninfoParse(given, &why);
    if (all == NULL) {
        PQfreemem(why); /* not told: it can repeat a password */
        complain("--dsn: not a connection string");
        return false;
    }
    dsn[0] = '\0';
    for (const PQconninfoOption *option = all; option->keyword != NULL; option++) {
        if (option->val != NULL && strcmp(option->keyword, "dbname") != 0) {
            append(dsn, size, option->keyword, option->val);
        }
    }
    append(dsn, size, "dbname", DATABASE);
    PQconninfoFree(all);
    return true;
}

/* ---- the keeper ---- */

/* Postgres drops no database with a replication slot that is being read, though by a process that has been killed, and
 * with the others it drops those that are not. */
static void end_readers(PGconn *pg)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int looks = 0; looks < LOOKS; looks++) {
        PGresult *result = PQexec(pg, "select pg_catalog.pg_terminate_backend(active_pid)"
                                      " from pg_catalog.pg_replication_slots where active"
                                      " and database operator(pg_catalog.=) '" DATABASE "'");
        bool found = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0;
        PQclear(result);
        if (!found) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

/* notify: NULL for what has not been changed. */
static bool give_back(const struct servers *servers, const char *given_dsn, const char *notify)
{
    /* First, for it ends what is still writing on our behalf. */
    PGconn *pg = PQconnectdb(given_dsn);
    end_readers(pg);
    PGresult *result = PQexec(pg, "drop database if exists " DATABASE " with (force)");
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok) {
        complain("database " DATABASE " is left over: %s", PQerrorMessage(pg));
    }
    PQclear(result);
    PQfinish(pg);
    redisContext *redis = servers_redis(servers);
    redis_do(redis, "FLUSHDB");
    if (notify != NULL) {
        redis_do(redis, "CONFIG SET notify-keyspace-events %s", notify);
    }
    redisFree(redis);
    return ok;
}

/* What has come by the time that the other end is closed. False: no string. */
static bool read_to_end(int pipe, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while ((got = read(pipe, text + length, size - length)) > 0 || (got < 0 && errno == EINTR)) {
        length += got > 0 ? (size_t)got : 0;
    }
    return memchr(text, '\0', length) != NULL;
}

/* Makes our database. False: there is one already, which is told. */
static bool create_database(const char *given_dsn)
{
    PGconn *pg = PQconnectdb(given_dsn);
    if (PQstatus(pg) != CONNECTION_OK) {
        fatal("--dsn: %s", PQerrorMessage(pg));
    }
    bool absent =
        pg_do(pg,
              "select pg_catalog.count(*) from pg_catalog.pg_database where datname operator(pg_catalog.=) '" DATABASE
              "'") == 0;
    if (absent) {
        pg_do(pg, "create database " DATABASE);
    } else {
        complain("--dsn: database " DATABASE
                 " exists; it is made for a run and dropped at the end. If none is running: "
                 "drop database " DATABASE);
    }
    PQfinish(pg);
    return absent;
}

/* It makes the database itself, so that nothing that ends us can come between that and its being given back. */
_Noreturn static void keep(const struct servers *servers, const char *given_dsn, int pipe)
{
    /* What ends us, Ctrl-C or a terminal that is closed, is not meant for it. */
    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (!create_database(given_dsn)) {
        _exit(1);
    }
    (void)!write(pipe, "", 1); /* fails where nobody waits for it any more: then the next read ends at once */
    char notify[NOTIFY_BYTES];
    bool is_set = read_to_end(pipe, notify, sizeof notify);
    _exit(give_back(servers, given_dsn, is_set ? notify : NULL) ? 0 : 1);
}

/* False: our database could not be made; told. */
static bool start_keeper(const struct servers *servers, const char *given_dsn)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        fatal("socketpair: %s", strerror(errno));
    }
    keeper = fork();
    if (keeper < 0) {
        fatal("fork: %s", strerror(errno));
    }
    if (keeper == 0) {
        close(ends[1]);
        keep(servers, given_dsn, ends[0]);
    }
    close(ends[0]);
    keeper_pipe = ends[1];
    char is_made;
    ssize_t got;
    while ((got = read(keeper_pipe, &is_made, 1)) < 0 && errno == EINTR) {
    }
    if (got != 1) {
        waitpid(keeper, NULL, 0);
        keeper = 0;
        close(keeper_pipe);
    }
    return got == 1;
}

void given_set_notify_back(const char *setting)
{
    size_t length = strlen(setting) + 1;
    if (keeper > 0 && (length > NOTIFY_BYTES || write(keeper_pipe, setting, length) != (ssize_t)length)) {
        fatal("cannot have notify-keyspace-events set back");
    }
}

/* ---- open and close ---- */

static bool redis_is_empty(const struct servers *servers)
{
    redisContext *redis = servers_redis(servers);
    int64_t keys = redis_do(redis, "DBSIZE");
    redisFree(redis);
    if (keys > 0) {
        complain("--redis: its database is not empty (%lld keys) and would be emptied; select another one "
                 "(redis://HOST:PORT/DB)",
                 (long long)keys);
    }
    return keys == 0;
}

bool given_open(struct servers *servers, const struct options *options)
{
    if (strlen(options->redis) >= sizeof servers->redis) {
        fatal("--redis is too long");
    }
    strcpy(servers->redis, options->redis);
    return with_our_database(options->dsn, servers->dsn, sizeof servers->dsn) && redis_is_empty(servers) &&
           start_keeper(servers, options->dsn);
}

bool given_close(void)
{
    if (keeper == 0) {
        return true;
    }
    int status = 1;
    close(keeper_pipe);
    bool ok = waitpid(keeper, &status, 0) == keeper && status == 0;
    keeper = 0;
    return ok;
}
