#include "source/crowd.h"

#include "suites.h"

static struct cpi_crowds crowds;

static void begin(void)
{
    crowds = (struct cpi_crowds){0};
}

START_TEST(one_that_announces_little_is_none)
{
    for (int64_t ms = 0; ms < 10000; ms += CPI_CROWD_WINDOW_MS) {
        ck_assert(!cpi_crowds_count(&crowds, 7, CPI_CROWD_SHARE, ms));
    }
}
END_TEST

START_TEST(one_that_announces_much_is_one_until_it_has_rested)
{
    ck_assert(!cpi_crowds_count(&crowds, 7, CPI_CROWD_SHARE, 0));
    ck_assert(cpi_crowds_count(&crowds, 7, 1, CPI_CROWD_WINDOW_MS - 1));
    ck_assert(!cpi_crowds_count(&crowds, 8, 1, CPI_CROWD_WINDOW_MS - 1));
    ck_assert(!cpi_crowds_count(&crowds, 7, 1, CPI_CROWD_WINDOW_MS));
    ck_assert(cpi_crowds_count(&crowds, 7, 1000000, 2 * CPI_CROWD_WINDOW_MS));
    ck_assert(cpi_crowds_count(&crowds, 7, 1, 10 * CPI_CROWD_WINDOW_MS));
    ck_assert(!cpi_crowds_count(&crowds, 7, 1, 12 * CPI_CROWD_WINDOW_MS));
}
END_TEST

/* However long they take to be read: its share is not granted again by every window. */
START_TEST(one_that_is_read_slowly_is_one_all_the_same)
{
    int quiet = 0;
    for (int64_t ms = 0; ms < 10000; ms++) {
        quiet += !cpi_crowds_count(&crowds, 7, 20, ms);
    }
    ck_assert_int_le(quiet, CPI_CROWD_SHARE / 20 + 1);
}
END_TEST

/* Whatever their numbers are, and however they take turns. */
START_TEST(busy_ones_do_not_hide_each_other)
{
    int told[4] = {0};
    for (int i = 0; i < 4000; i++) {
        told[i % 4] += cpi_crowds_count(&crowds, 1 + 256 * (i % 4), 100, 0);
        ck_assert(!cpi_crowds_count(&crowds, 5000 + i % 4, 0, 0));
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_ge(told[i], 1000 - CPI_CROWD_SHARE / 100 - 1);
    }
}
END_TEST

/* Nor does one hide behind more quiet ones than there are places. */
START_TEST(a_busy_one_is_found_among_many)
{
    int told = 0;
    for (int i = 0; i < 1000; i++) {
        told += cpi_crowds_count(&crowds, 1, 100, 0);
        cpi_crowds_count(&crowds, 100 + i, 1, 0);
    }
    ck_assert_int_ge(told, 1000 - CPI_CROWD_SHARE / 100 - 1);
}
END_TEST

Suite *crowd_suite(void)
{
    Suite *suite = suite_create("crowd");
    TCase *tcase = tcase_create("crowd");
    tcase_add_checked_fixture(tcase, begin, NULL);
    tcase_add_test(tcase, one_that_announces_little_is_none);
    tcase_add_test(tcase, one_that_announces_much_is_one_until_it_has_rested);
    tcase_add_test(tcase, one_that_is_read_slowly_is_one_all_the_same);
    tcase_add_test(tcase, busy_ones_do_not_hide_each_other);
    tcase_add_test(tcase, a_busy_one_is_found_among_many);
    suite_add_tcase(suite, tcase);
    return suite;
}
