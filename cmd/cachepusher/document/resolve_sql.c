#include "document/resolve.h"

#include "embedded.h"
#include "setup/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Postgres says what an expression reads: of a view that is made of it, and rolled back. In WHERE there can be no
 * aggregate and no set. */
static const char *write_view(struct memory *memory, const struct node *node, enum expression kind, const char *sql)
{
    const char *table = node->table->qualified;
    const char *alias = node->alias;
    static const char head[] = "create temporary view cachepusher_check as";
    switch (kind) {
    case EXPRESSION_CONDITION:
        return memory_print(memory, "%s select 1 as cachepusher_checked from %s as %s where (%s)", head, table, alias,
                            sql);
    case EXPRESSION_ORDER:
        return memory_print(memory, "%s select 1 as cachepusher_checked from %s as %s order by %s", head, table, alias,
                            sql);
    case EXPRESSION_VALUE:
        break;
    }
    return memory_print(memory, "%s select 1 as cachepusher_checked from %s as %s where (%s) is null", head, table,
                        alias, sql);
}

/* Runs one statement, which cannot be several. */
static bool make_view(struct resolver *resolver, const char *path, const struct node *node, const char *statement,
                      const char *sql)
{
    PGresult *result = PQexecParams(resolver->pg, statement, 0, NULL, NULL, NULL, NULL, 0);
    bool is_made = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!is_made) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        resolve_refuse(path, "%.200s: Postgres: %s (expected SQL over columns of %s, without the table's name)", sql,
                       message != NULL ? message : PQerrorMessage(resolver->pg), node->table->sql);
    }
    PQclear(result);
    return is_made;
}

static bool take_columns(const char *path, const struct node *node, const char *sql, const PGresult *found, bool *reads)
{
    for (int row = 0; row < PQntuples(found); row++) {
        const char *value = PQgetvalue(found, row, 1);
        if (strcmp(PQgetvalue(found, row, 0), "refused") == 0) {
            return resolve_refuse(path, "%.200s: %s", sql, value);
        }
        const struct catalog_column *column = catalog_column_by_number(node->table, (int)strtol(value, NULL, 10));
        if (column != NULL) {
            reads[column - node->table->columns] = true;
        }
    }
    return true;
}

static bool look_at_view(struct resolver *resolver, const char *path, const struct node *node, const char *sql,
                         bool *reads)
{
    char oid[16];
    char sqlstate[6];
    snprintf(oid, sizeof oid, "%u", node->table->oid);
    const char *const parameters[] = {oid};
    if (!database_run(resolver->pg, "set local search_path = pg_catalog, pg_temp", "", sqlstate)) {
        return false;
    }
    PGresult *found = database_query(resolver->pg, embedded_expression_sql, 1, parameters);
    bool is_fine = found != NULL && take_columns(path, node, sql, found, reads);
    PQclear(found);
    return is_fine;
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

bool resolve_sql(struct resolver *resolver, const char *path, struct node *node, enum expression kind, const char *sql,
                 bool *reads)
{
    char sqlstate[6];
    const char *view = write_view(resolver->memory, node, kind, sql);
    bool is_fine = database_run(resolver->pg, "begin", "", sqlstate);
    is_fine = is_fine && make_view(resolver, path, node, view, sql) && look_at_view(resolver, path, node, sql, reads);
    is_fine = database_run(resolver->pg, "rollback", "", sqlstate) && is_fine;
    return !is_fine || kind != EXPRESSION_ORDER || has_any(node, reads)
               ? is_fine
               : resolve_refuse(path, "%.200s: it reads no column of %s", sql, node->table->sql);
}
