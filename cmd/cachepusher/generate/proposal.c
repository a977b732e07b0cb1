#include "generate/proposal.h"

#include "common/complain.h"
#include "generate/private.h"
#include "generate/relations.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- notes ---- */

/* A table is noted once for each reason. */
static bool is_noted(const struct proposal *proposal, const struct note *note)
{
    for (size_t i = 0; i < proposal->note_count; i++) {
        const struct note *other = &proposal->notes[i];
        if (other->node == note->node && other->table == note->table && strcmp(other->why, note->why) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_note(struct proposal *proposal, size_t node, const struct catalog_table *table, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool add_note(struct proposal *proposal, size_t node, const struct catalog_table *table, const char *format, ...)
{
    struct note note = {.node = node, .table = table};
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&note.why, format, arguments);
    va_end(arguments);
    if (length != -1 && is_noted(proposal, &note)) {
        free(note.why);
        return true;
    }
    struct note *grown = length != -1 ? realloc(proposal->notes, (proposal->note_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        complain("out of memory");
        if (length != -1) {
            free(note.why);
        }
        return false;
    }
    proposal->notes = grown;
    grown[proposal->note_count++] = note;
    return true;
}

/* ---- columns ---- */

/* Whether an include of the node says all that the column does. */
static bool is_replaced(const struct proposal *proposal, size_t node, const struct catalog_column *column)
{
    const char *why;
    for (size_t i = node + 1; i < proposal->node_count; i++) {
        const struct node *include = &proposal->nodes[i];
        for (size_t k = 0; include->parent == node && include->is_lookup && k < include->key->count; k++) {
            if (include->key->from_columns[k] == column &&
                proposal_shows(proposal, i, include->key->to_columns[k], &why)) {
                return true;
            }
        }
    }
    return false;
}

bool proposal_shows(const struct proposal *proposal, size_t node, const struct catalog_column *column, const char **why)
{
    const struct node *at = &proposal->nodes[node];
    const struct catalog_index *primary_key = node == 0 ? proposal->root_key : at->table->primary_key;
    *why = NULL;
    if (node == 0 && relations_has(primary_key->columns, primary_key->key_count, column)) {
        return true;
    }
    *why = private_reason(column);
    if (*why != NULL) {
        return false;
    }
    if (node > 0 && !at->is_lookup && at->target_key == NULL &&
        relations_has(at->key->from_columns, at->key->count, column)) {
        return false;
    }
    bool is_key = primary_key != NULL && relations_has(primary_key->columns, primary_key->key_count, column);
    return is_key || !is_replaced(proposal, node, column);
}

/* ---- names ---- */

/* "customer_id", "fk_customer", "customerId": "customer"; "" where nothing else is said. */
static void find_stem(const struct catalog_foreign_key *key, char stem[PROPOSAL_NAME_BYTES_MAX])
{
    static const char *const ends[] = {"_id", "Id", "ID", "_fk", "_uuid", "_no", "_code"};
    static const char *const starts[] = {"fk_", "id_"};
    const char *name = key->from_columns[key->count - 1]->name; /* the tenant comes first */
    size_t start = 0;
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof starts / sizeof *starts && start == 0; i++) {
        start = strncmp(name, starts[i], strlen(starts[i])) == 0 ? strlen(starts[i]) : 0;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (length > start + end && strcmp(name + length - end, ends[i]) == 0) {
            length -= end;
            break;
        }
    }
    snprintf(stem, PROPOSAL_NAME_BYTES_MAX, "%.*s", (int)(length - start), name + start);
}

static const char *name_nested(const struct catalog_foreign_key *key)
{
    const char *column = key->from_columns[key->count - 1]->name;
    if (strstr(column, "repl") != NULL) {
        return "replies";
    }
    bool is_staff = strstr(column, "manager") != NULL || strstr(column, "report") != NULL ||
                    strstr(column, "supervisor") != NULL || strstr(column, "boss") != NULL;
    return is_staff ? "reports" : "children";
}

static bool is_taken(const struct proposal *proposal, const char *name, size_t node)
{
    const size_t parent = proposal->nodes[node].parent;
    const struct catalog_table *table = proposal->nodes[parent].table;
    const char *why;
    for (size_t i = parent + 1; i < node; i++) {
        if (proposal->nodes[i].parent == parent && strcmp(proposal->nodes[i].name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0 && proposal_shows(proposal, parent, &table->columns[i], &why)) {
            return true;
        }
    }
    return false;
}

/* The first that is free of: what it is called where there is no other, by its table, by table and column, numbered. */
static void choose_name(const struct proposal *proposal, struct node *node)
{
    const size_t index = (size_t)(node - proposal->nodes);
    const bool has_link = node->target_key != NULL;
    const char *table = node->table->name;
    char stem[PROPOSAL_NAME_BYTES_MAX];
    find_stem(has_link ? node->target_key : node->key, stem);
    const bool by_column = node->is_lookup || (has_link && node->key->to == node->table);
    const bool is_one_of_several = node->is_ambiguous && !has_link && !node->is_lookup && !node->is_nested &&
                                   relations_between(node->table, node->key->to) > 1;
    const char *first = node->is_nested ? name_nested(node->key) : by_column ? stem : table;
    const char *second = has_link ? node->key->from->name : table;
    const char *candidates[] = {is_one_of_several ? "" : first, is_one_of_several ? "" : second};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (*candidates[i] != '\0' && !is_taken(proposal, candidates[i], index)) {
            snprintf(node->name, sizeof node->name, "%s", candidates[i]);
            return;
        }
    }
    snprintf(node->name, sizeof node->name, "%.100s_by_%.100s", table, stem);
    for (unsigned number = 2; is_taken(proposal, node->name, index); number++) {
        snprintf(node->name, sizeof node->name, "%.100s_by_%.100s_%u", table, stem, number);
    }
}

/* ---- the tree ---- */

static bool is_above(const struct proposal *proposal, size_t node, const struct catalog_table *table)
{
    for (;;) {
        if (proposal->nodes[node].table == table) {
            return true;
        }
        if (node == 0) {
            return false;
        }
        node = proposal->nodes[node].parent;
    }
}

/* NULL: the bound on includes is reached, and a note says so. */
static struct node *add_node(struct proposal *proposal, size_t parent, const struct catalog_foreign_key *key,
                             const struct catalog_foreign_key *target_key, const struct catalog_table *table)
{
    const struct catalog_table *above = proposal->nodes[parent].table;
    const struct catalog_table *link = key->from;
    if (proposal->node_count == PROPOSAL_NODES_MAX) {
        return NULL;
    }
    struct node *node = &proposal->nodes[proposal->node_count++];
    *node = (struct node){.table = table, .parent = parent, .key = key, .target_key = target_key};
    node->is_ambiguous = target_key == NULL ? relations_between(table, above) + relations_between(above, table) > 1
                                            : relations_between(link, above) > 1 || relations_between(link, table) > 1;
    node->level = proposal->nodes[parent].level;
    node->rows = proposal->nodes[parent].rows;
    return node;
}

static bool note_full(struct proposal *proposal, size_t node, const struct catalog_table *table)
{
    return add_note(proposal, node, table, "there are %d includes already", PROPOSAL_NODES_MAX - 1);
}

static bool follow_lookup(struct proposal *proposal, size_t index, const struct catalog_foreign_key *key)
{
    const struct node *at = &proposal->nodes[index];
    const struct catalog_foreign_key *joined = at->target_key != NULL ? at->target_key : at->key;
    bool hangs_there = index > 0 && (at->is_lookup || at->target_key != NULL
                                         ? relations_within(key, joined->to_columns, joined->count)
                                         : relations_within(key, joined->from_columns, joined->count));
    if (key == at->key || hangs_there || is_above(proposal, index, key->to)) {
        return true;
    }
    if (private_name(key->to->name)) {
        return add_note(proposal, index, key->to, "looks private");
    }
    if (at->lookups_left == 0) {
        return add_note(proposal, index, key->to, "deeper than --depth %zu goes", proposal->depth);
    }
    struct node *node = add_node(proposal, index, key, NULL, key->to);
    if (node == NULL) {
        return note_full(proposal, index, key->to);
    }
    node->is_lookup = true;
    node->is_one = true;
    node->lookups_left = at->lookups_left - 1;
    choose_name(proposal, node);
    return true;
}

static bool nest(struct proposal *proposal, const struct catalog_foreign_key *key)
{
    struct node *node = add_node(proposal, 0, key, NULL, key->from);
    if (node == NULL) {
        return note_full(proposal, 0, key->from);
    }
    node->is_nested = true;
    node->is_ambiguous = true; /* up or down */
    choose_name(proposal, node);
    return true;
}

/* How many rows of the table (or the link) a document would have; as many as above where nobody knows. */
static double estimate(const struct node *parent, const struct catalog_table *child)
{
    const double above = parent->table->rows;
    return above > 0 && child->rows > above ? parent->rows * child->rows / above : parent->rows;
}

/* Why a list is not followed. *why is "" if it is. False: out of memory. */
static bool refuse_list(struct proposal *proposal, size_t index, const struct catalog_foreign_key *key,
                        const struct catalog_table *target, bool *is_refused)
{
    const struct catalog_table *better = relations_better_parent(key);
    const double rows = estimate(&proposal->nodes[index], key->from);
    *is_refused = true;
    if (private_name(target->name)) {
        return add_note(proposal, index, target, "looks private");
    }
    if (key->from->is_partition) {
        return add_note(proposal, index, key->from, "a partition");
    }
    if (better != NULL) {
        return add_note(proposal, index, key->from, "belongs to %s", better->sql);
    }
    if (proposal->nodes[index].level >= proposal->depth) {
        return add_note(proposal, index, target, "deeper than --depth %zu goes", proposal->depth);
    }
    if (rows > (double)PROPOSAL_ROWS_MAX) {
        return add_note(proposal, index, target, "about %.0f rows in each document", rows);
    }
    *is_refused = false;
    return true;
}

static bool follow_list(struct proposal *proposal, size_t index, const struct catalog_foreign_key *key)
{
    const struct catalog_foreign_key *far = relations_far_side(key);
    const struct catalog_table *target = far != NULL ? far->to : key->from;
    const bool is_self_link = target == key->to;
    bool is_refused;
    if (key->from == key->to) {
        return index > 0 || nest(proposal, key);
    }
    if (is_self_link ? index > 0 : is_above(proposal, index, target)) {
        return true;
    }
    if (!refuse_list(proposal, index, key, target, &is_refused) || is_refused) {
        return is_refused;
    }
    struct node *node = add_node(proposal, index, key, far, target);
    if (node == NULL) {
        return note_full(proposal, index, target);
    }
    node->level++;
    node->rows = estimate(&proposal->nodes[index], key->from);
    node->is_one = far == NULL && catalog_is_unique(key->from, key->from_columns, key->count);
    node->lookups_left = is_self_link ? 0 : proposal->depth > node->level ? proposal->depth - node->level : 1;
    choose_name(proposal, node);
    return true;
}

static bool follow(struct proposal *proposal, size_t index)
{
    const struct node *at = &proposal->nodes[index];
    bool is_leaf = at->is_nested || (at->target_key != NULL && at->table == proposal->nodes[at->parent].table);
    for (size_t i = 0; !is_leaf && i < at->table->reference_count; i++) {
        if (!follow_lookup(proposal, index, &at->table->references[i])) {
            return false;
        }
    }
    /* What a lookup or a link leads to is shared by many documents, and not what they are made of. */
    bool has_lists = !is_leaf && !at->is_lookup && at->target_key == NULL;
    for (size_t i = 0; has_lists && i < at->table->referenced_by_count; i++) {
        if (!follow_list(proposal, index, at->table->referenced_by[i])) {
            return false;
        }
    }
    return true;
}

static bool is_never_null(const struct catalog_index *key)
{
    for (size_t i = 0; i < key->key_count; i++) {
        if (!key->columns[i]->is_not_null) {
            return false;
        }
    }
    return true;
}

/* The primary key, else a unique key that stands in for it. NULL: the reason has been told. */
static const struct catalog_index *choose_key(const struct catalog_table *table)
{
    for (size_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].is_unique && is_never_null(&table->indexes[i])) {
            return &table->indexes[i];
        }
    }
    if (table->kind == 'v' || table->kind == 'm' || table->kind == 'f') {
        complain("%s is a %s, of which the catalog says no more than the columns: generate for the table behind it, or "
                 "declare the document by hand, with its \"key\" and \"watch\"",
                 table->qualified,
                 table->kind == 'v' ? "view" : (table->kind == 'm' ? "materialized view" : "foreign table"));
    } else {
        complain("%s has no primary key, which a document is found by: add one (alter table %s add primary key "
                 "(...)), or a unique index of columns that are not null",
                 table->qualified, table->qualified);
    }
    return NULL;
}

bool proposal_make(struct proposal *proposal, const struct catalog_table *table, size_t depth)
{
    *proposal = (struct proposal){.depth = depth, .node_count = 1};
    proposal->nodes[0] = (struct node){.table = table, .lookups_left = depth > 1 ? depth : 1, .rows = 1};
    if (table->is_partition) {
        complain("%s is a partition: generate for the partitioned table that it belongs to", table->qualified);
        return false;
    }
    proposal->root_key = choose_key(table);
    if (proposal->root_key == NULL) {
        return false;
    }
    for (size_t i = 0; i < proposal->node_count; i++) {
        if (!follow(proposal, i)) {
            return false;
        }
    }
    return true;
}

void proposal_fini(struct proposal *proposal)
{
    for (size_t i = 0; i < proposal->note_count; i++) {
        free(proposal->notes[i].why);
    }
    free(proposal->notes);
    proposal->notes = NULL;
    proposal->note_count = 0;
}
