#include "redis/keyspace.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

cp_code cpi_cursor_init(struct cpi_cursor *cursor, const struct cpi_key *key, bool whole_prefix, cp_error *err)
{
    *cursor =
        (struct cpi_cursor){.pattern = cpi_key_pattern(key, whole_prefix), .prefix = key->before, .position = "0"};
    return cursor->pattern != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_cursor_fini(struct cpi_cursor *cursor)
{
    free(cursor->pattern);
    cursor->pattern = NULL;
}

/* ---- pages ---- */

static bool make_room(struct cpi_keys *keys, size_t length)
{
    if (keys->count == keys->capacity) {
        size_t capacity = 2 * keys->capacity + 64;
        size_t *ends = realloc(keys->ends, capacity * sizeof *ends);
        if (ends == NULL) {
            return false;
        }
        keys->ends = ends;
        keys->capacity = capacity;
    }
    if (keys->used + length + 1 > keys->bytes_capacity) { /* one more, so that there are bytes even for an empty key */
        size_t capacity = 2 * (keys->used + length) + 4096;
        char *bytes = realloc(keys->bytes, capacity);
        if (bytes == NULL) {
            return false;
        }
        keys->bytes = bytes;
        keys->bytes_capacity = capacity;
    }
    return true;
}

bool cpi_keys_add(struct cpi_keys *keys, const char *text, size_t length)
{
    if (!make_room(keys, length)) {
        return false;
    }
    memcpy(keys->bytes + keys->used, text, length);
    keys->used += length;
    keys->ends[keys->count++] = keys->used;
    return true;
}

const char *cpi_keys_at(const struct cpi_keys *keys, size_t i, size_t *length)
{
    size_t from = i > 0 ? keys->ends[i - 1] : 0;
    *length = keys->ends[i] - from;
    return keys->bytes + from;
}

void cpi_keys_clear(struct cpi_keys *keys)
{
    keys->count = 0;
    keys->used = 0;
}

void cpi_keys_fini(struct cpi_keys *keys)
{
    free(keys->bytes);
    free(keys->ends);
    *keys = (struct cpi_keys){0};
}

/* ---- what a key stands for ---- */

bool cpi_keyspace_id(const struct cpi_entity *entity, const char *key, size_t length, union cpi_id *id,
                     bool *out_of_memory)
{
    const char *text = NULL;
    size_t text_length = 0;
    if (!cpi_key_match(&entity->key, key, length, &text, &text_length) ||
        !cpi_id_parse(entity->id_type, text, text_length, id, out_of_memory)) {
        return false;
    }
    char digits[CPI_ID_NUMBER_BYTES];
    const char *canonical = cpi_id_text(entity->id_type, id, digits);
    if (strlen(canonical) == text_length && memcmp(canonical, text, text_length) == 0) {
        return true;
    }
    cpi_id_fini(entity->id_type, id);
    return false;
}
