/* Start-up checks: whether both servers answer and have what the configuration names. */
#ifndef CPI_PREFLIGHT_H
#define CPI_PREFLIGHT_H

#include "env.h"

/* Connects to both once and checks the lease and every entity's functions and query. Writes nothing. Blocks. Run it in
 * a thread of the library, since hiredis may raise SIGPIPE. */
cp_code cpi_preflight(const struct cpi_env *env, cp_error *err);

#endif
