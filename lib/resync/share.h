/*
 * What a resync says and does where more of an entity's keys would go than its allowance covers (allowance.h).
 *
 * A listing that comes back short without an error (another database behind an address, a search_path that finds
 * another table, a listing query that was changed) would empty the cache. So where the keys that are not listed are too
 * many a resync stops before any of them is read again. A fetch function that gives nothing for ids that are listed
 * shows only when the workers have read them; they keep what goes beyond the allowance. Either way it waits for a word:
 * a "*" on one of the entity's channels, which TRUNCATE sends by itself and an operator by hand. Deletions that
 * are announced one by one do not pass here.
 *
 * Belongs to the resync thread.
 */
#ifndef CPI_SHARE_H
#define CPI_SHARE_H

#include "env.h"

struct cpi_share {
    uint64_t found;    /* keys of the entity in Redis, as far as they have been looked up */
    uint64_t unlisted; /* of these */
};

/* Whether the unlisted may be read again and deleted; said loudly if not. Tells the allowance how many were found. */
bool cpi_share_allows(const struct cpi_share *share, const struct cpi_env *env, uint32_t index);

/* Once a run that has gone through the entity has settled. False: keys without a document were kept; said loudly. */
bool cpi_share_ends(const struct cpi_env *env, uint32_t index);

#endif
