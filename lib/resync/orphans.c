#include "resync/orphans.h"

#include <stdlib.h>
#include <string.h>

void cpi_orphans_clear(struct cpi_orphans *orphans, enum cpi_id_type type)
{
    for (size_t i = 0; i < orphans->count && cpi_id_is_text(orphans->type); i++) {
        cpi_id_fini(orphans->type, &orphans->ids[i]);
    }
    free(orphans->ids);
    free(orphans->struck);
    *orphans = (struct cpi_orphans){.type = type};
}

bool cpi_orphans_add(struct cpi_orphans *orphans, const union cpi_id *id)
{
    if (orphans->count == orphans->capacity) {
        size_t capacity = orphans->capacity > 0 ? 2 * orphans->capacity : 1024;
        union cpi_id *ids = realloc(orphans->ids, capacity * sizeof *ids);
        if (ids == NULL) {
            return false;
        }
        orphans->ids = ids;
        orphans->capacity = capacity;
    }
    orphans->ids[orphans->count++] = *id;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t left = ((const union cpi_id *)a)->number;
    int64_t right = ((const union cpi_id *)b)->number;
    return (left > right) - (left < right);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(((const union cpi_id *)a)->text, ((const union cpi_id *)b)->text);
}

static int (*comparison(const struct cpi_orphans *orphans))(const void *, const void *)
{
    return cpi_id_is_text(orphans->type) ? compare_texts : compare_numbers;
}

bool cpi_orphans_sort(struct cpi_orphans *orphans)
{
    if (orphans->count == 0) {
        return true;
    }
    qsort(orphans->ids, orphans->count, sizeof *orphans->ids, comparison(orphans));
    size_t kept = 1;
    for (size_t i = 1; i < orphans->count; i++) {
        if (cpi_id_equal(orphans->type, &orphans->ids[i], &orphans->ids[kept - 1])) {
            cpi_id_fini(orphans->type, &orphans->ids[i]);
        } else {
            orphans->ids[kept++] = orphans->ids[i];
        }
    }
    orphans->count = kept;
    orphans->struck = calloc(kept / 8 + 1, 1);
    return orphans->struck != NULL;
}

static size_t find(const struct cpi_orphans *orphans, const union cpi_id *id)
{
    size_t likely = orphans->last + 1;
    if (likely < orphans->count && cpi_id_equal(orphans->type, &orphans->ids[likely], id)) {
        return likely;
    }
    const union cpi_id *found =
        orphans->count > 0 ? bsearch(id, orphans->ids, orphans->count, sizeof *orphans->ids, comparison(orphans))
                           : NULL;
    return found != NULL ? (size_t)(found - orphans->ids) : orphans->count;
}

void cpi_orphans_strike(struct cpi_orphans *orphans, const union cpi_id *id)
{
    size_t at = find(orphans, id);
    if (at < orphans->count) {
        orphans->struck[at / 8] |= (unsigned char)(1u << at % 8);
        orphans->last = at;
    }
}

size_t cpi_orphans_left(const struct cpi_orphans *orphans)
{
    size_t left = orphans->count;
    for (size_t i = 0; i < orphans->count / 8 + 1 && orphans->count > 0; i++) {
        left -= (size_t)__builtin_popcount(orphans->struck[i]);
    }
    return left;
}

const union cpi_id *cpi_orphans_first(struct cpi_orphans *orphans)
{
    while (orphans->first < orphans->count && (orphans->struck[orphans->first / 8] & 1u << orphans->first % 8) != 0) {
        orphans->first++;
    }
    return orphans->first < orphans->count ? &orphans->ids[orphans->first] : NULL;
}
