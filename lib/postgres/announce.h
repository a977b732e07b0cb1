/*
 * Announcing ids as the application's triggers do: by notifications on an entity's own channel.
 *
 * Whoever follows Postgres reads the documents again, in this process or in another. Nobody needs to know which of
 * several syncers is the one that writes.
 */
#ifndef CPI_ANNOUNCE_H
#define CPI_ANNOUNCE_H

#include "model/event.h"
#include "postgres/pg.h"

/* Announces `count` events, each `stride` bytes behind the one before it, in payloads as large as Postgres takes; few
 * when those of an entity stand together. In place of an id whose text is too long for a payload its whole entity is
 * announced. The connection is open. After a failure some may have been announced. */
cp_code cpi_announce(struct cpi_pg *pg, const struct cpi_entity *entities, const struct cpi_event *first, size_t stride,
                     size_t count, cp_error *err);

/* Announces that everything is to be read again. */
cp_code cpi_announce_everything(struct cpi_pg *pg, const struct cpi_entity *entities, size_t count, cp_error *err);

#endif
