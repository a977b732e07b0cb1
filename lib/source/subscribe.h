/* LISTEN on every channel, and what else makes a session that of a listener. */
#ifndef CPI_SUBSCRIBE_H
#define CPI_SUBSCRIBE_H

#include "env.h"
#include "postgres/pg.h"

/* When it returns CP_OK, whatever is committed from here on will be announced. */
cp_code cpi_subscribe(struct cpi_pg *pg, const struct cpi_env *env, cp_error *err);

#endif
