#include "db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A server that drops our packets must not hold the program for libpq's two minutes. */
#define CONNECT_TIMEOUT_S "10"

static bool is_uri(const char *dsn)
{
    return strncmp(dsn, "postgresql://", 13) == 0 || strncmp(dsn, "postgres://", 11) == 0;
}

/*
 * With an unescaped '@' or '/' in its password, libpq reads the rest of the password as a host, a
 * port or a database, and names it when that fails.
 */
static bool uri_is_ambiguous(const char *uri)
{
    const char *rest = strstr(uri, "://") + 3;
    const char *at = strchr(rest, '@');
    if (!at)
        return false;
    return strchr(at + 1, '@') || memchr(rest, '/', (size_t)(at - rest));
}

bool db_dsn_is_valid(const char *dsn)
{
    PQconninfoOption *parsed = PQconninfoParse(dsn, NULL);

    if (!parsed)
        return false;
    PQconninfoFree(parsed);
    return !is_uri(dsn) || !uri_is_ambiguous(dsn);
}

void db_init(struct db *db, const char *dsn)
{
    memset(db, 0, sizeof(*db));
    db->dsn = dsn;
}

void db_fini(struct db *db)
{
    PQfinish(db->conn);
    memset(db, 0, sizeof(*db));
}

/* libpq's messages have several lines: the first has the error, the others advice. */
static void set_error(struct db *db, const char *text)
{
    snprintf(db->error, sizeof(db->error), "%.*s", (int)strcspn(text, "\n"), text);
}

enum db_status db_connect(struct db *db)
{
    /* A later entry overrides an earlier one, and one inside the string given as dbname. */
    const char *const names[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
    const char *const values[] = {"cachepusher-fakedata", db->dsn, "UTF8", NULL};

    /* A default, which the connection string and the user's environment override. */
    setenv("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT_S, 0);
    PQfinish(db->conn);
    db->conn = PQconnectdbParams(names, values, 1);
    if (PQstatus(db->conn) == CONNECTION_OK)
        return DB_OK;
    set_error(db, db->conn ? PQerrorMessage(db->conn) : "out of memory");
    return DB_LOST;
}

static bool is_conflict(const char *state)
{
    static const char *const states[] = {
        "23503", /* the customer just picked was deleted by someone else */
        "40001", "40P01", "55P03", "57014",
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(state, states[i]) == 0)
            return true;
    }
    return false;
}

enum db_status db_judge(struct db *db, const PGresult *result)
{
    const char *state;
    const char *message;
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_COPY_IN:
        return DB_OK;
    default:
        break;
    }
    message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    set_error(db, message ? message : PQerrorMessage(db->conn));
    if (PQstatus(db->conn) == CONNECTION_BAD)
        return DB_LOST;
    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && is_conflict(state) ? DB_CONFLICT : DB_FAILED;
}

enum db_status db_exec(struct db *db, const char *sql)
{
    PGresult *result = PQexec(db->conn, sql);
    enum db_status status = db_judge(db, result);
    PQclear(result);
    return status;
}

enum db_status db_read_ints(struct db *db, const char *sql, const char *param, int *ints, int count)
{
    PGresult *result = PQexecParams(db->conn, sql, param ? 1 : 0, NULL, &param, NULL, NULL, 0);
    enum db_status status = db_judge(db, result);
    for (int i = 0; status == DB_OK && PQntuples(result) == 1 && i < count; i++) {
        if (!PQgetisnull(result, 0, i))
            ints[i] = (int)strtol(PQgetvalue(result, 0, i), NULL, 10);
    }
    PQclear(result);
    return status;
}

enum db_status db_check_schema(struct db *db)
{
    int present[2] = {0, 0};
    enum db_status status;
    status = db_read_ints(db,
                          "select (pg_catalog.to_regclass('customer') is not null)::int,"
                          " (pg_catalog.to_regclass('address') is not null)::int",
                          NULL, present, 2);
    if (status != DB_OK)
        return status;
    if (present[0] && present[1])
        return DB_OK;
    snprintf(db->error, sizeof(db->error), "database \"%s\" has no table \"%s\": load db/schema.sql first",
             PQdb(db->conn), present[0] ? "address" : "customer");
    return DB_FAILED;
}
