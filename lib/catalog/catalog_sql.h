/*
 * What the catalogue is asked. Every statement here runs with search_path pinned (cpi_catalog_pin_sql), so that its
 * names and operators are Postgres' own.
 *
 * A thing is what a document can hang on, as one number: its class, and below 32 bits its oid.
 */
#ifndef CPI_CATALOG_SQL_H
#define CPI_CATALOG_SQL_H

enum cpi_thing_class {
    CPI_THING_RELATION = 1, /* table, partition, view, materialized view, composite type */
    CPI_THING_FUNCTION = 2,
    CPI_THING_ENTRY = 3, /* all functions called as an entity's fetch function is; for the oid the entity's number */
    CPI_THING_ENUM = 4,
    CPI_THING_OPERATOR = 5
};

/* Columns of a look: the thing, its name for people, what is amiss with its triggers (null: nothing), how
 * many functions of watch()'s its triggers call (null: no table, or a partition), and then fingerprints of what can
 * change of it. Rows come in order of the thing. */
enum {
    CPI_LOOK_THING,
    CPI_LOOK_NAME,
    CPI_LOOK_AMISS,
    CPI_LOOK_WATCHED,
    CPI_LOOK_FIRST,
    CPI_LOOK_COLUMNS = CPI_LOOK_FIRST + 10
};
extern const char *const cpi_catalog_aspects[CPI_LOOK_COLUMNS];

/* Within a transaction; returns the search_path that there was, and its schemas as an array. */
extern const char cpi_catalog_pin_sql[];

/* A look, in two parts to be joined: ISO C has no longer strings. $1 things, bigint[]; $2 fetch functions in the order
 * of the entities, text[]; $3 the schemas that pinning returned.
 */
extern const char cpi_catalog_look_at_relations_sql[];
extern const char cpi_catalog_look_at_others_sql[];

/* A fingerprint of what sessions get when they connect, and of what the role may. $1 the search_path of before. */
extern const char cpi_catalog_session_sql[];

/* The things that an entity's documents hang on: what this transaction has read so far, what the functions named in $1
 * (the listing query and the fetch function's name) call and read as far as is known, and the tables whose triggers
 * announce on the channels $2, text[]. With partitions, views and types to the bottom. */
extern const char cpi_catalog_learn_sql[];

#endif
