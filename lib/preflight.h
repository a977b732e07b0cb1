/* Start-up checks: whether both servers answer and have what the configuration names. */
#ifndef CPI_PREFLIGHT_H
#define CPI_PREFLIGHT_H

#include "env.h"

/* Connects to both once, checks every entity's functions and query. Writes nothing. Blocks; to be run in
 * a thread of the library's, since hiredis may raise SIGPIPE. */
cp_code cpi_preflight(const struct cpi_env *env, cp_error *err);

#endif
