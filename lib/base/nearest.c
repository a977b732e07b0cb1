#include "base/nearest.h"

#include <string.h>

enum { NAME_MAX_BYTES = 63, NEAR = 3 /* one letter in so many may be another */ };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned less = a < b ? a : b;
    return less < c ? less : c;
}

/* Levenshtein's, with one row of his table at a time. */
static unsigned distance_of(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned row[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b_length; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

void cpi_nearest_offer(struct cpi_nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->name);
    size_t other = strlen(candidate);
    if (length > NAME_MAX_BYTES || other > NAME_MAX_BYTES) {
        return;
    }
    unsigned distance = distance_of(nearest->name, length, candidate, other);
    if (distance <= length / NEAR && (nearest->found == NULL || distance < nearest->distance)) {
        nearest->found = candidate;
        nearest->distance = distance;
    }
}
