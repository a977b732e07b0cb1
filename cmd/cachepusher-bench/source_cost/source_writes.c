#include "source_cost/source_writes.h"

#include "commands.h"
#include "fatal.h"
#include "servers/memory_file.h"
#include "servers/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what announces them ---- */

static const char *const names[ANNOUNCEMENTS] = {"none", "row-level", "statement-level"};

static const char *const triggers[ANNOUNCEMENTS] = {
    [BY_ROW] = "create or replace function announce_row() returns trigger language plpgsql as $$"
               " begin perform pg_catalog.pg_notify('customer_updated', new.id_customer::pg_catalog.text); return "
               "null; end $$;"
               " create trigger announce_row after update on customer"
               " for each row execute function announce_row()",
    [BY_STATEMENT] = "select cachepusher.watch('customer', 'id_customer', 'customer_updated', 'customer_deleted')",
};

const char *announced_name(enum announced announced)
{
    return names[announced];
}

void announce(PGconn *pg, enum announced announced)
{
    pg_do(pg,
          "do $$ declare name pg_catalog.text; begin"
          " for name in select tgname from pg_catalog.pg_trigger"
          " where tgrelid operator(pg_catalog.=) 'customer'::pg_catalog.regclass::pg_catalog.oid and not tgisinternal"
          " loop execute pg_catalog.format('drop trigger %I on customer', name); end loop; end $$");
    if (triggers[announced] != NULL) {
        pg_do(pg, triggers[announced]);
    }
}

/* ---- the listener ---- */

static void *listen_for_all(void *context)
{
    struct listener *listener = context;
    PGconn *pg = servers_postgres(listener->servers);
    pg_do(pg, "listen customer_updated");
    pthread_barrier_wait(&listener->listening);
    struct pollfd fds[] = {{.fd = PQsocket(pg), .events = POLLIN}, {.fd = listener->stop[0], .events = POLLIN}};
    while (fds[1].revents == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            fatal("the listener: %s", strerror(errno));
        }
        if (PQconsumeInput(pg) != 1) {
            fatal("the listener: %s", PQerrorMessage(pg));
        }
        for (PGnotify *notify; (notify = PQnotifies(pg)) != NULL; PQfreemem(notify)) {
            listener->announced++;
        }
    }
    PQfinish(pg);
    return NULL;
}

void listener_start(struct listener *listener, const struct servers *servers)
{
    *listener = (struct listener){.servers = servers};
    pthread_barrier_init(&listener->listening, NULL, 2);
    if (pipe2(listener->stop, O_CLOEXEC) != 0 ||
        pthread_create(&listener->thread, NULL, listen_for_all, listener) != 0) {
        fatal("cannot start the listener");
    }
    pthread_barrier_wait(&listener->listening);
}

void listener_stop(struct listener *listener)
{
    close(listener->stop[1]);
    pthread_join(listener->thread, NULL);
    close(listener->stop[0]);
    pthread_barrier_destroy(&listener->listening);
}

/* ---- the writes ---- */

static char pgbench[256] = "pgbench";

/* Debian keeps it out of PATH, a directory for each version of Postgres: the newest. */
bool source_cost_is_possible(void)
{
    glob_t found = {0};
    if (glob("/usr/lib/postgresql/*/bin/pgbench", 0, NULL, &found) == 0) {
        const char *newest = found.gl_pathv[0];
        for (size_t i = 1; i < found.gl_pathc; i++) {
            newest = strverscmp(found.gl_pathv[i], newest) > 0 ? found.gl_pathv[i] : newest;
        }
        snprintf(pgbench, sizeof pgbench, "%s", newest);
    }
    bool is_there = found.gl_pathc > 0;
    globfree(&found);
    return is_there || process_is_installed(pgbench, "postgresql");
}

/* Each measurement begins with the same table: nothing dead in it, and no room for the next version beside a row. */
static void make_new(PGconn *pg)
{
    pg_do(pg, "vacuum (full, analyze) customer");
}

double updates_run(const struct servers *servers, PGconn *pg, long clients, double duration_s)
{
    make_new(pg);
    char script[256];
    snprintf(script, sizeof script,
             "\\set id random(%lld, %lld)\n\\set word random(1, 1000000000)\n"
             "update customer set name = 'customer ' operator(pg_catalog.||) :word where id_customer "
             "operator(pg_catalog.=) :id;\n",
             (long long)pg_do(pg, "select pg_catalog.min(id_customer) from customer"),
             (long long)pg_do(pg, "select pg_catalog.max(id_customer) from customer"));
    struct memory_file file;
    memory_file_create(&file, script);

    char count[32];
    char threads[32];
    char seconds[32];
    snprintf(count, sizeof count, "%ld", clients);
    snprintf(threads, sizeof threads, "%ld", clients < 2 ? clients : 2);
    snprintf(seconds, sizeof seconds, "%.0f", ceil(duration_s)); /* all that it takes */
    char *words[] = {pgbench,
                     "-n",
                     "-M",
                     "prepared",
                     "-f",
                     file.path,
                     "-c",
                     count,
                     "-j",
                     threads,
                     "-T",
                     seconds,
                     (char *)(uintptr_t)servers->dsn,
                     NULL};
    struct process process;
    struct usage usage;
    process_start(&process, words, true);
    process_succeed(&process, "pgbench", &usage);
    memory_file_close(&file);

    const char *tps = strstr(process.words, "tps = ");
    if (tps == NULL) {
        fatal("pgbench told no transactions a second, but: %s", process.words);
    }
    return strtod(tps + strlen("tps = "), NULL);
}

double bulk_run(PGconn *pg, long rows)
{
    make_new(pg);
    char sql[256];
    snprintf(sql, sizeof sql,
             "update customer set name = 'customer ' operator(pg_catalog.||) id_customer where id_customer "
             "operator(pg_catalog.<)"
             " ((select pg_catalog.min(id_customer) from customer) operator(pg_catalog.+) %ld)",
             rows);
    double started_s = clock_s();
    pg_do(pg, sql);
    return (clock_s() - started_s) * 1e3;
}
