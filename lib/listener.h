/*
 * The listener: one thread that turns Postgres' notifications, and ids enqueued by hand, into events in the lanes.
 *
 * It reads its socket whatever happens: a listener that stops reading makes Postgres' notification queue grow until the
 * application's commits fail. So it never waits for a worker, for Redis or for a query.
 *
 * On every new connection it first takes the lease (lease.h), and stands by while another syncer has it. Then it has
 * LISTEN committed and only then asks for a resync: what is committed after the LISTEN is announced, what was committed
 * before is listed.
 */
#ifndef CPI_LISTENER_H
#define CPI_LISTENER_H

#include "env.h"
#include "inbox.h"
#include "resync.h"

struct cpi_listener;

/* All arguments have to outlive it. */
struct cpi_listener *cpi_listener_create(const struct cpi_env *env, struct cpi_inbox *inbox, struct cpi_resync *resync,
                                         cp_error *err);
cp_code cpi_listener_start(struct cpi_listener *listener, cp_error *err);

/* Any thread: there is something in the inbox, or the syncer is stopping. */
void cpi_listener_wake(struct cpi_listener *listener);

/* Returns when the thread has ended: what it had received is in the lanes, unless the grace time has passed. */
void cpi_listener_join(struct cpi_listener *listener);

/* After join: how many ids did not reach a lane; and how many, enqueued while another syncer writes, did not reach
 * that one. */
uint64_t cpi_listener_unsettled(const struct cpi_listener *listener);
uint64_t cpi_listener_unannounced(const struct cpi_listener *listener);

/* After the workers have ended: lets go of the lease. */
void cpi_listener_release(struct cpi_listener *listener);
void cpi_listener_destroy(struct cpi_listener *listener);

#endif
