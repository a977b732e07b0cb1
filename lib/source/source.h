/*
 * The source of notifications: the listener's connection, which holds the lease, listens, proves by a heartbeat that it
 * hears, and is made again when it is lost.
 *
 * On every new connection the lease comes first, so that nothing is done that another syncer does; then LISTEN; and
 * only then a resync is asked for. While another syncer has the lease the connection stands by. All of it belongs to
 * the listener's thread.
 */
#ifndef CPI_SOURCE_H
#define CPI_SOURCE_H

#include "base/backoff.h"
#include "env.h"
#include "source/heartbeat.h"
#include "postgres/pg.h"
#include "resync/resync.h"

struct cpi_source {
    const struct cpi_env *env;
    struct cpi_resync *resync;
    struct cpi_pg pg;
    struct cpi_backoff backoff;
    int64_t retry_at_ms;
    struct cpi_heartbeat heartbeat;
    bool is_listening; /* the connection is open, holds the lease and listens */
    bool has_listened; /* at least once */
    bool standing_by;  /* has been logged */
    bool away;         /* an outage has been logged */
    bool flushed;      /* or need not */
    uint64_t turns;    /* how many times it has begun to listen: each time a resync is asked for */
};

void cpi_source_init(struct cpi_source *source, const struct cpi_env *env, struct cpi_resync *resync);

/* Connects, or asks for the lease again, when it is due; reads what has come. True: it listens, and libpq has what
 * there is; call cpi_source_check() when that has been taken. */
bool cpi_source_read(struct cpi_source *source, cp_error *err);

/* Sends and expects heartbeats, and gives up a connection that is lost, deaf or without its lease. */
void cpi_source_check(struct cpi_source *source, const cp_error *lost);

/* Gives it up. */
void cpi_source_lose(struct cpi_source *source, const cp_error *why);

/* Milliseconds until there is something to do by itself. */
int cpi_source_due_ms(const struct cpi_source *source);

/* While the workers settle what is left: holds on to the lease, and gets it back if it has been lost. Notifications are
 * thrown away. */
void cpi_source_hold(struct cpi_source *source);

/* Lets go of the lease. */
void cpi_source_close(struct cpi_source *source);

#endif
