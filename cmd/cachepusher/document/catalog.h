/*
 * What Postgres' catalog says of the tables that a role can see: their columns, keys, indexes and foreign keys. Read at
 * once and then only looked at: everything points at each other and belongs to the catalog. System schemas are left
 * out, and schema cachepusher.
 */
#ifndef CMD_DOCUMENT_CATALOG_H
#define CMD_DOCUMENT_CATALOG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum { CATALOG_KEY_COLUMNS_MAX = 32 }; /* as many as Postgres has, INDEX_MAX_KEYS */

struct catalog_table;

struct catalog_column {
    const struct catalog_table *table;
    int number; /* attnum */
    const char *name;
    const char *sql;       /* the same, quoted where SQL needs that */
    const char *type;      /* format_type(), without a modifier: "character varying" */
    const char *base_type; /* what the domain is made of; the type, if it is no domain */
    const char *equals;    /* the operator by which a key of its type is one: operator(SCHEMA.NAME) */
    const char *collation; /* SCHEMA.NAME, quoted; "": the type has none */
    bool is_not_null;
    bool is_generated;
    bool is_deterministic; /* its collation: equal texts are the same text */
};

/* A btree index over columns alone, of all rows. Where is_unique, it is a key: the primary key, or another one. */
struct catalog_index {
    const struct catalog_table *table;
    const char *name;
    bool is_primary;
    bool is_unique;
    size_t key_count; /* the leading columns, which are ordered */
    size_t column_count;
    const struct catalog_column *columns[CATALOG_KEY_COLUMNS_MAX]; /* behind key_count: include (...) */
};

struct catalog_foreign_key {
    const char *name;
    const struct catalog_table *from;
    const struct catalog_table *to;
    size_t count;
    const struct catalog_column *from_columns[CATALOG_KEY_COLUMNS_MAX];
    const struct catalog_column *to_columns[CATALOG_KEY_COLUMNS_MAX];
};

struct catalog_table {
    Oid oid;
    const char *schema;
    const char *name;
    const char *sql;       /* for whoever has the role's search_path: without its schema if it is found without */
    const char *qualified; /* SCHEMA.NAME, each quoted where SQL needs that */
    char kind;             /* relkind: r table, p partitioned, v view, m materialized view, f foreign table */
    bool is_partition;
    bool is_inherited; /* other tables that are no partitions inherit from it, and their rows are among its own */
    double rows;       /* as estimated by the last analyze; -1: never */

    const struct catalog_column *columns; /* by number */
    size_t column_count;
    const struct catalog_index *indexes; /* the primary key first, then by name */
    size_t index_count;
    const struct catalog_index *primary_key; /* one of indexes; NULL: none */

    const struct catalog_foreign_key *references; /* from this table, by its columns */
    size_t reference_count;
    const struct catalog_foreign_key *const
        *referenced_by; /* to this table, by schema, name and columns of the other */
    size_t referenced_by_count;
};

struct catalog {
    const struct catalog_table *tables; /* by oid */
    size_t table_count;
    struct catalog_storage *storage;
};

/* Reads it, as of one moment; no transaction may be open, and search_path is the role's own again afterwards. False:
 * the reason has been told. Call catalog_fini() in any case. */
bool catalog_load(struct catalog *catalog, PGconn *pg);
void catalog_fini(struct catalog *catalog);

/* The table that a name spelt as in SQL means to the role, by its search_path; *found is NULL if there is none. False:
 * the reason has been told. */
bool catalog_find(const struct catalog *catalog, PGconn *pg, const char *spelling, const struct catalog_table **found);

/* NULL: there is none. */
const struct catalog_table *catalog_table_by_oid(const struct catalog *catalog, Oid oid);
const struct catalog_column *catalog_column_by_number(const struct catalog_table *table, int number);

/* The column that a name spelt as in SQL means: Name and name are the same, "Name" is another one. NULL: there is none.
 */
const struct catalog_column *catalog_column_find(const struct catalog_table *table, const char *spelling);

/* Whether some key consists of columns out of these: then no two rows have all of them in common, nulls aside. */
bool catalog_is_unique(const struct catalog_table *table, const struct catalog_column *const *columns, size_t count);

#endif
