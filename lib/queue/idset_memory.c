#include "queue/idset_internal.h"

#include <stdlib.h>

/* Below half a megabyte it is not worth it. */
enum { KEPT_CAPACITY = 16 * FIRST_CAPACITY };

bool cpi_idset_allocate(struct cpi_idset *set, uint32_t capacity)
{
    uint32_t *table = calloc(2 * (size_t)capacity, sizeof *table);
    cpi_ticks *arrived = table != NULL ? realloc(set->arrived, capacity * sizeof *arrived) : NULL;
    set->arrived = arrived != NULL ? arrived : set->arrived; /* one that is too large does no harm */
    struct cpi_idset_member *members = arrived != NULL ? realloc(set->members, capacity * sizeof *members) : NULL;
    if (members == NULL) {
        free(table);
        return false;
    }
    free(set->table);
    set->table = table;
    set->members = members;
    set->capacity = capacity;
    return true;
}

static void fill_table(struct cpi_idset *set)
{
    for (unsigned q = 0; q < CPI_QUEUES; q++) {
        for (uint32_t handle = set->queues[q].first; handle != NONE; handle = set->members[handle].next) {
            uint32_t place = set->members[handle].hash & place_mask(set);
            while (set->table[place] != NONE) {
                place = (place + 1) & place_mask(set);
            }
            set->table[place] = handle;
        }
    }
}

bool cpi_idset_grow(struct cpi_idset *set)
{
    if (set->capacity > UINT32_MAX / 4 || !cpi_idset_allocate(set, 2 * set->capacity)) {
        return false;
    }
    fill_table(set);
    return true;
}

/* The least capacity for the members there are and some more, so that the set need not grow again at once. */
static uint32_t fitting_capacity(const struct cpi_idset *set)
{
    uint32_t capacity = set->capacity;
    while (capacity > FIRST_CAPACITY && cpi_idset_total(set) < capacity / 2 - capacity / 32) {
        capacity /= 2;
    }
    return capacity;
}

void cpi_idset_compact(struct cpi_idset *set)
{
    cpi_owner_check(&set->owner);
    uint32_t capacity = fitting_capacity(set);
    if (capacity == set->capacity || set->capacity <= KEPT_CAPACITY) {
        return;
    }
    struct cpi_idset_member *members = malloc(capacity * sizeof *members);
    cpi_ticks *arrived = malloc(capacity * sizeof *arrived);
    uint32_t *table = calloc(2 * (size_t)capacity, sizeof *table);
    if (members == NULL || arrived == NULL || table == NULL) {
        free(members);
        free(arrived);
        free(table);
        return;
    }
    uint32_t used = 1;
    for (unsigned q = 0; q < CPI_QUEUES; q++) {
        struct cpi_idset_queue *queue = &set->queues[q];
        uint32_t previous = NONE;
        for (uint32_t handle = queue->first; handle != NONE; handle = set->members[handle].next) {
            members[used] = set->members[handle];
            arrived[used] = set->arrived[handle];
            members[used].previous = previous;
            members[used].next = used + 1;
            previous = used++;
        }
        if (queue->count > 0) {
            queue->first = used - queue->count;
            queue->last = previous;
            members[previous].next = NONE;
        }
    }
    free(set->members);
    free(set->arrived);
    free(set->table);
    set->members = members;
    set->arrived = arrived;
    set->table = table;
    set->capacity = capacity;
    set->used = used;
    set->free = NONE;
    fill_table(set);
}
