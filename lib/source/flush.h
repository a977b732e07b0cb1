/* What has to go from Redis before anything is read: every key under each entity's prefix where somebody asked for it
 * (`flush`), and otherwise a checkpoint of another configuration, where we write none of our own. */
#ifndef CPI_FLUSH_H
#define CPI_FLUSH_H

#include "env.h"

/* The listener, while the lease is held and before any document has been asked for. Opens connections of its own. When
 * the lease is lost meanwhile, Redis ends the connection that deletes (admission.h). */
cp_code cpi_flush(const struct cpi_env *env, cp_error *err);

#endif
