#include "servers.h"

#include "sources.h"

#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { POOLER_PORT = 6432 };

/* ---- Postgres ---- */

PGconn *connect_postgres(const char *dsn)
{
    PGconn *pg = PQconnectdb(dsn);
    if (PQstatus(pg) == CONNECTION_OK && PQsetClientEncoding(pg, "UTF8") == 0) {
        /* Writers that get into each other's way are told at once; a test that locks itself out, in the end. */
        char settings[128];
        snprintf(settings, sizeof settings,
                 "set client_min_messages = warning; set deadlock_timeout = '10ms'; set lock_timeout = %d",
                 timeout_ms());
        PQclear(PQexec(pg, settings));
        return pg;
    }
    fprintf(stderr, "%s", PQerrorMessage(pg));
    PQfinish(pg);
    return NULL;
}

PGconn *connect_to(struct fixture *f, const char *dsn)
{
    for (size_t i = 0; i < FIXTURE_CONNECTIONS; i++) {
        if (f->connections[i] == NULL) {
            f->connections[i] = connect_postgres(dsn);
            REQUIRE(f->connections[i] != NULL);
            return f->connections[i];
        }
    }
    fail_at(__FILE__, __LINE__, "too many connections");
}

PGconn *connect_again(struct fixture *f)
{
    return connect_to(f, f->dsn);
}

void disconnect(struct fixture *f, PGconn *pg)
{
    for (size_t i = 0; i < FIXTURE_CONNECTIONS; i++) {
        if (f->connections[i] == pg) {
            f->connections[i] = NULL;
            PQfinish(pg);
        }
    }
}

void sql_on(PGconn *pg, const char *statements)
{
    PGresult *result = PQexec(pg, statements);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail_at(__FILE__, __LINE__, "%.200s: %s", statements, PQerrorMessage(pg));
    }
}

void sql(struct fixture *f, const char *statements)
{
    sql_on(f->pg, statements);
}

void sqlf(struct fixture *f, const char *format, ...)
{
    char *statements = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&statements, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0);
    sql(f, statements);
    free(statements);
}

long long sql_number(struct fixture *f, const char *statement)
{
    PGresult *result = PQexec(f->pg, statement);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1) {
        PQclear(result);
        fail_at(__FILE__, __LINE__, "%.200s: %s", statement, PQerrorMessage(f->pg));
    }
    long long number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

void hold_fetches(PGconn *pg)
{
    source_prepare(current, NULL);
    sql_on(pg, "begin; lock table address in access exclusive mode");
}

void release_fetches(PGconn *pg)
{
    sql_on(pg, "commit");
}

int terminate_backends(struct fixture *f, const char *name_like)
{
    const char *values[] = {name_like, f->database};
    PGresult *result = PQexecParams(f->pg,
                                    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                                    " where application_name like $1 and datname = $2",
                                    2, NULL, values, NULL, NULL, 0);
    REQUIRE(PQresultStatus(result) == PGRES_TUPLES_OK);
    int count = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return count;
}

enum { CONNECTIONS_LOCK = 4712 };

/* The function of Postgres itself makes way: what the library sends names its schema. */
void hold_connections(struct fixture *f, PGconn *holder, const char *name)
{
    sqlf(f,
         "alter function pg_catalog.pg_is_in_recovery() rename to is_in_recovery_really;"
         "create function pg_catalog.pg_is_in_recovery() returns boolean language plpgsql as $$ begin"
         " if current_setting('application_name') = '%s' then"
         " perform pg_advisory_xact_lock_shared(%d); end if; return false; end $$",
         name, CONNECTIONS_LOCK);
    char statement[64];
    snprintf(statement, sizeof statement, "select pg_advisory_lock(%d)", CONNECTIONS_LOCK);
    sql_on(holder, statement);
}

void release_connections(PGconn *holder)
{
    sql_on(holder, "select pg_advisory_unlock_all()");
}

void fetch_by_customer_get(struct fixture *f)
{
    sql(f, "create or replace function customer_get_many(ids integer[]) returns table (id integer, document json)"
           " language sql as $$ select u.id, customer_get(u.id) from unnest(ids) as u(id) $$");
}

void keep_customer_get(struct fixture *f)
{
    /* It names itself in its text. */
    sql(f, "do $$ begin execute replace(pg_get_functiondef('customer_get(integer)'::regprocedure),"
           " 'customer_get', 'customer_good'); end $$");
    fetch_by_customer_get(f);
}

void define_customer_get(struct fixture *f, const char *statements)
{
    sqlf(f,
         "create or replace function customer_get(id integer) returns json language plpgsql stable as"
         " $$ begin %s return customer_good(id); end $$",
         statements);
}

/* ---- Redis ---- */

redisContext *connect_redis(const char *address)
{
    struct timeval timeout = {.tv_sec = 10 * slowness()};
    redisContext *redis = NULL;
    if (strncmp(address, "unix:", 5) == 0) {
        redis = redisConnectUnixWithTimeout(address + 5, timeout);
    } else {
        char host[128];
        const char *colon = strrchr(address, ':');
        snprintf(host, sizeof host, "%.*s", (int)(colon != NULL ? colon - address : 0), address);
        redis = redisConnectWithTimeout(host, colon != NULL ? atoi(colon + 1) : 0, timeout);
    }
    if (redis != NULL && redis->err == 0) {
        redisSetTimeout(redis, timeout);
        return redis;
    }
    if (redis != NULL) {
        redisFree(redis);
    }
    return NULL;
}

/* What all clients of a server feel, other tests' too. */
static void refuse_for_the_shared_one(const struct fixture *f, const char *format)
{
    static const char *const felt_by_all[] = {"CLIENT KILL", "CLIENT PAUSE", "CONFIG SET", "ACL SETUSER",
                                              "FLUSHALL",    "REPLICAOF",    "SWAPDB",     "DEBUG"};
    for (size_t i = 0; f->own_redis == 0 && i < sizeof felt_by_all / sizeof *felt_by_all; i++) {
        if (strncmp(format, felt_by_all[i], strlen(felt_by_all[i])) == 0) {
            fail_at(__FILE__, __LINE__, "%s: other tests' syncers would feel it; own_redis_start() first", format);
        }
    }
}

static redisReply *command(struct fixture *f, const char *format, va_list arguments)
{
    refuse_for_the_shared_one(f, format);
    redisReply *reply = redisvCommand(f->redis, format, arguments);
    if (reply == NULL) {
        fail_at(__FILE__, __LINE__, "Redis: %s: %s", format, f->redis->errstr);
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char why[256];
        snprintf(why, sizeof why, "%s", reply->str);
        freeReplyObject(reply);
        fail_at(__FILE__, __LINE__, "Redis: %s: %s", format, why);
    }
    return reply;
}

redisReply *redis_do(struct fixture *f, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = command(f, format, arguments);
    va_end(arguments);
    return reply;
}

void redis_run(struct fixture *f, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    freeReplyObject(command(f, format, arguments));
    va_end(arguments);
}

long long redis_number(struct fixture *f, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = command(f, format, arguments);
    va_end(arguments);
    bool is_number = reply->type == REDIS_REPLY_INTEGER;
    long long number = reply->integer;
    freeReplyObject(reply);
    REQUIRE(is_number);
    return number;
}

char *redis_text(struct fixture *f, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = command(f, format, arguments);
    va_end(arguments);
    char *text = reply->str != NULL ? strdup(reply->str) : NULL;
    freeReplyObject(reply);
    return text;
}

void add_stranger(struct fixture *f, const char *format, ...)
{
    char *key = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&key, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0 && f->stranger_count < FIXTURE_STRANGERS);
    f->strangers[f->stranger_count++] = key;
    redis_run(f, "SET %s stranger", key);
}

int kill_redis_clients(struct fixture *f, const char *name)
{
    char *list = redis_text(f, "CLIENT LIST");
    char marked[64];
    int killed = 0;
    snprintf(marked, sizeof marked, " name=%s", name);
    char *rest = NULL;
    for (char *line = strtok_r(list, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, marked) != NULL && strncmp(line, "id=", 3) == 0) {
            killed += redis_number(f, "CLIENT KILL ID %lld", strtoll(line + 3, NULL, 10)) == 1;
        }
    }
    free(list);
    return killed;
}

/* ---- a Redis of the test's own ---- */

static bool answers(struct fixture *f)
{
    f->redis = connect_redis(f->redis_address);
    redisReply *reply = f->redis != NULL ? redisCommand(f->redis, "PING") : NULL;
    bool is_ready = reply != NULL && reply->type == REDIS_REPLY_STATUS; /* otherwise: LOADING */
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    if (!is_ready && f->redis != NULL) {
        redisFree(f->redis);
        f->redis = NULL;
    }
    return is_ready;
}

/* setpriv: it dies with us, whatever becomes of us. */
static pid_t spawn(char *const *command_line)
{
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 01 /* O_WRONLY */, 0);
    int failed = posix_spawnp(&pid, "setpriv", &actions, NULL, command_line, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? pid : 0;
}

static const char *servers_dir(void)
{
    return getenv("CP_SERVERS_DIR") != NULL ? getenv("CP_SERVERS_DIR") : "/tmp";
}

static char *argument(const char *text)
{
    return (char *)(uintptr_t)text;
}

void own_redis_start_as(struct fixture *f, const char *const *arguments)
{
    enum { ARGUMENTS = 8 };
    const char *dir = servers_dir();
    char socket_path[200];
    snprintf(socket_path, sizeof socket_path, "%s/%s.sock", dir, f->base);
    snprintf(f->redis_address, sizeof f->redis_address, "unix:%s", socket_path);
    if (f->redis != NULL) {
        redisFree(f->redis);
        f->redis = NULL;
    }
    /* A replica leaves what it was sent in such a file, and the next Redis in the directory would begin with that. */
    char snapshot[sizeof f->base + 8];
    char snapshot_path[300];
    snprintf(snapshot, sizeof snapshot, "%s.rdb", f->base);
    snprintf(snapshot_path, sizeof snapshot_path, "%s/%s", dir, snapshot);
    unlink(snapshot_path);

    char *const start[] = {"setpriv", "--pdeathsig", "KILL", "redis-server"};
    char *const common[] = {
        "--port",      "0",         "--unixsocket", socket_path,    "--save", "",  "--appendonly", "no", "--dir",
        argument(dir), "--logfile", "/dev/null",    "--dbfilename", snapshot, NULL};
    char *command_line[sizeof start / sizeof *start + ARGUMENTS + sizeof common / sizeof *common];
    memcpy(command_line, start, sizeof start);
    size_t count = sizeof start / sizeof *start;
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
        REQUIRE_INT(i, <, ARGUMENTS);
        command_line[count++] = argument(arguments[i]);
    }
    memcpy(command_line + count, common, sizeof common);
    f->own_redis = spawn(command_line);
    REQUIRE_INT(f->own_redis, >, 0);
    WAIT_UNTIL(answers(f));
}

void own_redis_start(struct fixture *f)
{
    own_redis_start_as(f, NULL);
}

void become_admin(struct fixture *f)
{
    redis_run(f, "ACL SETUSER admin on nopass ~* &* +@all");
    redis_run(f, "AUTH admin admin");
}

void own_redis_kill(struct fixture *f)
{
    /* Before it dies: the test keeps the default action for SIGPIPE, lest it hide what the library does about it. */
    redisFree(f->redis);
    f->redis = NULL;
    kill(f->own_redis, SIGKILL);
    waitpid(f->own_redis, NULL, 0);
    f->own_redis = -1;
}

/* ---- a pooler of the test's own ---- */

static void configure_pooler(const char *dir)
{
    char path[320];
    snprintf(path, sizeof path, "%s/pgbouncer.ini", dir);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    fprintf(file,
            "[databases]\n* = host=%s user=postgres\n[pgbouncer]\npool_mode = transaction\nauth_type = any\n"
            "unix_socket_dir = %s\nlisten_port = %d\n",
            servers_dir(), dir, POOLER_PORT);
    REQUIRE(fclose(file) == 0);
}

/* As the user that the directory of the servers belongs to, since pgbouncer refuses to run as root. */
void own_pooler_start(struct fixture *f, char *dsn, size_t size)
{
    char dir[256];
    char ini[320];
    char uid[16];
    char gid[16];
    struct stat owner;
    snprintf(dir, sizeof dir, "%s/%s.pooler", servers_dir(), f->base);
    snprintf(ini, sizeof ini, "%s/pgbouncer.ini", dir);
    REQUIRE(stat(servers_dir(), &owner) == 0 && mkdir(dir, 0755) == 0 && chown(dir, owner.st_uid, owner.st_gid) == 0);
    snprintf(uid, sizeof uid, "%u", (unsigned)owner.st_uid);
    snprintf(gid, sizeof gid, "%u", (unsigned)owner.st_gid);
    configure_pooler(dir);

    char *const as_root[] = {"setpriv", "--pdeathsig",    "KILL",      "--reuid", uid, "--regid",
                             gid,       "--clear-groups", "pgbouncer", "--quiet", ini, NULL};
    char *const as_owner[] = {"setpriv", "--pdeathsig", "KILL", "pgbouncer", "--quiet", ini, NULL};
    f->own_pooler = spawn(geteuid() == 0 ? as_root : as_owner);
    REQUIRE_INT(f->own_pooler, >, 0);
    snprintf(dsn, size, "%s host=%s port=%d", f->dsn, dir, POOLER_PORT);
    WAIT_UNTIL(PQping(dsn) == PQPING_OK);
}
