#include "document/made.h"

#include "embedded.h"
#include "setup/database.h"

#include <stdlib.h>
#include <string.h>

static bool has_table(PGconn *pg, bool *found)
{
    PGresult *result = database_query(pg, "select pg_catalog.to_regclass('cachepusher.document') is not null", 0, NULL);
    *found = result != NULL && *PQgetvalue(result, 0, 0) == 't';
    PQclear(result);
    return result != NULL;
}

static void take_rows(struct made_list *list, const PGresult *rows, struct memory *memory)
{
    list->count = (size_t)PQntuples(rows);
    list->items = memory_take(memory, (list->count + 1) * sizeof *list->items);
    for (int row = 0; row < PQntuples(rows); row++) {
        list->items[row] = (struct made){.digest = memory_print(memory, "%s", PQgetvalue(rows, row, 0)),
                                         .version = memory_print(memory, "%s", PQgetvalue(rows, row, 1)),
                                         .entity = memory_print(memory, "%s", PQgetvalue(rows, row, 2)),
                                         .function = memory_print(memory, "%s", PQgetvalue(rows, row, 3)),
                                         .signature = memory_print(memory, "%s", PQgetvalue(rows, row, 4)),
                                         .body = memory_print(memory, "%s", PQgetvalue(rows, row, 5))};
    }
}

bool made_read(struct made_list *list, PGconn *pg, const char *entity, struct memory *memory)
{
    bool found = false;
    char sqlstate[6];
    *list = (struct made_list){0};
    if (!has_table(pg, &found)) {
        return false;
    }
    if (!found) {
        return true;
    }
    const char *const parameters[] = {entity};
    PGresult *rows = database_run(pg, "begin; set local search_path = pg_catalog, pg_temp", "", sqlstate)
                         ? database_query(pg, embedded_documents_sql, 1, parameters)
                         : NULL;
    if (rows != NULL) {
        take_rows(list, rows, memory);
    }
    PQclear(rows);
    return database_run(pg, "rollback", "", sqlstate) && rows != NULL;
}

static const struct catalog_table *find_table(const struct catalog *catalog, const char *qualified)
{
    for (size_t i = 0; i < catalog->table_count; i++) {
        if (strcmp(catalog->tables[i].qualified, qualified) == 0) {
            return &catalog->tables[i];
        }
    }
    return NULL;
}

static bool has_column(const struct catalog_table *table, const json_t *name)
{
    return table != NULL && catalog_column_find(table, json_string_value(name)) != NULL;
}

/* Takes what is not there any more out of what a watch reads. False: the table is gone, or the columns. */
static bool leave_what_is_there(json_t *watch, const struct catalog *catalog)
{
    const struct catalog_table *table = find_table(catalog, json_string_value(json_object_get(watch, "table")));
    const json_t *column = json_object_get(watch, "column");
    json_t *reads = json_object_get(watch, "reads");
    bool is_there = !json_is_string(column) || has_column(table, column);
    for (size_t i = 0; i < json_array_size(column); i++) {
        is_there = is_there && has_column(table, json_array_get(column, i));
    }
    for (size_t i = json_array_size(reads); i-- > 0;) {
        if (!has_column(table, json_array_get(reads, i))) {
            json_array_remove(reads, i);
        }
    }
    return is_there;
}

/* One that differs in what it reads at most. */
static json_t *find_watch(const json_t *watches, const json_t *watch)
{
    static const char *const members[] = {"table", "column", "maps", "channel"};
    for (size_t i = 0; i < json_array_size(watches); i++) {
        json_t *candidate = json_array_get(watches, i);
        bool is_equal = true;
        for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
            const json_t *ours = json_object_get(candidate, members[m]);
            const json_t *theirs = json_object_get(watch, members[m]);
            is_equal = is_equal && (ours == theirs || json_equal(ours, theirs));
        }
        if (is_equal) {
            return candidate;
        }
    }
    return NULL;
}

static bool has_item(const json_t *array, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (json_equal(json_array_get(array, i), item)) {
            return true;
        }
    }
    return false;
}

/* What either reads. */
static void widen(json_t *watch, const json_t *other)
{
    json_t *reads = json_object_get(watch, "reads");
    const json_t *theirs = json_object_get(other, "reads");
    for (size_t i = 0; i < json_array_size(theirs); i++) {
        if (!has_item(reads, json_array_get(theirs, i))) {
            json_array_append(reads, json_array_get(theirs, i));
        }
    }
}

static void join_one(json_t *watches, json_t *watch, const struct catalog *catalog)
{
    if (catalog != NULL && !leave_what_is_there(watch, catalog)) {
        return;
    }
    json_t *same = find_watch(watches, watch);
    if (same != NULL) {
        widen(same, watch);
    } else {
        json_array_append(watches, watch);
    }
}

char *made_join(const char *entity, const struct made_list *others, const struct catalog *catalog,
                struct memory *memory)
{
    json_t *joined = json_loads(entity, 0, NULL);
    json_t *watches = json_object_get(joined, "watch");
    for (size_t i = 0; i < others->count; i++) {
        json_t *other = json_loads(others->items[i].entity, 0, NULL);
        json_t *theirs = json_object_get(other, "watch");
        for (size_t k = 0; k < json_array_size(theirs); k++) {
            if (watches == NULL) {
                watches = json_array();
                json_object_set_new(joined, "watch", watches);
            }
            join_one(watches, json_array_get(theirs, k), catalog);
        }
        json_decref(other);
    }
    char *text = json_dumps(joined, JSON_COMPACT | JSON_PRESERVE_ORDER);
    char *kept = memory_print(memory, "%s", text);
    free(text);
    json_decref(joined);
    return kept;
}

void plan_add(json_t *rows, const char *kind, const char *body, const char *why)
{
    json_array_append_new(rows, json_pack("{s:s, s:s, s:s?}", "kind", kind, "body", body, "why", why));
}
