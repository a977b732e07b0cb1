/*
 * The listener: one thread that turns what the source brings, and ids enqueued by hand, into events in the lanes. It is
 * the only producer of the live rings.
 *
 * It listens while this syncer holds the lease, and asks for a resync whenever it begins to listen and whenever a term
 * of the lease begins: lease, term, listen, resync, admit, in this order. It reads its source whatever happens. A
 * listener that stops reading makes Postgres' notification queue grow until the application's commits fail, so it never
 * waits for a worker or for Redis, and for Postgres only to connect.
 */
#ifndef CPI_LISTENER_H
#define CPI_LISTENER_H

#include "base/pulse.h"
#include "env.h"
#include "mapping/mapper.h"
#include "queue/inbox.h"
#include "source/source.h"

struct cpi_listener;

/* env, inbox and mapper (NULL: nothing is mapped) have to outlive it; the source is destroyed along with it, and by a
 * failure too. The thread sleeps by env->requests' listener_bell. */
struct cpi_listener *cpi_listener_create(const struct cpi_env *env, struct cpi_inbox *inbox, struct cpi_source *source,
                                         struct cpi_mapper *mapper, cp_error *err);
cp_code cpi_listener_start(struct cpi_listener *listener, cp_error *err);

/* Once draining, and rung. Returns when the thread has ended: what it had received is in the lanes, unless the grace
 * time has passed. */
void cpi_listener_join(struct cpi_listener *listener);

/* After join: how many ids did not reach a lane. */
uint64_t cpi_listener_unsettled(const struct cpi_listener *listener);

/* After join: of the ids enqueued here, how many the writer may not have heard of. is_taken: it is another syncer. */
uint64_t cpi_listener_unannounced(const struct cpi_listener *listener, bool is_taken);

/* NULL is allowed. */
void cpi_listener_destroy(struct cpi_listener *listener);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_listener_pulse(struct cpi_listener *listener);

#endif
