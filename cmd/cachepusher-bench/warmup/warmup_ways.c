#include "warmup/warmup_ways.h"

#include "commands.h"
#include "fatal.h"
#include "redis/redis_address.h"
#include "servers/memory_file.h"
#include "servers/process.h"
#include "warmup/warmup_limit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { QUIET_DEADLINE_S = 60 };

const char *function_name(enum function function)
{
    return function == CUSTOMER_GET ? "customer_get" : "customer_get_many";
}

/* ---- the field ---- */

void field_init(struct field *field, struct servers *servers, long customers)
{
    servers_load(servers, customers);
    *field = (struct field){.servers = servers,
                            .postgres = servers_postgres(servers),
                            .redis = servers_redis(servers),
                            .ids = calloc((size_t)customers, sizeof *field->ids)};
    PGresult *ids = PQexec(field->postgres, "select id_customer from customer order by 1");
    if (field->ids == NULL || PQntuples(ids) != customers) {
        fatal("listing %ld customers: %s", customers, PQerrorMessage(field->postgres));
    }
    field->customers = (size_t)customers;
    for (int row = 0; row < PQntuples(ids); row++) {
        field->ids[row] = strtoll(PQgetvalue(ids, row, 0), NULL, 10);
    }
    PQclear(ids);
}

void field_fini(struct field *field)
{
    redis_do(field->redis, "FLUSHDB");
    free(field->ids);
    PQfinish(field->postgres);
    redisFree(field->redis);
    *field = (struct field){0};
}

/* ---- what the servers have used ---- */

struct usage_before {
    double postgres_s;
    double redis_s;
};

/* The CPU time of a backend that ends moves to the postmaster; it must not be read meanwhile. */
static void wait_for_quiet(struct field *field)
{
    double deadline_s = clock_s() + (double)QUIET_DEADLINE_S;
    while (pg_do(field->postgres, "select pg_catalog.count(*) from pg_catalog.pg_stat_activity"
                                  " where datname operator(pg_catalog.=) pg_catalog.current_database()"
                                  " and pid operator(pg_catalog.<>) pg_catalog.pg_backend_pid()"
                                  " and backend_type operator(pg_catalog.=) 'client backend'") > 0) {
        if (clock_s() > deadline_s) {
            fatal("somebody else is connected to the database of this run");
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static struct usage_before begin(struct field *field)
{
    redis_do(field->redis, "FLUSHDB");
    wait_for_quiet(field);
    /* So that none comes in between. A given Postgres may refuse it, and then has its own timing. */
    PQclear(PQexec(field->postgres, "checkpoint"));
    return (struct usage_before){.postgres_s = process_tree_cpu_s(field->servers->postmaster),
                                 .redis_s = process_tree_cpu_s(field->servers->redis_server)};
}

static void end(struct field *field, const struct usage_before *before, double elapsed_s, double client_cpu_s,
                struct cost *cost)
{
    wait_for_quiet(field);
    double count = (double)field->customers;
    double postgres_s = process_tree_cpu_s(field->servers->postmaster) - before->postgres_s;
    double redis_s = process_tree_cpu_s(field->servers->redis_server) - before->redis_s;
    *cost = (struct cost){.documents_s = count / elapsed_s,
                          .client_us = client_cpu_s / count * 1e6,
                          .postgres_us = field->servers->postmaster == 0 ? NAN : postgres_s / count * 1e6,
                          .redis_us = field->servers->redis_server == 0 ? NAN : redis_s / count * 1e6,
                          .peak_mib = NAN};
}

static void check_filled(struct field *field, const char *by)
{
    int64_t keys = redis_do(field->redis, "DBSIZE");
    if (keys < (int64_t)field->customers) {
        fatal("%s: Redis holds %lld keys for %zu customers", by, (long long)keys, field->customers);
    }
}

/* ---- by hand ---- */

/* Concatenated, which is faster than format(); psql ends each line with the newline that is missing. Without "offset 0"
 * Postgres merges the two selects and calls customer_get() twice for each row, once for the length. */
#define BY_HAND_SQL                                                                                                    \
    "select e'*3\\r\\n$3\\r\\nSET\\r\\n$' || octet_length(key) || e'\\r\\n' || key || e'\\r\\n$'"                      \
    " || octet_length(document) || e'\\r\\n' || document || e'\\r'"                                                    \
    " from (select 'customer:' || id_customer as key, customer_get(id_customer)::text as document from customer"

static char by_hand_plain[] = BY_HAND_SQL ") as filled";
static char by_hand_tuned[] = BY_HAND_SQL " offset 0) as filled";

/* Neither outlives bash: psql has the whole result in memory and could fill a Redis that has been given back. */
static char by_hand_script[] = "set -o pipefail; mortal='setpriv --pdeathsig KILL --';"
                               " $mortal psql -XAtd \"$1\" -c \"$2\" | $mortal redis-cli \"${@:3}\" --pipe";

bool warmup_is_possible(const struct options *options)
{
    (void)options;
    return process_is_installed("psql", "postgresql-client") && process_is_installed("redis-cli", "redis-tools");
}

enum { WORDS = 24 };

void fill_by_hand(struct field *field, enum hand hand, struct cost *cost)
{
    struct cpi_redis_address address = {0};
    cp_error err;
    if (cpi_redis_address_parse(&address, field->servers->redis, &err) != CP_OK) {
        fatal("%s", err.message);
    }
    char dsn[sizeof field->servers->dsn];
    char port[16];
    char database[16];
    strcpy(dsn, field->servers->dsn);
    snprintf(port, sizeof port, "%d", address.port);
    snprintf(database, sizeof database, "%d", address.database);
    char *words[WORDS] = {"bash",    "-c",    by_hand_script,
                          "by-hand", dsn,     hand == HAND_PLAIN ? by_hand_plain : by_hand_tuned,
                          "-n",      database};
    size_t count = 8;
    words[count++] = address.path != NULL ? "-s" : "-h";
    words[count++] = address.path != NULL ? address.path : address.host;
    if (address.path == NULL) {
        words[count++] = "-p";
        words[count++] = port;
    }
    if (address.user != NULL) {
        words[count++] = "--user";
        words[count++] = address.user;
    }
    if (address.password != NULL) {
        words[count++] = "--no-auth-warning";
        words[count++] = "-a";
        words[count++] = address.password;
    }

    struct usage_before before = begin(field);
    struct process process;
    struct usage usage;
    process_start(&process, words, true);
    process_succeed(&process, "psql | redis-cli --pipe", &usage);
    end(field, &before, usage.elapsed_s, usage.cpu_s, cost);
    check_filled(field, "psql | redis-cli --pipe");
    cpi_redis_address_fini(&address);
}

/* ---- cachepusher ---- */

/* Without a file cachepusher would use its default function for the same customers. */
static void create_config(struct memory_file *file, enum function function)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"entities\": [{\"name\": \"customer\", \"key\": \"customer:{id}\", \"id_type\": \"integer\","
             " \"channels\": [\"customer_updated\", \"customer_deleted\"], \"%s\": \"%s\","
             " \"list\": \"select id_customer from customer\"}]}",
             function == CUSTOMER_GET ? "fetch" : "fetch_many", function_name(function));
    memory_file_create(file, text);
}

void fill_with_cachepusher(struct field *field, enum function function, long threads, struct cost *cost)
{
    struct memory_file config;
    create_config(&config, function);
    char count[16];
    char dsn[sizeof field->servers->dsn];
    char redis[sizeof field->servers->redis];
    snprintf(count, sizeof count, "%ld", threads);
    strcpy(dsn, field->servers->dsn);
    strcpy(redis, field->servers->redis);
    char *words[] = {"cachepusher", "warmup", "-t",      count, "--config", config.path,
                     "--dsn",       dsn,      "--redis", redis, NULL};

    struct usage_before before = begin(field);
    struct process process;
    struct usage usage;
    process_start(&process, words, true);
    process_succeed(&process, "cachepusher warmup", &usage);
    end(field, &before, usage.elapsed_s, usage.cpu_s, cost);
    cost->peak_mib = usage.peak_mib;
    check_filled(field, "cachepusher warmup");
    memory_file_close(&config);
}

/* ---- the limit ---- */

static double own_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void fetch_only(struct field *field, enum function function, long threads, struct cost *cost)
{
    struct usage_before before = begin(field);
    double client_s = own_cpu_s();
    double start_s = clock_s();
    limit_run(field, function, threads);
    end(field, &before, clock_s() - start_s, own_cpu_s() - client_s, cost);
}
