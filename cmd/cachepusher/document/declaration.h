/*
 * A declared document as it is written in the configuration: a tree of tables. Nothing of it has been held against the
 * database yet.
 */
#ifndef CMD_DOCUMENT_DECLARATION_H
#define CMD_DOCUMENT_DECLARATION_H

#include "cachepusher.h"
#include "document/memory.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { DECLARED_DEPTH_MAX = 16 }; /* tables below each other, and levels of a self reference */

/* Names spelt as in SQL. */
struct declared_names {
    const char **items;
    size_t count;
};

struct declared_member {
    const char *path;   /* where it stands in the file, for messages */
    const char *name;   /* in the document; NULL: the column's */
    const char *column; /* NULL: it is an expression */
    const char *sql;
};

/* A table of the document: the root, or an include. */
struct declared_table {
    const char *path;
    const char *name; /* of an include: the member's */
    const char *table;
    bool has_columns; /* else all */
    struct declared_member *members;
    size_t member_count;
    const char *where; /* NULL: none */
    const char *order; /* NULL: by the primary key */

    struct declared_names key; /* of the root; none: the primary key */

    bool is_one;              /* an object instead of a list */
    struct declared_names by; /* the columns of the foreign key; none: there is only one */
    const char *through;      /* a table between this and its parent; NULL: none */
    struct declared_names through_by;
    struct declared_names through_to;
    int depth; /* of a self reference; 0: not said */

    struct declared_table *includes;
    size_t include_count;
};

/* Reads one; everything lives as long as the memory and the declaration. NULL: the reason has been told. */
struct declared_table *declaration_read(const cp_declaration *declaration, struct memory *memory);

#endif
