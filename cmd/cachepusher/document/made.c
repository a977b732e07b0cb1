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

static bool has_watch(const json_t *watches, const json_t *watch)
{
    for (size_t i = 0; i < json_array_size(watches); i++) {
        if (json_equal(json_array_get(watches, i), watch)) {
            return true;
        }
    }
    return false;
}

char *made_join(const char *entity, const struct made_list *others, struct memory *memory)
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
            if (!has_watch(watches, json_array_get(theirs, k))) {
                json_array_append(watches, json_array_get(theirs, k));
            }
        }
        json_decref(other);
    }
    char *text = json_dumps(joined, JSON_COMPACT | JSON_PRESERVE_ORDER);
    char *kept = memory_print(memory, "%s", text != NULL ? text : "");
    free(text);
    json_decref(joined);
    return kept;
}

void plan_add(json_t *rows, const char *kind, const char *body, const char *why)
{
    json_array_append_new(rows, json_pack("{s:s, s:s, s:s?}", "kind", kind, "body", body, "why", why));
}
