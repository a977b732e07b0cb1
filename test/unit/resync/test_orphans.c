#include "suites.h"

#include "resync/orphans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 5000 };

static struct cpi_orphans orphans;
static bool is_text;

static void set_up_numbers(void)
{
    is_text = false;
    cpi_orphans_clear(&orphans, CPI_ID_BIGINT);
}

static void set_up_texts(void)
{
    is_text = true;
    cpi_orphans_clear(&orphans, CPI_ID_TEXT);
}

static void tear_down(void)
{
    cpi_orphans_clear(&orphans, CPI_ID_INTEGER);
}

static union cpi_id make_id(int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return is_text ? (union cpi_id){.text = strdup(text)} : (union cpi_id){.number = number};
}

static void add(int64_t number)
{
    union cpi_id id = make_id(number);
    ck_assert(cpi_orphans_add(&orphans, &id));
}

static void strike(int64_t number)
{
    union cpi_id id = make_id(number);
    cpi_orphans_strike(&orphans, &id);
    cpi_id_fini(orphans.type, &id);
}

static int64_t number_of(const union cpi_id *id)
{
    return is_text ? atoll(id->text) : id->number;
}

/* Strikes what is left, one by one: every id of 0 to IDS - 1 that is in `expected`, once. */
static void expect_left(const bool *expected)
{
    static bool seen[IDS];
    memset(seen, 0, sizeof seen);
    const union cpi_id *id;
    while ((id = cpi_orphans_first(&orphans)) != NULL) {
        ck_assert_ptr_eq(cpi_orphans_first(&orphans), id);
        int64_t number = number_of(id);
        ck_assert(number >= 0 && number < IDS && expected[number] && !seen[number]);
        seen[number] = true;
        cpi_orphans_strike(&orphans, id);
    }
    ck_assert_mem_eq(seen, expected, sizeof seen);
}

/* Found in any order, some of them twice, as SCAN has it; listed in order, ids among them that have no key. */
START_TEST(what_is_not_listed_is_left)
{
    static bool left[IDS];
    uint64_t state = (uint64_t)_i;
    for (int i = 0; i < IDS; i++) {
        int number = (int)((unsigned)i * 2503u % IDS);
        unsigned kind = draw_below(&state, 8);
        left[number] = kind == 0;
        if (kind != 1) { /* 1: has no key */
            add(number);
        }
        if (kind == 0 || kind == 2) {
            add(number);
        }
    }
    ck_assert(cpi_orphans_sort(&orphans));
    for (int number = -10; number < IDS + 10; number++) {
        if (number < 0 || number >= IDS || !left[number]) {
            strike(number);
        }
    }
    expect_left(left);
}
END_TEST

START_TEST(listed_in_another_order)
{
    static bool left[IDS];
    for (int number = 0; number < IDS; number++) {
        add(number);
        left[number] = number % 100 == 7;
    }
    ck_assert(cpi_orphans_sort(&orphans));
    for (int number = IDS - 1; number >= 0; number--) {
        if (!left[number]) {
            strike(number);
        }
    }
    expect_left(left);
}
END_TEST

START_TEST(the_ends_of_the_numbers)
{
    static const int64_t numbers[] = {INT64_MAX, 0, INT64_MIN, -1, 1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        add(numbers[i]);
    }
    ck_assert(cpi_orphans_sort(&orphans));
    strike(0);
    strike(INT64_MIN);
    strike(INT64_MAX);
    strike(1);
    const union cpi_id *id = cpi_orphans_first(&orphans);
    ck_assert(id != NULL && number_of(id) == -1);
    strike(-1);
    ck_assert_ptr_null(cpi_orphans_first(&orphans));
}
END_TEST

START_TEST(nothing_was_found)
{
    strike(1); /* not even sorted: the sweep may have failed */
    ck_assert_ptr_null(cpi_orphans_first(&orphans));
    ck_assert(cpi_orphans_sort(&orphans));
    strike(1);
    ck_assert_ptr_null(cpi_orphans_first(&orphans));
}
END_TEST

Suite *orphans_suite(void)
{
    static void (*const set_ups[])(void) = {set_up_numbers, set_up_texts};
    Suite *suite = suite_create("orphans");
    for (size_t i = 0; i < sizeof set_ups / sizeof *set_ups; i++) {
        TCase *tcase = tcase_create(i == 0 ? "numbers" : "texts");
        tcase_add_checked_fixture(tcase, set_ups[i], tear_down);
        tcase_add_loop_test(tcase, what_is_not_listed_is_left, 0, 8);
        tcase_add_test(tcase, listed_in_another_order);
        tcase_add_test(tcase, the_ends_of_the_numbers);
        tcase_add_test(tcase, nothing_was_found);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}
