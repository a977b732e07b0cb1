#include "changes.h"

#include "names.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_ADDRESSES_OF_NEW_CUSTOMER = 3 };
#define MAX_PARAMS (1 + MAX_ADDRESSES_OF_NEW_CUSTOMER)

/* Other sessions cannot be in the way forever: after this many tries something is wrong. */
#define MAX_TRIES 10

/* The row with id $1, or the next one, or the first of all: one or two index lookups. */
#define ROW_AT_1(table, id)                                                                                            \
    "coalesce((select " id " from " table " where " id " operator(pg_catalog.>=) $1::int order by " id " limit 1),"    \
    " (select " id " from " table " order by " id " limit 1))"
#define CUSTOMER_AT_1 ROW_AT_1("customer", "id_customer")
#define ADDRESS_AT_1 ROW_AT_1("address", "id_address")

enum statement {
    ADD_CUSTOMER,
    ADD_ADDRESS,
    RENAME_CUSTOMER,
    REWRITE_ADDRESS,
    MOVE_ADDRESS,
    DELETE_CUSTOMER,
    DELETE_ADDRESS,
    STATEMENTS
};

/*
 * Each is a transaction of its own and returns a customer's and an address's id, either of which
 * may be null, for each row it has changed.
 */
static const struct {
    const char *name;
    int params;
    const char *sql;
} statements[STATEMENTS] = {
    [ADD_CUSTOMER] = {"add_customer", 4,
                      "with c as (insert into customer (name) values ($1) returning id_customer),"
                      " a as (insert into address (description, fk_customer)"
                      "  select description, id_customer"
                      "  from c, (values ($2), ($3), ($4)) as v (description)"
                      "  where description is not null returning id_address)"
                      " select id_customer, (select pg_catalog.max(id_address) from a) from c"},
    [ADD_ADDRESS] = {"add_address", 2,
                     "insert into address (description, fk_customer)"
                     " select $2, id from (select " CUSTOMER_AT_1 " as id) as c"
                     " where id is not null returning null::int, id_address"},
    [RENAME_CUSTOMER] = {"rename_customer", 2,
                         "update customer set name = $2 where id_customer operator(pg_catalog.=) " CUSTOMER_AT_1
                         " returning id_customer, null::int"},
    [REWRITE_ADDRESS] = {"rewrite_address", 2,
                         "update address set description = $2 where id_address operator(pg_catalog.=) " ADDRESS_AT_1
                         " returning null::int, id_address"},
    /* Never to the customer that has it: with one customer only, nothing is found. */
    [MOVE_ADDRESS] = {"move_address", 2,
                      "with a as (select id_address, fk_customer from address"
                      "  where id_address operator(pg_catalog.=) " ADDRESS_AT_1 "),"
                      " t as (select a.id_address, coalesce("
                      "  (select id_customer from customer where id_customer operator(pg_catalog.>=) $2::int"
                      "   and (id_customer operator(pg_catalog.=) a.fk_customer) is not true"
                      "   order by id_customer limit 1),"
                      "  (select id_customer from customer"
                      "   where (id_customer operator(pg_catalog.=) a.fk_customer) is not true"
                      "   order by id_customer limit 1)) as id_customer from a)"
                      " update address set fk_customer = t.id_customer from t"
                      " where address.id_address operator(pg_catalog.=) t.id_address and t.id_customer is not null"
                      " returning t.id_customer, t.id_address"},
    [DELETE_CUSTOMER] = {"delete_customer", 1,
                         "delete from customer where id_customer operator(pg_catalog.=) " CUSTOMER_AT_1
                         " returning id_customer, null::int"},
    [DELETE_ADDRESS] = {"delete_address", 1,
                        "delete from address where id_address operator(pg_catalog.=) " ADDRESS_AT_1
                        " returning null::int, id_address"},
};

struct outcome {
    enum db_status status;
    bool found;
};

void changes_init(struct changes *changes, struct db *db, long seed)
{
    changes->db = db;
    rng_init(&changes->rng, seed, STREAM_CHANGES);
}

static enum db_status read_range(struct db *db, const char *sql, struct id_range *range)
{
    int ids[2] = {1, 1};
    enum db_status status = db_read_ints(db, sql, NULL, ids, 2);
    range->first = ids[0];
    range->last = ids[1];
    return status;
}

enum db_status changes_prepare(struct changes *changes)
{
    struct db *db = changes->db;
    enum db_status status = DB_OK;
    for (int i = 0; status == DB_OK && i < STATEMENTS; i++) {
        PGresult *result = PQprepare(db->conn, statements[i].name, statements[i].sql, 0, NULL);
        status = db_judge(db, result);
        PQclear(result);
    }
    if (status == DB_OK)
        status = read_range(db, "select pg_catalog.min(id_customer), pg_catalog.max(id_customer) from customer",
                            &changes->customers);
    if (status == DB_OK)
        status = read_range(db, "select pg_catalog.min(id_address), pg_catalog.max(id_address) from address",
                            &changes->addresses);
    return status;
}

static int random_id(struct changes *changes, const struct id_range *range)
{
    uint32_t count = (uint32_t)((int64_t)range->last - range->first + 1);
    return range->first + (int)rng_below(&changes->rng, count);
}

static void widen(struct id_range *range, const PGresult *result, int column)
{
    if (!PQgetisnull(result, 0, column)) {
        int id = (int)strtol(PQgetvalue(result, 0, column), NULL, 10);
        if (id > range->last)
            range->last = id;
    }
}

static struct outcome run(struct changes *changes, enum statement statement, const char *const *params)
{
    struct outcome outcome = {DB_CONFLICT, false};
    for (int tries = 0; outcome.status == DB_CONFLICT && tries < MAX_TRIES; tries++) {
        PGresult *result = PQexecPrepared(changes->db->conn, statements[statement].name, statements[statement].params,
                                          params, NULL, NULL, 0);

        outcome.status = db_judge(changes->db, result);
        outcome.found = outcome.status == DB_OK && PQntuples(result) > 0;
        if (outcome.found) {
            widen(&changes->customers, result, 0);
            widen(&changes->addresses, result, 1);
        }
        PQclear(result);
    }
    return outcome;
}

static struct outcome add_customer(struct changes *changes)
{
    struct text texts[MAX_PARAMS];
    const char *params[MAX_PARAMS] = {NULL};
    uint32_t addresses = rng_below(&changes->rng, MAX_ADDRESSES_OF_NEW_CUSTOMER + 1);
    params[0] = names_person(&changes->rng, &texts[0]);
    for (uint32_t i = 1; i <= addresses; i++)
        params[i] = names_address(&changes->rng, &texts[i]);
    return run(changes, ADD_CUSTOMER, params);
}

/* The statements on a row that exists: its id, perhaps with a text or another row's id. */
static struct outcome change_row(struct changes *changes, enum statement statement)
{
    bool is_customer = statement == RENAME_CUSTOMER || statement == DELETE_CUSTOMER || statement == ADD_ADDRESS;
    char id[16];
    struct text text;
    const char *params[2] = {id, NULL};
    snprintf(id, sizeof(id), "%d", random_id(changes, is_customer ? &changes->customers : &changes->addresses));
    if (statement == RENAME_CUSTOMER) {
        params[1] = names_person(&changes->rng, &text);
    } else if (statement == MOVE_ADDRESS) {
        snprintf(text.bytes, sizeof(text.bytes), "%d", random_id(changes, &changes->customers));
        params[1] = text.bytes;
    } else if (statements[statement].params == 2) {
        params[1] = names_address(&changes->rng, &text);
    }
    return run(changes, statement, params);
}

static enum statement choose_statement(struct changes *changes, enum change change)
{
    bool customer = rng_below(&changes->rng, 2) == 0;
    switch (change) {
    case CHANGE_UPDATE:
        return customer ? RENAME_CUSTOMER : REWRITE_ADDRESS;
    case CHANGE_MOVE:
        return MOVE_ADDRESS;
    case CHANGE_DELETE:
        return customer ? DELETE_CUSTOMER : DELETE_ADDRESS;
    default:
        return customer ? ADD_CUSTOMER : ADD_ADDRESS;
    }
}

enum db_status changes_apply(struct changes *changes, enum change *change)
{
    enum statement statement = choose_statement(changes, *change);
    struct outcome outcome;
    if (statement != ADD_CUSTOMER) {
        outcome = change_row(changes, statement);
        if (outcome.status != DB_OK || outcome.found)
            return outcome.status;
    }
    *change = CHANGE_INSERT;
    return add_customer(changes).status;
}
