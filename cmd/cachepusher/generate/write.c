#include "generate/write.h"

#include "generate/relations.h"
#include "generate/writer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 4, ENTITY_NAME_BYTES_MAX = 32, NOTES_SHOWN = 24 };

/* ---- lists of names ---- */

/* One column is a string, several are an array. */
static void put_columns(struct writer *writer, const struct catalog_column *const *columns, size_t count)
{
    writer_put(writer, count > 1 ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        writer_put(writer, i > 0 ? ", " : "");
        writer_put_string(writer, columns[i]->sql);
    }
    writer_put(writer, count > 1 ? "]" : "");
}

static bool shows_any(const struct proposal *proposal, size_t index)
{
    const struct catalog_table *table = proposal->nodes[index].table;
    const char *why;
    size_t i = 0;
    while (i < table->column_count && !proposal_shows(proposal, index, &table->columns[i], &why)) {
        i++;
    }
    return i < table->column_count;
}

/* A row of which nothing else is left is there by the columns that join it. */
static bool shows(const struct proposal *proposal, size_t index, const struct catalog_column *column)
{
    const struct node *node = &proposal->nodes[index];
    const char *why;
    if (proposal_shows(proposal, index, column, &why)) {
        return true;
    }
    if (index == 0 || shows_any(proposal, index)) {
        return false;
    }
    const struct catalog_foreign_key *key = node->target_key != NULL ? node->target_key : node->key;
    return node->is_lookup || node->target_key != NULL ? relations_has(key->to_columns, key->count, column)
                                                       : relations_has(key->from_columns, key->count, column);
}

/* Lines are broken where they become too long; a measuring writer has but one. */
static void put_shown(struct writer *writer, const struct proposal *proposal, size_t node)
{
    const struct catalog_table *table = proposal->nodes[node].table;
    size_t count = 0;
    writer_put(writer, "\"columns\": [");
    const size_t indent = writer->column;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!shows(proposal, node, &table->columns[i])) {
            continue;
        }
        writer_put(writer, count++ > 0 ? "," : "");
        if (count > 1) {
            writer_separate(writer, writer_width(table->columns[i].sql) + strlen("]"), indent);
        }
        writer_put_string(writer, table->columns[i].sql);
    }
    writer_put(writer, "]");
}

/* ---- members of a node ---- */

static void put_by(struct writer *writer, const struct catalog_foreign_key *key)
{
    writer_put(writer, "\"by\": ");
    put_columns(writer, key->from_columns, key->count);
}

static void put_link(struct writer *writer, const struct node *node)
{
    const char *link = node->key->from->sql;
    writer_put(writer, "\"through\": ");
    if (!node->is_ambiguous) {
        writer_put_string(writer, link);
        return;
    }
    writer_put(writer, "{");
    writer_put_member(writer, "table", link);
    writer_put(writer, ", ");
    put_by(writer, node->key);
    writer_put(writer, ", \"to\": ");
    put_columns(writer, node->target_key->from_columns, node->target_key->count);
    writer_put(writer, "}");
}

/* How it hangs on its parent, where foreign keys alone do not say that. */
static void put_join(struct writer *writer, const struct node *node)
{
    if (node->target_key != NULL) {
        put_link(writer, node);
    } else if (node->is_ambiguous) {
        put_by(writer, node->key);
    }
}

static void put_head(struct writer *writer, const struct proposal *proposal, size_t index)
{
    const size_t indent = writer->column;
    const struct node *node = &proposal->nodes[index];
    if (index > 0) {
        writer_put_member(writer, "name", node->name);
        writer_put(writer, ", ");
    }
    writer_put_member(writer, "table", node->table->sql);
    if (index == 0) {
        writer_put(writer, ", \"key\": ");
        put_columns(writer, proposal->root_key->columns, proposal->root_key->key_count);
        return;
    }
    if (node->is_one) {
        writer_put(writer, ", \"one\": true");
    }
    struct writer measure = {.out = NULL};
    put_join(&measure, node);
    if (measure.column > 0) {
        writer_put(writer, ",");
        writer_separate(writer, measure.column, indent);
        put_join(writer, node);
    }
    if (node->is_nested) {
        char depth[16];
        snprintf(depth, sizeof depth, "%d", PROPOSAL_NESTED_DEPTH);
        writer_put(writer, ", \"depth\": ");
        writer_put(writer, depth);
    }
}

static bool is_sortable(const struct catalog_column *column)
{
    static const char *const unsortable[] = {"json", "xml",  "point",   "line",  "lseg",
                                             "box",  "path", "polygon", "circle"};
    for (size_t i = 0; i < sizeof unsortable / sizeof *unsortable; i++) {
        if (strcmp(column->base_type, unsortable[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* The primary key orders a list that says nothing; where there is none, all that is shown does. */
static bool needs_order(const struct node *node)
{
    return !node->is_one && node->key != NULL && node->table->primary_key == NULL;
}

static void put_order(struct writer *writer, const struct proposal *proposal, size_t index)
{
    const struct catalog_table *table = proposal->nodes[index].table;
    size_t count = 0;
    writer_put(writer, "\"order\": \"");
    for (size_t i = 0; i < table->column_count; i++) {
        if (shows(proposal, index, &table->columns[i])) {
            writer_put(writer, count++ > 0 ? ", " : "");
            writer_put_escaped(writer, table->columns[i].sql);
            writer_put(writer, is_sortable(&table->columns[i]) ? "" : "::text");
        }
    }
    writer_put(writer, "\"");
}

/* ---- comments of a node ---- */

/* From malloc; NULL: there is nothing to say, or no memory to say it with. */
static char *describe_columns(const struct proposal *proposal, size_t index)
{
    const struct catalog_table *table = proposal->nodes[index].table;
    char *text = NULL;
    size_t size = 0;
    size_t count = 0;
    FILE *stream = open_memstream(&text, &size);
    for (size_t i = 0; stream != NULL && i < table->column_count; i++) {
        const char *why;
        if (!proposal_shows(proposal, index, &table->columns[i], &why) && why != NULL) {
            fprintf(stream, "%s%s (%s)", count++ > 0 ? ", " : "left out: ", table->columns[i].sql, why);
        }
    }
    if (stream == NULL || fclose(stream) != 0 || count == 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The node's note behind one of its own; its first, behind NULL. NULL: none. */
static const struct note *next_note(const struct proposal *proposal, size_t index, const struct note *after)
{
    size_t i = after != NULL ? (size_t)(after - proposal->notes) + 1 : 0;
    while (i < proposal->note_count && proposal->notes[i].node != index) {
        i++;
    }
    return i < proposal->note_count ? &proposal->notes[i] : NULL;
}

/* "left out: a, b (why), c (why)" */
static char *describe_relations(const struct proposal *proposal, size_t index)
{
    const struct note *note = next_note(proposal, index, NULL);
    char *text = NULL;
    size_t size = 0;
    size_t count = 0;
    FILE *stream = note != NULL ? open_memstream(&text, &size) : NULL;
    while (stream != NULL && note != NULL && count < NOTES_SHOWN) {
        const struct note *next = next_note(proposal, index, note);
        fprintf(stream, "%s%s", count++ > 0 ? ", " : "left out: ", note->table->sql);
        if (next == NULL || count == NOTES_SHOWN || strcmp(next->why, note->why) != 0) {
            fprintf(stream, " (%s)", note->why);
        }
        note = next;
    }
    if (stream != NULL && note != NULL) {
        fputs(", and more", stream);
    }
    if (stream != NULL && fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- nodes ---- */

static size_t next_include(const struct proposal *proposal, size_t parent, size_t after)
{
    size_t i = after + 1;
    while (i < proposal->node_count && proposal->nodes[i].parent != parent) {
        i++;
    }
    return i;
}

static void put_in_line(struct writer *writer, const struct proposal *proposal, size_t index)
{
    writer_put(writer, "{");
    put_head(writer, proposal, index);
    writer_put(writer, ", ");
    put_shown(writer, proposal, index);
    if (needs_order(&proposal->nodes[index])) {
        writer_put(writer, ", ");
        put_order(writer, proposal, index);
    }
    writer_put(writer, "}");
}

static bool fits_in_line(const struct proposal *proposal, size_t index, size_t indent)
{
    struct writer measure = {.column = indent};
    put_in_line(&measure, proposal, index);
    return measure.column + strlen(",") <= WRITER_WIDTH;
}

static void put_node(struct writer *writer, const struct proposal *proposal, size_t index, size_t indent);

static void put_includes(struct writer *writer, const struct proposal *proposal, size_t index, size_t indent)
{
    writer_put(writer, "\"include\": [");
    for (size_t i = next_include(proposal, index, index); i < proposal->node_count;) {
        const size_t next = next_include(proposal, index, i);
        writer_break(writer, indent + INDENT);
        put_node(writer, proposal, i, indent + INDENT);
        writer_put(writer, next < proposal->node_count ? "," : "");
        i = next;
    }
    writer_break(writer, indent);
    writer_put(writer, "]");
}

static void put_in_lines(struct writer *writer, const struct proposal *proposal, size_t index, const char *columns,
                         const char *relations, size_t indent)
{
    const size_t inner = indent + INDENT;
    writer_put(writer, "{");
    writer_break(writer, inner);
    put_head(writer, proposal, index);
    writer_put(writer, ",");
    writer_break(writer, inner);
    if (columns != NULL) {
        writer_put_comment(writer, "columns", columns, inner);
    }
    if (relations != NULL) {
        writer_put_comment(writer, "include", relations, inner);
    }
    put_shown(writer, proposal, index);
    if (needs_order(&proposal->nodes[index])) {
        writer_put(writer, ",");
        writer_break(writer, inner);
        put_order(writer, proposal, index);
    }
    if (next_include(proposal, index, index) < proposal->node_count) {
        writer_put(writer, ",");
        writer_break(writer, inner);
        put_includes(writer, proposal, index, inner);
    }
    writer_break(writer, indent);
    writer_put(writer, "}");
}

static void put_node(struct writer *writer, const struct proposal *proposal, size_t index, size_t indent)
{
    const bool has_includes = next_include(proposal, index, index) < proposal->node_count;
    char *columns = describe_columns(proposal, index);
    char *relations = describe_relations(proposal, index);
    if (index > 0 && !has_includes && columns == NULL && relations == NULL && fits_in_line(proposal, index, indent)) {
        put_in_line(writer, proposal, index);
    } else {
        put_in_lines(writer, proposal, index, columns, relations, indent);
    }
    free(columns);
    free(relations);
}

/* ---- the file ---- */

static bool is_plain(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '_';
}

/* The table's name, with _ for what cannot stand in an entity's. */
static void choose_entity(const char *table, char name[ENTITY_NAME_BYTES_MAX + 1])
{
    size_t length = 0;
    for (; table[length] != '\0' && length < ENTITY_NAME_BYTES_MAX; length++) {
        name[length] = (char)(is_plain(table[length]) || table[length] == '-' ? table[length] : '_');
    }
    name[length] = '\0';
}

/* Whether it can stand in braces. */
static bool is_plain_name(const char *name)
{
    const char *at = name;
    while (is_plain(*at)) {
        at++;
    }
    return *at == '\0' && strcmp(name, "prefix") != 0;
}

/* "order:{tenant_id}:{order_id}"; "order:{id}" for one column, or where a name would not do. */
static void put_key_template(struct writer *writer, const struct proposal *proposal, const char *entity)
{
    const struct catalog_index *key = proposal->root_key;
    bool names_columns = key->key_count > 1;
    for (size_t i = 0; i < key->key_count; i++) {
        names_columns = names_columns && is_plain_name(key->columns[i]->name);
    }
    writer_put(writer, "\"key\": \"");
    writer_put(writer, entity);
    for (size_t i = 0; names_columns && i < key->key_count; i++) {
        writer_put(writer, ":{");
        writer_put(writer, key->columns[i]->name);
        writer_put(writer, "}");
    }
    writer_put(writer, names_columns ? "\"" : ":{id}\"");
}

static void put_settings(struct writer *writer, const struct proposal *proposal, const char *entity,
                         const char *postgres)
{
    char about[512];
    snprintf(
        about, sizeof about,
        "Proposed by cachepusher generate for %.200s, from its foreign keys. All of it may be changed: leave out what "
        "nobody reads, name what is missing. Then: cachepusher setup --config FILE, and cachepusher run --config FILE.",
        proposal->nodes[0].table->qualified);
    writer_break(writer, INDENT);
    writer_put_comment(writer, "", about, INDENT);
    if (postgres == NULL) {
        writer_put_comment(
            writer, "postgres",
            "a connection string; it has a password, so it is not repeated here: give it with --dsn or $CP_DSN, or "
            "have the password in ~/.pgpass or a file that postgres_password_file names",
            INDENT);
    } else if (*postgres != '\0') {
        writer_put_member(writer, "postgres", postgres);
        writer_put(writer, ",");
        writer_break(writer, INDENT);
    }
    writer_put_member(writer, "name", entity);
    writer_put(writer, ",");
    writer_break(writer, INDENT);
}

void write_configuration(FILE *out, const struct proposal *proposal, const char *postgres)
{
    struct writer writer = {.out = out};
    char entity[ENTITY_NAME_BYTES_MAX + 1];
    choose_entity(proposal->nodes[0].table->name, entity);
    writer_put(&writer, "{");
    put_settings(&writer, proposal, entity, postgres);
    writer_put(&writer, "\"entities\": [");
    writer_break(&writer, 2 * INDENT);
    writer_put(&writer, "{");
    writer_break(&writer, 3 * INDENT);
    writer_put_member(&writer, "name", entity);
    writer_put(&writer, ",");
    writer_break(&writer, 3 * INDENT);
    put_key_template(&writer, proposal, entity);
    writer_put(&writer, ",");
    writer_break(&writer, 3 * INDENT);
    writer_put(&writer, "\"document\": ");
    put_node(&writer, proposal, 0, 3 * INDENT);
    writer_break(&writer, 2 * INDENT);
    writer_put(&writer, "}");
    writer_break(&writer, INDENT);
    writer_put(&writer, "]");
    writer_break(&writer, 0);
    writer_put(&writer, "}\n");
}
