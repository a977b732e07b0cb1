/*
 * A worker: takes ids from its lane, reads their documents from Postgres and stores them in Redis.
 *
 * One cycle: drain the rings into the coalescing set; read a batch of the oldest ids in one statement; send SET or DEL
 * for each in one pipeline; read every reply; remove what was acknowledged from the set. What failed stays there. There
 * are no timers: a single event is worked on at once, and while one batch is under way the next one gathers.
 */
#ifndef CPI_WORKER_H
#define CPI_WORKER_H

#include "base/pulse.h"
#include "env.h"
#include "queue/parked.h"
#include "worker/servers.h"

struct cpi_worker;

/* Worker number index of env->config->threads, for env->lanes[index]. env has to outlive it. Takes over the servers,
 * also on failure; NULL ones count as out of memory. */
struct cpi_worker *cpi_worker_create(const struct cpi_env *env, uint32_t index, struct cpi_servers *servers,
                                     cp_error *err);
cp_code cpi_worker_start(struct cpi_worker *worker, cp_error *err);

/* One cycle without the sleep after it. For tests that do not start the thread. */
void cpi_worker_cycle(struct cpi_worker *worker);

/* Returns when the thread has ended. Call cpi_stop_close() and ring the lane's bell before. */
void cpi_worker_join(struct cpi_worker *worker);

/* After join: how many ids have not settled. */
uint64_t cpi_worker_unsettled(const struct cpi_worker *worker);
void cpi_worker_destroy(struct cpi_worker *worker);

/* Why ids fail. Any thread may visit it, between create and destroy. */
struct cpi_parked *cpi_worker_parked(struct cpi_worker *worker);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_worker_pulse(struct cpi_worker *worker);

#endif
