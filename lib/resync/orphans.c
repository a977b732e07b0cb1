#include "resync/orphans.h"

#include <stdlib.h>
#include <string.h>

void cpi_leftovers_clear(struct cpi_leftovers *leftovers, enum cpi_id_type type)
{
    for (size_t i = 0; i < leftovers->count && cpi_id_is_text(leftovers->type); i++) {
        cpi_id_fini(leftovers->type, &leftovers->ids[i]);
    }
    free(leftovers->ids);
    free(leftovers->struck);
    *leftovers = (struct cpi_leftovers){.type = type};
}

bool cpi_leftovers_add(struct cpi_leftovers *leftovers, const union cpi_id *id)
{
    if (leftovers->count == leftovers->capacity) {
        size_t capacity = leftovers->capacity > 0 ? 2 * leftovers->capacity : 1024;
        union cpi_id *ids = realloc(leftovers->ids, capacity * sizeof *ids);
        if (ids == NULL) {
            return false;
        }
        leftovers->ids = ids;
        leftovers->capacity = capacity;
    }
    leftovers->ids[leftovers->count++] = *id;
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

static int (*comparison(const struct cpi_leftovers *leftovers))(const void *, const void *)
{
    return cpi_id_is_text(leftovers->type) ? compare_texts : compare_numbers;
}

bool cpi_leftovers_sort(struct cpi_leftovers *leftovers)
{
    if (leftovers->count == 0) {
        return true;
    }
    qsort(leftovers->ids, leftovers->count, sizeof *leftovers->ids, comparison(leftovers));
    size_t kept = 1;
    for (size_t i = 1; i < leftovers->count; i++) {
        if (cpi_id_equal(leftovers->type, &leftovers->ids[i], &leftovers->ids[kept - 1])) {
            cpi_id_fini(leftovers->type, &leftovers->ids[i]);
        } else {
            leftovers->ids[kept++] = leftovers->ids[i];
        }
    }
    leftovers->count = kept;
    leftovers->struck = calloc(kept / 8 + 1, 1);
    return leftovers->struck != NULL;
}

static size_t find(const struct cpi_leftovers *leftovers, const union cpi_id *id)
{
    size_t likely = leftovers->last + 1;
    if (likely < leftovers->count && cpi_id_equal(leftovers->type, &leftovers->ids[likely], id)) {
        return likely;
    }
    const union cpi_id *found = leftovers->count > 0 ? bsearch(id, leftovers->ids, leftovers->count,
                                                               sizeof *leftovers->ids, comparison(leftovers))
                                                     : NULL;
    return found != NULL ? (size_t)(found - leftovers->ids) : leftovers->count;
}

void cpi_leftovers_strike(struct cpi_leftovers *leftovers, const union cpi_id *id)
{
    size_t at = find(leftovers, id);
    if (at < leftovers->count) {
        leftovers->struck[at / 8] |= (unsigned char)(1u << at % 8);
        leftovers->last = at;
    }
}

const union cpi_id *cpi_leftovers_first(struct cpi_leftovers *leftovers)
{
    while (leftovers->first < leftovers->count &&
           (leftovers->struck[leftovers->first / 8] & 1u << leftovers->first % 8) != 0) {
        leftovers->first++;
    }
    return leftovers->first < leftovers->count ? &leftovers->ids[leftovers->first] : NULL;
}
