/*
 * A slice: some ids of one entity on their way from a scan to its caller. Owns their texts. Belongs to one thread.
 */
#ifndef CPI_SLICE_H
#define CPI_SLICE_H

#include "postgres/fetch.h"

/* Ids to a slice at most. */
enum { CPI_SLICE = 256 };

/* Zero is a valid empty one. */
struct cpi_slice {
    uint32_t entity;
    uint32_t count;
    union cpi_id ids[CPI_SLICE];
};

/* Copies the id. False: out of memory, or the slice is full. */
bool cpi_slice_add(struct cpi_slice *slice, const struct cpi_entity *entity, const union cpi_id *id);

/* Frees the ids. */
void cpi_slice_clear(struct cpi_slice *slice, const struct cpi_entity *entities);

/* Removes the first n ids without freeing them; the caller owns them now. */
void cpi_slice_drop_first(struct cpi_slice *slice, uint32_t n);

/* Takes the ids that Postgres lists out of the slice. pg is open; ids is memory for the statement. On failure the slice
 * is as it was. */
cp_code cpi_slice_drop_listed(struct cpi_slice *slice, const struct cpi_entity *entities, struct cpi_pg *pg,
                              struct cpi_id_array *ids, cp_error *err);

#endif
