#include "document/declaration.h"

#include "document/refuse.h"

#include <string.h>

struct reader {
    struct memory *memory;
    int level;
};

typedef bool read_value(const struct reader *reader, const char *path, const json_t *value,
                        struct declared_table *table);

static bool read_table(const struct reader *reader, const json_t *object, bool is_root, struct declared_table *table);

/* ---- values ---- */

static const char *describe(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

static bool reject_type(const char *path, const json_t *value, const char *expected)
{
    return refuse(path, "expected %s, found %s", expected, describe(value));
}

static bool read_text(const char *path, const json_t *value, const char *expected, const char **text)
{
    *text = json_string_value(value);
    return *text != NULL && **text != '\0' ? true : reject_type(path, value, expected);
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

/* The end of the SQL name at the start of text; NULL: there is none. */
static const char *skip_name(const char *text)
{
    if (*text != '"') {
        if (!is_name_start(*text)) {
            return NULL;
        }
        while (is_name_start(*text) || (*text >= '0' && *text <= '9') || *text == '$') {
            text++;
        }
        return text;
    }
    const char *start = ++text;
    while (*text != '\0' && (*text != '"' || text[1] == '"')) {
        text += *text == '"' ? 2 : 1;
    }
    return *text == '"' && text > start ? text + 1 : NULL;
}

static bool read_column_name(const char *path, const json_t *value, const char **name)
{
    if (!read_text(path, value, "the name of a column", name)) {
        return false;
    }
    const char *end = skip_name(*name);
    return end != NULL && *end == '\0'
               ? true
               : refuse(path, "\"%.100s\" is not the name of a column (expected name, or \"Quoted Name\")", *name);
}

static bool read_table_name(const char *path, const json_t *value, const char **name)
{
    if (!read_text(path, value, "the name of a table", name)) {
        return false;
    }
    const char *end = skip_name(*name);
    end = end != NULL && *end == '.' ? skip_name(end + 1) : end;
    return end != NULL && *end == '\0' ? true
                                       : refuse(path,
                                                "\"%.100s\" is not the name of a table (expected name, schema.name or "
                                                "\"Quoted Name\")",
                                                *name);
}

/* A column, or an array of columns. */
static bool read_names(const struct reader *reader, const char *path, const json_t *value, struct declared_names *names)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count == 0) {
        return refuse(path, "expected the name of a column, or an array of them");
    }
    names->items = memory_take(reader->memory, count * sizeof *names->items);
    names->count = count;
    for (size_t i = 0; i < count; i++) {
        bool is_array = json_is_array(value);
        const char *place = is_array ? memory_print(reader->memory, "%s[%zu]", path, i) : path;
        if (!read_column_name(place, is_array ? json_array_get(value, i) : value, &names->items[i])) {
            return false;
        }
    }
    return true;
}

/* ---- members of a table ---- */

static bool read_table_member(const struct reader *reader, const char *path, const json_t *value,
                              struct declared_table *table)
{
    (void)reader;
    return read_table_name(path, value, &table->table);
}

static bool read_key(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    return read_names(reader, path, value, &table->key);
}

static bool read_name(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    (void)reader;
    return read_text(path, value, "the member's name", &table->name);
}

static bool read_where(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    (void)reader;
    return read_text(path, value, "a condition in SQL", &table->where);
}

static bool read_order(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    (void)reader;
    return read_text(path, value, "what stands behind ORDER BY in SQL", &table->order);
}

static bool read_one(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    (void)reader;
    table->is_one = json_is_true(value);
    return json_is_boolean(value) ? true : reject_type(path, value, "true or false");
}

static bool read_by(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    return read_names(reader, path, value, &table->by);
}

static bool read_depth(const struct reader *reader, const char *path, const json_t *value, struct declared_table *table)
{
    (void)reader;
    json_int_t depth = json_integer_value(value);
    table->depth = (int)depth;
    return json_is_integer(value) && depth >= 1 && depth <= DECLARED_DEPTH_MAX
               ? true
               : refuse(path, "expected a number of levels, 1 to %d", DECLARED_DEPTH_MAX);
}

static bool read_through(const struct reader *reader, const char *path, const json_t *value,
                         struct declared_table *table)
{
    const char *name;
    json_t *member;
    if (!json_is_object(value)) {
        return read_table_name(path, value, &table->through);
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        const char *place = memory_print(reader->memory, "%s.%.60s", path, name);
        bool is_fine = strcmp(name, "table") == 0 ? read_table_name(place, member, &table->through)
                       : strcmp(name, "by") == 0  ? read_names(reader, place, member, &table->through_by)
                       : strcmp(name, "to") == 0  ? read_names(reader, place, member, &table->through_to)
                                                  : refuse_unknown(place, name, "table, by or to");
        if (!is_fine) {
            return false;
        }
    }
    return table->through != NULL ? true : refuse(path, "table is missing");
}

static bool read_member_object(const struct reader *reader, const json_t *object, struct declared_member *member)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        const char *path = memory_print(reader->memory, "%s.%.60s", member->path, name);
        bool is_fine = strcmp(name, "name") == 0     ? read_text(path, value, "the member's name", &member->name)
                       : strcmp(name, "column") == 0 ? read_column_name(path, value, &member->column)
                       : strcmp(name, "sql") == 0    ? read_text(path, value, "an expression in SQL", &member->sql)
                                                     : refuse_unknown(path, name, "name, column or sql");
        if (!is_fine) {
            return false;
        }
    }
    if ((member->column == NULL) == (member->sql == NULL)) {
        return refuse(member->path, "expected either column or sql");
    }
    return member->column != NULL || member->name != NULL ? true : refuse(member->path, "name is missing");
}

static bool read_columns(const struct reader *reader, const char *path, const json_t *value,
                         struct declared_table *table)
{
    const char *word = json_string_value(value);
    if (word != NULL && strcmp(word, "*") == 0) {
        return true;
    }
    if (!json_is_array(value) || json_array_size(value) == 0) {
        return refuse(path, "expected \"*\" or an array of columns, such as [\"title\", {\"name\": \"full_title\", "
                            "\"column\": \"t\"}, {\"name\": \"x\", \"sql\": \"lower(title)\"}]");
    }
    table->has_columns = true;
    table->member_count = json_array_size(value);
    table->members = memory_take(reader->memory, table->member_count * sizeof *table->members);
    for (size_t i = 0; i < table->member_count; i++) {
        const json_t *item = json_array_get(value, i);
        struct declared_member *member = &table->members[i];
        member->path = memory_print(reader->memory, "%s[%zu]", path, i);
        if (!(json_is_object(item) ? read_member_object(reader, item, member)
                                   : read_column_name(member->path, item, &member->column))) {
            return false;
        }
    }
    return true;
}

static bool read_includes(const struct reader *reader, const char *path, const json_t *value,
                          struct declared_table *table)
{
    struct reader below = {.memory = reader->memory, .level = reader->level + 1};
    if (!json_is_array(value)) {
        return reject_type(path, value, "an array of objects");
    }
    if (below.level >= DECLARED_DEPTH_MAX) {
        return refuse(path, "more than %d tables below each other", DECLARED_DEPTH_MAX);
    }
    table->include_count = json_array_size(value);
    table->includes = memory_take(reader->memory, table->include_count * sizeof *table->includes);
    for (size_t i = 0; i < table->include_count; i++) {
        table->includes[i].path = memory_print(reader->memory, "%s[%zu]", path, i);
        if (!read_table(&below, json_array_get(value, i), false, &table->includes[i])) {
            return false;
        }
    }
    return true;
}

/* ---- a table ---- */

static const struct {
    const char *name;
    read_value *read;
    bool of_root;
    bool of_include;
} members[] = {
    {"table", read_table_member, true, true}, {"key", read_key, true, false},
    {"name", read_name, false, true},         {"columns", read_columns, true, true},
    {"where", read_where, true, true},        {"order", read_order, false, true},
    {"one", read_one, false, true},           {"by", read_by, false, true},
    {"through", read_through, false, true},   {"depth", read_depth, false, true},
    {"include", read_includes, true, true},
};

static bool read_member(const struct reader *reader, const char *name, const json_t *value, bool is_root,
                        struct declared_table *table)
{
    const char *path = memory_print(reader->memory, "%s.%.60s", table->path, name);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(name, members[i].name) == 0 && (is_root ? members[i].of_root : members[i].of_include)) {
            return members[i].read(reader, path, value, table);
        }
    }
    return refuse_unknown(path, name,
                          is_root ? "table, key, columns, where or include"
                                  : "name, table, columns, where, order, one, by, through, depth or include");
}

static bool check_table(const struct declared_table *table, bool is_root)
{
    if (table->table == NULL) {
        return refuse(table->path, "table is missing");
    }
    if (!is_root && table->name == NULL) {
        return refuse(table->path, "name is missing: the member that the rows of %s become", table->table);
    }
    if (table->through != NULL && table->by.count > 0) {
        return refuse(table->path,
                      "by and through exclude each other: \"through\": {\"table\": \"%s\", \"by\": …, \"to\": "
                      "…} says which columns refer to the parent and to %s",
                      table->through, table->table);
    }
    if (table->through != NULL && table->depth > 0) {
        return refuse(table->path,
                      "depth and through exclude each other: a self reference is a foreign key of the table");
    }
    return true;
}

static bool read_table(const struct reader *reader, const json_t *object, bool is_root, struct declared_table *table)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        return reject_type(table->path, object, "an object");
    }
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!read_member(reader, name, value, is_root, table)) {
            return false;
        }
    }
    return check_table(table, is_root);
}

static void release(void *root)
{
    json_decref(root);
}

struct declared_table *declaration_read(const cp_declaration *declaration, struct memory *memory)
{
    const struct reader reader = {.memory = memory};
    struct declared_table *table = memory_take(memory, sizeof *table);
    table->path = memory_print(memory, "entities[%zu].document", declaration->index);
    json_t *root = json_loads(declaration->document, 0, NULL); /* the library has written it */
    memory_keep(memory, root, release);
    return read_table(&reader, root, true, table) ? table : NULL;
}
