#include "document/resolve.h"

#include <string.h>

static bool is_type(const struct catalog_column *column, const char *const *types)
{
    for (; *types != NULL; types++) {
        if (strcmp(column->base_type, *types) == 0) {
            return true;
        }
    }
    return false;
}

bool resolve_is_part(const struct catalog_column *column)
{
    static const char *const types[] = {"smallint", "integer", "bigint", "uuid", "text", "character varying", NULL};
    return is_type(column, types);
}

bool resolve_is_steady(const struct catalog_column *column)
{
    static const char *const types[] = {"date",
                                        "timestamp without time zone",
                                        "timestamp with time zone",
                                        "time without time zone",
                                        "time with time zone",
                                        "interval",
                                        "daterange",
                                        "tsrange",
                                        "tstzrange",
                                        "datemultirange",
                                        "tsmultirange",
                                        "tstzmultirange",
                                        "real",
                                        "double precision",
                                        "money",
                                        "bytea",
                                        "json",
                                        "jsonb",
                                        "xml",
                                        NULL};
    size_t length = strlen(column->base_type);
    return !is_type(column, types) && (length < 2 || strcmp(column->base_type + length - 2, "[]") != 0);
}

/* What is written in one way today and in another one tomorrow is no id, nor what has blanks behind it or none. */
static bool is_id(const struct catalog_column *column)
{
    static const char *const types[] = {"boolean", "character", "bit", "point", NULL};
    return resolve_is_steady(column) && !is_type(column, types);
}

static bool find_columns(struct document *document)
{
    const struct declared_names *declared = &document->root.declared->key;
    const struct catalog_table *table = document->root.table;
    if (declared->count == 0) {
        if (table->primary_key == NULL) {
            return refuse(document->key_path,
                          "%s has no primary key: \"key\" has to name a column, or several, of which no two rows "
                          "have the same values",
                          table->sql);
        }
        document->key_count = table->primary_key->key_count;
        for (size_t i = 0; i < document->key_count && i < ID_COLUMNS_MAX; i++) {
            document->key[i] = table->primary_key->columns[i];
        }
    } else {
        document->key_count = declared->count;
        for (size_t i = 0; i < declared->count && i < ID_COLUMNS_MAX; i++) {
            document->key[i] = catalog_column_find(table, declared->items[i]);
            if (document->key[i] == NULL) {
                return refuse(document->key_path, "table %s has no column %s", table->sql, declared->items[i]);
            }
        }
    }
    return document->key_count <= ID_COLUMNS_MAX ? true
                                                 : refuse(document->key_path, "more than %d columns", ID_COLUMNS_MAX);
}

static bool check_type(struct document *document)
{
    const struct catalog_column *column = document->key[0];
    if (document->key_count > 1) {
        for (size_t i = 0; i < document->key_count; i++) {
            if (!resolve_is_part(document->key[i])) {
                return refuse(document->key_path,
                              "%s is of type %s, and each of several columns has to be smallint, integer, "
                              "bigint, uuid, text or varchar",
                              document->key[i]->sql, document->key[i]->type);
            }
        }
        document->id_type = "text";
        return true;
    }
    static const char *const small[] = {"smallint", "integer", NULL};
    document->id_type = is_type(column, small)                     ? "integer"
                        : strcmp(column->base_type, "bigint") == 0 ? "bigint"
                        : strcmp(column->base_type, "uuid") == 0   ? "uuid"
                                                                   : "text";
    return is_id(column) ? true
                         : refuse(document->key_path,
                                  "%s is of type %s, whose text is not always the same, or not as it "
                                  "is stored: it cannot be an id",
                                  column->sql, column->type);
}

bool resolve_key(struct document *document)
{
    if (!find_columns(document)) {
        return false;
    }
    const struct catalog_table *table = document->root.table;
    bool is_table = table->kind == 'r' || table->kind == 'p';
    if (is_table && !catalog_is_unique(table, document->key, document->key_count)) {
        return refuse(document->key_path,
                      "several rows of %s may have the same: expected a primary key, or columns "
                      "with a unique index",
                      table->sql);
    }
    for (size_t i = 0; i < document->key_count; i++) {
        resolve_read(&document->root, document->key[i]);
    }
    return check_type(document);
}
