/* How many keys runs of a resync may delete, and when they get a new allowance. */
#include "suites.h"

#include "queue/allowance.h"

#include <stdint.h>

enum { CUSTOMER, ORDER, ENTITIES };

static struct cpi_allowance allowance;

static void setup_percent(unsigned percent)
{
    cp_error err;
    ck_assert_int_eq(cpi_allowance_init(&allowance, ENTITIES, percent, &err), CP_OK);
}

static void setup(void)
{
    setup_percent(50);
}

static void teardown(void)
{
    cpi_allowance_fini(&allowance);
}

static void begin(uint64_t found, bool unlimited)
{
    cpi_allowance_begin(&allowance, CUSTOMER, unlimited);
    cpi_allowance_found(&allowance, CUSTOMER, found);
}

/* How many of n keys may go. */
static unsigned take(uint32_t entity, unsigned n)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < n; i++) {
        taken += cpi_allowance_take(&allowance, entity) == CPI_ALLOWED;
    }
    return taken;
}

static void end(uint64_t withheld, uint64_t found)
{
    uint64_t shown = UINT64_MAX;
    ck_assert_uint_eq(cpi_allowance_end(&allowance, CUSTOMER, &shown), withheld);
    ck_assert_uint_eq(shown, found);
}

START_TEST(a_share_of_what_was_found_may_go_or_what_is_free)
{
    static const struct {
        unsigned percent;
        uint64_t found;
        unsigned limit;
    } cases[] = {{50, 1000, 500},   {50, 401, 200},  {50, 399, 200}, {50, 0, 200},   {0, 100000, 200},
                 {1, 100000, 1000}, {99, 1000, 990}, {100, 0, 3000}, {20, 1007, 201}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        teardown();
        setup_percent(cases[i].percent);
        begin(cases[i].found, false);
        ck_assert(cpi_allowance_covers(&allowance, CUSTOMER, cases[i].limit));
        ck_assert_int_eq(cpi_allowance_covers(&allowance, CUSTOMER, cases[i].limit + 1), cases[i].percent == 100);
        ck_assert_uint_eq(take(CUSTOMER, 3000), cases[i].limit);
        end(3000 - cases[i].limit, cases[i].found);
    }
}
END_TEST

START_TEST(each_entity_has_its_own)
{
    begin(1000, false);
    ck_assert_uint_eq(take(CUSTOMER, 1000), 500);
    ck_assert_uint_eq(take(ORDER, 1000), CPI_ALLOWANCE_FREE);
    end(500, 1000);
}
END_TEST

/* Or each try would delete half of what the one before has left. */
START_TEST(a_run_that_is_repeated_gets_nothing_more)
{
    begin(1000, false);
    ck_assert_uint_eq(take(CUSTOMER, 1000), 500);
    end(500, 1000);
    for (int i = 0; i < 3; i++) {
        begin(500, false);
        ck_assert_uint_eq(take(CUSTOMER, 500), 0);
        end(500, 500);
    }
}
END_TEST

/* The same where it does not come to its end, since another syncer has taken over. */
START_TEST(a_run_that_is_cut_short_leaves_less_to_the_next)
{
    begin(1000, false);
    ck_assert_uint_eq(take(CUSTOMER, 300), 300);
    begin(700, false);
    ck_assert_uint_eq(take(CUSTOMER, 700), 200);
    end(500, 700);
}
END_TEST

START_TEST(a_run_that_goes_through_begins_a_new_allowance)
{
    for (int i = 0; i < 3; i++) {
        begin(1000, false);
        ck_assert_uint_eq(take(CUSTOMER, 400), 400);
        end(0, 1000);
    }
}
END_TEST

START_TEST(a_word_lets_everything_go_once)
{
    begin(1000, false);
    take(CUSTOMER, 1000);
    end(500, 1000);
    begin(500, true);
    ck_assert(cpi_allowance_covers(&allowance, CUSTOMER, UINT64_MAX));
    ck_assert_uint_eq(take(CUSTOMER, 500), 500);
    end(0, 500);
    begin(1000, false);
    ck_assert_uint_eq(take(CUSTOMER, 1000), 500);
    end(500, 1000);
}
END_TEST

/* Ids that failed in a run settle after it. A run that has said what it keeps is repeated anyway. */
START_TEST(the_first_that_is_withheld_after_a_run_is_told)
{
    begin(1000, false);
    end(0, 1000);
    ck_assert_uint_eq(take(CUSTOMER, 500), 500);
    ck_assert_int_eq(cpi_allowance_take(&allowance, CUSTOMER), CPI_WITHHELD_LATE);
    ck_assert_int_eq(cpi_allowance_take(&allowance, CUSTOMER), CPI_WITHHELD);

    begin(500, false);
    ck_assert_int_eq(cpi_allowance_take(&allowance, CUSTOMER), CPI_WITHHELD);
    end(1, 500);
    ck_assert_int_eq(cpi_allowance_take(&allowance, CUSTOMER), CPI_WITHHELD);
}
END_TEST

Suite *allowance_suite(void)
{
    Suite *suite = suite_create("allowance");
    TCase *tcase = tcase_create("allowance");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_share_of_what_was_found_may_go_or_what_is_free);
    tcase_add_test(tcase, each_entity_has_its_own);
    tcase_add_test(tcase, a_run_that_is_repeated_gets_nothing_more);
    tcase_add_test(tcase, a_run_that_is_cut_short_leaves_less_to_the_next);
    tcase_add_test(tcase, a_run_that_goes_through_begins_a_new_allowance);
    tcase_add_test(tcase, a_word_lets_everything_go_once);
    tcase_add_test(tcase, the_first_that_is_withheld_after_a_run_is_told);
    suite_add_tcase(suite, tcase);
    return suite;
}
