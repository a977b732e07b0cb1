#include "document/emit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool is_watched(const struct place *place, const struct catalog_column *column)
{
    for (size_t i = 0; i < place->column_count; i++) {
        if (place->columns[i] == column) {
            return true;
        }
    }
    return false;
}

static json_t *describe_columns(const struct place *place)
{
    if (place->column_count == 1) {
        return json_string(place->columns[0]->sql);
    }
    json_t *columns = json_array();
    for (size_t i = 0; i < place->column_count; i++) {
        json_array_append_new(columns, json_string(place->columns[i]->sql));
    }
    return columns;
}

static json_t *describe_place(const struct place *place)
{
    json_t *watch = json_pack("{s:s, s:o}", "table", place->table->qualified, "column", describe_columns(place));
    json_t *reads = json_array();
    if (place->maps != NULL) {
        json_object_set_new(watch, "maps", json_string(place->maps));
    }
    for (size_t c = 0; c < place->table->column_count; c++) {
        if (place->reads[c] && !is_watched(place, &place->table->columns[c])) {
            json_array_append_new(reads, json_string(place->table->columns[c].sql));
        }
    }
    json_object_set_new(watch, "reads", reads);
    if (place->channel != NULL) {
        json_object_set_new(watch, "channel", json_string(place->channel));
    }
    return watch;
}

const char *emit_entity(const struct document *document, const struct place *places, const char *function,
                        struct memory *memory)
{
    json_t *watch = json_array();
    for (; places != NULL; places = places->next) {
        json_array_append_new(watch, describe_place(places));
    }
    json_t *entity = json_pack("{s:s, s:s, s:s}", "id_type", document->id_type, "fetch_many", function, "list",
                               emit_list(document, memory));
    json_t *key = json_array(); /* which a template may name */
    for (size_t i = 0; i < document->key_count; i++) {
        json_array_append_new(key, json_string(document->key[i]->sql));
    }
    json_object_set_new(entity, "key", key);
    if (json_array_size(watch) > 0) { /* of a view there is what the entity lists by hand alone */
        json_object_set(entity, "watch", watch);
    }
    json_decref(watch);
    char *text = json_dumps(entity, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    const char *kept = memory_print(memory, "%s", text);
    free(text);
    json_decref(entity);
    return kept;
}
