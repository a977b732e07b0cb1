/*
 * Looking up a watched table and its columns in Postgres' catalog.
 */
#ifndef CPI_WAL_LOOK_H
#define CPI_WAL_LOOK_H

#include "model/entity.h"
#include "postgres/pg.h"

/* Columns are names in hexadecimal with commas between them, in the order in which they are watched, and nothing for
 * one that is not there; names are bytes in the server's own encoding, which the stream has (wal_stream.h). */
enum cpi_wal_look_column {
    CPI_WAL_LOOK_RELID,
    CPI_WAL_LOOK_TABLE, /* "schema.name", not quoted, as encode(…, 'escape') has it */
    CPI_WAL_LOOK_COLUMNS,
    CPI_WAL_LOOK_SHOWN, /* the table, as SQL has it */
    CPI_WAL_LOOK_IS_PUBLISHED,
    CPI_WAL_LOOK_IS_BLIND,     /* its identity does not have all of the columns */
    CPI_WAL_LOOK_PADDED_TYPES, /* of each of them, if it is character(n) or a domain over it, else 0; with commas */
    CPI_WAL_LOOK_UNLOGGED,     /* what else it is, if its changes are in no log; null */
    CPI_WAL_LOOK_READS         /* the columns that documents read besides; null: there are none */
};

/* A row for the table and each that inherits from it, or is a partition of it; the table itself comes first. NULL: err
 * says why. */
struct cpi_rows *cpi_wal_look(const struct cpi_watch *watch, const char *publication, struct cpi_pg *pg, cp_error *err);

/* Adds an element to an array in Postgres' notation without its end; NULL is an empty one. */
cp_code cpi_array_add(char **array, const char *element, cp_error *err);

/* A copy of such an array with its end, from malloc. NULL: out of memory. */
char *cpi_array_close(const char *array);

#endif
