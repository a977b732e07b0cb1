#include "names.h"

#include "words.h"

#include <string.h>

enum {
    NULL_NAMES_PER_MILLE = 5,
    AWKWARD_NAMES_PER_MILLE = 10,
    AWKWARD_ADDRESSES_PER_MILLE = 10,
    SECOND_GIVEN_NAMES_PER_MILLE = 120,
    DOUBLE_FAMILY_NAMES_PER_MILLE = 60,
    CARE_OF_PER_MILLE = 50,
    UNITS_PER_MILLE = 400,
    NOTES_PER_MILLE = 300,
    HIGHEST_HOUSE_NUMBER = 240
};

static const char *pick(struct rng *rng, const struct words *words)
{
    return words->list[rng_below(rng, words->count)];
}

/* All or nothing, so that a character is never cut in two. */
static void append_bytes(struct text *text, const char *bytes, size_t length)
{
    if (length >= sizeof(text->bytes) - text->length)
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static void append(struct text *text, const char *string)
{
    append_bytes(text, string, strlen(string));
}

static void append_char(struct text *text, char c)
{
    append_bytes(text, &c, 1);
}

static void clear(struct text *text)
{
    text->length = 0;
    text->bytes[0] = '\0';
}

static void append_postcode(struct text *text, struct rng *rng, const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '#')
            append_char(text, (char)('0' + rng_below(rng, 10)));
        else if (*pattern == '@')
            append_char(text, (char)('A' + rng_below(rng, 26)));
        else
            append_char(text, *pattern);
    }
}

static void append_house_number(struct text *text, struct rng *rng)
{
    uint32_t number = 1 + rng_below(rng, HIGHEST_HOUSE_NUMBER);
    if (number >= 100)
        append_char(text, (char)('0' + number / 100));
    if (number >= 10)
        append_char(text, (char)('0' + number / 10 % 10));
    append_char(text, (char)('0' + number % 10));
}

static void append_given(struct text *text, struct rng *rng, const struct people *people)
{
    append(text, pick(rng, &people->given));
    if (!people->family_first && rng_per_mille(rng, SECOND_GIVEN_NAMES_PER_MILLE)) {
        append_char(text, ' ');
        append(text, pick(rng, &people->given));
    }
}

static void append_family(struct text *text, struct rng *rng, const struct people *people)
{
    append(text, pick(rng, &people->family));
    if (!people->family_first && rng_per_mille(rng, DOUBLE_FAMILY_NAMES_PER_MILLE)) {
        append_char(text, '-');
        append(text, pick(rng, &people->family));
    }
}

const char *names_person(struct rng *rng, struct text *text)
{
    const struct people *people = &words_people[rng_below(rng, words_people_count)];
    clear(text);
    if (rng_per_mille(rng, NULL_NAMES_PER_MILLE))
        return NULL;
    if (people->family_first) {
        append_family(text, rng, people);
        append(text, people->between);
        append_given(text, rng, people);
    } else {
        append_given(text, rng, people);
        append(text, people->between);
        if (rng_per_mille(rng, AWKWARD_NAMES_PER_MILLE))
            append(text, pick(rng, &words_awkward_names));
        append_family(text, rng, people);
    }
    return text->bytes;
}

static void append_street_and_town(struct text *text, struct rng *rng, const struct country *country)
{
    for (const char *layout = country->layout; *layout != '\0'; layout++) {
        if (*layout == 'S')
            append(text, pick(rng, &country->streets));
        else if (*layout == 'N')
            append_house_number(text, rng);
        else if (*layout == 'P')
            append_postcode(text, rng, country->postcode);
        else if (*layout == 'T')
            append(text, pick(rng, &country->towns));
        else
            append_char(text, *layout);
    }
}

const char *names_address(struct rng *rng, struct text *text)
{
    const struct country *country = &words_countries[rng_below(rng, words_countries_count)];
    clear(text);
    if (rng_per_mille(rng, AWKWARD_ADDRESSES_PER_MILLE))
        append(text, pick(rng, &words_awkward_addresses));
    if (rng_per_mille(rng, CARE_OF_PER_MILLE)) {
        append(text, "c/o ");
        append_family(text, rng, &words_people[rng_below(rng, words_people_count)]);
        append(text, ", ");
    }
    if (rng_per_mille(rng, UNITS_PER_MILLE))
        append(text, pick(rng, &words_units));
    append_street_and_town(text, rng, country);
    append(text, ", ");
    append(text, country->name);
    if (rng_per_mille(rng, NOTES_PER_MILLE))
        append(text, pick(rng, &words_notes));
    return text->bytes;
}
