#include "suites.h"

#include "redis/kept_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 20000 };

static struct cpi_kept_keys kept;
static struct cpi_key orders;
static struct cpi_key odd;

static void begin(void)
{
    cp_error err = {0};
    cpi_kept_keys_init(&kept);
    ck_assert(cpi_key_init(&orders, "order:{id}:v1", "", NULL, &err) == CP_OK);
    ck_assert(cpi_key_init(&odd, "ord*er\\:{id}", "", NULL, &err) == CP_OK);
}

static void end(void)
{
    cpi_key_fini(&orders);
    cpi_key_fini(&odd);
    cpi_kept_keys_fini(&kept);
}

static const char *number(int i)
{
    static char text[16];
    snprintf(text, sizeof text, "%d", i);
    return text;
}

static bool has(const struct cpi_key *key, const char *id)
{
    bool exists = false;
    ck_assert(cpi_kept_keys_has(&kept, key, id, &exists));
    return exists;
}

static bool take_out(const struct cpi_key *key, const char *id)
{
    bool existed = false;
    ck_assert(cpi_kept_keys_remove(&kept, key, id, &existed));
    return existed;
}

/* How many keys a scan of the template finds. */
static size_t count(const struct cpi_key *key)
{
    struct cpi_keys keys = {0};
    char *pattern = cpi_key_pattern(key, true);
    ck_assert(pattern != NULL && cpi_kept_keys_copy(&kept, pattern, &keys));
    size_t found = keys.count;
    cpi_keys_fini(&keys);
    free(pattern);
    return found;
}

START_TEST(an_empty_one_has_nothing)
{
    ck_assert(!has(&orders, "1"));
    ck_assert(!take_out(&orders, "1"));
    ck_assert_uint_eq(count(&orders), 0);
}
END_TEST

START_TEST(keys_are_found_among_many)
{
    for (int i = 0; i < MANY; i++) {
        ck_assert(cpi_kept_keys_add(&kept, &orders, number(i)));
        ck_assert(cpi_kept_keys_add(&kept, &orders, number(i)));
    }
    ck_assert_uint_eq(count(&orders), (size_t)MANY);
    for (int i = 0; i < MANY; i += 2) {
        ck_assert(take_out(&orders, number(i)));
    }
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(has(&orders, number(i)), i % 2);
    }
    ck_assert_uint_eq(count(&orders), (size_t)MANY / 2);
}
END_TEST

/* Room that removed keys have left is used again: as many come and go as like. */
START_TEST(memory_is_that_of_the_keys_there_are)
{
    for (int i = 0; i < 10 * MANY; i++) {
        ck_assert(cpi_kept_keys_add(&kept, &orders, number(i)));
        ck_assert(take_out(&orders, number(i)));
    }
    ck_assert_uint_eq(kept.count, 0);
    ck_assert_uint_le(kept.capacity, 4096);
}
END_TEST

/* Also where a template has characters that mean something in patterns. */
START_TEST(a_scan_finds_what_begins_as_it_says)
{
    ck_assert(cpi_kept_keys_add(&kept, &orders, "1"));
    ck_assert(cpi_kept_keys_add(&kept, &odd, "1"));
    ck_assert(cpi_kept_keys_add(&kept, &odd, "2"));
    ck_assert_uint_eq(count(&orders), 1);
    ck_assert_uint_eq(count(&odd), 2);
}
END_TEST

Suite *kept_keys_suite(void)
{
    Suite *suite = suite_create("kept_keys");
    TCase *tcase = tcase_create("kept_keys");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, an_empty_one_has_nothing);
    tcase_add_test(tcase, keys_are_found_among_many);
    tcase_add_test(tcase, memory_is_that_of_the_keys_there_are);
    tcase_add_test(tcase, a_scan_finds_what_begins_as_it_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
