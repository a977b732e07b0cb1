#include "suites.h"

#include "base/backoff.h"

#include <limits.h>
#include <string.h>

enum { SEEDS = 64, DRAWS = 200 };

static const struct {
    int base_ms;
    int cap_ms;
} ranges[] = {{1, 1}, {1, 5000}, {50, 5000}, {50, 60}, {100, 100}, {1000, INT_MAX}};

START_TEST(stays_between_base_and_cap)
{
    int base_ms = ranges[_i].base_ms;
    int cap_ms = ranges[_i].cap_ms;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cpi_backoff backoff;
        cpi_backoff_init(&backoff, base_ms, cap_ms, seed);
        int64_t last = base_ms;
        for (int i = 0; i < DRAWS; i++) {
            int wait = cpi_backoff_next(&backoff);
            if (wait < base_ms || wait > cap_ms || wait > 3 * last) {
                ck_abort_msg("%d ms after %lld ms", wait, (long long)last);
            }
            last = wait;
        }
    }
}
END_TEST

/* The mean of the nth wait of many backoffs. */
static double mean_wait(int nth)
{
    enum { MANY = 2000 };
    double sum = 0;
    for (uint64_t seed = 0; seed < MANY; seed++) {
        struct cpi_backoff backoff;
        cpi_backoff_init(&backoff, 50, 5000, seed);
        for (int i = 1; i < nth; i++) {
            cpi_backoff_next(&backoff);
        }
        sum += cpi_backoff_next(&backoff);
    }
    return sum / (double)MANY;
}

START_TEST(grows_while_it_fails)
{
    double first = mean_wait(1);
    double third = mean_wait(3);
    double twentieth = mean_wait(20);
    ck_assert_double_gt(first, 90); /* evenly from 50 to 150 */
    ck_assert_double_lt(first, 110);
    ck_assert_double_gt(third, 1.5 * first);
    ck_assert_double_gt(twentieth, 10 * first);
}
END_TEST

START_TEST(reaches_the_cap)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cpi_backoff backoff;
        cpi_backoff_init(&backoff, 50, 5000, seed);
        int capped = 0;
        for (int i = 0; i < DRAWS; i++) {
            capped += cpi_backoff_next(&backoff) == 5000;
        }
        ck_assert_int_gt(capped, 0);
    }
}
END_TEST

START_TEST(starts_again_after_a_success)
{
    struct cpi_backoff backoff;
    cpi_backoff_init(&backoff, 50, 5000, 1);
    for (int round = 0; round < DRAWS; round++) {
        for (int i = 0; i < 20; i++) {
            cpi_backoff_next(&backoff);
        }
        cpi_backoff_reset(&backoff);
        int wait = cpi_backoff_next(&backoff);
        ck_assert_int_ge(wait, 50);
        ck_assert_int_le(wait, 150);
    }
}
END_TEST

/* Workers are numbered, and so are their seeds: neighbours may not wait alike. */
START_TEST(neighbouring_seeds_differ)
{
    enum { FEW = 4, LAST_MS = 150 };
    int waits[SEEDS][FEW];
    int distinct = 0;
    bool seen[LAST_MS + 1] = {false};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cpi_backoff backoff;
        cpi_backoff_init(&backoff, 50, 5000, seed);
        for (int i = 0; i < FEW; i++) {
            waits[seed][i] = cpi_backoff_next(&backoff);
        }
        for (uint64_t other = 0; other < seed; other++) {
            ck_assert_mem_ne(waits[seed], waits[other], sizeof waits[seed]);
        }
        distinct += !seen[waits[seed][0]];
        seen[waits[seed][0]] = true;
    }
    ck_assert_int_gt(distinct, 32); /* 47 of 101 when drawn at random */
}
END_TEST

START_TEST(every_part_of_the_seed_counts)
{
    for (int shift = 0; shift < 48; shift++) {
        struct cpi_backoff a, b;
        cpi_backoff_init(&a, 1, INT_MAX, 0);
        cpi_backoff_init(&b, 1, INT_MAX, UINT64_C(1) << shift);
        bool differ = false;
        for (int i = 0; i < 64; i++) {
            differ = cpi_backoff_next(&a) != cpi_backoff_next(&b) || differ;
        }
        ck_assert_msg(differ, "bit %d", shift);
    }
}
END_TEST

Suite *backoff_suite(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tcase = tcase_create("backoff");
    tcase_add_loop_test(tcase, stays_between_base_and_cap, 0, (int)(sizeof ranges / sizeof *ranges));
    tcase_add_test(tcase, grows_while_it_fails);
    tcase_add_test(tcase, reaches_the_cap);
    tcase_add_test(tcase, starts_again_after_a_success);
    tcase_add_test(tcase, neighbouring_seeds_differ);
    tcase_add_test(tcase, every_part_of_the_seed_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
