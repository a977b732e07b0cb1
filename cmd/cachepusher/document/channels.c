#include "document/channels.h"

#include "embedded.h"
#include "setup/database.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNEL_BYTES = 64 }; /* what Postgres keeps of a channel's name */

/* The library's own name for it; "": one that has a checksum in place of names that are long. */
static const char *made_name(const struct place *place, struct memory *memory)
{
    struct writing writing;
    writing_begin(&writing);
    fprintf(writing.stream, "cachepusher:%s", place->table->qualified);
    for (size_t i = 0; i < place->column_count; i++) {
        fprintf(writing.stream, "%s%s", i == 0 ? "." : ",", place->columns[i]->sql);
    }
    const char *name = writing_end(&writing, memory);
    return strlen(name) < CHANNEL_BYTES ? name : "";
}

static PGresult *find_announced(const struct place *place, PGconn *pg, struct memory *memory)
{
    json_t *names = json_array();
    for (size_t i = 0; i < place->column_count; i++) {
        json_array_append_new(names, json_string(place->columns[i]->name));
    }
    char *text = json_dumps(names, JSON_COMPACT);
    const char *const parameters[] = {memory_print(memory, "%u", place->table->oid), text};
    PGresult *rows = database_query(pg, embedded_document_channel_sql, 2, parameters);
    free(text);
    json_decref(names);
    return rows;
}

static bool adopt_one(struct place *place, PGconn *pg, struct memory *memory)
{
    const char *made = made_name(place, memory);
    PGresult *rows = *made != '\0' ? find_announced(place, pg, memory) : NULL;
    if (rows != NULL && PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 0), made) != 0) {
        place->channel = memory_print(memory, "%s", PQgetvalue(rows, 0, 0));
    }
    bool is_done = *made == '\0' || rows != NULL;
    PQclear(rows);
    return is_done;
}

bool channels_adopt(struct place *places, PGconn *pg, struct memory *memory)
{
    char sqlstate[6];
    bool is_done = database_run(pg, "begin; set local search_path = pg_catalog, pg_temp", "", sqlstate);
    for (; places != NULL && is_done; places = places->next) {
        is_done = adopt_one(places, pg, memory);
    }
    return database_run(pg, "rollback", "", sqlstate) && is_done;
}
