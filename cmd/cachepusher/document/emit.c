#include "document/emit.h"

#include <string.h>

enum { LINE_BYTES = 100 };

/* The function under way. line, whole and wanted are names that no column or member has: SQL would take them for it. */
struct emission {
    FILE *out;
    const struct document *document;
    const char *line;
    const char *whole;
    const char *wanted;
};

#define EQUALS " operator(pg_catalog.=) "

static void write_rows(const struct emission *emission, const struct node *node, int indent);

/* ---- names ---- */

static bool table_has(const struct catalog_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_taken(const struct node *node, const char *name)
{
    bool taken = table_has(node->table, name) || (node->link != NULL && table_has(node->link->table, name)) ||
                 (node->declared->name != NULL && strcmp(node->declared->name, name) == 0);
    for (size_t i = 0; i < node->member_count && !taken; i++) {
        taken = strcmp(node->members[i].name, name) == 0;
    }
    for (size_t i = 0; i < node->include_count && !taken; i++) {
        taken = is_taken(&node->includes[i], name);
    }
    return taken;
}

static const char *free_name(const struct document *document, const char *wish, struct memory *memory)
{
    const char *name = wish;
    for (unsigned i = 2; is_taken(&document->root, name); i++) {
        name = memory_print(memory, "%s_%u", wish, i);
    }
    return name;
}

/* Behind AS any word is a name; what would be folded, or is none, is quoted. */
static void write_label(FILE *out, const char *name)
{
    if (*name != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
        (*name < '0' || *name > '9')) {
        fputs(name, out);
        return;
    }
    fputc('"', out);
    for (; *name != '\0'; name++) {
        fprintf(out, *name == '"' ? "\"%c" : "%c", *name);
    }
    fputc('"', out);
}

static void write_line(FILE *out, int indent)
{
    fprintf(out, "\n%*s", indent, "");
}

/* ---- ids ---- */

const char *emit_id_type(const struct document *document)
{
    static const char *const types[][2] = {{"integer", "integer"}, {"bigint", "bigint"}, {"uuid", "pg_catalog.uuid"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(document->id_type, types[i][0]) == 0) {
            return types[i][1];
        }
    }
    return "pg_catalog.text";
}

void emit_id(FILE *out, const struct document *document, const char *alias, const struct catalog_column *const *columns)
{
    if (document->key_count == 1) {
        bool is_same = strcmp(columns[0]->type, document->id_type) == 0;
        fprintf(out, "%s.%s", alias, columns[0]->sql);
        if (!is_same) {
            fprintf(out, "::%s", emit_id_type(document));
        }
        return;
    }
    fputs("cachepusher.id_text(", out);
    for (size_t i = 0; i < document->key_count; i++) {
        fprintf(out, "%s%s.%s::pg_catalog.text", i > 0 ? ", " : "", alias, columns[i]->sql);
    }
    fputc(')', out);
}

void emit_part(FILE *out, const char *alias, const struct catalog_column *column, const char *id, size_t n)
{
    const char *type = column->base_type;
    const char *cast = strcmp(type, "smallint") == 0 || strcmp(type, "integer") == 0 ? "cachepusher.id_integer("
                       : strcmp(type, "bigint") == 0                                 ? "cachepusher.id_bigint("
                       : strcmp(type, "uuid") == 0                                   ? "cachepusher.id_uuid("
                                                                                     : "";
    fprintf(out, "%s.%s" EQUALS "%scachepusher.id_part(%s, %zu)%s", alias, column->sql, cast, id, n,
            *cast != '\0' ? ")" : "");
}

/* ---- joins ---- */

static const struct catalog_column *key_of(const struct join *join, size_t i)
{
    return join->is_reference ? join->below[i] : join->above[i];
}

const char *emit_operator(const struct join *join, size_t i)
{
    return key_of(join, i)->equals;
}

void emit_collation(FILE *out, const struct join *join, size_t i)
{
    if (strcmp(join->above[i]->collation, join->below[i]->collation) != 0) {
        fprintf(out, " collate %s", key_of(join, i)->collation);
    }
}

void emit_join(FILE *out, const struct join *join, const char *above, const char *below)
{
    for (size_t i = 0; i < join->count; i++) {
        fprintf(out, "%s%s.%s %s %s.%s", i > 0 ? " and " : "", below, join->below[i]->sql, emit_operator(join, i),
                above, join->above[i]->sql);
        emit_collation(out, join, i);
    }
}

/* ---- members ---- */

static void write_member(FILE *out, const struct node *node, const struct member *member)
{
    if (member->column == NULL) {
        fprintf(out, "(%s) as ", member->sql);
        write_label(out, member->name);
        return;
    }
    fprintf(out, "%s.%s", node->alias, member->column->sql);
    if (strcmp(member->name, member->column->name) != 0) {
        fputs(" as ", out);
        write_label(out, member->name);
    }
}

static void write_include(const struct emission *emission, const struct node *include, int indent)
{
    fputs(include->declared->is_one ? "(" : "array(", emission->out);
    write_rows(emission, include, indent + 4);
    write_line(emission->out, indent);
    fputs(") as ", emission->out);
    write_label(emission->out, include->declared->name);
}

/* Columns fill lines; each table begins one of its own. */
static void write_members(const struct emission *emission, const struct node *node, int indent)
{
    struct memory memory = {0};
    size_t length = 0;
    fputs("select ", emission->out);
    for (size_t i = 0; i < node->member_count; i++) {
        struct writing writing;
        writing_begin(&writing);
        write_member(writing.stream, node, &node->members[i]);
        const char *text = writing_end(&writing, &memory);
        bool breaks = i > 0 && length + strlen(text) > LINE_BYTES;
        fputs(i == 0 ? "" : breaks ? "," : ", ", emission->out);
        if (breaks) {
            write_line(emission->out, indent + 7);
            length = 0;
        }
        length += strlen(text) + 2;
        fputs(text, emission->out);
    }
    for (size_t i = 0; i < node->include_count; i++) {
        fputs(node->member_count + i > 0 ? "," : "", emission->out);
        write_line(emission->out, indent + 7);
        write_include(emission, &node->includes[i], indent + 7);
    }
    memory_fini(&memory);
}

/* ---- the rows of an include ---- */

/* In a condition of its own, so that an expression sees the one table alone. */
static void write_link(const struct emission *emission, const struct node *node, int indent)
{
    FILE *out = emission->out;
    const struct link *link = node->link;
    bool is_simple = node->join.count == 1;
    if (is_simple) {
        fprintf(out, "%s.%s %s any (array(", node->alias, node->join.below[0]->sql, emit_operator(&node->join, 0));
        write_line(out, indent + 4);
        fprintf(out, "select %s.%s", link->alias, node->join.above[0]->sql);
        emit_collation(out, &node->join, 0);
    } else {
        fputs("exists (", out);
        write_line(out, indent + 4);
        fputs("select", out);
    }
    write_line(out, indent + 4);
    fprintf(out, "from %s as %s", link->table->qualified, link->alias);
    write_line(out, indent + 4);
    fputs("where ", out);
    emit_join(out, &link->join, node->parent->alias, link->alias);
    if (!is_simple) {
        fputs(" and ", out);
        emit_join(out, &node->join, link->alias, node->alias);
    }
    write_line(out, indent);
    fputs(is_simple ? "))" : ")", out);
}

static void write_order(const struct emission *emission, const struct node *node, int indent)
{
    FILE *out = emission->out;
    if (node->order == NULL) {
        return;
    }
    write_line(out, indent);
    fputs("order by ", out);
    if (node->order_by != NULL) {
        fputs(node->order_by, out);
    }
    for (size_t i = 0; i < node->order->key_count && !node->order_is_total; i++) {
        fprintf(out, "%s%s.%s", i > 0 || node->order_by != NULL ? ", " : "", node->alias, node->order->columns[i]->sql);
    }
    if (node->declared->is_one) {
        fputs(" limit 1", out);
    }
}

static void write_rows(const struct emission *emission, const struct node *node, int indent)
{
    FILE *out = emission->out;
    write_line(out, indent);
    fprintf(out, "select %s", emission->line);
    write_line(out, indent);
    fputs("from (", out);
    write_line(out, indent + 4);
    write_members(emission, node, indent + 4);
    write_line(out, indent + 4);
    fprintf(out, "from %s as %s", node->table->qualified, node->alias);
    write_line(out, indent + 4);
    fputs("where ", out);
    if (node->link != NULL) {
        write_link(emission, node, indent + 4);
    } else {
        emit_join(out, &node->join, node->parent->alias, node->alias);
    }
    if (node->where != NULL) {
        write_line(out, indent + 6);
        fprintf(out, "and (%s)", node->where);
    }
    write_order(emission, node, indent + 4);
    write_line(out, indent);
    fprintf(out, ") as %s", emission->line);
}

/* ---- the document ---- */

static void write_document(const struct emission *emission, int indent)
{
    const struct node *root = &emission->document->root;
    fputs("cross join lateral (", emission->out);
    write_line(emission->out, indent + 4);
    write_members(emission, root, indent + 4);
    if (root->where != NULL) {
        write_line(emission->out, indent + 4);
        fprintf(emission->out, "where (%s)", root->where);
    }
    write_line(emission->out, indent);
    fprintf(emission->out, ") as %s", emission->whole);
}

static void write_by_column(const struct emission *emission)
{
    FILE *out = emission->out;
    const struct document *document = emission->document;
    const struct node *root = &document->root;
    const struct catalog_column *key = document->key[0];
    bool is_plain = resolve_is_part(key);
    fputs("\n    select ", out);
    emit_id(out, document, root->alias, document->key);
    fprintf(out, ", pg_catalog.row_to_json(%s)\n    from %s as %s\n    ", emission->whole, root->table->qualified,
            root->alias);
    write_document(emission, 4);
    fprintf(out, "\n    where %s.%s %s any (", root->alias, key->sql, key->equals);
    fprintf(out, table_has(root->table, "ids") ? "$1" : "ids");
    if (!is_plain) {
        fprintf(out, "::%s[]", key->base_type);
    }
    fputs(")\n", out);
}

/* An id of several columns that nobody would write so is none. */
static void write_by_parts(const struct emission *emission)
{
    FILE *out = emission->out;
    const struct document *document = emission->document;
    const struct node *root = &document->root;
    fprintf(out, "\n    select wanted.%s, pg_catalog.row_to_json(%s)\n    from pg_catalog.unnest(ids) as wanted (%s)\n",
            emission->wanted, emission->whole, emission->wanted);
    fprintf(out, "    join %s as %s", root->table->qualified, root->alias);
    for (size_t i = 0; i < document->key_count; i++) {
        struct memory memory = {0};
        fputs(i == 0 ? "\n      on " : "\n     and ", out);
        emit_part(out, root->alias, document->key[i], memory_print(&memory, "wanted.%s", emission->wanted), i + 1);
        memory_fini(&memory);
    }
    fputs("\n    ", out);
    write_document(emission, 4);
    fprintf(out, "\n    where wanted.%s" EQUALS, emission->wanted);
    emit_id(out, document, root->alias, document->key);
    fputc('\n', out);
}

const char *emit_body(const struct document *document, struct memory *memory)
{
    struct writing writing;
    writing_begin(&writing);
    const struct emission emission = {.out = writing.stream,
                                      .document = document,
                                      .line = free_name(document, "line", memory),
                                      .whole = free_name(document, "document", memory),
                                      .wanted = free_name(document, "wanted_id", memory)};
    if (document->key_count == 1) {
        write_by_column(&emission);
    } else {
        write_by_parts(&emission);
    }
    return writing_end(&writing, memory);
}

const char *emit_quoted(const char *text, struct memory *memory)
{
    const char *quote = "$$";
    for (unsigned i = 1; strstr(text, quote) != NULL; i++) {
        quote = memory_print(memory, "$text%u$", i);
    }
    return memory_print(memory, "%s%s%s", quote, text, quote);
}

const char *emit_function(const struct document *document, const char *name, const char *body, struct memory *memory)
{
    const char *type = emit_id_type(document);
    return memory_print(memory,
                        "create or replace function %s(ids %s[]) returns table (id %s, document pg_catalog.json)\n"
                        "language sql stable\nas %s",
                        name, type, type, emit_quoted(body, memory));
}

const char *emit_list(const struct document *document, struct memory *memory)
{
    const struct node *root = &document->root;
    const char *word = " where ";
    struct writing writing;
    writing_begin(&writing);
    fputs("select ", writing.stream);
    emit_id(writing.stream, document, root->alias, document->key);
    fprintf(writing.stream, " from %s as %s", root->table->qualified, root->alias);
    for (size_t i = 0; i < document->key_count; i++) {
        if (!document->key[i]->is_not_null) {
            fprintf(writing.stream, "%s%s.%s is not null", word, root->alias, document->key[i]->sql);
            word = " and ";
        }
    }
    if (root->where != NULL) {
        fprintf(writing.stream, "%s(%s)", word, root->where);
    }
    return writing_end(&writing, memory);
}
