#include "cluster.h"

#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START_MS = 30000, STOP_MS = 30000, STATEMENT_MS = 15000 };

static const char *find_program(const char *name)
{
    static char path[PATH_BYTES];
    char pattern[PATH_BYTES];
    glob_t found;
    FORMAT(pattern, "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0) {
        die("%s is missing: run scripts/install-deps", name);
    }
    FORMAT(path, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return path;
}

void cluster_configure(const struct cluster *cluster, const char *line)
{
    char path[2 * PATH_BYTES];
    FORMAT(path, "%s/postgresql.conf", cluster->data);
    FILE *file = fopen(path, "a");
    if (file == NULL) {
        die("cannot write %s", path);
    }
    fputs(line, file);
    fclose(file);
}

/* No fsync: processes die here, never the machine. */
static void append_settings(const struct cluster *cluster)
{
    cluster_configure(cluster,
                      "listen_addresses = ''\nport = 5432\nmax_connections = 60\nshared_buffers = 16MB\nfsync = off\n"
                      "full_page_writes = off\ndynamic_shared_memory_type = mmap\ndeadlock_timeout = 50ms\n"
                      "log_line_prefix = '%m [%p] %a '\nlog_checkpoints = off\nwal_level = logical\n"
                      "logical_decoding_work_mem = 64kB\n"); /* so that some transactions come in parts */
}

static void load(struct cluster *cluster, const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    if (file == NULL || getdelim(&text, &capacity, '\0', file) <= 0) {
        die("cannot read %s", path);
    }
    fclose(file);
    cluster_do(cluster, text);
    free(text);
}

static void make_new(struct cluster *cluster)
{
    setenv("TZ", "UTC", 0); /* spares initdb its search for the machine's */
    process_run(cluster->log, AS_SERVER,
                (const char *const[]){find_program("initdb"), "-D", cluster->data, "-U", "postgres", "-E", "UTF8",
                                      "--locale=C.UTF-8", "--auth=trust", "--no-sync", "--no-instructions", NULL});
    append_settings(cluster);
    cluster_start(cluster);
    load(cluster, DB_DIR "/cachepusher.sql");
    load(cluster, DB_DIR "/schema.sql");
    load(cluster, CHAOS_DIR "/chaos.sql");
    cluster_stop(cluster, SIGINT);
}

void cluster_create(struct cluster *cluster, const char *dir, const char *template)
{
    *cluster = (struct cluster){0};
    FORMAT(cluster->dir, "%s", dir);
    FORMAT(cluster->data, "%s/data", dir);
    FORMAT(cluster->log, "%s/postgres.log", dir);
    FORMAT(cluster->socket, "%s/.s.PGSQL.5432", dir);
    FORMAT(cluster->dsn, "host=%s port=5432 user=postgres dbname=postgres connect_timeout=5", dir);
    if (template == NULL) {
        make_new(cluster);
        return;
    }
    process_run(cluster->log, AS_OURSELVES, (const char *const[]){"cp", "-a", template, cluster->data, NULL});
}

static bool answers(void *context)
{
    struct cluster *cluster = context;
    if (!process_is_running(&cluster->postmaster)) {
        die("Postgres did not start; see %s", cluster->log);
    }
    PGconn *connection = cluster_connect(cluster);
    PQfinish(connection);
    return connection != NULL;
}

void cluster_start(struct cluster *cluster)
{
    process_start(&cluster->postmaster, cluster->log, AS_SERVER,
                  (const char *const[]){find_program("postgres"), "-D", cluster->data, "-k", cluster->dir, NULL});
    if (!wait_until(answers, cluster, START_MS)) {
        die("Postgres does not answer; see %s", cluster->log);
    }
}

void cluster_stop(struct cluster *cluster, int signal_number)
{
    process_signal(&cluster->postmaster, signal_number);
    /* Postgres 15 that is told to stop fast in the very moment it begins to recover from a crash may never stop (seen
     * once in some thousand faults, with no client connected): then like anybody would, not so gently. */
    if (!process_wait(&cluster->postmaster, STOP_MS / 2)) {
        process_signal(&cluster->postmaster, SIGQUIT);
    }
    if (!process_wait(&cluster->postmaster, STOP_MS)) {
        die("Postgres does not stop; see %s", cluster->log);
    }
}

/* Such as that it is being shut down. */
static void discard_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

PGconn *cluster_connect(const struct cluster *cluster)
{
    PGconn *connection = PQconnectdb(cluster->dsn);
    if (PQstatus(connection) == CONNECTION_OK) {
        PQsetNoticeProcessor(connection, discard_notice, NULL);
        PQclear(PQexec(connection, "set client_min_messages = warning; set statement_timeout = '20s'"));
        return connection;
    }
    PQfinish(connection);
    return NULL;
}

PGresult *cluster_query(const struct cluster *cluster, const char *statement)
{
    int64_t until_ms = now_ms() + STATEMENT_MS;
    char why[512] = "cannot connect";
    while (now_ms() < until_ms) {
        PGconn *connection = cluster_connect(cluster);
        PGresult *result = connection != NULL ? PQexec(connection, statement) : NULL;
        ExecStatusType status = PQresultStatus(result);
        if (connection != NULL) {
            snprintf(why, sizeof why, "%s", PQerrorMessage(connection));
        }
        PQfinish(connection);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            return result;
        }
        PQclear(result);
        poll(NULL, 0, 20);
    }
    die("%.100s: %s", statement, why);
}

void cluster_do(const struct cluster *cluster, const char *statement)
{
    PQclear(cluster_query(cluster, statement));
}

int cluster_backends(const struct cluster *cluster, const char *name_like, pid_t *pids, int size)
{
    char statement[256];
    FORMAT(statement, "select pid from pg_stat_activity where application_name like '%s' order by random() limit %d",
           name_like, size);
    PGresult *result = cluster_query(cluster, statement);
    int count = PQntuples(result);
    for (int i = 0; i < count; i++) {
        pids[i] = (pid_t)atoi(PQgetvalue(result, i, 0));
    }
    PQclear(result);
    return count;
}
