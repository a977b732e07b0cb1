#include "document/catalog.h"

#include "common/complain.h"
#include "embedded.h"
#include "setup/database.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES, COLUMNS, INDEXES, FOREIGN_KEYS, RESULTS };

/* The strings are the results' own. */
struct catalog_storage {
    PGresult *results[RESULTS];
    struct catalog_table *tables;
    struct catalog_column *columns;
    struct catalog_index *indexes;
    struct catalog_foreign_key *foreign_keys;
    const struct catalog_foreign_key **by_target;
    size_t table_count;
    size_t index_count;
    size_t foreign_key_count;
};

static Oid oid_at(const PGresult *result, int row, int column)
{
    return (Oid)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static bool flag_at(const PGresult *result, int row, int column)
{
    return *PQgetvalue(result, row, column) == 't';
}

/* ---- lookups ---- */

static struct catalog_table *table_of(const struct catalog_storage *storage, Oid oid)
{
    size_t low = 0;
    size_t high = storage->table_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (storage->tables[middle].oid < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < storage->table_count && storage->tables[low].oid == oid ? &storage->tables[low] : NULL;
}

const struct catalog_table *catalog_table_by_oid(const struct catalog *catalog, Oid oid)
{
    return table_of(catalog->storage, oid);
}

const struct catalog_column *catalog_column_by_number(const struct catalog_table *table, int number)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].number == number) {
            return &table->columns[i];
        }
    }
    return NULL;
}

bool catalog_find(const struct catalog *catalog, PGconn *pg, const char *spelling, const struct catalog_table **found)
{
    static const char query[] = "select pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid";
    PGresult *result = database_query(pg, query, 1, &spelling);
    *found = NULL;
    if (result == NULL) {
        return false;
    }
    if (PQgetisnull(result, 0, 0) == 0) {
        *found = catalog_table_by_oid(catalog, oid_at(result, 0, 0));
    }
    PQclear(result);
    return true;
}

static char folded(char letter)
{
    return (char)(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
}

/* Of a name that needs no quotes. */
static bool is_plain(char letter)
{
    const char small = folded(letter);
    return (small >= 'a' && small <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' || letter == '$' ||
           (unsigned char)letter >= 0x80;
}

/* Postgres folds the letters of ASCII alone where the database's encoding is UTF8. */
static bool means(const char *spelling, const char *name)
{
    bool is_quoted = *spelling == '"';
    spelling += is_quoted ? 1 : 0;
    for (; *name != '\0'; name++, spelling++) {
        bool is_same = is_quoted ? *spelling == *name : is_plain(*spelling) && folded(*spelling) == *name;
        if (!is_same || (is_quoted && *spelling == '"' && *++spelling != '"')) {
            return false;
        }
    }
    return is_quoted ? strcmp(spelling, "\"") == 0 : *spelling == '\0';
}

const struct catalog_column *catalog_column_find(const struct catalog_table *table, const char *spelling)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (means(spelling, table->columns[i].name)) {
            return &table->columns[i];
        }
    }
    return NULL;
}

static bool is_among(const struct catalog_column *column, const struct catalog_column *const *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i] == column) {
            return true;
        }
    }
    return false;
}

bool catalog_is_unique(const struct catalog_table *table, const struct catalog_column *const *columns, size_t count)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const struct catalog_index *index = &table->indexes[i];
        size_t matching = 0;
        while (index->is_unique && matching < index->key_count && is_among(index->columns[matching], columns, count)) {
            matching++;
        }
        if (index->is_unique && matching == index->key_count) {
            return true;
        }
    }
    return false;
}

/* ---- reading ---- */

/* The text of an array of numbers becomes columns; 0: not all are there. */
static size_t read_columns(const struct catalog_table *table, const char *text,
                           const struct catalog_column *columns[CATALOG_KEY_COLUMNS_MAX])
{
    size_t count = 0;
    for (const char *at = text + strcspn(text, "{"); *at == '{' || *at == ','; count++) {
        char *end;
        long number = strtol(at + 1, &end, 10);
        const struct catalog_column *column =
            count < CATALOG_KEY_COLUMNS_MAX ? catalog_column_by_number(table, (int)number) : NULL;
        if (column == NULL) {
            return 0;
        }
        columns[count] = column;
        at = end;
    }
    return count;
}

static void take_tables(struct catalog_storage *storage)
{
    const PGresult *result = storage->results[TABLES];
    for (int row = 0; row < PQntuples(result); row++) {
        storage->tables[storage->table_count++] = (struct catalog_table){
            .oid = oid_at(result, row, 0),
            .schema = PQgetvalue(result, row, 1),
            .name = PQgetvalue(result, row, 2),
            .sql = PQgetvalue(result, row, 3),
            .qualified = PQgetvalue(result, row, 4),
            .kind = *PQgetvalue(result, row, 5),
            .is_partition = flag_at(result, row, 6),
            .rows = strtod(PQgetvalue(result, row, 7), NULL),
            .is_inherited = flag_at(result, row, 8),
        };
    }
}

static void take_columns(struct catalog_storage *storage)
{
    const PGresult *result = storage->results[COLUMNS];
    for (int row = 0; row < PQntuples(result); row++) {
        struct catalog_table *table = table_of(storage, oid_at(result, row, 0));
        struct catalog_column *column = &storage->columns[row];
        *column = (struct catalog_column){
            .table = table,
            .number = (int)strtol(PQgetvalue(result, row, 1), NULL, 10),
            .name = PQgetvalue(result, row, 2),
            .sql = PQgetvalue(result, row, 3),
            .type = PQgetvalue(result, row, 4),
            .base_type = PQgetvalue(result, row, 5),
            .is_not_null = flag_at(result, row, 6),
            .is_generated = flag_at(result, row, 7),
            .equals = PQgetvalue(result, row, 8),
            .is_deterministic = flag_at(result, row, 9),
            .collation = PQgetvalue(result, row, 10),
        };
        if (table->column_count++ == 0) {
            table->columns = column;
        }
    }
}

static void take_indexes(struct catalog_storage *storage)
{
    const PGresult *result = storage->results[INDEXES];
    for (int row = 0; row < PQntuples(result); row++) {
        struct catalog_table *table = table_of(storage, oid_at(result, row, 0));
        struct catalog_index *index = &storage->indexes[storage->index_count];
        *index = (struct catalog_index){
            .table = table,
            .name = PQgetvalue(result, row, 1),
            .is_primary = flag_at(result, row, 2),
            .is_unique = flag_at(result, row, 3),
            .key_count = strtoul(PQgetvalue(result, row, 4), NULL, 10),
        };
        index->column_count = read_columns(table, PQgetvalue(result, row, 5), index->columns);
        if (index->column_count == 0) {
            continue; /* over a system column */
        }
        if (table->index_count++ == 0) {
            table->indexes = index;
        }
        if (index->is_primary) {
            table->primary_key = index;
        }
        storage->index_count++;
    }
}

static void take_foreign_keys(struct catalog_storage *storage)
{
    const PGresult *result = storage->results[FOREIGN_KEYS];
    for (int row = 0; row < PQntuples(result); row++) {
        struct catalog_table *from = table_of(storage, oid_at(result, row, 1));
        struct catalog_table *to = table_of(storage, oid_at(result, row, 3));
        struct catalog_foreign_key *key = &storage->foreign_keys[storage->foreign_key_count];
        *key = (struct catalog_foreign_key){.name = PQgetvalue(result, row, 0), .from = from, .to = to};
        key->count = read_columns(from, PQgetvalue(result, row, 2), key->from_columns);
        if (key->count == 0 || read_columns(to, PQgetvalue(result, row, 4), key->to_columns) != key->count) {
            continue;
        }
        if (from->reference_count++ == 0) {
            from->references = key;
        }
        storage->by_target[storage->foreign_key_count++] = key;
    }
}

static int compare_by_target(const void *left_key, const void *right_key)
{
    const struct catalog_foreign_key *left = *(const struct catalog_foreign_key *const *)left_key;
    const struct catalog_foreign_key *right = *(const struct catalog_foreign_key *const *)right_key;
    if (left->to != right->to) {
        return left->to < right->to ? -1 : 1;
    }
    int order = strcmp(left->from->schema, right->from->schema);
    order = order != 0 ? order : strcmp(left->from->name, right->from->name);
    return order != 0 ? order : (left > right) - (left < right); /* they are ordered by columns */
}

static void sort_by_target(struct catalog_storage *storage)
{
    if (storage->foreign_key_count > 0) {
        qsort(storage->by_target, storage->foreign_key_count, sizeof *storage->by_target, compare_by_target);
    }
    for (size_t i = 0; i < storage->foreign_key_count; i++) {
        struct catalog_table *to = table_of(storage, storage->by_target[i]->to->oid);
        if (to->referenced_by_count++ == 0) {
            to->referenced_by = &storage->by_target[i];
        }
    }
}

/* ---- asking ---- */

/* The tables' oids as the text of an array; the caller frees it. */
static char *list_oids(const PGresult *tables)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream != NULL) {
        fputc('{', stream);
        for (int row = 0; row < PQntuples(tables); row++) {
            fprintf(stream, "%s%s", row > 0 ? "," : "", PQgetvalue(tables, row, 0));
        }
        fputc('}', stream);
    }
    if (stream == NULL || fclose(stream) != 0) {
        complain("out of memory");
        free(text);
        return NULL;
    }
    return text;
}

static bool ask_in_transaction(struct catalog_storage *storage, PGconn *pg)
{
    char sqlstate[6];
    PGresult **results = storage->results;
    results[TABLES] = database_query(pg, embedded_catalog_tables_sql, 0, NULL);
    if (results[TABLES] == NULL || !database_run(pg, "set local search_path = pg_catalog, pg_temp", "", sqlstate)) {
        return false;
    }
    char *oids = list_oids(results[TABLES]);
    const char *const parameters[] = {oids};
    if (oids != NULL) {
        results[COLUMNS] = database_query(pg, embedded_catalog_columns_sql, 1, parameters);
        results[INDEXES] =
            results[COLUMNS] != NULL ? database_query(pg, embedded_catalog_indexes_sql, 1, parameters) : NULL;
        results[FOREIGN_KEYS] =
            results[INDEXES] != NULL ? database_query(pg, embedded_catalog_foreign_keys_sql, 1, parameters) : NULL;
    }
    free(oids);
    return results[FOREIGN_KEYS] != NULL;
}

static bool ask(struct catalog_storage *storage, PGconn *pg)
{
    char sqlstate[6];
    if (!database_run(pg, "begin transaction isolation level repeatable read read only", "", sqlstate)) {
        return false;
    }
    bool has_asked = ask_in_transaction(storage, pg);
    return database_run(pg, "rollback", "", sqlstate) && has_asked;
}

/* One more than there are: calloc() may give NULL for none. */
static void *allocate(const PGresult *result, size_t size)
{
    return calloc((size_t)PQntuples(result) + 1, size);
}

bool catalog_load(struct catalog *catalog, PGconn *pg)
{
    struct catalog_storage *storage = calloc(1, sizeof *storage);
    *catalog = (struct catalog){.storage = storage};
    if (storage == NULL) {
        complain("out of memory");
        return false;
    }
    if (!ask(storage, pg)) {
        return false;
    }
    storage->tables = allocate(storage->results[TABLES], sizeof *storage->tables);
    storage->columns = allocate(storage->results[COLUMNS], sizeof *storage->columns);
    storage->indexes = allocate(storage->results[INDEXES], sizeof *storage->indexes);
    storage->foreign_keys = allocate(storage->results[FOREIGN_KEYS], sizeof *storage->foreign_keys);
    storage->by_target = allocate(storage->results[FOREIGN_KEYS], sizeof(struct catalog_foreign_key *));
    if (storage->tables == NULL || storage->columns == NULL || storage->indexes == NULL ||
        storage->foreign_keys == NULL || storage->by_target == NULL) {
        complain("out of memory");
        return false;
    }
    take_tables(storage);
    take_columns(storage);
    take_indexes(storage);
    take_foreign_keys(storage);
    sort_by_target(storage);
    catalog->tables = storage->tables;
    catalog->table_count = storage->table_count;
    return true;
}

void catalog_fini(struct catalog *catalog)
{
    struct catalog_storage *storage = catalog->storage;
    if (storage != NULL) {
        for (size_t i = 0; i < RESULTS; i++) {
            PQclear(storage->results[i]);
        }
        free(storage->tables);
        free(storage->columns);
        free(storage->indexes);
        free(storage->foreign_keys);
        free(storage->by_target);
        free(storage);
    }
    *catalog = (struct catalog){0};
}
