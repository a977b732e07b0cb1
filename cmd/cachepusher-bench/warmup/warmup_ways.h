/* The three ways to fill Redis that `warmup` compares, and what each costs. */
#ifndef BENCH_WARMUP_WAYS_H
#define BENCH_WARMUP_WAYS_H

#include "servers/servers.h"

#include <stdint.h>

enum function { CUSTOMER_GET, CUSTOMER_GET_MANY, FUNCTIONS };

/* By hand: as in tutorials, and tuned by someone who knows Postgres. */
enum hand { HAND_PLAIN, HAND_TUNED, HANDS };

/* "customer_get" */
const char *function_name(enum function function);

/* What they work on: a number of loaded customers, and how the servers are observed. */
struct field {
    const struct servers *servers;
    PGconn *postgres;
    redisContext *redis;
    int64_t *ids;
    size_t customers;
};

/* Loads the customers. */
void field_init(struct field *field, struct servers *servers, long customers);
void field_fini(struct field *field);

struct cost {
    double documents_s;
    double client_us; /* CPU per document: of psql and redis-cli, this program, or cachepusher */
    double postgres_us;
    double redis_us;
    double peak_mib; /* resident memory of cachepusher */
};

/* Each empties Redis, waits for the servers to be quiet, measures, and ends the program on failure. */
void fill_by_hand(struct field *field, enum hand hand, struct cost *cost);
void fill_with_cachepusher(struct field *field, enum function function, long threads, struct cost *cost);

/* What Postgres can deliver: as many connections as cachepusher has fetch the documents and throw them away. */
void fetch_only(struct field *field, enum function function, long threads, struct cost *cost);

#endif
