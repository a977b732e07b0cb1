/*
 * The listener's side of the lanes: puts live ids into the rings, and where a ring is full keeps them as a set of
 * distinct ids until it has room again. The listener thus never waits for a worker.
 */
#ifndef CPI_SPILL_H
#define CPI_SPILL_H

#include "env.h"
#include "queue/idset.h"

struct cpi_spill;

/* NULL: out of memory. */
struct cpi_spill *cpi_spill_create(const struct cpi_env *env);
void cpi_spill_destroy(struct cpi_spill *spill);

/* Routes the events to their lanes and wakes the workers. Takes over all of them; events is empty afterwards. False:
 * more ids than the bound allows, or out of memory; the lane's set has been forgotten, and a resync has to find its
 * ids. */
bool cpi_spill_put(struct cpi_spill *spill, struct cpi_events *events);

/* Asks every lane to pass a fence of this number behind everything put so far. A newer one replaces an older one that
 * has not reached a ring yet. */
void cpi_spill_fence(struct cpi_spill *spill, int64_t number);

/* Moves what fits into the rings; true when nothing is left. */
bool cpi_spill_flush(struct cpi_spill *spill);

/* How many ids are kept. */
uint64_t cpi_spill_count(const struct cpi_spill *spill);

#endif
