#include "verdict.h"

#include "shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 100, ANSWER_MS = 10000 };

static const char prefix[] = "customer:";
static const char marker[] = "cachepusher:marker:";

/* Rows: id, document. */
static PGresult *read_postgres(struct world *world)
{
    PGresult *rows =
        cluster_query(&world->cluster, "select id_customer, customer_get(id_customer) from customer order by 1");
    PGresult *versions = cluster_query(&world->cluster, "select id, version from chaos_version");
    for (int row = 0; row < PQntuples(versions); row++) {
        int id = atoi(PQgetvalue(versions, row, 0));
        uint64_t version = strtoull(PQgetvalue(versions, row, 1), NULL, 10);
        if (version < history_last(world->history, id)) {
            die("customer %d: Postgres has lost version %" PRIu64, id, history_last(world->history, id));
        }
    }
    PQclear(versions);
    return rows;
}

static int find_row(const PGresult *rows, const char *id)
{
    int low = 0;
    int high = PQntuples(rows);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (atoi(PQgetvalue(rows, middle, 0)) < atoi(id)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < PQntuples(rows) && strcmp(PQgetvalue(rows, low, 0), id) == 0 ? low : -1;
}

/* What a view is to hold: rows with an id and a document, and rows with a key and a document. */
struct expected {
    PGresult *customers;
    PGresult *declared; /* NULL: none */
};

static bool is_declared(const PGresult *rows, const char *key)
{
    int low = 0;
    int high = PQntuples(rows);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(PQgetvalue(rows, middle, 0), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < PQntuples(rows) && strcmp(PQgetvalue(rows, low, 0), key) == 0;
}

static bool is_expected(const struct expected *expected, const char *key)
{
    return strncmp(key, marker, sizeof marker - 1) == 0 ||
           (strncmp(key, prefix, sizeof prefix - 1) == 0 &&
            find_row(expected->customers, key + sizeof prefix - 1) >= 0) ||
           is_declared(expected->declared, key);
}

static bool has_no_other_key(redisContext *redis, const struct expected *expected, const char *name, char *why,
                             size_t size)
{
    char cursor[32] = "0";
    bool fine = true;
    do {
        redisReply *reply = redisCommand(redis, "SCAN %s COUNT 1000", cursor);
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
            snprintf(why, size, "SCAN: %s", reply != NULL && reply->str != NULL ? reply->str : redis->errstr);
            freeReplyObject(reply);
            return false;
        }
        snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        for (size_t i = 0; i < reply->element[1]->elements && fine; i++) {
            const char *key = reply->element[1]->element[i]->str;
            fine = is_expected(expected, key);
            if (!fine) {
                snprintf(why, size, "%s is left in %s", key, name);
            }
        }
        freeReplyObject(reply);
    } while (fine && strcmp(cursor, "0") != 0);
    return fine;
}

/* Of the rows from one to another, the first column of which is a key once `before` stands in front of it. */
static bool has_some(redisContext *redis, const PGresult *rows, const char *before, int from, int to, const char *name,
                     char *why, size_t size)
{
    bool fine = true;
    for (int row = from; row < to; row++) {
        redisAppendCommand(redis, "GET %s%s", before, PQgetvalue(rows, row, 0));
    }
    for (int row = from; row < to; row++) {
        void *answer = NULL;
        if (redisGetReply(redis, &answer) != REDIS_OK) {
            snprintf(why, size, "GET: %s", redis->errstr);
            return false;
        }
        const redisReply *reply = answer;
        bool equal = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, PQgetvalue(rows, row, 1)) == 0;
        if (fine && !equal) {
            const char *stored = reply->str != NULL ? reply->str : "(nothing)";
            size_t length = strlen(stored);
            const char *end = strrchr(PQgetvalue(rows, row, 1), ',');
            snprintf(why, size, "%s%s: %s has …%.60s, Postgres %.100s …%s", before, PQgetvalue(rows, row, 0), name,
                     stored + (length > 60 ? length - 60 : 0), PQgetvalue(rows, row, 1), end != NULL ? end : "");
            fine = false;
        }
        freeReplyObject(answer);
    }
    return fine;
}

static bool has_documents(redisContext *redis, const PGresult *rows, const char *before, const char *name, char *why,
                          size_t size)
{
    bool equal = true;
    for (int from = 0; from < PQntuples(rows) && equal; from += AT_ONCE) {
        int to = from + AT_ONCE < PQntuples(rows) ? from + AT_ONCE : PQntuples(rows);
        equal = has_some(redis, rows, before, from, to, name, why, size);
    }
    return equal;
}

static bool view_is_equal(const struct view *view, const struct expected *expected, char *why, size_t size)
{
    redisContext *redis = cache_connect(cache_primary(view->cache), ANSWER_MS);
    if (redis == NULL) {
        snprintf(why, size, "cannot connect to %s", view->name);
        return false;
    }
    bool equal = has_no_other_key(redis, expected, view->name, why, size) &&
                 has_documents(redis, expected->customers, prefix, view->name, why, size) &&
                 has_documents(redis, expected->declared, "", view->name, why, size);
    redisFree(redis);
    return equal;
}

bool verdict_is_equal(struct world *world, char *why, size_t size)
{
    struct expected expected = {.customers = read_postgres(world), .declared = shape_read(world)};
    bool equal = true;
    for (int i = 0; i < world->view_count && equal; i++) {
        const struct view *view = &world->views[i];
        equal = (view->host != NULL && !daemon_is_there(view->host)) || view_is_equal(view, &expected, why, size);
    }
    PQclear(expected.customers);
    PQclear(expected.declared);
    return equal;
}
