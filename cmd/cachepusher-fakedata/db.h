#ifndef FAKEDATA_DB_H
#define FAKEDATA_DB_H

#include <libpq-fe.h>

#include <stdbool.h>

enum db_status {
    DB_OK,
    DB_LOST,     /* no connection: connect again */
    DB_CONFLICT, /* another session was in the way: the same statement may work next time */
    DB_FAILED,
};

/* `error` explains the last status other than DB_OK, in one line without the connection string. */
struct db {
    PGconn *conn;
    const char *dsn;
    char error[512];
};

/*
 * True if libpq can read the connection string and it is not one where libpq would take a part of
 * the password for a host, and then print it.
 */
bool db_dsn_is_valid(const char *dsn);

/* Borrows `dsn`; NULL means libpq's own defaults. Does not connect. */
void db_init(struct db *db, const char *dsn);
void db_fini(struct db *db);

/* Drops the old connection, if any. DB_OK or DB_LOST. */
enum db_status db_connect(struct db *db);

/* Statements without an answer. */
enum db_status db_exec(struct db *db, const char *sql);

/* One row of integers, at most `count` of them; NULL columns leave their place untouched. */
enum db_status db_read_ints(struct db *db, const char *sql, const char *param, int *ints, int count);

/* Turns a libpq answer into a status, and fills `error`. Does not free the answer. */
enum db_status db_judge(struct db *db, const PGresult *result);

/* DB_OK if the example's tables are there. */
enum db_status db_check_schema(struct db *db);

#endif
