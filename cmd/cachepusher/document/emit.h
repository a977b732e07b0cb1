/* A resolved document as SQL, and as what the library takes of it. All texts live as long as the memory. */
#ifndef CMD_DOCUMENT_EMIT_H
#define CMD_DOCUMENT_EMIT_H

#include "document/resolve.h"

/* The body of the function that returns documents for the ids in its parameter ids. */
const char *emit_body(const struct document *document, struct memory *memory);

/* A text that does not end with $ as a constant in SQL, as it is. */
const char *emit_quoted(const char *text, struct memory *memory);

/* The statement that makes it. */
const char *emit_function(const struct document *document, const char *name, const char *body, struct memory *memory);

/* The type of one id in SQL. */
const char *emit_id_type(const struct document *document);

/* A query for every document's id. */
const char *emit_list(const struct document *document, struct memory *memory);

/* How a table names documents: by columns that hold ids, or that a query maps to ids. */
struct place {
    const struct catalog_table *table;
    size_t column_count;
    const struct catalog_column *columns[ID_COLUMNS_MAX];
    const char *maps;    /* NULL: they hold the id */
    bool *reads;         /* for each of the table's columns */
    const char *channel; /* where its triggers announce; NULL: where the library has them announce */
    struct place *next;
};

/* Each table and columns once, or twice where they do both. */
struct place *emit_places(const struct document *document, struct memory *memory);

/* An id as SQL, made of columns of the table called alias. */
void emit_id(FILE *out, const struct document *document, const char *alias,
             const struct catalog_column *const *columns);

/* The operator by which a column of a join is compared, and the collation, if the two have others: of the key's. */
const char *emit_operator(const struct join *join, size_t i);
void emit_collation(FILE *out, const struct join *join, size_t i);

/* The condition that a row hangs on one above it. */
void emit_join(FILE *out, const struct join *join, const char *above, const char *below);

/* The condition that column of the table called alias is the n-th part of an id. */
void emit_part(FILE *out, const char *alias, const struct catalog_column *column, const char *id, size_t n);

/* For cp_config_apply(). */
const char *emit_entity(const struct document *document, const struct place *places, const char *function,
                        struct memory *memory);

#endif
