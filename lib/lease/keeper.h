/*
 * The keeper: the thread that gets the lease and holds on to it, with a session of Postgres for nothing else.
 *
 * The session runs a statement every CPI_LEASE_PING_MS, so that it is never idle for CPI_LEASE_SILENT_MS unless the
 * process is frozen or its machine lost, and a server that ends it is noticed at once. While another syncer has the
 * lease the keeper asks for it every second. It goes on when the syncer stops, since the workers need the lease for
 * what they still have to settle, and is the last thread to end.
 */
#ifndef CPI_KEEPER_H
#define CPI_KEEPER_H

#include "base/pulse.h"
#include "base/repeats.h"
#include "base/stats.h"
#include "base/stop.h"
#include "base/thread.h"
#include "lease/lease.h"
#include "postgres/pg.h"

struct cpi_keeper;

struct cpi_keeper_parts {
    struct cpi_lease *lease;
    const struct cpi_log *log; /* of which it also tells what has been counted (base/repeats.h) */
    const struct cpi_thread_hooks *hooks;
    const char *host; /* Postgres, for messages */
    struct cpi_stats *stats;
    const struct cpi_stop *stop; /* once draining, a lease that another syncer has is not asked for */
    struct cpi_pg pg;            /* closed; whatever its cancel_fd is, the keeper sets its own */
    int database;                /* of Redis, by number */
    uint64_t seed;
};

/* Copies parts; what these point to has to outlive the keeper. */
struct cpi_keeper *cpi_keeper_create(const struct cpi_keeper_parts *parts, cp_error *err);
cp_code cpi_keeper_start(struct cpi_keeper *keeper, cp_error *err);

/* Any thread: the state of the lease has changed. */
void cpi_keeper_wake(struct cpi_keeper *keeper);

/* Lets go of the lease and returns when the thread has ended, without waiting for a server. */
void cpi_keeper_join(struct cpi_keeper *keeper);

/* NULL is allowed. */
void cpi_keeper_destroy(struct cpi_keeper *keeper);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_keeper_pulse(struct cpi_keeper *keeper);

#endif
