#include "servers/servers.h"

#include "fatal.h"
#include "redis/redis_address.h"
#include "servers/embedded.h"
#include "servers/memory_file.h"
#include "servers/process.h"
#include "servers/servers_given.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Holds the process id of the with-servers that we run below: a leftover of it in somebody's shell is not believed. */
static const char inside_variable[] = "CP_BENCH_INSIDE";

/* As on a machine that is meant for it. Autovacuum would choose its own moment to take one of the cores. */
static const char postgres_conf[] = "fsync = on\n"
                                    "full_page_writes = on\n"
                                    "shared_buffers = 1GB\n"
                                    "max_wal_size = 8GB\n"
                                    "checkpoint_timeout = 1h\n"
                                    "autovacuum = off\n"
                                    "log_checkpoints = off\n";

/* ---- connections ---- */

PGconn *servers_postgres(const struct servers *servers)
{
    PGconn *pg = PQconnectdb(servers->dsn);
    if (PQstatus(pg) != CONNECTION_OK) {
        fatal("Postgres: %s", PQerrorMessage(pg));
    }
    PQclear(PQexec(pg, "set client_min_messages = warning"));
    return pg;
}

redisContext *servers_redis(const struct servers *servers)
{
    struct cpi_redis_address address = {0};
    cp_error err;
    if (cpi_redis_address_parse(&address, servers->redis, &err) != CP_OK) {
        fatal("%s", err.message);
    }
    redisContext *redis =
        address.path != NULL ? redisConnectUnix(address.path) : redisConnect(address.host, address.port);
    if (redis == NULL || redis->err != 0) {
        fatal("Redis: %s", redis == NULL ? "out of memory" : redis->errstr);
    }
    if (address.user != NULL) {
        redis_do(redis, "AUTH %s %s", address.user, address.password);
    } else if (address.password != NULL) {
        redis_do(redis, "AUTH %s", address.password);
    }
    if (address.database != 0) {
        redis_do(redis, "SELECT %d", address.database);
    }
    cpi_redis_address_fini(&address);
    return redis;
}

int64_t pg_do(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fatal("Postgres: %.80s: %s", sql, PQerrorMessage(pg));
    }
    int64_t answer = PQntuples(result) > 0 && PQnfields(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return answer;
}

int64_t redis_do(redisContext *redis, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(redis, format, arguments);
    va_end(arguments);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        /* Only up to the first blank: behind AUTH stands a password. */
        fatal("Redis: %.*s: %s", (int)strcspn(format, " "), format, reply == NULL ? redis->errstr : reply->str);
    }
    int64_t answer = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    return answer;
}

/* ---- which ones they are ---- */

/* Whether this process is what it should be: a process id that a server tells may be one of another machine. */
static bool is_process(pid_t pid, const char *name)
{
    char path[64];
    char comm[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    bool is = fgets(comm, sizeof comm, file) != NULL && strncmp(comm, name, strlen(name)) == 0;
    fclose(file);
    return is;
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    char line[256];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "PPid: %d", &parent) != 1) {
    }
    if (file != NULL) {
        fclose(file);
    }
    return parent;
}

static bool is_local(const char *host)
{
    return host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 ||
           strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void look_at_postgres(struct servers *servers)
{
    PGconn *pg = servers_postgres(servers);
    const char *version = PQparameterStatus(pg, "server_version");
    snprintf(servers->postgres_version, sizeof servers->postgres_version, "%.*s", (int)strcspn(version, " "), version);
    pid_t backend = PQbackendPID(pg);
    if (is_local(PQhost(pg)) && is_process(backend, "postgres")) {
        servers->postmaster = parent_of(backend);
    }
    PQfinish(pg);
}

/* "name:value\r\n" of INFO. */
static void find_info(const char *info, const char *name, char *value, size_t size)
{
    const char *at = strstr(info, name);
    at = at == NULL ? "" : at + strlen(name);
    snprintf(value, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static void look_at_redis(struct servers *servers)
{
    redisContext *redis = servers_redis(servers);
    redisReply *reply = redisCommand(redis, "INFO server");
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        fatal("Redis: INFO: %s", reply == NULL ? redis->errstr : reply->str);
    }
    char pid[32];
    find_info(reply->str, "redis_version:", servers->redis_version, sizeof servers->redis_version);
    find_info(reply->str, "process_id:", pid, sizeof pid);
    freeReplyObject(reply);
    bool local = redis->connection_type == REDIS_CONN_UNIX || is_local(redis->tcp.host);
    if (local && is_process(atoi(pid), "redis-server")) {
        servers->redis_server = atoi(pid);
    }
    redisFree(redis);
}

/* ---- private servers ---- */

/* In memory a commit would cost nothing. */
static bool is_in_memory(const char *path)
{
    struct statfs file_system;
    return statfs(path, &file_system) == 0 && file_system.f_type == TMPFS_MAGIC;
}

static _Noreturn void start_below_servers(char **argv)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        fatal("/proc/self/exe: %s", strerror(errno));
    }
    self[length] = '\0';

    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    char **words = calloc(count + 3, sizeof *words);
    if (words == NULL) {
        fatal("out of memory");
    }
    struct memory_file script;
    memory_file_create(&script, embedded_with_servers);
    fcntl(script.fd, F_SETFD, 0); /* bash, which we become, reads it from there */
    words[0] = "bash";
    words[1] = script.path;
    words[2] = self;
    memcpy(words + 3, argv + 1, count * sizeof *words); /* NULL at the end included */

    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv(inside_variable, pid, 1);
    setenv("CP_SERVERS_CONF", postgres_conf, 1);
    setenv("CP_SERVERS_PARENT", is_in_memory("/tmp") ? "/var/tmp" : "/tmp", 1);
    execvp(words[0], words);
    fatal("cannot start %s: %s", words[0], strerror(errno));
}

static bool is_inside(void)
{
    const char *pid = getenv(inside_variable);
    return pid != NULL && atoi(pid) == getppid() && getenv("CP_DSN") != NULL && getenv("CP_REDIS") != NULL;
}

/* ---- open and close ---- */

bool servers_open(struct servers *servers, const struct options *options, char **argv)
{
    *servers = (struct servers){0};
    if (options->dsn != NULL) {
        if (!given_open(servers, options)) {
            return false;
        }
    } else if (is_inside()) {
        snprintf(servers->dsn, sizeof servers->dsn, "%s", getenv("CP_DSN"));
        snprintf(servers->redis, sizeof servers->redis, "%s", getenv("CP_REDIS"));
    } else {
        start_below_servers(argv);
    }
    /* What cachepusher would read from its environment. */
    unsetenv("CP_DSN");
    unsetenv("CP_REDIS");
    unsetenv("CP_PREFIX");
    setenv("CP_CONFIG", "", 1); /* no file at all */
    look_at_postgres(servers);
    look_at_redis(servers);
    return true;
}

bool servers_close(void)
{
    return given_close();
}
