/*
 * The auditor: one thread that compares a trickle of documents with Redis for as long as the syncer runs, so that what
 * no trigger has announced does not stay stale for ever.
 *
 * Half of the trickle are ids that have just settled, the other half a walk through all that Postgres lists, over and
 * over, beside another one through the keys in Redis. That finds any drift within documents / (per_second / 2) seconds.
 * What counts is told by suspects.h; it is sent to be read again as if it had been announced.
 */
#ifndef CPI_AUDIT_H
#define CPI_AUDIT_H

#include "env.h"
#include "queue/inbox.h"

struct cpi_audit;

/* Only where config->audit_per_second > 0, and env->recent is there. All arguments have to outlive it. */
struct cpi_audit *cpi_audit_create(const struct cpi_env *env, struct cpi_inbox *inbox, cp_error *err);
cp_code cpi_audit_start(struct cpi_audit *audit, cp_error *err);

/* Returns when the thread has ended, which draining brings about. Like destroy, takes NULL. */
void cpi_audit_join(struct cpi_audit *audit);
void cpi_audit_destroy(struct cpi_audit *audit);

#endif
