/*
 * Settles a batch: reads the documents of some ids from Postgres with one statement per entity, sends SET or DEL for
 * each in one pipeline, reads every reply, and removes from the set what was acknowledged. The rest stays in the set,
 * so a failed batch needs no rollback.
 *
 * Opens the worker's two connections when needed, and belongs to the worker's thread.
 */
#ifndef CPI_APPLIER_H
#define CPI_APPLIER_H

#include "env.h"
#include "queue/idset.h"
#include "queue/parked.h"
#include "worker/servers.h"

struct cpi_applier;

/* All arguments have to outlive the applier. NULL: out of memory. */
struct cpi_applier *cpi_applier_create(const struct cpi_env *env, struct cpi_servers *servers, struct cpi_idset *set);

/* Works on n members of the set, config->batch at most, or on those of them that can be read in time; the first is one.
 * A statement may take timeout_ms, or what is configured if that is less. True: continue with the next. False: a server
 * is away or everything fails; wait before the next try, err says why. A single id that fails is parked, which alone
 * does not call for waiting. */
bool cpi_applier_work(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, int timeout_ms, cp_error *err);

/* How many ids to work on at once: config->batch, or fewer while documents are large, since a batch is held in memory
 * twice. */
uint32_t cpi_applier_batch(const struct cpi_applier *applier);

/* How often a session of Postgres has been opened: which one the last batch was read in. */
uint64_t cpi_applier_session(const struct cpi_applier *applier);

/* Why those fail that do. Any thread may visit it, between create and destroy. */
struct cpi_parked *cpi_applier_parked(struct cpi_applier *applier);

/* Closes the connections; work() makes them again. */
void cpi_applier_close(struct cpi_applier *applier);
void cpi_applier_destroy(struct cpi_applier *applier);

#endif
