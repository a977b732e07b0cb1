#include "setup/tables.h"

#include "common/complain.h"
#include "setup/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends an element, quoted, to the text of an array. */
static bool append(char **array, const char *element)
{
    size_t length = *array != NULL ? strlen(*array) : 0;
    char *grown = realloc(*array, length + 2 * strlen(element) + 5);
    if (grown == NULL) {
        complain("out of memory");
        return false;
    }
    *array = grown;
    char *at = grown + length;
    if (length > 0) {
        at[-1] = ','; /* the brace that closed it */
    } else {
        *at++ = '{';
    }
    *at++ = '"';
    for (; *element != '\0'; element++) {
        if (*element == '"' || *element == '\\') {
            *at++ = '\\';
        }
        *at++ = *element;
    }
    memcpy(at, "\"}", 3);
    return true;
}

static bool append_found(struct tables *tables, const cp_watch *watch, PGresult *found)
{
    tables->count++;
    return append(&tables->oids, PQgetvalue(found, 0, 0)) && append(&tables->columns, PQgetvalue(found, 0, 1)) &&
           append(&tables->id_types, watch->id_type) && append(&tables->channels, watch->channels[0]) &&
           append(&tables->deleted, watch->channel_count > 1 ? watch->channels[1] : "");
}

/* parse_ident() reads a name as SQL does. */
static bool find(struct tables *tables, const cp_watch *watch, PGconn *pg, bool needed)
{
    static const char query[] =
        "select pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid,"
        " (select attnum from pg_catalog.pg_attribute"
        "  where attrelid operator(pg_catalog.=) pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid"
        "  and attname operator(pg_catalog.=) (pg_catalog.parse_ident($2::pg_catalog.text))[1]::pg_catalog.name"
        "  and attnum operator(pg_catalog.>) 0 and not attisdropped)";
    const char *const parameters[] = {watch->table, watch->column};
    PGresult *found = database_query(pg, query, 2, parameters);
    if (found == NULL) {
        return false;
    }
    bool has_table = PQgetisnull(found, 0, 0) == 0;
    bool has_column = PQgetisnull(found, 0, 1) == 0;
    bool goes_on = !needed;
    if (has_column) {
        goes_on = append_found(tables, watch, found);
    } else if (needed) {
        complain("entity %s: there is no %s %s%s%s that this role can see", watch->entity,
                 has_table ? "column" : "table", has_table ? watch->column : watch->table,
                 has_table ? " in table " : "", has_table ? watch->table : "");
    }
    PQclear(found);
    return goes_on;
}

static bool make_empty(struct tables *tables)
{
    char **const arrays[] = {&tables->oids, &tables->columns, &tables->id_types, &tables->channels, &tables->deleted};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = strdup("{}");
        if (*arrays[i] == NULL) {
            complain("out of memory");
            return false;
        }
    }
    return true;
}

bool tables_find(struct tables *tables, const cp_config *config, PGconn *pg, bool needed)
{
    cp_watch watch = {.size = sizeof watch};
    bool watches = false;
    *tables = (struct tables){0};
    for (size_t i = 0; cp_config_watch(config, i, &watch, NULL) == CP_OK; i++) {
        watches = true;
        if (!find(tables, &watch, pg, needed)) {
            return false;
        }
    }
    if (!watches && needed) {
        complain("no entity of the configuration has \"watch\": the tables that its documents are made of");
        return false;
    }
    return tables->count > 0 || make_empty(tables);
}

void tables_fini(struct tables *tables)
{
    free(tables->oids);
    free(tables->columns);
    free(tables->id_types);
    free(tables->channels);
    free(tables->deleted);
    *tables = (struct tables){0};
}
