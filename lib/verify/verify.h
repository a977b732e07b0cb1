/*
 * Verifying: every document that Postgres has, and every key that Redis has, compared by some threads in parallel.
 *
 *   scan ──▶ first look, in parallel ──▶ suspects ──▶ looks until each is cleared or confirmed ──▶ repair
 *
 * It owns its connections and threads and shares nothing with a running syncer. It writes to neither server, except
 * that a repair announces ids.
 */
#ifndef CPI_VERIFY_H
#define CPI_VERIFY_H

#include "env.h"

/* cp_syncer_verify(): any thread of the embedder. Blocks until done or failed. */
cp_code cpi_verify(const struct cpi_env *env, const cp_verify_options *options, cp_verify_result *result,
                   cp_error *err);

#endif
