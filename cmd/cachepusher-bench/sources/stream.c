#include "sources/stream.h"

#include "fatal.h"
#include "servers/postgres_files.h"
#include "sources/set_up.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

/* As cachepusher asks for them, and as one would ask wal2json. */
static char *const of_pgoutput[] = {(char *)"--slot=" SET_UP_SLOT, (char *)"--option=proto_version=1",
                                    (char *)"--option=publication_names=" SET_UP_PUBLICATION,
                                    (char *)"--option=messages=true"};
static char *const of_wal2json[] = {(char *)"--slot=" SET_UP_SLOT_OF_WAL2JSON, (char *)"--option=format-version=2",
                                    (char *)"--option=include-transaction=false",
                                    (char *)"--option=add-tables=public.customer,public.address"};

void stream_start(struct process *process, const struct servers *servers, PGconn *pg, enum source source)
{
    char *const *of_plugin = source == SOURCE_WAL2JSON ? of_wal2json : of_pgoutput;
    char program[POSTGRES_PATH];
    if (!postgres_program("pg_recvlogical", "postgresql-client", program)) {
        fatal("the log cannot be read");
    }
    char *words[] = {program,
                     (char *)"--start",
                     (char *)"--no-loop",
                     (char *)"--file=-",
                     (char *)"--dbname",
                     (char *)servers->dsn,
                     of_plugin[0],
                     of_plugin[1],
                     of_plugin[2],
                     of_plugin[3],
                     NULL};
    process_start(process, words, true);
    set_up_wait_for_reader(pg, true);
}

void stream_interrupt(const struct process *process)
{
    kill(process->pid, SIGINT);
}

void stream_stop(struct process *process)
{
    struct usage usage;
    stream_interrupt(process);
    process_succeed(process, "pg_recvlogical", &usage);
}

int64_t stream_end(PGconn *pg)
{
    return pg_do(pg, "select pg_catalog.pg_current_wal_flush_lsn() operator(pg_catalog.-) '0/0'::pg_catalog.pg_lsn");
}

bool stream_has_sent(PGconn *pg, int64_t end)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "select pg_catalog.count(*) from pg_catalog.pg_stat_replication join pg_catalog.pg_replication_slots"
             " on active_pid operator(pg_catalog.=) pid"
             " where database operator(pg_catalog.=) pg_catalog.current_database()"
             " and sent_lsn operator(pg_catalog.-) '0/0'::pg_catalog.pg_lsn operator(pg_catalog.>=) %" PRId64,
             end);
    return pg_do(pg, sql) > 0;
}
