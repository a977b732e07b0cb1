#include "document/resolve.h"

#include <stdio.h>
#include <string.h>

/* A foreign key can be met from either side. */
struct candidate {
    const struct catalog_foreign_key *key;
    bool is_reference; /* of the table above to the one below */
};

enum { CANDIDATES_MAX = 32 };

struct choice {
    struct candidate candidates[CANDIDATES_MAX];
    size_t count;
};

static bool has_same_columns(const struct catalog_foreign_key *a, const struct catalog_foreign_key *b)
{
    bool same = a->from == b->from && a->to == b->to && a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = a->from_columns[i] == b->from_columns[i] && a->to_columns[i] == b->to_columns[i];
    }
    return same;
}

/* Those that were named are the columns of the key, in any order. */
static bool is_named(const struct catalog_foreign_key *key, const struct declared_names *by)
{
    if (by->count == 0) {
        return true;
    }
    size_t found = 0;
    for (size_t i = 0; i < by->count; i++) {
        const struct catalog_column *column = catalog_column_find(key->from, by->items[i]);
        for (size_t k = 0; k < key->count && column != NULL; k++) {
            found += key->from_columns[k] == column;
        }
    }
    return found == by->count && found == key->count;
}

static void add(struct choice *choice, const struct catalog_foreign_key *key, bool is_reference,
                const struct declared_names *by)
{
    for (size_t i = 0; i < choice->count; i++) {
        if (has_same_columns(choice->candidates[i].key, key)) {
            return;
        }
    }
    if (is_named(key, by) && choice->count < CANDIDATES_MAX) {
        choice->candidates[choice->count++] = (struct candidate){key, is_reference};
    }
}

static void add_references(struct choice *choice, const struct catalog_table *from, const struct catalog_table *to,
                           bool is_reference, const struct declared_names *by)
{
    for (size_t i = 0; i < from->reference_count; i++) {
        if (from->references[i].to == to) {
            add(choice, &from->references[i], is_reference, by);
        }
    }
}

static void print_key(FILE *stream, const struct catalog_foreign_key *key)
{
    fprintf(stream, "%s (", key->from->sql);
    for (size_t i = 0; i < key->count; i++) {
        fprintf(stream, "%s%s", i > 0 ? ", " : "", key->from_columns[i]->sql);
    }
    fputc(')', stream);
}

static const char *list_choices(struct memory *memory, const struct choice *choice)
{
    struct writing writing;
    writing_begin(&writing);
    for (size_t i = 0; i < choice->count; i++) {
        fputs(i > 0 ? ", " : "", writing.stream);
        print_key(writing.stream, choice->candidates[i].key);
    }
    return writing_end(&writing, memory);
}

static void take(struct join *join, const struct candidate *candidate)
{
    const struct catalog_foreign_key *key = candidate->key;
    join->is_reference = candidate->is_reference;
    join->count = key->count;
    for (size_t i = 0; i < key->count; i++) {
        join->above[i] = candidate->is_reference ? key->from_columns[i] : key->to_columns[i];
        join->below[i] = candidate->is_reference ? key->to_columns[i] : key->from_columns[i];
    }
}

/* Announced is the text of a value, which says as what it is mapped. */
static bool check_text(const char *path, const struct join *join, size_t i)
{
    const struct catalog_column *column = resolve_is_steady(join->below[i]) ? join->above[i] : join->below[i];
    if (!resolve_is_steady(column)) {
        return refuse(path,
                      "it hangs on column %s of %s, which is of type %s: its text is not the same in every "
                      "session, so changes could not be announced by it",
                      column->sql, column->table->sql, column->type);
    }
    bool is_collated = strcmp(join->above[i]->collation, join->below[i]->collation) != 0;
    bool is_plain = join->above[i]->is_deterministic && join->below[i]->is_deterministic;
    return join->count == 1 || !is_collated || is_plain
               ? true
               : refuse(path, "columns %s and %s have different collations, and equal texts are not the same",
                        join->above[i]->sql, join->below[i]->sql);
}

/* What is watched of several columns is announced as one text. */
static bool check_columns(const char *path, const struct join *join)
{
    for (size_t i = 0; i < join->count; i++) {
        if (!check_text(path, join, i)) {
            return false;
        }
    }
    for (size_t i = 0; i < join->count && join->count > 1; i++) {
        if (join->count > ID_COLUMNS_MAX) {
            return refuse(path, "a foreign key of more than %d columns cannot be followed", ID_COLUMNS_MAX);
        }
        const struct catalog_column *column = resolve_is_part(join->above[i]) ? join->below[i] : join->above[i];
        if (!resolve_is_part(column)) {
            return refuse(path,
                          "column %s of %s is of type %s: of a foreign key of several columns each has to be "
                          "smallint, integer, bigint, uuid, text or varchar",
                          column->sql, column->table->sql, column->type);
        }
    }
    return true;
}

static bool has_names(const struct catalog_table *table, const struct declared_names *by)
{
    for (size_t i = 0; i < by->count; i++) {
        if (catalog_column_find(table, by->items[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* ---- an include by itself ---- */

static bool refuse_none(struct resolver *resolver, const struct node *node)
{
    const struct declared_table *declared = node->declared;
    const char *child = node->table->sql;
    const char *parent = node->parent->table->sql;
    struct choice all = {0};
    const struct declared_names any = {0};
    add_references(&all, node->table, node->parent->table, false, &any);
    add_references(&all, node->parent->table, node->table, true, &any);
    if (all.count == 0) {
        return refuse(declared->path,
                      "there is no foreign key between %s and %s (columns that hold ids without one, or arrays "
                      "of ids, cannot be followed); if a link table connects them, name it in \"through\"",
                      child, parent);
    }
    if (declared->by.count > 0 &&
        (has_names(node->table, &declared->by) || has_names(node->parent->table, &declared->by))) {
        struct choice named = {0};
        add_references(&named, node->parent->table, node->table, true, &declared->by);
        if (named.count > 0) {
            return refuse(declared->path, "%s refers to %s, so there is one: say \"one\": true", parent, child);
        }
    }
    if (declared->by.count > 0) {
        return refuse(memory_print(resolver->memory, "%s.by", declared->path),
                      "no foreign key between %s and %s has %s; expected the columns of one of: %s", child, parent,
                      declared->by.count > 1 ? "these columns" : declared->by.items[0],
                      list_choices(resolver->memory, &all));
    }
    return refuse(declared->path, "%s refers to %s, so there is one: say \"one\": true", parent, child);
}

/* Of a self reference a list is of the rows below, and "one" is the row above. */
static bool join_to_parent(struct resolver *resolver, struct node *node)
{
    const struct declared_table *declared = node->declared;
    const struct catalog_table *parent = node->parent->table;
    struct choice choice = {0};
    if (declared->is_one) {
        add_references(&choice, parent, node->table, true, &declared->by);
    }
    if (!declared->is_one || parent != node->table) {
        add_references(&choice, node->table, parent, false, &declared->by);
    }
    if (choice.count == 0) {
        return refuse_none(resolver, node);
    }
    if (choice.count > 1) {
        return refuse(declared->path,
                      "several foreign keys connect %s and %s: \"by\" has to name the columns of one of: %s",
                      node->table->sql, parent->sql, list_choices(resolver->memory, &choice));
    }
    take(&node->join, &choice.candidates[0]);
    return check_columns(declared->path, &node->join);
}

/* ---- through a link table ---- */

static bool choose_side(struct resolver *resolver, const struct node *node, const char *member,
                        const struct declared_names *names, const struct catalog_table *to,
                        const struct catalog_foreign_key *other, struct candidate *chosen)
{
    const struct catalog_table *link = node->link->table;
    const struct declared_names any = {0};
    struct choice choice = {0};
    struct choice all = {0};
    for (size_t i = 0; i < link->reference_count; i++) {
        if (link->references[i].to == to && &link->references[i] != other) {
            add(&choice, &link->references[i], false, names);
            add(&all, &link->references[i], false, &any);
        }
    }
    const char *path = memory_print(resolver->memory, "%s.through", node->declared->path);
    if (all.count == 0) {
        return refuse(path, "%s has no %sforeign key to %s", link->sql, other != NULL ? "second " : "", to->sql);
    }
    if (choice.count != 1) {
        return refuse(path, "%s: \"through\": {\"table\": …, \"%s\": …} has to name the columns of one of: %s",
                      choice.count == 0 ? "there is no such foreign key" : "several foreign keys are possible", member,
                      list_choices(resolver->memory, &all));
    }
    *chosen = choice.candidates[0];
    return true;
}

static bool join_through(struct resolver *resolver, struct node *node)
{
    const struct declared_table *declared = node->declared;
    const char *path = memory_print(resolver->memory, "%s.through", declared->path);
    struct candidate near = {0};
    struct candidate far = {0};
    node->link = memory_take(resolver->memory, sizeof *node->link);
    if (!resolve_table(resolver, path, declared->through, &node->link->table)) {
        return false;
    }
    bool is_self = node->parent->table == node->table;
    if (!choose_side(resolver, node, "by", &declared->through_by, node->parent->table, NULL, &near) ||
        !choose_side(resolver, node, "to", &declared->through_to, node->table, is_self ? near.key : NULL, &far)) {
        return false;
    }
    far.is_reference = true; /* of the link */
    node->link->alias = resolve_alias(resolver, node->link->table);
    take(&node->link->join, &near);
    take(&node->join, &far);
    return check_columns(declared->path, &node->join) && check_columns(declared->path, &node->link->join);
}

bool resolve_join(struct resolver *resolver, struct node *node)
{
    return node->declared->through != NULL ? join_through(resolver, node) : join_to_parent(resolver, node);
}
