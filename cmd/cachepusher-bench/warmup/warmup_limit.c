#include "warmup/warmup_limit.h"

#include "config/config.h"
#include "fatal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { INT8_OID = 20, INT8_ARRAY_OID = 1016, ARRAY_HEADER = 5 * 4, ARRAY_ITEM = 4 + 8 };

/* The statements that lib/postgres/fetch.c prepares for integer ids: their limit is measured. */
static const char *const statements[FUNCTIONS] = {
    [CUSTOMER_GET] = "select u.id::bigint, customer_get(u.id) from pg_catalog.unnest($1::bigint[]::integer[]) as u(id)",
    [CUSTOMER_GET_MANY] = "select f.id::bigint, f.document from customer_get_many($1::bigint[]::integer[])"
                          " as f(id, document) where f.id is not null",
};

/* Of one thread: its ids, and how many documents came. */
struct share {
    const struct servers *servers;
    const char *statement;
    const int64_t *ids;
    size_t count;
    size_t batch;
    size_t documents;
    pthread_t thread;
};

static void put_u32(char *at, uint32_t value)
{
    uint32_t network = htonl(value);
    memcpy(at, &network, sizeof network);
}

/* The binary format of an array: dimensions, nulls, type, length, lower bound; then each length and value. */
static int put_array(char *array, const int64_t *ids, size_t count)
{
    const uint32_t header[] = {1, 0, INT8_OID, (uint32_t)count, 1};
    for (size_t i = 0; i < 5; i++) {
        put_u32(array + 4 * i, header[i]);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t network = htobe64((uint64_t)ids[i]);
        char *item = array + ARRAY_HEADER + i * ARRAY_ITEM;
        put_u32(item, sizeof network);
        memcpy(item + 4, &network, sizeof network);
    }
    return (int)(ARRAY_HEADER + count * ARRAY_ITEM);
}

static void *fetch_share(void *context)
{
    struct share *share = context;
    PGconn *pg = servers_postgres(share->servers);
    char *array = malloc(ARRAY_HEADER + share->batch * ARRAY_ITEM);
    if (array == NULL) {
        fatal("out of memory");
    }
    const Oid type = INT8_ARRAY_OID;
    PGresult *prepared = PQprepare(pg, "fetch", share->statement, 1, &type);
    if (PQresultStatus(prepared) != PGRES_COMMAND_OK) {
        fatal("Postgres: %s", PQerrorMessage(pg));
    }
    PQclear(prepared);
    for (size_t at = 0; at < share->count; at += share->batch) {
        size_t left = share->count - at;
        int length = put_array(array, share->ids + at, left < share->batch ? left : share->batch);
        const char *value = array;
        const int binary = 1;
        PGresult *documents = PQexecPrepared(pg, "fetch", 1, &value, &length, &binary, binary);
        if (PQresultStatus(documents) != PGRES_TUPLES_OK) {
            fatal("Postgres: %s", PQerrorMessage(pg));
        }
        share->documents += (size_t)PQntuples(documents);
        PQclear(documents);
    }
    free(array);
    PQfinish(pg);
    return NULL;
}

/* Documents per fetch: the library's default. */
static size_t library_batch(void)
{
    cp_error err;
    cp_config *config = cp_config_create(&err);
    if (config == NULL) {
        fatal("%s", err.message);
    }
    size_t batch = config->batch;
    cp_config_destroy(config);
    return batch;
}

void limit_run(const struct field *field, enum function function, long threads)
{
    size_t count = (size_t)threads;
    struct share *shares = calloc(count, sizeof *shares);
    if (shares == NULL) {
        fatal("out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        size_t first = field->customers * i / count;
        shares[i] = (struct share){.servers = field->servers,
                                   .statement = statements[function],
                                   .ids = field->ids + first,
                                   .count = field->customers * (i + 1) / count - first,
                                   .batch = library_batch()};
        int failed = pthread_create(&shares[i].thread, NULL, fetch_share, &shares[i]);
        if (failed != 0) {
            fatal("cannot start a thread: %s", strerror(failed));
        }
    }
    size_t documents = 0;
    for (size_t i = 0; i < count; i++) {
        pthread_join(shares[i].thread, NULL);
        documents += shares[i].documents;
    }
    free(shares);
    if (documents != field->customers) {
        fatal("%s: %zu documents for %zu customers", function_name(function), documents, field->customers);
    }
}
