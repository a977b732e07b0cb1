/*
 * Keys found in Redis: a walk over an entity's keys by SCAN, page by page, and what a key stands for.
 *
 * SCAN returns every key that was there throughout, perhaps twice, and never blocks the server for long, as KEYS would.
 */
#ifndef CPI_KEYSPACE_H
#define CPI_KEYSPACE_H

#include "model/entity.h"

/* One walk. */
struct cpi_cursor {
    char *pattern;      /* from cpi_key_pattern(); owned */
    const char *prefix; /* what all of the keys begin with, literally; the key's */
    char position[24];
    bool done;
};

/* whole_prefix: everything that begins with the part before {id}, whatever follows. */
cp_code cpi_cursor_init(struct cpi_cursor *cursor, const struct cpi_key *key, bool whole_prefix, cp_error *err);
void cpi_cursor_fini(struct cpi_cursor *cursor);

/* A page of keys, any bytes each. Its memory is used again from page to page. Zero is a valid empty one. */
struct cpi_keys {
    size_t count;
    char *bytes;  /* of all, one behind the other */
    size_t *ends; /* of each, in bytes */
    size_t used;
    size_t bytes_capacity;
    size_t capacity;
};

/* Copies one key. False: out of memory. */
bool cpi_keys_add(struct cpi_keys *keys, const char *text, size_t length);
const char *cpi_keys_at(const struct cpi_keys *keys, size_t i, size_t *length);
void cpi_keys_clear(struct cpi_keys *keys);
void cpi_keys_fini(struct cpi_keys *keys);

/* The id that a key of the entity stands for; false for a key that is no document of it: another shape, no id of the
 * type, or an id spelled as we would not (007). The id owns its text. *out_of_memory is set when false is returned for
 * want of memory and left alone otherwise. */
bool cpi_keyspace_id(const struct cpi_entity *entity, const char *key, size_t length, union cpi_id *id,
                     bool *out_of_memory);

#endif
