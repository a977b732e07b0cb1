#ifndef FAKEDATA_WORDS_H
#define FAKEDATA_WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct words {
    const char *const *list;
    uint32_t count;
};

/* Names that go together. Where the family name comes first there is one of each. */
struct people {
    struct words given;
    struct words family;
    const char *between;
    bool family_first;
};

/*
 * `layout` is copied byte for byte, but for S (street), N (house number), P (postcode) and T
 * (town); `postcode` likewise, but for # (digit) and @ (capital letter).
 */
struct country {
    const char *name;
    const char *layout;
    const char *postcode;
    struct words streets;
    struct words towns;
};

extern const struct people words_people[];
extern const uint32_t words_people_count;
extern const struct country words_countries[];
extern const uint32_t words_countries_count;

/* Before the street, and behind the country. */
extern const struct words words_units;
extern const struct words words_notes;

/*
 * Text as in real tables that JSON has to escape. A name gets one before its family name, an address
 * at its beginning.
 */
extern const struct words words_awkward_names;
extern const struct words words_awkward_addresses;

#endif
