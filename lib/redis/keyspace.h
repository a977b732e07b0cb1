/*
 * Which documents there are, says Redis: SCAN over an entity's keys.
 *
 * SCAN returns every key that was there throughout, perhaps twice, and never blocks the server for long, as KEYS would.
 */
#ifndef CPI_KEYSPACE_H
#define CPI_KEYSPACE_H

#include "model/event.h"
#include "redis/redis.h"

/* One pass over the keys. Zero and a pattern start it. */
struct cpi_cursor {
    char *pattern; /* from cpi_key_pattern(); owned */
    char position[24];
    bool done;
};

cp_code cpi_cursor_init(struct cpi_cursor *cursor, const struct cpi_key *key, bool whole_prefix, cp_error *err);
void cpi_cursor_fini(struct cpi_cursor *cursor);

/* The next keys, an array of strings that may be empty; cursor->done tells whether these were the last. A lost
 * connection means starting over: a cursor is good for the server process that gave it. The caller frees the reply. */
redisReply *cpi_cursor_next(struct cpi_redis *redis, struct cpi_cursor *cursor, cp_error *err);

/* The id that a key of the entity stands for; false for a key that is no document of it: another shape, no id of the
 * type, or an id spelled as we would not (007). The id owns its text. *out_of_memory is set when false is returned for
 * want of memory and left alone otherwise. */
bool cpi_keyspace_id(const struct cpi_entity *entity, const redisReply *key, union cpi_id *id, bool *out_of_memory);

/* Deletes every key that begins with the entity's prefix; *count is how many there were. */
cp_code cpi_keyspace_flush(struct cpi_redis *redis, const struct cpi_entity *entity, uint64_t *count, cp_error *err);

#endif
