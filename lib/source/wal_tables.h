/*
 * The watched tables of the wal source: which columns of which relations hold the ids of which entities' documents, and
 * which of them documents read.
 *
 * They are looked up when the source is opened: by name in Postgres' catalog, with whatever inherits from them. The
 * stream announces each relation before its first row, and again when it has changed; that says where the columns stand
 * in the rows. Belongs to the listener's thread.
 */
#ifndef CPI_WAL_TABLES_H
#define CPI_WAL_TABLES_H

#include "config/config.h"
#include "postgres/pg.h"
#include "source/wal/pgoutput.h"

/* Rows of a relation name documents of an entity. */
struct cpi_wal_route {
    uint32_t relid;
    uint16_t entity;       /* or, behind these, of what is mapped to one (config.h) */
    uint16_t column_count; /* of the id's; 0: the relation no longer has them all, so that each row may name any */
    struct cpi_wal_id_column {
        int16_t place;  /* where it stands in a row */
        bool is_padded; /* character(n): the blanks at the end are not part of the value */
    } columns[CPI_ID_COLUMNS_MAX];
    bool in_identity; /* all of them, so that what a row was before is told whenever it differs */
    bool *counts;     /* for each column of a row, whether a change of it is one of documents, or NULL: any change is */
    size_t counts_count;
};

struct cpi_wal_watched;

/* Zero is a valid empty one. */
struct cpi_wal_tables {
    struct cpi_wal_watched *watched; /* as looked up */
    size_t watched_count;
    struct cpi_wal_route *routes; /* of the relations announced, those of one relation side by side */
    size_t route_count;
    char blind[320]; /* of the first whose identity does not tell of the column's old value, and what to do; "": none */
    char amiss[320]; /* of the first that cannot be followed, and what to do; "": none */
    char *amiss_names; /* of all of these, as an array in Postgres' notation without its end; NULL: none */
};

/* Looks them up, in place of those there were. Fails for want of a server or of memory only. Of a table that is not
 * there, is not in the publication, or in no log at all, nothing comes, and the others do; without its column each
 * change there has all of the entity's documents read again; one that is blind, where it does not tell which document a
 * row belonged to. */
cp_code cpi_wal_tables_look_up(struct cpi_wal_tables *tables, const struct cp_config *config, struct cpi_pg *pg,
                               cp_error *err);

/* The same for somebody who is about to start, and can still mend it: CP_ERR_POSTGRES, not retriable, with what is
 * amiss and what to do. */
cp_code cpi_wal_tables_check(const struct cp_config *config, struct cpi_pg *pg, cp_error *err);

/* The oids of those looked up, and the names of those that are amiss, as arrays in Postgres' notation, from malloc.
 * NULL: out of memory. */
char *cpi_wal_tables_oids(const struct cpi_wal_tables *tables);
char *cpi_wal_tables_amiss(const struct cpi_wal_tables *tables);

/* Takes in a decoded RELATION. False: out of memory. */
bool cpi_wal_tables_learn(struct cpi_wal_tables *tables, const struct cpi_pgoutput *message);

/* The routes of a relation; NULL: it is not watched. Good until the next one is learned. */
const struct cpi_wal_route *cpi_wal_tables_find(const struct cpi_wal_tables *tables, uint32_t relid, size_t *count);

void cpi_wal_tables_fini(struct cpi_wal_tables *tables);

#endif
