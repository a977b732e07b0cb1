#include "document/resolve.h"

#include "document/qualify.h"
#include "embedded.h"
#include "setup/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Postgres says what an expression reads, and how it is written so that it means the same to whoever runs it: of a
 * check of a temporary table with the same columns, in which there can be no query, aggregate or set. What is there for
 * an order is a view. Both are rolled back. A comment ends with its line. */
static const char *write_check(struct memory *memory, const struct node *node, enum expression kind, const char *sql)
{
    const char *table = node->table->qualified;
    switch (kind) {
    case EXPRESSION_CONDITION:
        return memory_print(memory, "create temporary table cachepusher_check (like %s, check (\n%s\n))", table, sql);
    case EXPRESSION_ORDER:
        return memory_print(memory,
                            "create temporary view cachepusher_check as select 1 as cachepusher_checked from %s as %s "
                            "order by\n%s\n",
                            table, node->alias, sql);
    case EXPRESSION_VALUE:
        break;
    }
    return memory_print(memory, "create temporary table cachepusher_check (like %s, check ((\n%s\n) is null))", table,
                        sql);
}

/* Runs one statement, which cannot be several. */
static bool make_check(struct resolver *resolver, const char *path, const struct node *node, const char *statement,
                       const char *sql)
{
    PGresult *result = PQexecParams(resolver->pg, statement, 0, NULL, NULL, NULL, NULL, 0);
    bool is_made = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!is_made) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        bool wants_right = sqlstate != NULL && strcmp(sqlstate, "42501") == 0;
        message = message != NULL ? message : PQerrorMessage(resolver->pg);
        if (wants_right) {
            refuse(path,
                   "Postgres: %s (expressions are checked with a temporary table: grant temporary on database "
                   "%s to %s, and select on %s)",
                   message, PQdb(resolver->pg), PQuser(resolver->pg), node->table->sql);
        } else {
            refuse(path, "%.200s: Postgres: %s (expected SQL over columns of %s, without the table's name)", sql,
                   message, node->table->sql);
        }
    }
    PQclear(result);
    return is_made;
}

/* The expression as Postgres writes it; NULL: the reason has been told. */
static const char *take_answer(const char *path, const struct node *node, const char *sql, const PGresult *found,
                               bool *reads, struct memory *memory)
{
    const char *written = NULL;
    for (int row = 0; row < PQntuples(found); row++) {
        const char *kind = PQgetvalue(found, row, 0);
        const char *value = PQgetvalue(found, row, 1);
        if (strcmp(kind, "refused") == 0) {
            refuse(path, "%.200s: %s", sql, value);
            return NULL;
        }
        if (strcmp(kind, "sql") == 0) {
            written = qualify(value, memory);
            continue;
        }
        const struct catalog_column *column = catalog_column_by_number(node->table, (int)strtol(value, NULL, 10));
        if (column != NULL) {
            reads[column - node->table->columns] = true;
        }
    }
    return written;
}

/* Names are written in full, Postgres' own by qualify(), and constants in a way that no setting changes. */
static const char *look_at_check(struct resolver *resolver, const char *path, const struct node *node,
                                 enum expression kind, const char *sql, bool *reads)
{
    static const char *const kinds[] = {
        [EXPRESSION_VALUE] = "value", [EXPRESSION_CONDITION] = "condition", [EXPRESSION_ORDER] = "order"};
    static const char settings[] = "set local search_path = pg_catalog, pg_temp; set local datestyle = iso, ymd; "
                                   "set local intervalstyle = postgres; set local timezone = utc; "
                                   "set local bytea_output = hex; set local extra_float_digits = 1; "
                                   "set local quote_all_identifiers = off";
    char oid[16];
    char sqlstate[6];
    snprintf(oid, sizeof oid, "%u", node->table->oid);
    const char *const parameters[] = {oid, kinds[kind], sql};
    if (!database_run(resolver->pg, settings, "", sqlstate)) {
        return NULL;
    }
    PGresult *found = database_query(resolver->pg, embedded_expression_sql, 3, parameters);
    const char *written = found != NULL ? take_answer(path, node, sql, found, reads, resolver->memory) : NULL;
    PQclear(found);
    return written;
}

static bool has_any(const struct node *node, const bool *reads)
{
    for (size_t i = 0; i < node->table->column_count; i++) {
        if (reads[i]) {
            return true;
        }
    }
    return false;
}

const char *resolve_sql(struct resolver *resolver, const char *path, const struct node *node, enum expression kind,
                        const char *sql, bool *reads)
{
    char sqlstate[6];
    const char *written = NULL;
    const char *check = write_check(resolver->memory, node, kind, sql);
    bool is_fine = database_run(resolver->pg, "begin", "", sqlstate);
    if (is_fine && make_check(resolver, path, node, check, sql)) {
        written = look_at_check(resolver, path, node, kind, sql, reads);
    }
    if (!database_run(resolver->pg, "rollback", "", sqlstate) || written == NULL) {
        return NULL;
    }
    if (kind == EXPRESSION_ORDER && !has_any(node, reads)) {
        refuse(path, "%.200s: it reads no column of %s", sql, node->table->sql);
        return NULL;
    }
    return written;
}
