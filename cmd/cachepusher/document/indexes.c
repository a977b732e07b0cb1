#include "document/indexes.h"

#include <string.h>

enum { COLUMNS_MAX = 16, COVERED_BYTES_MAX = 64 };

struct columns {
    size_t count;
    const struct catalog_column *items[COLUMNS_MAX];
};

struct need {
    const struct catalog_table *table;
    size_t found_by; /* the first so many keys, in any order */
    struct columns keys;
    struct columns covered;
};

static bool has(const struct columns *columns, const struct catalog_column *column)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->items[i] == column) {
            return true;
        }
    }
    return false;
}

static bool add(struct columns *columns, const struct catalog_column *column)
{
    if (has(columns, column)) {
        return true;
    }
    if (columns->count == COLUMNS_MAX) {
        return false;
    }
    columns->items[columns->count++] = column;
    return true;
}

/* ---- what there is ---- */

/* It finds rows by the columns. */
static bool leads(const struct catalog_index *index, const struct need *need)
{
    size_t matching = 0;
    for (size_t i = 0; i < index->key_count && i < need->found_by; i++) {
        for (size_t k = 0; k < need->found_by; k++) {
            matching += index->columns[i] == need->keys.items[k];
        }
    }
    return matching == need->found_by;
}

/* All that is read is in it. */
static bool covers(const struct catalog_index *index, const struct need *need)
{
    size_t found = 0;
    for (size_t k = 0; k < need->covered.count; k++) {
        for (size_t i = 0; i < index->column_count; i++) {
            found += index->columns[i] == need->covered.items[k];
        }
    }
    return found == need->covered.count && leads(index, need);
}

static const struct catalog_index *find(const struct need *need, bool covering)
{
    for (size_t i = 0; i < need->table->index_count; i++) {
        const struct catalog_index *index = &need->table->indexes[i];
        if (covering ? covers(index, need) : leads(index, need)) {
            return index;
        }
    }
    return NULL;
}

/* One whose columns begin the new one. */
static const char *find_replaced(const struct need *need)
{
    for (size_t i = 0; i < need->table->index_count; i++) {
        const struct catalog_index *index = &need->table->indexes[i];
        bool is_beginning = !index->is_unique && index->key_count <= need->keys.count;
        for (size_t k = 0; k < index->column_count && is_beginning; k++) {
            is_beginning = k < index->key_count
                               ? index->columns[k] == need->keys.items[k]
                               : has(&need->keys, index->columns[k]) || has(&need->covered, index->columns[k]);
        }
        if (is_beginning) {
            return index->name;
        }
    }
    return NULL;
}

/* ---- what is missing ---- */

static json_t *list_columns(const struct columns *columns, const struct columns *except)
{
    json_t *numbers = json_array();
    for (size_t i = 0; i < columns->count; i++) {
        if (except == NULL || !has(except, columns->items[i])) {
            json_array_append_new(numbers, json_integer(columns->items[i]->number));
        }
    }
    return numbers;
}

static void add_need(json_t *missing, const struct document *document, const struct need *need)
{
    if (find(need, need->covered.count > 0) != NULL) {
        return;
    }
    json_t *index =
        json_pack("{s:I, s:s, s:o, s:o, s:b, s:s?}", "table", (json_int_t)need->table->oid, "entity", document->entity,
                  "keys", list_columns(&need->keys, NULL), "includes", list_columns(&need->covered, &need->keys),
                  "covers", need->covered.count > 0 && find(need, false) != NULL, "replaces", find_replaced(need));
    for (size_t i = 0; i < json_array_size(missing); i++) {
        const json_t *other = json_array_get(missing, i);
        if (json_equal(json_object_get(other, "table"), json_object_get(index, "table")) &&
            json_equal(json_object_get(other, "keys"), json_object_get(index, "keys"))) {
            json_decref(index);
            return;
        }
    }
    json_array_append_new(missing, index);
}

/* ---- what a node needs ---- */

/* Of a bounded size: one long text would make the application's INSERT fail. */
static size_t bytes_of(const struct catalog_column *column)
{
    static const struct {
        const char *type;
        size_t bytes;
    } small[] = {{"boolean", 1},
                 {"smallint", 2},
                 {"integer", 4},
                 {"bigint", 8},
                 {"real", 4},
                 {"double precision", 8},
                 {"date", 4},
                 {"time without time zone", 8},
                 {"timestamp without time zone", 8},
                 {"timestamp with time zone", 8},
                 {"uuid", 16}};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        if (strcmp(column->base_type, small[i].type) == 0) {
            return small[i].bytes;
        }
    }
    return COVERED_BYTES_MAX + 1;
}

static void cover(struct need *need, const struct node *node)
{
    struct columns covered = {0};
    size_t bytes = 0;
    for (size_t c = 0; c < node->table->column_count; c++) {
        const struct catalog_column *column = &node->table->columns[c];
        if (node->reads[c] || has(&need->keys, column)) {
            bytes += bytes_of(column);
            if (bytes > COVERED_BYTES_MAX || !add(&covered, column)) {
                return;
            }
        }
    }
    need->covered = covered;
}

static bool take(struct need *need, const struct catalog_column *const *columns, size_t count)
{
    bool fits = true;
    need->table = columns[0]->table;
    for (size_t i = 0; i < count; i++) {
        fits = fits && add(&need->keys, columns[i]);
    }
    need->found_by = need->keys.count;
    return fits;
}

/* Rows below are read by the columns of the foreign key, in order. */
static void need_rows(json_t *missing, const struct document *document, const struct node *node)
{
    struct need need = {0};
    bool fits = take(&need, node->join.below, node->join.count);
    bool is_list = node->link == NULL && node->order != NULL;
    for (size_t i = 0; is_list && fits && i < node->order->key_count && node->declared->order == NULL; i++) {
        fits = add(&need.keys, node->order->columns[i]);
    }
    if (fits && is_list) {
        cover(&need, node);
    }
    if (fits) {
        add_need(missing, document, &need);
    }
}

/* Mapping goes the other way, from a row to those above that it is a part of. */
static void need_mapping(json_t *missing, const struct document *document, const struct join *join,
                         const struct join *onward)
{
    struct need need = {0};
    bool fits = take(&need, join->above, join->count);
    for (size_t i = 0; onward != NULL && fits && i < onward->count; i++) {
        fits = add(&need.keys, onward->below[i]);
    }
    if (fits) {
        add_need(missing, document, &need);
    }
}

static void add_node(json_t *missing, const struct document *document, const struct node *node)
{
    need_rows(missing, document, node);
    need_mapping(missing, document, &node->join, node->link != NULL ? &node->link->join : NULL);
    if (node->link != NULL) {
        struct need near = {0};
        if (take(&near, node->link->join.below, node->link->join.count)) {
            add_need(missing, document, &near);
        }
        need_mapping(missing, document, &node->link->join, NULL);
    }
    for (size_t i = 0; i < node->include_count; i++) {
        add_node(missing, document, &node->includes[i]);
    }
}

void indexes_add_missing(json_t *missing, const struct document *document)
{
    for (size_t i = 0; i < document->root.include_count; i++) {
        add_node(missing, document, &document->root.includes[i]);
    }
}
