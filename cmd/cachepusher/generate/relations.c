#include "generate/relations.h"

#include <string.h>

bool relations_has(const struct catalog_column *const *columns, size_t count, const struct catalog_column *column)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i] == column) {
            return true;
        }
    }
    return false;
}

bool relations_within(const struct catalog_foreign_key *key, const struct catalog_column *const *columns, size_t count)
{
    for (size_t i = 0; i < key->count; i++) {
        if (!relations_has(columns, count, key->from_columns[i])) {
            return false;
        }
    }
    return true;
}

size_t relations_between(const struct catalog_table *from, const struct catalog_table *to)
{
    size_t count = 0;
    for (size_t i = 0; i < from->reference_count; i++) {
        count += from->references[i].to == to ? 1 : 0;
    }
    return count;
}

static bool is_within(const struct catalog_foreign_key *key, const struct catalog_foreign_key *other)
{
    return relations_within(key, other->from_columns, other->count);
}

/* The one other foreign key, but for those whose columns are part of another's. */
static const struct catalog_foreign_key *only_other(const struct catalog_foreign_key *near)
{
    const struct catalog_foreign_key *far = NULL;
    for (size_t i = 0; i < near->from->reference_count; i++) {
        const struct catalog_foreign_key *key = &near->from->references[i];
        if (key == near || is_within(key, near) || (far != NULL && is_within(key, far))) {
            continue;
        }
        if (far != NULL && !is_within(far, key)) {
            return NULL;
        }
        far = key;
    }
    return far;
}

/* Says nothing about what is linked. */
static bool is_bookkeeping(const struct catalog_column *column)
{
    const struct catalog_index *primary_key = column->table->primary_key;
    bool is_number = primary_key != NULL && primary_key->key_count == 1 && primary_key->columns[0] == column;
    return is_number || column->is_generated || strncmp(column->base_type, "timestamp", strlen("timestamp")) == 0 ||
           strcmp(column->base_type, "date") == 0;
}

const struct catalog_foreign_key *relations_far_side(const struct catalog_foreign_key *near)
{
    const struct catalog_table *link = near->from;
    const struct catalog_foreign_key *far = link->referenced_by_count == 0 ? only_other(near) : NULL;
    const struct catalog_column *joined[2 * CATALOG_KEY_COLUMNS_MAX];
    if (far == NULL || is_within(near, far)) {
        return NULL;
    }
    memcpy(joined, near->from_columns, near->count * sizeof(const struct catalog_column *));
    memcpy(joined + near->count, far->from_columns, far->count * sizeof(const struct catalog_column *));
    size_t count = near->count + far->count;
    bool is_bare = true;
    for (size_t i = 0; i < link->column_count; i++) {
        const struct catalog_column *column = &link->columns[i];
        if (!relations_has(joined, count, column)) {
            is_bare = false;
            if (!is_bookkeeping(column)) {
                return NULL;
            }
        }
    }
    /* Without a key it could say a thing twice, and is hardly meant to. */
    bool is_single = catalog_is_unique(link, near->from_columns, near->count);
    bool links_once = catalog_is_unique(link, joined, count) || (is_bare && link->primary_key == NULL);
    return links_once && !is_single ? far : NULL;
}

const struct catalog_table *relations_better_parent(const struct catalog_foreign_key *key)
{
    for (size_t i = 0; i < key->from->reference_count; i++) {
        const struct catalog_foreign_key *other = &key->from->references[i];
        if (other->count > key->count && other->to != key->to && is_within(key, other)) {
            return other->to;
        }
    }
    return NULL;
}
