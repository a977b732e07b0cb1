/*
 * Proving, before anything is written, that a Redis allows and does what trouble will take: an outage at night is no
 * time to find a right missing.
 */
#ifndef CPI_PROOF_H
#define CPI_PROOF_H

#include "redis/redis.h"

/* What target.h's prove() is. warning: what is missing and can be done without, and what then goes unnoticed; "":
 * nothing is. */
cp_code cpi_proof(struct cpi_redis *redis, const struct cpi_key *const *keys, size_t count, const char *marker,
                  char *warning, size_t size, cp_error *err);

#endif
