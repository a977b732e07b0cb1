/*
 * Announcing ids, so that whoever follows Postgres reads them again: this process or another. Nobody needs to know
 * which of several syncers is the writer.
 *
 * How an announcement travels belongs to the source that is configured, which has to hear it.
 */
#ifndef CPI_ANNOUNCE_H
#define CPI_ANNOUNCE_H

#include "model/event.h"
#include "postgres/pg.h"

struct cpi_announcer {
    /* Announces `count` events, each `stride` bytes behind the one before it; in few messages when those of an entity
     * stand together. In place of an id whose text is too long for a message its whole entity is announced. The
     * connection is open. After a failure some may have been announced. */
    cp_code (*ids)(struct cpi_pg *pg, const struct cpi_entity *entities, const struct cpi_event *first, size_t stride,
                   size_t count, cp_error *err);

    /* Announces that everything is to be read again. */
    cp_code (*everything)(struct cpi_pg *pg, const struct cpi_entity *entities, size_t count, cp_error *err);
};

/* By notifications on each entity's first channel, as the application's triggers do. */
extern const struct cpi_announcer cpi_announce_by_notify;

#endif
