#include "suites.h"

#include "model/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an id's text becomes; NULL: it is refused. */
struct sample {
    enum cpi_id_type type;
    const char *text;
    const char *canonical;
};

static const struct sample samples[] = {
    {CPI_ID_INTEGER, "17", "17"},
    {CPI_ID_INTEGER, "0", "0"},
    {CPI_ID_INTEGER, "-0", "0"},
    {CPI_ID_INTEGER, "-5", "-5"},
    {CPI_ID_INTEGER, "007", "7"},
    {CPI_ID_INTEGER, "00000000000000000000000000000000000012", "12"},
    {CPI_ID_INTEGER, "2147483647", "2147483647"},
    {CPI_ID_INTEGER, "2147483648", NULL},
    {CPI_ID_INTEGER, "-2147483648", "-2147483648"},
    {CPI_ID_INTEGER, "-2147483649", NULL},
    {CPI_ID_INTEGER, "", NULL},
    {CPI_ID_INTEGER, "-", NULL},
    {CPI_ID_INTEGER, "--1", NULL},
    {CPI_ID_INTEGER, "+1", NULL},
    {CPI_ID_INTEGER, " 1", NULL},
    {CPI_ID_INTEGER, "1 ", NULL},
    {CPI_ID_INTEGER, "1\n", NULL},
    {CPI_ID_INTEGER, "1.0", NULL},
    {CPI_ID_INTEGER, "1e3", NULL},
    {CPI_ID_INTEGER, "0x1", NULL},
    {CPI_ID_INTEGER, "*", NULL},
    {CPI_ID_INTEGER, "\xD9\xA3", NULL}, /* a digit, but an Arabic one */
    {CPI_ID_BIGINT, "2147483648", "2147483648"},
    {CPI_ID_BIGINT, "9223372036854775807", "9223372036854775807"},
    {CPI_ID_BIGINT, "9223372036854775808", NULL},
    {CPI_ID_BIGINT, "-9223372036854775808", "-9223372036854775808"},
    {CPI_ID_BIGINT, "-9223372036854775809", NULL},
    {CPI_ID_BIGINT, "92233720368547758070", NULL},
    {CPI_ID_BIGINT, "18446744073709551616", NULL}, /* 0 if it wrapped */
    {CPI_ID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {CPI_ID_UUID, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {CPI_ID_UUID, "A0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {CPI_ID_UUID, "", NULL},
    {CPI_ID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", NULL},
    {CPI_ID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111", NULL},
    {CPI_ID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", NULL},
    {CPI_ID_UUID, "a0eebc999-c0b-4ef8-bb6d-6bb9bd380a11", NULL},
    {CPI_ID_UUID, "a0eebc9909c0b04ef80bb6d06bb9bd380a11", NULL},
    {CPI_ID_UUID, "a0eebc99-9c0b4ef8bb6d6bb9bd380a1", NULL},
    {CPI_ID_UUID, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a}", NULL},
    {CPI_ID_TEXT, "", ""},
    {CPI_ID_TEXT, "a b:*{id}", "a b:*{id}"},
    {CPI_ID_TEXT, "Z\xC3\xBCrich", "Z\xC3\xBCrich"},
    {CPI_ID_TEXT, "\xC2\x80\xDF\xBF", "\xC2\x80\xDF\xBF"},
    {CPI_ID_TEXT, "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
     "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"},
    {CPI_ID_TEXT, "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
    {CPI_ID_TEXT, "\x80", NULL},                 /* a continuation without a start */
    {CPI_ID_TEXT, "\xFC", NULL},                 /* Latin-1 */
    {CPI_ID_TEXT, "a\xC3", NULL},                /* cut short */
    {CPI_ID_TEXT, "\xE2\x82", NULL},             /* cut short */
    {CPI_ID_TEXT, "\xF0\x9F\x98", NULL},         /* cut short */
    {CPI_ID_TEXT, "\xC3(", NULL},                /* not continued */
    {CPI_ID_TEXT, "\xE2\x82(", NULL},            /* not continued */
    {CPI_ID_TEXT, "\xC0\xAF", NULL},             /* overlong */
    {CPI_ID_TEXT, "\xC1\xBF", NULL},             /* overlong */
    {CPI_ID_TEXT, "\xE0\x9F\xBF", NULL},         /* overlong */
    {CPI_ID_TEXT, "\xF0\x8F\xBF\xBF", NULL},     /* overlong */
    {CPI_ID_TEXT, "\xED\xA0\x80", NULL},         /* a surrogate */
    {CPI_ID_TEXT, "\xED\xBF\xBF", NULL},         /* a surrogate */
    {CPI_ID_TEXT, "\xF4\x90\x80\x80", NULL},     /* above U+10FFFF */
    {CPI_ID_TEXT, "\xF8\x88\x80\x80\x80", NULL}, /* five bytes */
    {CPI_ID_TEXT, "\xFF", NULL},
};

/* The text is handed over in memory of exactly its size, so that a sanitizer sees a read past its
 * end. */
static bool parse(enum cpi_id_type type, const char *text, size_t length, union cpi_id *id)
{
    char *exact = malloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, text, length);
    bool out_of_memory = false;
    bool parsed = cpi_id_parse(type, exact, length, id, &out_of_memory);
    ck_assert(!out_of_memory);
    free(exact);
    return parsed;
}

START_TEST(parses_to_canonical_text_or_refuses)
{
    const struct sample *sample = &samples[_i];
    union cpi_id id;
    bool parsed = parse(sample->type, sample->text, strlen(sample->text), &id);
    ck_assert_msg(parsed == (sample->canonical != NULL), "%s \"%s\"", cpi_id_type_name(sample->type), sample->text);
    if (parsed) {
        char buffer[CPI_ID_NUMBER_BYTES];
        ck_assert_str_eq(cpi_id_text(sample->type, &id, buffer), sample->canonical);
        cpi_id_fini(sample->type, &id);
    }
}
END_TEST

START_TEST(refuses_a_nul_inside)
{
    union cpi_id id;
    ck_assert(!parse(CPI_ID_INTEGER, "1\0", 2, &id));
    ck_assert(!parse(CPI_ID_INTEGER, "1\0002", 3, &id));
    ck_assert(!parse(CPI_ID_UUID, "a0eebc999c0b4ef8bb6d6bb9bd380a1\0", 32, &id));
    ck_assert(!parse(CPI_ID_TEXT, "a\0b", 3, &id));
    ck_assert(!parse(CPI_ID_TEXT, "\0", 1, &id));
}
END_TEST

START_TEST(heeds_the_length)
{
    union cpi_id id;
    ck_assert(parse(CPI_ID_INTEGER, "178", 2, &id));
    ck_assert_int_eq(id.number, 17);
    ck_assert(parse(CPI_ID_TEXT, "abc", 2, &id));
    ck_assert_str_eq(id.text, "ab");
    cpi_id_fini(CPI_ID_TEXT, &id);
    ck_assert_ptr_null(id.text);
}
END_TEST

START_TEST(type_names_go_both_ways)
{
    static const char *const names[] = {"integer", "bigint", "uuid", "text"};
    enum cpi_id_type type;
    ck_assert(cpi_id_type_parse(names[_i], &type));
    ck_assert_int_eq((int)type, _i);
    ck_assert_str_eq(cpi_id_type_name(type), names[_i]);
    ck_assert(cpi_id_is_text(type) == (_i >= 2));
}
END_TEST

START_TEST(unknown_type_names_are_refused)
{
    enum cpi_id_type type = CPI_ID_UUID;
    ck_assert(!cpi_id_type_parse("int", &type));
    ck_assert(!cpi_id_type_parse("", &type));
    ck_assert(!cpi_id_type_parse("Integer", &type));
    ck_assert_int_eq(type, CPI_ID_UUID);
}
END_TEST

START_TEST(spellings_of_one_id_are_equal)
{
    static const struct {
        enum cpi_id_type type;
        const char *a;
        const char *b;
        bool equal;
    } pairs[] = {
        {CPI_ID_INTEGER, "007", "7", true},
        {CPI_ID_INTEGER, "7", "-7", false},
        {CPI_ID_UUID, "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", true},
        {CPI_ID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", false},
        {CPI_ID_TEXT, "a", "a", true},
        {CPI_ID_TEXT, "a", "A", false},
        {CPI_ID_TEXT, "007", "7", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        enum cpi_id_type type = pairs[i].type;
        union cpi_id a, b;
        ck_assert(parse(type, pairs[i].a, strlen(pairs[i].a), &a));
        ck_assert(parse(type, pairs[i].b, strlen(pairs[i].b), &b));
        ck_assert(cpi_id_equal(type, &a, &b) == pairs[i].equal);
        ck_assert((cpi_id_hash(type, &a, 3) == cpi_id_hash(type, &b, 3)) == pairs[i].equal);
        cpi_id_fini(type, &a);
        cpi_id_fini(type, &b);
    }
}
END_TEST

enum { HASHED = 1 << 16, BUCKETS = 64 };

/* Every window of six bits spreads consecutive ids evenly: over lanes by the lower bits, over slots
 * of a table by any. 1,024 fall into a bucket on average; random hashes stray beyond 20 % of it
 * once in 10^9 times. */
static void check_spread(const uint64_t *hashes)
{
    for (unsigned shift = 0; shift <= 58; shift++) {
        unsigned counts[BUCKETS] = {0};
        for (size_t i = 0; i < HASHED; i++) {
            counts[(hashes[i] >> shift) % BUCKETS]++;
        }
        for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
            ck_assert_msg(counts[bucket] > 820 && counts[bucket] < 1230, "bits from %u: %u in bucket %zu", shift,
                          counts[bucket], bucket);
        }
    }
}

START_TEST(hash_spreads_consecutive_numbers)
{
    uint64_t *hashes = calloc(HASHED, sizeof *hashes);
    ck_assert_ptr_nonnull(hashes);
    for (int i = 0; i < HASHED; i++) {
        union cpi_id id = {.number = i};
        hashes[i] = cpi_id_hash(CPI_ID_INTEGER, &id, 0);
    }
    check_spread(hashes);
    free(hashes);
}
END_TEST

START_TEST(hash_spreads_consecutive_text)
{
    uint64_t *hashes = calloc(HASHED, sizeof *hashes);
    ck_assert_ptr_nonnull(hashes);
    for (int i = 0; i < HASHED; i++) {
        char text[16];
        snprintf(text, sizeof text, "p%d", i);
        union cpi_id id = {.text = text};
        hashes[i] = cpi_id_hash(CPI_ID_TEXT, &id, 0);
    }
    check_spread(hashes);
    free(hashes);
}
END_TEST

START_TEST(hash_tells_entities_apart)
{
    uint64_t *hashes = calloc(HASHED, sizeof *hashes);
    ck_assert_ptr_nonnull(hashes);
    for (unsigned entity = 0; entity < HASHED; entity++) {
        union cpi_id id = {.number = 17};
        hashes[entity] = cpi_id_hash(CPI_ID_BIGINT, &id, entity);
    }
    check_spread(hashes);
    free(hashes);

    char text[] = "a";
    union cpi_id id = {.text = text};
    ck_assert_uint_ne(cpi_id_hash(CPI_ID_TEXT, &id, 0), cpi_id_hash(CPI_ID_TEXT, &id, 1));
}
END_TEST

START_TEST(a_copy_has_its_own_text)
{
    char text[] = "a";
    union cpi_id id = {.text = text};
    union cpi_id copy;
    ck_assert(cpi_id_copy(CPI_ID_TEXT, &id, &copy));
    text[0] = 'b';
    ck_assert_str_eq(copy.text, "a");
    cpi_id_fini(CPI_ID_TEXT, &copy);

    union cpi_id number = {.number = 17};
    ck_assert(cpi_id_copy(CPI_ID_BIGINT, &number, &copy));
    ck_assert_int_eq(copy.number, 17);
}
END_TEST

Suite *id_suite(void)
{
    Suite *suite = suite_create("id");
    TCase *tcase = tcase_create("id");
    tcase_add_loop_test(tcase, parses_to_canonical_text_or_refuses, 0, (int)(sizeof samples / sizeof *samples));
    tcase_add_test(tcase, refuses_a_nul_inside);
    tcase_add_test(tcase, heeds_the_length);
    tcase_add_loop_test(tcase, type_names_go_both_ways, 0, 4);
    tcase_add_test(tcase, unknown_type_names_are_refused);
    tcase_add_test(tcase, spellings_of_one_id_are_equal);
    tcase_add_test(tcase, hash_spreads_consecutive_numbers);
    tcase_add_test(tcase, hash_spreads_consecutive_text);
    tcase_add_test(tcase, hash_tells_entities_apart);
    tcase_add_test(tcase, a_copy_has_its_own_text);
    suite_add_tcase(suite, tcase);
    return suite;
}
