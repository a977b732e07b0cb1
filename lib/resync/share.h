/*
 * The share of an entity's keys that a resync may have read again only because Postgres does not list them, which
 * deletes those without a document.
 *
 * A listing that comes back short without an error (another database behind an address, a search_path that finds
 * another table, a listing query that was changed) would empty the cache. So beyond max_delete_percent of the keys, and
 * some hundred of them, a resync stops and waits for a word: a "*" on one of the entity's channels, which TRUNCATE
 * sends by itself and an operator by pg_notify(). Deletions that are announced one by one do not pass here.
 *
 * Belongs to the resync thread.
 */
#ifndef CPI_SHARE_H
#define CPI_SHARE_H

#include "env.h"

/* Fewer keys are deleted without asking: also the first of many, where a sweep has more keys than it may remember
 * (max_pending) and so decides page by page. */
enum { CPI_SHARE_FREE = 200 };

struct cpi_share {
    bool confirmed;    /* somebody has given the word for this entity */
    uint64_t found;    /* keys of the entity in Redis, as far as they have been looked up */
    uint64_t unlisted; /* of these */
};

/* Whether the unlisted may be read again and deleted; said loudly if not. */
bool cpi_share_allows(const struct cpi_share *share, const struct cpi_env *env, const struct cpi_entity *entity);

#endif
