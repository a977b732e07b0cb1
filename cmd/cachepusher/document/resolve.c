#include "document/resolve.h"

#include <string.h>

enum { NODES_MAX = 200, NAME_BYTES_MAX = 63 };

static bool resolve_node(struct resolver *resolver, struct node *node, int levels);

/* ---- tables ---- */

bool resolve_table(const struct resolver *resolver, const char *path, const char *spelling,
                   const struct catalog_table **table)
{
    if (!catalog_find(resolver->catalog, resolver->pg, spelling, table)) {
        return false;
    }
    if (*table == NULL) {
        return refuse(path, "there is no table %s that this role can see", spelling);
    }
    if ((*table)->kind != 'r' && (*table)->kind != 'p' && !resolver->has_watch) {
        return refuse(path,
                      "%s is a %s, whose changes no trigger sees: list the tables that it is made of in the "
                      "entity's \"watch\"",
                      (*table)->sql,
                      (*table)->kind == 'f'   ? "foreign table"
                      : (*table)->kind == 'm' ? "materialized view"
                                              : "view");
    }
    if ((*table)->is_inherited) {
        return refuse(path,
                      "other tables inherit from %s: their rows are among its own, keys and triggers are not; "
                      "expected a table by itself, or one with partitions",
                      (*table)->sql);
    }
    return true;
}

const char *resolve_alias(struct resolver *resolver, const struct catalog_table *table)
{
    char letter = *table->name;
    letter = (char)(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
    letter = (char)(letter >= 'a' && letter <= 'z' ? letter : 't');
    unsigned number = ++resolver->aliases[letter - 'a'];
    return number == 1 ? memory_print(resolver->memory, "%c", letter)
                       : memory_print(resolver->memory, "%c%u", letter, number);
}

/* ---- columns ---- */

void resolve_read(struct node *node, const struct catalog_column *column)
{
    node->reads[column - node->table->columns] = true;
}

static bool take_all_columns(struct resolver *resolver, struct node *node)
{
    node->member_count = node->table->column_count;
    node->members = memory_take(resolver->memory, (node->member_count + 1) * sizeof *node->members);
    for (size_t i = 0; i < node->member_count; i++) {
        node->members[i] = (struct member){.name = node->table->columns[i].name, .column = &node->table->columns[i]};
        node->reads[i] = true;
    }
    return true;
}

static bool take_member(struct resolver *resolver, struct node *node, const struct declared_member *declared,
                        struct member *member)
{
    member->name = declared->name;
    if (declared->sql != NULL) {
        const char *path = memory_print(resolver->memory, "%s.sql", declared->path);
        member->sql = resolve_sql(resolver, path, node, EXPRESSION_VALUE, declared->sql, node->reads);
        return member->sql != NULL;
    }
    member->column = catalog_column_find(node->table, declared->column);
    if (member->column == NULL) {
        return refuse(declared->path, "table %s has no column %s", node->table->sql, declared->column);
    }
    member->name = member->name != NULL ? member->name : member->column->name;
    resolve_read(node, member->column);
    return true;
}

static bool take_columns(struct resolver *resolver, struct node *node)
{
    const struct declared_table *declared = node->declared;
    if (!declared->has_columns) {
        return take_all_columns(resolver, node);
    }
    node->member_count = declared->member_count;
    node->members = memory_take(resolver->memory, node->member_count * sizeof *node->members);
    for (size_t i = 0; i < declared->member_count; i++) {
        if (!take_member(resolver, node, &declared->members[i], &node->members[i])) {
            return false;
        }
    }
    return true;
}

static const char *name_at(const struct node *node, size_t place)
{
    return place < node->member_count ? node->members[place].name
                                      : node->includes[place - node->member_count].declared->name;
}

static const char *path_at(const struct node *node, size_t place)
{
    return place >= node->member_count   ? node->includes[place - node->member_count].declared->path
           : node->declared->has_columns ? node->declared->members[place].path
                                         : node->declared->path;
}

/* Members of the same name would hide each other, and Postgres would cut long ones. */
static bool check_names(const struct node *node)
{
    size_t count = node->member_count + node->include_count;
    for (size_t i = 0; i < count; i++) {
        if (strlen(name_at(node, i)) > NAME_BYTES_MAX) {
            return refuse(path_at(node, i), "the member's name \"%s\" has more than %d bytes", name_at(node, i),
                          NAME_BYTES_MAX);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(name_at(node, i), name_at(node, k)) == 0) {
                return refuse(path_at(node, i), "there is a member \"%s\" already", name_at(node, i));
            }
        }
    }
    return true;
}

/* ---- order and filters ---- */

/* SQL takes a name in ORDER BY for a member first. */
static bool check_order_names(const struct node *node, const char *path, const bool *reads)
{
    for (size_t i = 0; i < node->member_count + node->include_count; i++) {
        const struct member *member = i < node->member_count ? &node->members[i] : NULL;
        for (size_t c = 0; c < node->table->column_count; c++) {
            const struct catalog_column *column = &node->table->columns[c];
            if (reads[c] && strcmp(name_at(node, i), column->name) == 0 &&
                (member == NULL || member->column != column)) {
                return refuse(path,
                              "it reads column %s, and another member is called so: SQL would order by "
                              "that one; give the member another name",
                              column->sql);
            }
        }
    }
    return true;
}

static bool is_read_whole(const struct catalog_index *index, const struct node *node, const bool *reads)
{
    for (size_t i = 0; i < index->key_count; i++) {
        if (!reads[index->columns[i] - node->table->columns]) {
            return false;
        }
    }
    return true;
}

/* A key of columns that are not null. */
static const struct catalog_index *find_key(const struct catalog_table *table)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct catalog_index *index = &table->indexes[i];
        bool is_key = index->is_unique;
        for (size_t k = 0; k < index->key_count && is_key; k++) {
            is_key = index->columns[k]->is_not_null;
        }
        if (is_key) {
            return index;
        }
    }
    return NULL;
}

/* Rows are told apart by a key, so that a document has the same bytes each time it is read. */
static bool take_order(struct resolver *resolver, struct node *node)
{
    const struct declared_table *declared = node->declared;
    bool *reads = memory_take(resolver->memory, node->table->column_count * sizeof *reads);
    const char *path = memory_print(resolver->memory, "%s.order", declared->path);
    node->order = find_key(node->table);
    if (node->order == NULL) {
        return refuse(declared->path,
                      "table %s has neither a primary key nor a unique index of columns that are not null, by "
                      "which its rows could be put in order",
                      node->table->sql);
    }
    if (declared->order != NULL) {
        node->order_by = resolve_sql(resolver, path, node, EXPRESSION_ORDER, declared->order, reads);
        if (node->order_by == NULL || !check_order_names(node, path, reads)) {
            return false;
        }
        node->order_is_total = is_read_whole(node->order, node, reads);
    }
    for (size_t i = 0; i < node->order->key_count; i++) {
        resolve_read(node, node->order->columns[i]);
    }
    for (size_t c = 0; c < node->table->column_count; c++) {
        node->reads[c] = node->reads[c] || reads[c];
    }
    return true;
}

static bool has_one_at_most(const struct node *node)
{
    return node->declared->is_one && catalog_is_unique(node->table, node->join.below, node->join.count) &&
           (node->link == NULL || catalog_is_unique(node->link->table, node->link->join.below, node->link->join.count));
}

static bool take_rest(struct resolver *resolver, struct node *node)
{
    const struct declared_table *declared = node->declared;
    const char *path = memory_print(resolver->memory, "%s.where", declared->path);
    if (declared->where != NULL) {
        node->where = resolve_sql(resolver, path, node, EXPRESSION_CONDITION, declared->where, node->reads);
        if (node->where == NULL) {
            return false;
        }
    }
    if (node->parent != NULL && !has_one_at_most(node)) {
        return take_order(resolver, node);
    }
    return declared->order == NULL
               ? true
               : refuse(memory_print(resolver->memory, "%s.order", declared->path),
                        "there is one row of %s at most, and nothing to put in order", node->table->sql);
}

/* ---- the tree ---- */

static bool take_include(struct resolver *resolver, struct node *node, size_t place,
                         const struct declared_table *declared, int levels)
{
    struct node *include = &node->includes[place];
    *include = (struct node){.declared = declared, .parent = node};
    return resolve_node(resolver, include, levels);
}

/* Its includes, and itself once more while there are levels left. */
static bool take_includes(struct resolver *resolver, struct node *node, int levels)
{
    const struct declared_table *declared = node->declared;
    node->include_count = declared->include_count + (levels > 1 ? 1 : 0);
    node->includes = memory_take(resolver->memory, (node->include_count + 1) * sizeof *node->includes);
    for (size_t i = 0; i < declared->include_count; i++) {
        const struct declared_table *below = &declared->includes[i];
        if (!take_include(resolver, node, i, below, below->depth > 0 ? below->depth : 1)) {
            return false;
        }
    }
    return levels <= 1 || take_include(resolver, node, declared->include_count, declared, levels - 1);
}

static bool resolve_node(struct resolver *resolver, struct node *node, int levels)
{
    const struct declared_table *declared = node->declared;
    const char *path = memory_print(resolver->memory, "%s.table", declared->path);
    if (++resolver->node_count > NODES_MAX) {
        return refuse(declared->path,
                      "the document has more than %d tables, levels of self references among "
                      "them",
                      NODES_MAX);
    }
    if (!resolve_table(resolver, path, declared->table, &node->table)) {
        return false;
    }
    if (declared->depth > 0 && node->parent->table != node->table) {
        return refuse(declared->path, "depth is for a table that is included in itself, and %s is included in %s",
                      node->table->sql, node->parent->table->sql);
    }
    node->alias = resolve_alias(resolver, node->table);
    node->reads = memory_take(resolver->memory, (node->table->column_count + 1) * sizeof *node->reads);
    return (node->parent == NULL || resolve_join(resolver, node)) && take_columns(resolver, node) &&
           take_includes(resolver, node, levels) && check_names(node) && take_rest(resolver, node);
}

/* The columns of the tables above that includes hang on are read, too. A generated column hangs on others, and is not
 * in every source: all of them count. */
static void complete_reads(struct node *node)
{
    for (size_t i = 0; i < node->include_count; i++) {
        const struct node *include = &node->includes[i];
        const struct join *join = include->link != NULL ? &include->link->join : &include->join;
        for (size_t k = 0; k < join->count; k++) {
            resolve_read(node, join->above[k]);
        }
        complete_reads(&node->includes[i]);
    }
    bool has_generated = false;
    for (size_t c = 0; c < node->table->column_count; c++) {
        has_generated = has_generated || (node->reads[c] && node->table->columns[c].is_generated);
    }
    for (size_t c = 0; c < node->table->column_count && has_generated; c++) {
        node->reads[c] = !node->table->columns[c].is_generated;
    }
}

struct document *resolve(struct resolver *resolver, const cp_declaration *declaration)
{
    struct document *document = memory_take(resolver->memory, sizeof *document);
    *document = (struct document){.entity = declaration->entity,
                                  .digest = declaration->digest,
                                  .declaration = declaration->document,
                                  .index = declaration->index,
                                  .root.declared = declaration_read(declaration, resolver->memory)};
    if (document->root.declared == NULL) {
        return NULL;
    }
    document->key_path = memory_print(resolver->memory, "%s.key", document->root.declared->path);
    if (!resolve_node(resolver, &document->root, 1) || !resolve_key(document)) {
        return NULL;
    }
    complete_reads(&document->root);
    return document;
}
