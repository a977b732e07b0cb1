#include "source_cost/source_writes.h"

#include "commands.h"
#include "fatal.h"
#include "servers/memory_file.h"
#include "servers/postgres_files.h"
#include "servers/process.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char pgbench[POSTGRES_PATH];

bool source_cost_is_possible(const struct options *options)
{
    char pg_recvlogical[POSTGRES_PATH];
    bool streams = options->sources[SOURCE_MESSAGES] || options->sources[SOURCE_TABLES];
    return postgres_program("pgbench", "postgresql", pgbench) && sources_are_possible(options->sources) &&
           (!streams || postgres_program("pg_recvlogical", "postgresql-client", pg_recvlogical));
}

void writes_begin(PGconn *pg)
{
    pg_do(pg, "vacuum (full, analyze) customer");
}

double updates_run(const struct servers *servers, PGconn *pg, long clients, double duration_s)
{
    char script[256];
    snprintf(script, sizeof script,
             "\\set id random(%lld, %lld)\n\\set word random(1, 1000000000)\n"
             "update customer set name = 'customer ' operator(pg_catalog.||) :word where id_customer "
             "operator(pg_catalog.=) :id;\n",
             (long long)pg_do(pg, "select pg_catalog.min(id_customer) from customer"),
             (long long)pg_do(pg, "select greatest(pg_catalog.max(id_customer) operator(pg_catalog.-) 1,"
                                  " pg_catalog.min(id_customer)) from customer"));
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
