#include "verify/suspects.h"

#include <stdlib.h>
#include <string.h>

/* For a suspect that keeps changing: this many times the looks that would otherwise be enough. */
enum { LOOKS_FACTOR = 6 };

int cpi_patience_interval_ms(const struct cpi_patience *patience)
{
    return patience->for_ms / (int)patience->looks + 1;
}

static struct cpi_suspect *append(struct cpi_suspects *suspects)
{
    if (suspects->count == suspects->capacity) {
        size_t capacity = 2 * suspects->capacity + 64;
        struct cpi_suspect *items = realloc(suspects->items, capacity * sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        suspects->items = items;
        suspects->capacity = capacity;
    }
    return &suspects->items[suspects->count++];
}

bool cpi_suspects_add(struct cpi_suspects *suspects, uint32_t entity, const union cpi_id *id)
{
    union cpi_id copy;
    if (!cpi_id_copy(suspects->entities[entity].id_type, id, &copy)) {
        return false;
    }
    struct cpi_suspect *suspect = append(suspects);
    if (suspect == NULL) {
        cpi_id_fini(suspects->entities[entity].id_type, &copy);
        return false;
    }
    *suspect = (struct cpi_suspect){.event = {.id = copy, .entity = (uint16_t)entity}};
    return true;
}

void cpi_suspect_look(struct cpi_suspect *suspect, const struct cpi_entity *entity, const struct cpi_compared *compared,
                      const struct cpi_patience *patience, int64_t now_ms)
{
    suspect->verdict = (uint8_t)compared->verdict;
    if (compared->verdict == CPI_EQUAL) {
        suspect->outcome = CPI_CLEARED;
        return;
    }
    if (compared->verdict == CPI_UNREADABLE) {
        suspect->outcome = CPI_NOT_READ;
        return;
    }
    if (compared->verdict == CPI_MISSING && entity->ttl_s > 0) {
        suspect->outcome = CPI_EXPIRED;
        return;
    }
    suspect->looks++;
    suspect->outcome = CPI_LOOK_AGAIN;
    if (suspect->same == 0 || suspect->digest != compared->digest) {
        suspect->digest = compared->digest;
        suspect->since_ms = now_ms;
        suspect->same = 1;
    } else if (suspect->same < UINT16_MAX) {
        suspect->same++;
    }
    if (suspect->same > patience->looks && now_ms - suspect->since_ms >= patience->for_ms) {
        suspect->outcome = CPI_CONFIRMED;
    } else if (suspect->looks >= LOOKS_FACTOR * patience->looks && suspect->same <= patience->looks) {
        suspect->outcome = CPI_IN_FLIGHT;
    }
}

static void free_id(struct cpi_suspects *suspects, struct cpi_suspect *suspect)
{
    cpi_id_fini(suspects->entities[suspect->event.entity].id_type, &suspect->event.id);
}

bool cpi_suspects_put(struct cpi_suspects *suspects, size_t place, uint32_t entity, const union cpi_id *id)
{
    if (!cpi_suspects_add(suspects, entity, id)) {
        return false;
    }
    size_t last = suspects->count - 1;
    if (place < last) {
        free_id(suspects, &suspects->items[place]);
        suspects->items[place] = suspects->items[last];
        suspects->count = last;
    }
    return true;
}

static int by_id(const void *left, const void *right, void *context)
{
    const struct cpi_entity *entities = context;
    const struct cpi_event *a = &((const struct cpi_suspect *)left)->event;
    const struct cpi_event *b = &((const struct cpi_suspect *)right)->event;
    if (a->entity != b->entity) {
        return a->entity < b->entity ? -1 : 1;
    }
    if (cpi_id_is_text(entities[a->entity].id_type)) {
        return strcmp(a->id.text, b->id.text);
    }
    return a->id.number < b->id.number ? -1 : a->id.number > b->id.number;
}

void cpi_suspects_sort(struct cpi_suspects *suspects)
{
    void *entities = (void *)(uintptr_t)suspects->entities;
    if (suspects->count == 0) {
        return;
    }
    qsort_r(suspects->items, suspects->count, sizeof *suspects->items, by_id, entities);
    size_t kept = 1;
    for (size_t i = 1; i < suspects->count; i++) {
        struct cpi_suspect *last = &suspects->items[kept - 1];
        if (by_id(last, &suspects->items[i], entities) == 0) {
            bool is_older = last->looks >= suspects->items[i].looks;
            free_id(suspects, is_older ? &suspects->items[i] : last);
            *last = is_older ? *last : suspects->items[i];
        } else {
            suspects->items[kept++] = suspects->items[i];
        }
    }
    suspects->count = kept;
}

bool cpi_suspects_keep(struct cpi_suspects *suspects, enum cpi_outcome keep, struct cpi_suspects *confirmed)
{
    size_t kept = 0;
    bool fits = true;
    for (size_t i = 0; i < suspects->count; i++) {
        struct cpi_suspect *suspect = &suspects->items[i];
        if (suspect->outcome == keep) {
            suspects->items[kept++] = *suspect;
            continue;
        }
        struct cpi_suspect *moved = NULL;
        if (suspect->outcome == CPI_CONFIRMED && confirmed != NULL) {
            moved = append(confirmed);
            fits = fits && moved != NULL;
        }
        if (moved != NULL) {
            *moved = *suspect;
        } else {
            free_id(suspects, suspect);
        }
    }
    suspects->count = kept;
    return fits;
}

void cpi_suspects_clear(struct cpi_suspects *suspects)
{
    for (size_t i = 0; i < suspects->count; i++) {
        free_id(suspects, &suspects->items[i]);
    }
    suspects->count = 0;
}

void cpi_suspects_fini(struct cpi_suspects *suspects)
{
    cpi_suspects_clear(suspects);
    free(suspects->items);
    suspects->items = NULL;
    suspects->capacity = 0;
}
