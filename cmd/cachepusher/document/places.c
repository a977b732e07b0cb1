#include "document/emit.h"

#include <string.h>

/* Two for each table, down to the deepest one. */
enum { HOPS_MAX = 2 * DECLARED_DEPTH_MAX * 2 };

/* A table on the way from the root down to one that a row hangs on. */
struct hop {
    const struct catalog_table *table;
    const char *alias;
    const struct join *join; /* to the one before it; NULL: the root */
};

struct way {
    struct hop hops[HOPS_MAX];
    size_t count;
};

/* What a table's places are gathered in. */
struct gathering {
    const struct document *document;
    struct memory *memory;
    struct place *first;
    struct place **last;
};

/* ---- ids ---- */

static bool is_whole_number(const struct catalog_column *column)
{
    return strcmp(column->base_type, "smallint") == 0 || strcmp(column->base_type, "integer") == 0 ||
           strcmp(column->base_type, "bigint") == 0;
}

/* Whether equal values of both are the same text. */
static bool is_same_text(const struct catalog_column *a, const struct catalog_column *b)
{
    bool is_uuid = strcmp(a->base_type, "uuid") == 0;
    return resolve_is_part(a) && resolve_is_part(b) && a->is_deterministic && b->is_deterministic &&
           is_whole_number(a) == is_whole_number(b) && is_uuid == (strcmp(b->base_type, "uuid") == 0);
}

/* The columns below that hold the document's id, in its order; false: they do not. */
static bool holds_id(const struct document *document, const struct join *join,
                     const struct catalog_column *columns[ID_COLUMNS_MAX])
{
    if (join->count != document->key_count) {
        return false;
    }
    for (size_t k = 0; k < document->key_count; k++) {
        columns[k] = NULL;
        for (size_t i = 0; i < join->count; i++) {
            if (join->above[i] == document->key[k] && is_same_text(join->above[i], join->below[i])) {
                columns[k] = join->below[i];
            }
        }
        if (columns[k] == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- the query that maps ---- */

static void add_hops(struct way *way, const struct node *node)
{
    if (node->parent == NULL) {
        way->hops[way->count++] = (struct hop){.table = node->table, .alias = node->alias};
        return;
    }
    add_hops(way, node->parent);
    if (node->link != NULL) {
        way->hops[way->count++] =
            (struct hop){.table = node->link->table, .alias = node->link->alias, .join = &node->link->join};
    }
    way->hops[way->count++] = (struct hop){.table = node->table, .alias = node->alias, .join = &node->join};
}

static void write_hops(FILE *out, const struct way *way, size_t first)
{
    for (size_t i = way->count - 1; i > first; i--) {
        const struct hop *above = &way->hops[i - 1];
        const struct hop *below = &way->hops[i];
        fprintf(out, " join %s as %s on ", above->table->qualified, above->alias);
        emit_join(out, below->join, above->alias, below->alias);
    }
}

/* The values that were announced: of the column below, which may have another type. */
static void write_changed(FILE *out, const struct join *join)
{
    fputs("$1", out);
    if (strcmp(join->above[0]->base_type, join->below[0]->base_type) != 0) {
        fprintf(out, "::%s[]", join->below[0]->base_type);
    }
    emit_collation(out, join, 0);
    fputc(')', out);
}

/* From the row that the changed one hangs on, by `columns`, up to the document. The root itself is not needed where the
 * table below it holds the id. Filters are left out: whatever does not satisfy them is read in vain, no more. */
static const char *write_maps(const struct gathering *gathering, const struct way *way, const struct join *join)
{
    const struct document *document = gathering->document;
    const struct catalog_column *held[ID_COLUMNS_MAX];
    size_t first = way->count > 1 && holds_id(document, way->hops[1].join, held) ? 1 : 0;
    const struct hop *bottom = &way->hops[way->count - 1];
    struct writing writing;
    writing_begin(&writing);
    FILE *out = writing.stream;
    fputs("select ", out);
    emit_id(out, document, way->hops[first].alias, first == 1 ? held : document->key);
    if (join->count == 1) {
        fprintf(out, " from %s as %s", bottom->table->qualified, bottom->alias);
        write_hops(out, way, first);
        fprintf(out, " where %s.%s %s any (", bottom->alias, join->above[0]->sql, emit_operator(join, 0));
        write_changed(out, join);
        return writing_end(&writing, gathering->memory);
    }
    fprintf(out, " from pg_catalog.unnest($1::pg_catalog.text[]) as changed (id) join %s as %s on ",
            bottom->table->qualified, bottom->alias);
    for (size_t i = 0; i < join->count; i++) {
        fputs(i > 0 ? " and " : "", out);
        emit_part(out, bottom->alias, join->above[i], "changed.id", i + 1);
    }
    write_hops(out, way, first);
    return writing_end(&writing, gathering->memory);
}

/* ---- gathering ---- */

static bool is_at(const struct place *place, const struct catalog_table *table,
                  const struct catalog_column *const *columns, size_t count)
{
    return place->table == table && place->column_count == count &&
           memcmp(place->columns, columns, count * sizeof(const struct catalog_column *)) == 0;
}

/* What a table's rows announce is the same for all its places: so is what counts as a change. */
static void add_place(struct gathering *gathering, const struct catalog_table *table,
                      const struct catalog_column *const *columns, size_t count, const char *maps, const bool *reads)
{
    struct place *found = NULL;
    bool *joined = memory_take(gathering->memory, (table->column_count + 1) * sizeof *joined);
    memcpy(joined, reads, table->column_count * sizeof *joined);
    for (struct place *place = gathering->first; place != NULL; place = place->next) {
        if (is_at(place, table, columns, count)) {
            found = (place->maps == NULL) == (maps == NULL) ? place : found;
            for (size_t c = 0; c < table->column_count; c++) {
                joined[c] = joined[c] || place->reads[c];
            }
        }
    }
    if (found == NULL) {
        found = memory_take(gathering->memory, sizeof *found);
        *found = (struct place){.table = table, .column_count = count, .maps = maps};
        memcpy(found->columns, columns, count * sizeof *columns);
        *gathering->last = found;
        gathering->last = &found->next;
    } else if (maps != NULL && strstr(found->maps, maps) == NULL) {
        found->maps = memory_print(gathering->memory, "%s union all %s", found->maps, maps);
    }
    for (struct place *place = gathering->first; place != NULL; place = place->next) {
        if (is_at(place, table, columns, count)) {
            place->reads = joined;
        }
    }
}

static void add_joined(struct gathering *gathering, const struct way *way, const struct join *join,
                       const struct catalog_table *table, const bool *reads)
{
    const struct catalog_column *columns[ID_COLUMNS_MAX];
    if (way->count == 1 && holds_id(gathering->document, join, columns)) {
        add_place(gathering, table, columns, join->count, NULL, reads);
        return;
    }
    add_place(gathering, table, join->below, join->count, write_maps(gathering, way, join), reads);
}

static void gather(struct gathering *gathering, const struct node *node)
{
    struct way way = {0};
    add_hops(&way, node->parent);
    if (node->link != NULL) {
        const struct catalog_table *link = node->link->table;
        bool *reads = memory_take(gathering->memory, (link->column_count + 1) * sizeof *reads);
        for (size_t i = 0; i < node->join.count; i++) {
            reads[node->join.above[i] - link->columns] = true;
        }
        add_joined(gathering, &way, &node->link->join, link, reads);
        way.hops[way.count++] = (struct hop){.table = link, .alias = node->link->alias, .join = &node->link->join};
    }
    add_joined(gathering, &way, &node->join, node->table, node->reads);
    for (size_t i = 0; i < node->include_count; i++) {
        gather(gathering, &node->includes[i]);
    }
}

struct place *emit_places(const struct document *document, struct memory *memory)
{
    struct gathering gathering = {.document = document, .memory = memory};
    const struct node *root = &document->root;
    gathering.last = &gathering.first;
    if (root->table->kind == 'r' || root->table->kind == 'p') {
        add_place(&gathering, root->table, document->key, document->key_count, NULL, root->reads);
    }
    for (size_t i = 0; i < root->include_count; i++) {
        gather(&gathering, &root->includes[i]);
    }
    return gathering.first;
}
