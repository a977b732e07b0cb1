#include "suites.h"

#include "model/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cpi_key make_key(const char *key_template, const char *prefix)
{
    struct cpi_key key;
    cp_error err = {0};
    ck_assert_msg(cpi_key_init(&key, key_template, prefix, NULL, &err) == CP_OK, "%s: %s", key_template, err.message);
    return key;
}

START_TEST(splits_a_template)
{
    static const struct {
        const char *key_template;
        const char *prefix;
        const char *before;
        const char *after;
        bool uses_prefix;
    } samples[] = {
        {"customer:{id}", "p", "customer:", "", false},
        {"{prefix}:{id}", "shop", "shop:", "", true},
        {"{prefix}{id}", "shop", "shop", "", true},
        {"a:{id}:b", "p", "a:", ":b", false},
        {"{prefix}/{id}/{prefix}", "s", "s/", "/s", true},
        {"{prefix}{prefix}{id}{prefix}{prefix}", "long-prefix", "long-prefixlong-prefix", "long-prefixlong-prefix",
         true},
        {"{prefix}:{id}", "{id}", "{id}:", "", true},         /* not scanned again */
        {"{prefix}:{id}", "{prefix}", "{prefix}:", "", true}, /* nor expanded twice */
        {"{prefix}:{id}", "h[ae]llo*", "h[ae]llo*:", "", true},
        {"Z\xC3\xBCrich {id}", "p", "Z\xC3\xBCrich ", "", false},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct cpi_key key;
        bool uses_prefix = !samples[i].uses_prefix;
        cp_error err;
        ck_assert_int_eq(cpi_key_init(&key, samples[i].key_template, samples[i].prefix, &uses_prefix, &err), CP_OK);
        ck_assert_str_eq(key.before, samples[i].before);
        ck_assert_str_eq(key.after, samples[i].after);
        ck_assert_uint_eq(key.before_length, strlen(samples[i].before));
        ck_assert_uint_eq(key.after_length, strlen(samples[i].after));
        ck_assert(uses_prefix == samples[i].uses_prefix);
        cpi_key_fini(&key);
        ck_assert_ptr_null(key.before);
    }
}
END_TEST

START_TEST(refuses_a_wrong_template)
{
    static const struct {
        const char *key_template;
        const char *message;
    } samples[] = {
        {"customer", "{id} is missing"},
        {"", "{id} is missing"},
        {"{prefix}", "{id} is missing"},
        {"a{id}b{id}", "more than once"},
        {"{id}", "nothing stands before {id}"},
        {"{id}:a", "nothing stands before {id}"},
        {"a:{ID}", "a brace"},
        {"a:{id", "a brace"},
        {"a:id}", "a brace"},
        {"{a}:{id}", "a brace"},
        {"{{id}}", "a brace"},
        {"{prefix:{id}", "a brace"},
        {"a:{id}}", "a brace"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct cpi_key key;
        cp_error err = {0};
        ck_assert_int_eq(cpi_key_init(&key, samples[i].key_template, "p", NULL, &err), CP_ERR_CONFIG);
        ck_assert_int_eq(err.code, CP_ERR_CONFIG);
        ck_assert(!err.retriable);
        ck_assert_msg(strstr(err.message, samples[i].message) != NULL, "%s: %s", samples[i].key_template, err.message);
        cpi_key_fini(&key);
    }
}
END_TEST

START_TEST(an_error_may_be_of_no_interest)
{
    struct cpi_key key;
    ck_assert_int_eq(cpi_key_init(&key, "customer", "p", NULL, NULL), CP_ERR_CONFIG);
    cpi_key_fini(&key);
}
END_TEST

START_TEST(patterns_escape_what_is_literal)
{
    static const struct {
        const char *key_template;
        const char *prefix;
        const char *pattern;
        const char *whole_prefix;
    } samples[] = {
        {"customer:{id}", "p", "customer:*", "customer:*"},
        {"a:{id}:b", "p", "a:*:b", "a:*"},
        {"{prefix}:{id}:z?", "h[^a-e]llo*\\", "h\\[\\^a\\-e\\]llo\\*\\\\:*:z\\?", "h\\[\\^a\\-e\\]llo\\*\\\\:*"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct cpi_key key = make_key(samples[i].key_template, samples[i].prefix);
        char *pattern = cpi_key_pattern(&key, false);
        char *whole_prefix = cpi_key_pattern(&key, true);
        ck_assert_str_eq(pattern, samples[i].pattern);
        ck_assert_str_eq(whole_prefix, samples[i].whole_prefix);
        free(pattern);
        free(whole_prefix);
        cpi_key_fini(&key);
    }
}
END_TEST

START_TEST(finds_the_id_in_a_key)
{
    static const struct {
        const char *key_template;
        const char *key;
        const char *id; /* NULL: not a key of the template */
    } samples[] = {
        {"c:{id}", "c:17", "17"},     {"c:{id}", "c:", ""},
        {"c:{id}", "c", NULL},        {"c:{id}", "", NULL},
        {"c:{id}", "d:17", NULL},     {"c:{id}", "xc:17", NULL},
        {"c:{id}:d", "c:17:d", "17"}, {"c:{id}:d", "c:17:d:d", "17:d"},
        {"c:{id}:d", "c::d", ""},     {"c:{id}:d", "c:d", NULL}, /* the two parts may not share a character */
        {"c:{id}:d", "c:17:e", NULL}, {"c:{id}:d", "c:17:dd", NULL},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct cpi_key key = make_key(samples[i].key_template, "p");
        const char *id = NULL;
        size_t length = 0;
        bool matched = cpi_key_match(&key, samples[i].key, strlen(samples[i].key), &id, &length);
        ck_assert_msg(matched == (samples[i].id != NULL), "%s, %s", samples[i].key_template, samples[i].key);
        if (matched) {
            ck_assert_uint_eq(length, strlen(samples[i].id));
            ck_assert_mem_eq(id, samples[i].id, length);
        }
        cpi_key_fini(&key);
    }
}
END_TEST

START_TEST(overlap_follows_from_templates_and_types)
{
    static const struct {
        const char *a;
        enum cpi_id_type a_type;
        const char *b;
        enum cpi_id_type b_type;
        bool overlap;
    } samples[] = {
        {"a:{id}", CPI_ID_INTEGER, "b:{id}", CPI_ID_INTEGER, false},
        {"a:{id}", CPI_ID_TEXT, "b:{id}", CPI_ID_TEXT, false},
        {"a:{id}", CPI_ID_INTEGER, "a:{id}", CPI_ID_INTEGER, true},
        {"a:{id}", CPI_ID_INTEGER, "a:{id}", CPI_ID_UUID, true},
        {"a:{id}", CPI_ID_INTEGER, "a:b:{id}", CPI_ID_INTEGER, false},
        {"a:{id}", CPI_ID_TEXT, "a:b:{id}", CPI_ID_INTEGER, true},
        {"a:{id}", CPI_ID_INTEGER, "a:b:{id}", CPI_ID_TEXT, false},
        {"a{id}", CPI_ID_INTEGER, "a1{id}", CPI_ID_INTEGER, true},
        {"a{id}", CPI_ID_INTEGER, "a-{id}", CPI_ID_BIGINT, true},
        {"a{id}", CPI_ID_INTEGER, "add{id}", CPI_ID_INTEGER, false},
        {"a{id}", CPI_ID_UUID, "add{id}", CPI_ID_INTEGER, true},
        {"a:{id}", CPI_ID_INTEGER, "a:{id}:b", CPI_ID_INTEGER, false},
        {"a:{id}", CPI_ID_TEXT, "a:{id}:b", CPI_ID_INTEGER, true},
        {"a:{id}:x", CPI_ID_TEXT, "a:{id}:y", CPI_ID_TEXT, false},
        {"a:{id}:x", CPI_ID_INTEGER, "a:1:{id}", CPI_ID_TEXT, true}, /* a:1:x */
        {"a:{id}:x", CPI_ID_INTEGER, "a:1:{id}", CPI_ID_UUID, false},
        {"a:{id}:x", CPI_ID_INTEGER, "a:b:{id}", CPI_ID_TEXT, false},
        {"a:{id}:x", CPI_ID_TEXT, "a:b:{id}", CPI_ID_TEXT, true},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct cpi_key a = make_key(samples[i].a, "p");
        struct cpi_key b = make_key(samples[i].b, "p");
        ck_assert_msg(cpi_key_overlap(&a, samples[i].a_type, &b, samples[i].b_type) == samples[i].overlap, "%s, %s",
                      samples[i].a, samples[i].b);
        ck_assert_msg(cpi_key_overlap(&b, samples[i].b_type, &a, samples[i].a_type) == samples[i].overlap, "%s, %s",
                      samples[i].b, samples[i].a);
        cpi_key_fini(&a);
        cpi_key_fini(&b);
    }
}
END_TEST

/* Against the definition, on an alphabet of a digit and a colon: ids of up to ID_MAX characters are
 * all tried. */
enum { ID_MAX = 5, BEFORES = 6, AFTERS = 6, TYPES = 2, KEYS = BEFORES * AFTERS * TYPES };

static bool is_id(enum cpi_id_type type, const char *text, size_t length)
{
    return type == CPI_ID_TEXT || (length > 0 && memchr(text, ':', length) == NULL);
}

static bool share_a_key(const struct cpi_key *a, enum cpi_id_type a_type, const struct cpi_key *b,
                        enum cpi_id_type b_type)
{
    for (size_t length = 0; length <= ID_MAX; length++) {
        for (unsigned bits = 0; bits < 1U << length; bits++) {
            char id[ID_MAX + 1] = "";
            for (size_t i = 0; i < length; i++) {
                id[i] = (bits >> i & 1U) != 0 ? ':' : '1';
            }
            char key[64];
            int key_length = snprintf(key, sizeof key, "%s%s%s", a->before, id, a->after);
            const char *other;
            size_t other_length;
            if (is_id(a_type, id, length) && cpi_key_match(b, key, (size_t)key_length, &other, &other_length) &&
                is_id(b_type, other, other_length)) {
                return true;
            }
        }
    }
    return false;
}

START_TEST(overlap_means_that_a_key_is_shared)
{
    static const char *const befores[BEFORES] = {"x", "x1", "x:", "x1:", "x:1", "x11"};
    static const char *const afters[AFTERS] = {"", "1", ":", ":1", "1:", "::"};
    static const enum cpi_id_type types[TYPES] = {CPI_ID_INTEGER, CPI_ID_TEXT};
    struct cpi_key keys[KEYS];
    for (int i = 0; i < KEYS; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s{id}%s", befores[i / TYPES / AFTERS], afters[i / TYPES % AFTERS]);
        keys[i] = make_key(text, "p");
    }
    for (int i = 0; i < KEYS * KEYS; i++) {
        const struct cpi_key *a = &keys[i / KEYS];
        const struct cpi_key *b = &keys[i % KEYS];
        enum cpi_id_type a_type = types[i / KEYS % TYPES];
        enum cpi_id_type b_type = types[i % KEYS % TYPES];
        ck_assert_msg(cpi_key_overlap(a, a_type, b, b_type) == share_a_key(a, a_type, b, b_type),
                      "%s{id}%s of %s, %s{id}%s of %s", a->before, a->after, cpi_id_type_name(a_type), b->before,
                      b->after, cpi_id_type_name(b_type));
    }
    for (int i = 0; i < KEYS; i++) {
        cpi_key_fini(&keys[i]);
    }
}
END_TEST

Suite *key_suite(void)
{
    Suite *suite = suite_create("key");
    TCase *tcase = tcase_create("key");
    tcase_add_test(tcase, splits_a_template);
    tcase_add_test(tcase, refuses_a_wrong_template);
    tcase_add_test(tcase, an_error_may_be_of_no_interest);
    tcase_add_test(tcase, patterns_escape_what_is_literal);
    tcase_add_test(tcase, finds_the_id_in_a_key);
    tcase_add_test(tcase, overlap_follows_from_templates_and_types);
    tcase_add_test(tcase, overlap_means_that_a_key_is_shared);
    suite_add_tcase(suite, tcase);
    return suite;
}
