/*
 * Learning what an entity's documents hang on.
 *
 * Postgres knows what a function reads only of one with a parsed body. So some documents are read, in a transaction
 * that can write nothing, and Postgres is asked which relations the transaction has locked. To that comes what the
 * catalogue knows, and what the functions' sources seem to name.
 */
#ifndef CPI_LEARN_H
#define CPI_LEARN_H

#include "env.h"
#include "postgres/fetch.h"

/* Things in ascending order (catalog_sql.h). Zero is a valid empty one. */
struct cpi_things {
    int64_t *items;
    size_t count;
};

bool cpi_things_has(const struct cpi_things *things, int64_t thing);

/* Adds those of *more that are not there. Whether there were any. */
bool cpi_things_take(struct cpi_things *things, const struct cpi_things *more);
void cpi_things_fini(struct cpi_things *things);

/* What has been learned. Zero is a valid empty one. */
struct cpi_learned {
    struct cpi_things things;
    struct cpi_rows *unannounced; /* what nothing announces (unannounced.h) */
    bool complete; /* documents and the listing could be read; else it is only what the catalogue knows */
};

/* Fills in an empty one, on success; where it is not complete, err says why. `ids` is the caller's, for its memory.
 * Belongs to one thread. */
cp_code cpi_learn(struct cpi_pg *pg, const struct cp_config *config, uint32_t index, struct cpi_id_array *ids,
                  struct cpi_learned *learned, cp_error *err);

void cpi_learned_fini(struct cpi_learned *learned);

#endif
