#include "latency/background.h"

#include "fatal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { READERS = 2, WRITERS = 2 };

static const char read_sql[] = "select customer_get($1)";
static const char write_sql[] =
    "update customer set touched_at = pg_catalog.now()"
    " where id_customer operator(pg_catalog.>=) $1 and id_customer operator(pg_catalog.<=) $2";

/* splitmix64: which customers are busy is the same in every run. */
static uint64_t scatter(uint64_t number)
{
    number = (number + 1) * 0x9E3779B97F4A7C15u;
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9u;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EBu;
    return number ^ (number >> 31);
}

static void execute(PGconn *pg, const char *const *parameters, int count)
{
    PGresult *result = PQexecPrepared(pg, "background", count, parameters, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        fatal("background: %s", PQerrorMessage(pg));
    }
    PQclear(result);
}

static void read_customer(void *context, void *connection, uint64_t number)
{
    const struct background *background = context;
    const struct watched *watched = background->watched;
    char id[24];
    const char *parameters[] = {id};
    snprintf(id, sizeof id, "%" PRId64, watched->ids[scatter(number) % watched->count]);
    execute(connection, parameters, 1);
}

/* The customers behind a watched one; the next watched one is BACKGROUND_SPACING ids away at least. */
static void write_customers(void *context, void *connection, uint64_t number)
{
    const struct background *background = context;
    const struct watched *watched = background->watched;
    int64_t before = watched->ids[scatter(~number) % watched->count];
    char first[24];
    char last[24];
    const char *parameters[] = {first, last};
    snprintf(first, sizeof first, "%" PRId64, before + 1);
    snprintf(last, sizeof last, "%" PRId64, before + BACKGROUND_ROWS);
    execute(connection, parameters, 2);
}

static void start(struct paced *paced, const struct servers *servers, bool commits_wait, const char *sql)
{
    for (unsigned i = 0; i < paced->threads; i++) {
        PGconn *pg = servers_postgres(servers);
        pg_do(pg, commits_wait ? "set synchronous_commit = on" : "set synchronous_commit = off");
        PGresult *result = PQprepare(pg, "background", sql, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fatal("background: %s", PQerrorMessage(pg));
        }
        PQclear(result);
        paced->of[i].connection = pg;
    }
    paced_start(paced);
}

static void join(struct paced *paced)
{
    paced_join(paced);
    for (unsigned i = 0; i < paced->threads; i++) {
        PQfinish(paced->of[i].connection);
    }
}

void background_start(struct background *background, const struct servers *servers, const struct watched *watched,
                      bool commits_wait, double start_s, double duration_s)
{
    *background =
        (struct background){.watched = watched,
                            .reads = {.rate = BACKGROUND_READS, .threads = READERS, .call = read_customer},
                            .writes = {.rate = BACKGROUND_TRANSACTIONS, .threads = WRITERS, .call = write_customers}};
    struct paced *both[] = {&background->reads, &background->writes};
    for (int i = 0; i < 2; i++) {
        both[i]->calls = (uint64_t)(both[i]->rate * duration_s);
        both[i]->gives_up = true;
        both[i]->context = background;
        both[i]->start_s = start_s;
        start(both[i], servers, commits_wait, i == 0 ? read_sql : write_sql);
    }
}

double background_join(struct background *background)
{
    join(&background->reads);
    join(&background->writes);
    uint64_t planned = background->reads.calls + background->writes.calls;
    uint64_t made = paced_made(&background->reads) + paced_made(&background->writes);
    return planned > 0 ? (double)made / (double)planned : 1;
}
