#include "transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST = 4, PATIENCE_MS = 20000, ARRAY_BYTES = 8 * TRANSACTION_IDS, ROWS_BYTES = 64 * TRANSACTION_IDS };

/* An attempt to make one. */
struct attempt {
    struct world *world;
    struct transaction *transaction;
    uint64_t *random;
    PGconn *connection;
    char array[ARRAY_BYTES]; /* of its ids */
    char version[24];
};

/* ---- statements ---- */

static PGresult *query(struct attempt *attempt, const char *statement, int count, const char *const *values)
{
    PGresult *result = PQexecParams(attempt->connection, statement, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        return result;
    }
    PQclear(result);
    return NULL;
}

static bool execute(struct attempt *attempt, const char *statement, int count, const char *const *values)
{
    PGresult *result = query(attempt, statement, count, values);
    PQclear(result);
    return result != NULL;
}

static void choose_ids(struct attempt *attempt)
{
    struct transaction *transaction = attempt->transaction;
    int count = FEWEST + (int)roll(attempt->random, TRANSACTION_IDS - FEWEST + 1);
    int id = 1 + (int)roll(attempt->random, CUSTOMERS);
    size_t length = (size_t)snprintf(attempt->array, sizeof attempt->array, "{");
    for (transaction->count = 0; transaction->count < count; transaction->count++) {
        transaction->ids[transaction->count] = id;
        transaction->stays[transaction->count] = true;
        length += (size_t)snprintf(attempt->array + length, sizeof attempt->array - length, "%s%d",
                                   transaction->count > 0 ? "," : "", id);
        id = id % CUSTOMERS + 1;
    }
    snprintf(attempt->array + length, sizeof attempt->array - length, "}");
}

/* From here on no writer changes these. */
static bool begin(struct attempt *attempt)
{
    choose_ids(attempt);
    bool began = execute(attempt, "begin", 0, NULL) &&
                 execute(attempt, "select from chaos_version where id = any ($1::int[]) order by id for update", 1,
                         (const char *const[]){attempt->array});
    attempt->transaction->version = history_draw(attempt->world->history);
    FORMAT(attempt->version, "%" PRIu64, attempt->transaction->version);
    return began;
}

static void intend(const struct attempt *attempt)
{
    const struct transaction *transaction = attempt->transaction;
    for (int i = 0; i < transaction->count; i++) {
        history_intend(attempt->world->history, transaction->ids[i], transaction->version, transaction->stays[i]);
    }
}

static void settle(struct world *world, const struct transaction *transaction, bool committed)
{
    for (int i = 0; i < transaction->count; i++) {
        (committed ? history_committed : history_rolled_back)(world->history, transaction->ids[i],
                                                              transaction->version);
    }
}

/* Until it has been made: servers may be on their way back, and writers be met. */
static void make(struct attempt *attempt, bool (*attempt_once)(void *context))
{
    if (!wait_until(attempt_once, attempt, PATIENCE_MS)) {
        die("a transaction cannot be made within %d s", PATIENCE_MS / 1000);
    }
}

static bool connect_anew(struct attempt *attempt)
{
    attempt->connection = cluster_connect(&attempt->world->cluster);
    return attempt->connection != NULL;
}

/* ---- COPY ---- */

static bool copy_rows(struct attempt *attempt, const char *statement, const char *rows)
{
    PGresult *result = PQexec(attempt->connection, statement);
    bool fine = PQresultStatus(result) == PGRES_COPY_IN;
    PQclear(result);
    fine = fine && PQputCopyData(attempt->connection, rows, (int)strlen(rows)) == 1 &&
           PQputCopyEnd(attempt->connection, NULL) == 1;
    while ((result = PQgetResult(attempt->connection)) != NULL) {
        fine = fine && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return fine;
}

static bool copy_all(struct attempt *attempt)
{
    char customers[ROWS_BYTES] = "";
    char addresses[ROWS_BYTES] = "";
    PGresult *result = query(attempt,
                             "select id, exists (select from customer where id_customer = id) from unnest($1::int[])"
                             " as id",
                             1, (const char *const[]){attempt->array});
    for (int row = 0; row < PQntuples(result); row++) {
        bool exists = PQgetvalue(result, row, 1)[0] == 't';
        char *rows = exists ? addresses : customers;
        size_t length = strlen(rows);
        snprintf(rows + length, ROWS_BYTES - length, "%s\tcopied %s\n", PQgetvalue(result, row, 0), attempt->version);
    }
    PQclear(result);
    return result != NULL && copy_rows(attempt, "copy customer (id_customer, name) from stdin", customers) &&
           copy_rows(attempt, "copy address (fk_customer, description) from stdin", addresses) &&
           execute(attempt, "update chaos_version set version = $1 where id = any ($2::int[])", 2,
                   (const char *const[]){attempt->version, attempt->array});
}

/* Made, or not; what nobody knows is left at that, and another one is made. */
static bool copy_once(void *context)
{
    struct attempt *attempt = context;
    if (!connect_anew(attempt)) {
        return false;
    }
    bool fine =
        execute(attempt, "set session_replication_role = replica", 0, NULL) && begin(attempt) && copy_all(attempt);
    if (fine) {
        intend(attempt);
        fine = execute(attempt, "commit", 0, NULL);
        if (fine || PQstatus(attempt->connection) == CONNECTION_OK) {
            settle(attempt->world, attempt->transaction, fine);
        }
    }
    PQfinish(attempt->connection);
    return fine;
}

void transaction_copy(struct world *world, uint64_t *random)
{
    struct transaction transaction;
    struct attempt attempt = {.world = world, .transaction = &transaction, .random = random};
    make(&attempt, copy_once);
}

/* ---- prepared ---- */

static bool change(struct attempt *attempt)
{
    static const char *const operations[] = {"rename", "insert", "delete", "replace", "add"};
    struct transaction *transaction = attempt->transaction;
    const char *operation = operations[roll(attempt->random, sizeof operations / sizeof *operations)];
    PGresult *result = query(attempt, "select * from chaos_write($1, $2, $3, 'prepared')", 3,
                             (const char *const[]){attempt->version, operation, attempt->array});
    transaction->count = result != NULL ? PQntuples(result) : 0;
    for (int row = 0; row < transaction->count; row++) {
        transaction->ids[row] = atoi(PQgetvalue(result, row, 0));
        transaction->stays[row] = PQgetvalue(result, row, 1)[0] == 't';
    }
    PQclear(result);
    return transaction->count > 0;
}

static bool is_prepared(const struct world *world, const struct transaction *transaction)
{
    char statement[128];
    FORMAT(statement, "select from pg_prepared_xacts where gid = '%s'", transaction->name);
    PGresult *result = cluster_query(&world->cluster, statement);
    bool is = PQntuples(result) > 0;
    PQclear(result);
    return is;
}

static bool prepare_once(void *context)
{
    struct attempt *attempt = context;
    if (!connect_anew(attempt)) {
        return false;
    }
    bool fine = begin(attempt) && change(attempt);
    if (fine) {
        char statement[128];
        FORMAT(attempt->transaction->name, "chaos %s", attempt->version);
        FORMAT(statement, "prepare transaction '%s'", attempt->transaction->name);
        intend(attempt);
        fine = execute(attempt, statement, 0, NULL) || is_prepared(attempt->world, attempt->transaction);
        if (!fine) {
            settle(attempt->world, attempt->transaction, false);
        }
    }
    PQfinish(attempt->connection);
    return fine;
}

void transaction_prepare(struct world *world, uint64_t *random, struct transaction *transaction)
{
    struct attempt attempt = {.world = world, .transaction = transaction, .random = random};
    make(&attempt, prepare_once);
}

struct ending {
    struct world *world;
    const struct transaction *transaction;
    bool commits;
};

/* Only here, so that one that is gone has been ended by the statement that was not answered. */
static bool end_once(void *context)
{
    const struct ending *ending = context;
    char statement[128];
    FORMAT(statement, "%s prepared '%s'", ending->commits ? "commit" : "rollback", ending->transaction->name);
    PGconn *connection = cluster_connect(&ending->world->cluster);
    PQclear(connection != NULL ? PQexec(connection, statement) : NULL);
    PQfinish(connection);
    return !is_prepared(ending->world, ending->transaction);
}

void transaction_end(struct world *world, struct transaction *transaction, bool commits)
{
    struct ending ending = {.world = world, .transaction = transaction, .commits = commits};
    if (!wait_until(end_once, &ending, PATIENCE_MS)) {
        die("transaction %s cannot be ended", transaction->name);
    }
    settle(world, transaction, commits);
}
