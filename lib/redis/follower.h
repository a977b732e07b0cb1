/*
 * The target of a follower: no Redis. Whatever is to be stored is done at once, and the host hears of it like that of
 * any document that has settled.
 *
 * The keys are kept (kept_keys.h), so that what else is asked of a target has its answer: whether there is a key, which
 * keys there are, where the marker stands. Nothing here fails but for want of memory, and nobody else writes.
 */
#ifndef CPI_FOLLOWER_H
#define CPI_FOLLOWER_H

#include "redis/kept_keys.h"
#include "redis/target.h"

/* kept has to outlive it. NULL: out of memory. */
struct cpi_target *cpi_follower_create(struct cpi_kept_keys *kept);

#endif
