/* Deleting every key under each entity's prefix, because somebody asked for it (`flush`). */
#ifndef CPI_FLUSH_H
#define CPI_FLUSH_H

#include "env.h"

/* The listener, while the lease is held and before any document has been asked for. Opens connections of its own. When
 * the lease is lost meanwhile, Redis ends the connection that deletes (admission.h). */
cp_code cpi_flush(const struct cpi_env *env, cp_error *err);

#endif
