/*
 * Announcing ids, so that the writer reads them again, in this process or another. The caller need not know which
 * syncer is the writer.
 *
 * How an announcement travels depends on the configured source, which has to receive it.
 */
#ifndef CPI_ANNOUNCE_H
#define CPI_ANNOUNCE_H

#include "model/event.h"
#include "postgres/pg.h"

struct cpi_announcer {
    /* What a person types to announce something by hand, up to the channel; then come "', 'PAYLOAD')". */
    const char *by_hand;
    /* Announces `count` events, each `stride` bytes after the one before. It takes few messages if events of one entity
     * are adjacent. If an id is too long for a message, its whole entity is announced instead. The connection is open.
     * After a failure some may have been announced. */
    cp_code (*ids)(struct cpi_pg *pg, const struct cpi_entity *entities, const struct cpi_event *first, size_t stride,
                   size_t count, cp_error *err);

    /* Announces that everything has to be read again. */
    cp_code (*everything)(struct cpi_pg *pg, const struct cpi_entity *entities, size_t count, cp_error *err);
};

/* By notifications on each entity's first channel, as the application's triggers do; or by messages that are written
 * into the log under "cachepusher:" and that channel. */
extern const struct cpi_announcer cpi_announce_by_notify;
extern const struct cpi_announcer cpi_announce_by_message;

#endif
