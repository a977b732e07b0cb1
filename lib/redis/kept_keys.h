/*
 * The keys that a follower's host has been told to keep: what a scan finds where there is no Redis (follower.h).
 *
 * Without them nobody could tell the host of documents that went while nobody listened. A hash table of strings, for
 * any thread; the mutex is held for a look, or for one copy of all.
 */
#ifndef CPI_KEPT_KEYS_H
#define CPI_KEPT_KEYS_H

#include "redis/keyspace.h"

#include <pthread.h>

struct cpi_kept_keys {
    pthread_mutex_t mutex; /* over all below */
    char **slots;          /* NULL: empty; of a removed key: a mark */
    size_t capacity;       /* a power of two, or 0 */
    size_t used;           /* slots that are not empty */
    size_t count;          /* of keys */
    int64_t marker;
};

void cpi_kept_keys_init(struct cpi_kept_keys *kept);
void cpi_kept_keys_fini(struct cpi_kept_keys *kept);

/* Adds an entity's key of an id. False: out of memory. */
bool cpi_kept_keys_add(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id);

/* Removes it; *existed: it was there. False: out of memory. */
bool cpi_kept_keys_remove(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id, bool *existed);

bool cpi_kept_keys_has(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id, bool *exists);

/* Adds a copy of each key that begins as the pattern does (cpi_key_pattern()). False: out of memory. */
bool cpi_kept_keys_copy(struct cpi_kept_keys *kept, const char *pattern, struct cpi_keys *keys);

#endif
