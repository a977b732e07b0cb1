#include "redis/kept_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024 };

static char removed[] = ""; /* stands where a key was, so that those behind it are found */

void cpi_kept_keys_init(struct cpi_kept_keys *kept)
{
    *kept = (struct cpi_kept_keys){.count = 0};
    pthread_mutex_init(&kept->mutex, NULL);
}

void cpi_kept_keys_fini(struct cpi_kept_keys *kept)
{
    for (size_t i = 0; i < kept->capacity; i++) {
        if (kept->slots[i] != removed) {
            free(kept->slots[i]);
        }
    }
    free(kept->slots);
    pthread_mutex_destroy(&kept->mutex);
}

static char *join(const struct cpi_key *key, const char *id)
{
    char *text = NULL;
    return asprintf(&text, "%s%s%s", key->before, id, key->after) < 0 ? NULL : text;
}

/* FNV-1a. */
static size_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    }
    return (size_t)(h ^ h >> 32);
}

/* The slot of a key, or the empty one where a search for it ends. There is an empty one. */
static char **find(char **slots, size_t capacity, const char *text)
{
    size_t i = hash(text) & (capacity - 1);
    while (slots[i] != NULL && (slots[i] == removed || strcmp(slots[i], text) != 0)) {
        i = (i + 1) & (capacity - 1);
    }
    return &slots[i];
}

/* Room for one key more. False: out of memory. */
static bool grow(struct cpi_kept_keys *kept)
{
    if (4 * (kept->used + 1) <= 3 * kept->capacity) {
        return true;
    }
    size_t capacity = kept->capacity == 0 ? FIRST_CAPACITY : kept->capacity;
    capacity *= 2 * kept->count >= capacity ? 2 : 1; /* the others are marks, which go */
    char **slots = calloc(capacity, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < kept->capacity; i++) {
        if (kept->slots[i] != NULL && kept->slots[i] != removed) {
            *find(slots, capacity, kept->slots[i]) = kept->slots[i];
        }
    }
    free(kept->slots);
    kept->slots = slots;
    kept->capacity = capacity;
    kept->used = kept->count;
    return true;
}

static bool add(struct cpi_kept_keys *kept, char *text)
{
    if (!grow(kept)) {
        return false;
    }
    char **slot = find(kept->slots, kept->capacity, text);
    if (*slot != NULL) {
        free(text);
        return true;
    }
    *slot = text;
    kept->used++;
    kept->count++;
    return true;
}

bool cpi_kept_keys_add(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id)
{
    char *text = join(key, id);
    if (text == NULL) {
        return false;
    }
    pthread_mutex_lock(&kept->mutex);
    bool added = add(kept, text);
    pthread_mutex_unlock(&kept->mutex);
    if (!added) {
        free(text);
    }
    return added;
}

/* Looks a key up, and takes it out if it is to go. */
static bool look(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id, bool goes, bool *exists)
{
    char *text = join(key, id);
    if (text == NULL) {
        return false;
    }
    pthread_mutex_lock(&kept->mutex);
    char **slot = kept->capacity > 0 ? find(kept->slots, kept->capacity, text) : NULL;
    *exists = slot != NULL && *slot != NULL;
    if (*exists && goes) {
        free(*slot);
        *slot = removed;
        kept->count--;
    }
    pthread_mutex_unlock(&kept->mutex);
    free(text);
    return true;
}

bool cpi_kept_keys_remove(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id, bool *existed)
{
    return look(kept, key, id, true, existed);
}

bool cpi_kept_keys_has(struct cpi_kept_keys *kept, const struct cpi_key *key, const char *id, bool *exists)
{
    return look(kept, key, id, false, exists);
}

/* Up to the first * that stands for anything; a backslash makes the next character literal. */
static bool begins_as(const char *pattern, const char *text)
{
    for (; *pattern != '\0' && *pattern != '*'; pattern++, text++) {
        pattern += *pattern == '\\';
        if (*pattern != *text) {
            return false;
        }
    }
    return true;
}

bool cpi_kept_keys_copy(struct cpi_kept_keys *kept, const char *pattern, struct cpi_keys *keys)
{
    bool copied = true;
    pthread_mutex_lock(&kept->mutex);
    for (size_t i = 0; i < kept->capacity && copied; i++) {
        const char *text = kept->slots[i];
        if (text != NULL && text != removed && begins_as(pattern, text)) {
            copied = cpi_keys_add(keys, text, strlen(text));
        }
    }
    pthread_mutex_unlock(&kept->mutex);
    return copied;
}
