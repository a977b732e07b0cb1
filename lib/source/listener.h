/*
 * The listener: one thread that turns Postgres' notifications, and ids enqueued by hand, into events in the lanes.
 *
 * It reads its socket whatever happens: a listener that stops reading makes Postgres' notification queue grow until the
 * application's commits fail. So it never waits for a worker, for Redis or for a query.
 */
#ifndef CPI_LISTENER_H
#define CPI_LISTENER_H

#include "env.h"
#include "queue/inbox.h"
#include "resync/resync.h"

struct cpi_listener;

/* All arguments have to outlive it. */
struct cpi_listener *cpi_listener_create(const struct cpi_env *env, struct cpi_inbox *inbox, struct cpi_resync *resync,
                                         cp_error *err);
cp_code cpi_listener_start(struct cpi_listener *listener, cp_error *err);

/* Any thread: there is something in the inbox, or the syncer is stopping. */
void cpi_listener_wake(struct cpi_listener *listener);

/* Any thread: another syncer writes, and is to read everything again. */
void cpi_listener_relay_resync(struct cpi_listener *listener);

/* Once draining. Returns when what it had received is in the lanes, unless the grace time has passed. The thread goes
 * on holding the lease, which the workers need. */
void cpi_listener_drain(struct cpi_listener *listener);

/* Once the workers have ended: lets go of the lease, and returns when the thread has ended. */
void cpi_listener_join(struct cpi_listener *listener);

/* After join: how many ids did not reach a lane; and how many that were enqueued here the syncer that writes, if it is
 * another one, may not know of. */
uint64_t cpi_listener_unsettled(const struct cpi_listener *listener);
uint64_t cpi_listener_unannounced(const struct cpi_listener *listener);
void cpi_listener_destroy(struct cpi_listener *listener);

#endif
