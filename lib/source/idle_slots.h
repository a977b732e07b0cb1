/*
 * Replication slots that cachepushers have left behind: each makes Postgres keep its log, until the disk is full.
 */
#ifndef CPI_IDLE_SLOTS_H
#define CPI_IDLE_SLOTS_H

#include "env.h"

/* Warns of the slot of our own name, unless we are about to read it, and of those of other cachepushers in this
 * database for which Postgres keeps more than is wanted (source_retained_mb), if nobody reads them. pg is open. */
void cpi_idle_slots_warn(const struct cpi_env *env, struct cpi_pg *pg);

#endif
