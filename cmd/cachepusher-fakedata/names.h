#ifndef FAKEDATA_NAMES_H
#define FAKEDATA_NAMES_H

#include "rng.h"

#include <stddef.h>

/* UTF-8, always terminated. The longest composed text is well below the limit. */
struct text {
    size_t length;
    char bytes[400];
};

/*
 * A customer's name; NULL five times in a thousand (the column allows it). The answer points into
 * `text`.
 */
const char *names_person(struct rng *rng, struct text *text);

/* An address in one piece, as a person would write it on a parcel. Points into `text`. */
const char *names_address(struct rng *rng, struct text *text);

#endif
