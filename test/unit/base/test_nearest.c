#include "base/nearest.h"

#include "suites.h"

#include <stddef.h>

static const char *const names[] = {"threads", "batch", "batch_bytes", "include", "name"};

static const char *nearest_to(const char *name)
{
    struct cpi_nearest nearest = {.name = name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cpi_nearest_offer(&nearest, names[i]);
    }
    return nearest.found;
}

START_TEST(finds_what_was_meant)
{
    ck_assert_str_eq(nearest_to("thread"), "threads");
    ck_assert_str_eq(nearest_to("treads"), "threads");
    ck_assert_str_eq(nearest_to("includes"), "include");
    ck_assert_str_eq(nearest_to("batchbytes"), "batch_bytes");
    ck_assert_str_eq(nearest_to("batchs"), "batch");
    ck_assert_str_eq(nearest_to("nane"), "name");
    ck_assert_str_eq(nearest_to("name"), "name");
}
END_TEST

START_TEST(leaves_others_alone)
{
    ck_assert_ptr_null(nearest_to("port"));
    ck_assert_ptr_null(nearest_to(""));
    ck_assert_ptr_null(nearest_to("x"));
    ck_assert_ptr_null(nearest_to("namexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
}
END_TEST

Suite *nearest_suite(void)
{
    Suite *suite = suite_create("nearest");
    TCase *tcase = tcase_create("nearest");
    tcase_add_test(tcase, finds_what_was_meant);
    tcase_add_test(tcase, leaves_others_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
