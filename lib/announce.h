/*
 * Announcing ids as the application's triggers do: by notifications on an entity's own channel.
 *
 * Whoever follows Postgres reads the documents again, in this process or in another. Nobody needs to know which of
 * several syncers is the one that writes.
 */
#ifndef CPI_ANNOUNCE_H
#define CPI_ANNOUNCE_H

#include "pg.h"
#include "suspects.h"

/* Announces them all, sorted by entity as they have to be, in payloads as large as Postgres takes. The connection is
 * open. An id whose text is too long for a payload is left out. After a failure some may have been announced. */
cp_code cpi_announce(struct cpi_pg *pg, const struct cpi_suspects *suspects, cp_error *err);

#endif
