/*
 * Telling the host of its syncer's state: a thread (cp-state) that looks at the health every 100 ms, as anybody could.
 * It waits for none of those that it looks at, and holds no lock while it tells: so it tells of them whatever they do.
 *
 * NULL is a watch that nobody asked for: every function here takes it, and does nothing.
 */
#ifndef CPI_STATE_WATCH_H
#define CPI_STATE_WATCH_H

#include "health.h"

struct cpi_state_watch;
struct cpi_thread_hooks;

/* NULL: out of memory. */
struct cpi_state_watch *cpi_state_watch_create(void (*tell)(void *context, const cp_health *health), void *context);
void cpi_state_watch_destroy(struct cpi_state_watch *watch);

struct cpi_pulse *cpi_state_watch_pulse(struct cpi_state_watch *watch);

/* Before any other thread is started: what is seen of the syncer then is told first. The view is copied. */
cp_code cpi_state_watch_start(struct cpi_state_watch *watch, const struct cpi_health_view *view,
                              const struct cpi_thread_hooks *hooks, cp_error *err);

/* It drains: tells so at once. */
void cpi_state_watch_wake(struct cpi_state_watch *watch);

/* The other threads have ended: tells that it stops, unless that has been told, and that it has been stopped; waits
 * until it has been told. */
void cpi_state_watch_join(struct cpi_state_watch *watch);

#endif
