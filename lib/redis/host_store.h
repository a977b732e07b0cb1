/*
 * The target that is a store of the host's own (cp_store): what is asked of a target is asked of the host's functions.
 *
 * Where these leave something out, the target sees to it: without keys() it keeps the keys that it has set
 * (kept_keys.h), without a marker it counts in the process.
 */
#ifndef CPI_HOST_STORE_H
#define CPI_HOST_STORE_H

#include "redis/target.h"

/* CP_ERR_ARGUMENT: a function is missing that has to be there, or that goes with another one. */
cp_code cpi_host_store_check(const cp_store *store, cp_error *err);

/* The options' store and kept have to outlive it. NULL: out of memory. */
struct cpi_target *cpi_host_store_create(const struct cpi_target_options *options);

#endif
