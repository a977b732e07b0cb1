#include "report/samples.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

static struct samples make(size_t count, const double *values)
{
    struct samples samples = {0};
    for (size_t i = 0; i < count; i++) {
        samples_add(&samples, values[i]);
    }
    return samples;
}

#define MAKE(...) make(sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

START_TEST(of_none_there_is_nothing)
{
    struct samples none = {0};
    ck_assert(isnan(samples_median(&none)));
    ck_assert(isnan(samples_quantile(&none, 0.5)));
    ck_assert(isnan(samples_ratio(&none, &none)));
    samples_fini(&none);
}
END_TEST

START_TEST(one_is_every_quantile)
{
    struct samples one = MAKE(7);
    ck_assert_double_eq(samples_median(&one), 7);
    for (int i = 0; i <= 10; i++) {
        ck_assert_double_eq(samples_quantile(&one, i / 10.0), 7);
    }
    samples_fini(&one);
}
END_TEST

START_TEST(the_median_is_in_the_middle)
{
    struct samples odd = MAKE(9, 1, 5);
    struct samples even = MAKE(4, 1, 9, 2);
    ck_assert_double_eq(samples_median(&odd), 5);
    ck_assert_double_eq(samples_median(&even), 3);
    samples_fini(&odd);
    samples_fini(&even);
}
END_TEST

START_TEST(quantiles_are_the_nearest_rank)
{
    struct samples samples = {0};
    for (int i = 1000; i > 0; i--) {
        samples_add(&samples, i);
    }
    ck_assert_double_eq(samples_quantile(&samples, 0), 1);
    ck_assert_double_eq(samples_quantile(&samples, 0.0001), 1);
    ck_assert_double_eq(samples_quantile(&samples, 0.5), 500);
    ck_assert_double_eq(samples_quantile(&samples, 0.9), 900);
    ck_assert_double_eq(samples_quantile(&samples, 0.99), 990);
    ck_assert_double_eq(samples_quantile(&samples, 0.999), 999);
    ck_assert_double_eq(samples_quantile(&samples, 0.9991), 1000);
    ck_assert_double_eq(samples_quantile(&samples, 1), 1000);
    samples_fini(&samples);
}
END_TEST

START_TEST(the_order_of_taking_stays)
{
    struct samples samples = MAKE(3, 1, 2);
    samples_median(&samples);
    samples_quantile(&samples, 0.9);
    ck_assert_double_eq(samples.values[0], 3);
    ck_assert_double_eq(samples.values[1], 1);
    ck_assert_double_eq(samples.values[2], 2);
    samples_fini(&samples);
}
END_TEST

START_TEST(ratios_are_of_what_was_taken_together)
{
    /* The machine was half as fast in the second run: the ratio does not know, those of medians would. */
    struct samples a = MAKE(20, 10, 24, 22, 40);
    struct samples b = MAKE(10, 5, 12, 11, 10);
    struct samples ratios = {0};
    samples_ratios(&a, &b, &ratios);
    ck_assert_uint_eq(ratios.count, 5);
    ck_assert_double_eq(ratios.values[4], 4);
    ck_assert_double_eq(samples_ratio(&a, &b), 2);
    samples_fini(&a);
    samples_fini(&b);
    samples_fini(&ratios);
}
END_TEST

START_TEST(what_has_no_partner_is_left_out)
{
    struct samples a = MAKE(4, 6, 8);
    struct samples b = MAKE(2, 2);
    struct samples ratios = {0};
    samples_ratios(&a, &b, &ratios);
    ck_assert_uint_eq(ratios.count, 2);
    ck_assert_double_eq(samples_ratio(&a, &b), 2.5);
    samples_fini(&a);
    samples_fini(&b);
    samples_fini(&ratios);
}
END_TEST

START_TEST(nothing_is_a_multiple_of_zero)
{
    struct samples a = MAKE(4, 6, 8);
    struct samples b = MAKE(2, 0, 4);
    struct samples ratios = {0};
    samples_ratios(&a, &b, &ratios);
    ck_assert_uint_eq(ratios.count, 2);
    ck_assert_double_eq(samples_ratio(&a, &b), 2);
    samples_fini(&a);
    samples_fini(&b);
    samples_fini(&ratios);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("samples");
    TCase *cases = tcase_create("samples");
    tcase_add_test(cases, of_none_there_is_nothing);
    tcase_add_test(cases, one_is_every_quantile);
    tcase_add_test(cases, the_median_is_in_the_middle);
    tcase_add_test(cases, quantiles_are_the_nearest_rank);
    tcase_add_test(cases, the_order_of_taking_stays);
    tcase_add_test(cases, ratios_are_of_what_was_taken_together);
    tcase_add_test(cases, what_has_no_partner_is_left_out);
    tcase_add_test(cases, nothing_is_a_multiple_of_zero);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
