#include "fatal.h"
#include "servers/embedded.h"
#include "servers/process.h"
#include "servers/servers.h"

#include <stdio.h>

void servers_load(struct servers *servers, long customers)
{
    progress("loading %ld customers", customers);
    PGconn *pg = servers_postgres(servers);
    pg_do(pg, "drop schema if exists cachepusher cascade; drop schema public cascade; create schema public");
    pg_do(pg, embedded_cachepusher_sql);
    pg_do(pg, embedded_schema_sql);
    pg_do(pg, "alter table customer set (autovacuum_enabled = off);"
              "alter table address set (autovacuum_enabled = off);"
              "alter table customer disable trigger user; alter table address disable trigger user");

    char count[32];
    snprintf(count, sizeof count, "%ld", customers);
    char *words[] = {"cachepusher-fakedata", "--customers", count, "--quiet", "--dsn", servers->dsn, NULL};
    struct process process;
    struct usage usage;
    process_start(&process, words, true);
    process_succeed(&process, words[0], &usage);

    pg_do(pg, "alter table customer enable trigger user; alter table address enable trigger user");
    pg_do(pg, "vacuum (analyze) customer, address");
    PQfinish(pg);
    progress_clear();
}
