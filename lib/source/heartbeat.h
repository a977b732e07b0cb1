/*
 * The heartbeat: the listener notifies itself and expects to hear it.
 *
 * A connection can look healthy and bring nothing: a peer that is gone without a word, a frozen server, a pooler that
 * took our LISTEN elsewhere.
 */
#ifndef CPI_HEARTBEAT_H
#define CPI_HEARTBEAT_H

#include "env.h"
#include "postgres/pg.h"

enum { CPI_HEARTBEAT_INTERVAL_MS = 2000, CPI_HEARTBEAT_TIMEOUT_MS = 8000 };

_Static_assert(2 * CPI_HEARTBEAT_INTERVAL_MS < CPI_HEARTBEAT_TIMEOUT_MS, "one heartbeat may be late");

struct cpi_heartbeat {
    const struct cpi_env *env;
    int64_t heard_at_ms; /* the last notification */
    int64_t beat_at_ms;  /* when the next is to be sent */
};

/* The connection has just been made. */
void cpi_heartbeat_reset(struct cpi_heartbeat *heartbeat);

/* A notification has arrived, on any channel: behind a long queue the heartbeat itself comes late. */
void cpi_heartbeat_heard(struct cpi_heartbeat *heartbeat);

/* Milliseconds until there is something to do or to find out. */
int cpi_heartbeat_due_ms(const struct cpi_heartbeat *heartbeat);

/* Whether a notification on the syncer's own channel is a heartbeat. */
bool cpi_heartbeat_is(const char *payload);

/* Sends one when it is due, without waiting for anything. False: the connection is lost or deaf. */
bool cpi_heartbeat_beat(struct cpi_heartbeat *heartbeat, struct cpi_pg *pg, cp_error *err);

#endif
