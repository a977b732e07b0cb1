/* What the two files of a connection share: pg_open.c makes one, pg.c uses it. */
#ifndef CPI_PG_INTERNAL_H
#define CPI_PG_INTERNAL_H

#include "postgres/pg.h"

/* Waits until the socket is ready, the deadline (-1: none) has passed or we are to give up. */
cp_code cpi_pg_wait_socket(struct cpi_pg *pg, short events, int64_t deadline_ms, cp_error *err);

/* Closes the connection: it is of no use any more, and err says why. */
cp_code cpi_pg_give_up(struct cpi_pg *pg);

/* The same, with libpq's message. */
cp_code cpi_pg_connection_lost(struct cpi_pg *pg, cp_error *err);

#endif
