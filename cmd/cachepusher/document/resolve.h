/*
 * A declared document held against the catalog: each table, column and foreign key is one that is there, and what the
 * document reads of each table is known. Everything lives as long as the memory, the catalog and the declaration.
 */
#ifndef CMD_DOCUMENT_RESOLVE_H
#define CMD_DOCUMENT_RESOLVE_H

#include "cachepusher.h"
#include "document/catalog.h"
#include "document/declaration.h"
#include "document/refuse.h"

enum { ID_COLUMNS_MAX = 8 }; /* as many as the library takes */

/* How a table hangs on the one above it: above[i] = below[i]. */
struct join {
    bool is_reference; /* of the one above to the one below */
    size_t count;
    const struct catalog_column *above[CATALOG_KEY_COLUMNS_MAX];
    const struct catalog_column *below[CATALOG_KEY_COLUMNS_MAX];
};

/* A member of a document that is no table: a column, or an expression over the table's columns. */
struct member {
    const char *name;
    const struct catalog_column *column; /* NULL: sql */
    const char *sql;
};

/* A link table between an include and its parent. */
struct link {
    const struct catalog_table *table;
    const char *alias;
    struct join join; /* to the parent */
};

struct node {
    const struct declared_table *declared;
    const struct catalog_table *table;
    const char *alias;
    const struct node *parent; /* NULL: the root */
    struct link *link;         /* NULL: none */
    struct join join;          /* to the link, or else to the parent */
    struct member *members;
    size_t member_count;
    const struct catalog_index *order; /* by which rows are told apart; NULL: there is one at most */
    const char *order_by;              /* what was declared to come before that; NULL: nothing */
    const char *where;                 /* NULL: every row */
    bool order_is_total;               /* what was declared tells them apart already */
    bool *reads;                       /* for each of the table's columns */
    struct node *includes;
    size_t include_count;
};

struct document {
    const char *entity;
    const char *digest;
    const char *declaration;
    size_t index;         /* of the entity */
    const char *key_path; /* of the declaration's key, for messages */
    struct node root;
    size_t key_count;
    const struct catalog_column *key[ID_COLUMNS_MAX];
    const char *id_type;
};

struct resolver {
    PGconn *pg;
    const struct catalog *catalog;
    struct memory *memory;
    bool has_watch; /* the entity lists tables by hand */
    size_t node_count;
    unsigned aliases[26]; /* how many tables have one of each letter */
};

/* NULL: the reason has been told. search_path is the role's own: names are looked up by it. */
struct document *resolve(struct resolver *resolver, const cp_declaration *declaration);

/* ---- its parts ---- */

bool resolve_table(const struct resolver *resolver, const char *path, const char *spelling,
                   const struct catalog_table **table);
const char *resolve_alias(struct resolver *resolver, const struct catalog_table *table);
void resolve_read(struct node *node, const struct catalog_column *column);

/* How an include hangs on its parent: resolve_joins.c. */
bool resolve_join(struct resolver *resolver, struct node *node);

/* An expression of a table, as Postgres writes it, and the columns that it reads; it may read no other table, and its
 * value may not change by itself. NULL: the reason has been told. resolve_sql.c. */
enum expression { EXPRESSION_VALUE, EXPRESSION_CONDITION, EXPRESSION_ORDER };
const char *resolve_sql(struct resolver *resolver, const char *path, const struct node *node, enum expression kind,
                        const char *sql, bool *reads);

/* The document's key and the type of its ids: resolve_key.c. */
bool resolve_key(struct document *document);

/* Whether a value is the same text whoever reads it; it is announced as text. */
bool resolve_is_steady(const struct catalog_column *column);

/* Whether a value can be a part of an id of several columns. */
bool resolve_is_part(const struct catalog_column *column);

#endif
