/*
 * Key templates. The input's lines are: a template, a prefix, another template, an id, and a text that may be a key of
 * neither.
 */
#include "fuzz.h"

#include "model/key.h"

enum { TEMPLATE, PREFIX, OTHER_TEMPLATE, ID, STRANGER, LINES };

/* A bigint consists of the same characters as an integer. */
static const enum cpi_id_type types[] = {CPI_ID_BIGINT, CPI_ID_UUID, CPI_ID_TEXT};

static void split(const uint8_t *data, size_t size, char *lines[LINES])
{
    for (size_t i = 0; i < LINES; i++) {
        const uint8_t *end = size > 0 && i + 1 < LINES ? memchr(data, '\n', size) : NULL;
        size_t length = end != NULL ? (size_t)(end - data) : size;
        lines[i] = fuzz_text(data, length);
        size_t used = end != NULL ? length + 1 : length;
        data += used;
        size -= used;
    }
}

static char *join(const char *before, size_t before_length, const char *middle, size_t middle_length, const char *after,
                  size_t after_length)
{
    char *text = malloc(before_length + middle_length + after_length + 1);
    REQUIRE(text != NULL);
    memcpy(text, before, before_length);
    memcpy(text + before_length, middle, middle_length);
    memcpy(text + before_length + middle_length, after, after_length);
    text[before_length + middle_length + after_length] = '\0';
    return text;
}

static char *make_key(const struct cpi_key *key, const char *id)
{
    return join(key->before, key->before_length, id, strlen(id), key->after, key->after_length);
}

/* Redis' glob rules. Patterns of ours have no set of characters, so an unescaped bracket is a failure. */
static bool glob(const char *pattern, const char *text)
{
    for (; *pattern != '\0'; pattern++, text++) {
        if (*pattern == '*') {
            size_t length = strlen(text);
            for (size_t skipped = 0; skipped <= length; skipped++) {
                if (glob(pattern + 1, text + skipped)) {
                    return true;
                }
            }
            return false;
        }
        REQUIRE(*pattern != '[');
        bool any = *pattern == '?';
        if (*pattern == '\\') {
            pattern++;
            REQUIRE(*pattern != '\0');
        }
        if (*text == '\0' || (!any && *pattern != *text)) {
            return false;
        }
    }
    return *text == '\0';
}

/* SCAN finds exactly what counts as a key of the template. */
static void check_pattern(const struct cpi_key *key, const char *text, bool whole_prefix)
{
    const char *id;
    size_t id_length;
    bool expected = whole_prefix ? strncmp(text, key->before, key->before_length) == 0
                                 : cpi_key_match(key, text, strlen(text), &id, &id_length);
    char *pattern = cpi_key_pattern(key, whole_prefix);
    REQUIRE(pattern != NULL);
    REQUIRE(glob(pattern, text) == expected);
    free(pattern);
}

static void check_round_trip(const struct cpi_key *key, const char *id)
{
    char *text = make_key(key, id);
    const char *found;
    size_t found_length;
    REQUIRE(cpi_key_match(key, text, strlen(text), &found, &found_length));
    REQUIRE(found_length == strlen(id) && memcmp(found, id, found_length) == 0);
    check_pattern(key, text, false);
    check_pattern(key, text, true);
    free(text);
}

/* Whether a part of a key is an id in the spelling that a document's key has. */
static bool is_id(enum cpi_id_type type, const char *text, size_t length)
{
    union cpi_id id;
    bool out_of_memory = false;
    if (!cpi_id_parse(type, text, length, &id, &out_of_memory)) {
        return false;
    }
    char digits[CPI_ID_NUMBER_BYTES];
    const char *canonical = cpi_id_text(type, &id, digits);
    bool same = strlen(canonical) == length && memcmp(canonical, text, length) == 0;
    cpi_id_fini(type, &id);
    return same;
}

/* A key of both templates means that they overlap, whatever the types it is a document's key for. */
static void check_both(const struct cpi_key *a, const struct cpi_key *b, const char *text)
{
    const char *a_id;
    const char *b_id;
    size_t a_length;
    size_t b_length;
    if (!cpi_key_match(a, text, strlen(text), &a_id, &a_length) ||
        !cpi_key_match(b, text, strlen(text), &b_id, &b_length)) {
        return;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (size_t j = 0; is_id(types[i], a_id, a_length) && j < sizeof types / sizeof *types; j++) {
            if (is_id(types[j], b_id, b_length)) {
                REQUIRE(cpi_key_overlap(a, types[i], b, types[j]));
            }
        }
    }
}

static void check_overlap(const struct cpi_key *a, const struct cpi_key *b, const char *id)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        REQUIRE(cpi_key_overlap(a, types[i], a, types[i]));
        for (size_t j = 0; j < sizeof types / sizeof *types; j++) {
            REQUIRE(cpi_key_overlap(a, types[i], b, types[j]) == cpi_key_overlap(b, types[j], a, types[i]));
        }
    }
    char *a_key = make_key(a, id);
    char *b_key = make_key(b, id);
    check_both(a, b, a_key);
    check_both(a, b, b_key);
    free(a_key);
    free(b_key);

    /* The one's start and the other's end around it: what pieces of templates that cross have in common. */
    char *crossed = join(a->before, a->before_length, id, strlen(id), b->after, b->after_length);
    check_both(a, b, crossed);
    free(crossed);
    crossed = join(b->before, b->before_length, id, strlen(id), a->after, a->after_length);
    check_both(a, b, crossed);
    free(crossed);
    /* The end of the start is the start of the end. */
    for (size_t shared = 1; shared <= b->before_length && shared <= a->after_length; shared++) {
        if (memcmp(b->before + b->before_length - shared, a->after, shared) == 0) {
            crossed = join(b->before, b->before_length, "", 0, a->after + shared, a->after_length - shared);
            check_both(a, b, crossed);
            free(crossed);
        }
    }
}

static bool init(struct cpi_key *key, const char *key_template, const char *prefix)
{
    cp_error err;
    bool uses_prefix = false;
    cp_code code = cpi_key_init(key, key_template, prefix, &uses_prefix, &err);
    if (code != CP_OK) {
        fuzz_check_error(&err, code, CP_ERR_CONFIG);
        REQUIRE(key->before == NULL && key->after == NULL);
        return false;
    }
    REQUIRE(key->before_length > 0 && key->before_length == strlen(key->before));
    REQUIRE(key->after_length == strlen(key->after));
    REQUIRE(uses_prefix == (strstr(key_template, "{prefix}") != NULL));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *lines[LINES];
    split(data, size, lines);
    struct cpi_key key;
    struct cpi_key other;
    if (init(&key, lines[TEMPLATE], lines[PREFIX])) {
        check_round_trip(&key, lines[ID]);
        check_pattern(&key, lines[STRANGER], false);
        check_pattern(&key, lines[STRANGER], true);
        if (init(&other, lines[OTHER_TEMPLATE], lines[PREFIX])) {
            check_overlap(&key, &other, lines[ID]);
            check_both(&key, &other, lines[STRANGER]);
        }
        cpi_key_fini(&other);
    }
    cpi_key_fini(&key);
    for (size_t i = 0; i < LINES; i++) {
        free(lines[i]);
    }
    return 0;
}
