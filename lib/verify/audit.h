/*
 * The auditor: one thread that compares a few documents per second with Redis while the syncer runs, so that a change
 * that no trigger announced does not stay unnoticed.
 *
 * Half of the documents have just settled. The other half comes from cycling through everything Postgres lists, while a
 * second scan cycles through the keys in Redis. This finds drift within documents / (per_second / 2) seconds.
 * suspects.h has the rule when a mismatch counts. An id that counts goes into the inbox and is read again.
 */
#ifndef CPI_AUDIT_H
#define CPI_AUDIT_H

#include "base/pulse.h"
#include "env.h"
#include "queue/inbox.h"

struct cpi_audit;

/* Only if config->audit_per_second > 0 and env->recent is set. All arguments have to outlive it. */
struct cpi_audit *cpi_audit_create(const struct cpi_env *env, struct cpi_inbox *inbox, cp_error *err);
cp_code cpi_audit_start(struct cpi_audit *audit, cp_error *err);

/* Once draining: returns when the thread has ended. Like destroy, accepts NULL. */
void cpi_audit_join(struct cpi_audit *audit);
void cpi_audit_destroy(struct cpi_audit *audit);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_audit_pulse(struct cpi_audit *audit);

#endif
