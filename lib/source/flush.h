/* Deleting every key under each entity's prefix, because somebody asked for it (`flush`). */
#ifndef CPI_FLUSH_H
#define CPI_FLUSH_H

#include "env.h"
#include "postgres/pg.h"

/* The listener, which holds the lease through pg and has not asked for any document yet, so that nothing newer than the
 * flush can be taken away by it. */
cp_code cpi_flush(const struct cpi_env *env, struct cpi_pg *pg, cp_error *err);

#endif
