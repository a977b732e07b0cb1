/*
 * Relay: what is enqueued with a syncer that stands by is announced, by a notification, to the one that writes.
 */
#ifndef CPI_RELAY_H
#define CPI_RELAY_H

#include "event.h"
#include "fetch.h"
#include "pg.h"

struct cpi_relay {
    const struct cp_config *config;
    struct cpi_id_array ids;
};

void cpi_relay_init(struct cpi_relay *relay, const struct cp_config *config);
void cpi_relay_fini(struct cpi_relay *relay);

/* Announces all events on the first channel of their entities, and empties the array. On failure it is as before. */
cp_code cpi_relay_events(struct cpi_relay *relay, struct cpi_pg *pg, struct cpi_events *events, cp_error *err);

/* Announces that everything is to be read again. */
cp_code cpi_relay_everything(struct cpi_relay *relay, struct cpi_pg *pg, cp_error *err);

#endif
