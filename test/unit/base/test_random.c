#include "suites.h"

#include "base/random.h"

#include <string.h>

/* The first numbers of splitmix64, as its author gives them for this seed. */
START_TEST(is_splitmix64)
{
    uint64_t state = 1234567;
    ck_assert_uint_eq(cpi_random_next(&state), UINT64_C(6457827717110365317));
    ck_assert_uint_eq(cpi_random_next(&state), UINT64_C(3203168211198807973));
    ck_assert_uint_eq(cpi_random_next(&state), UINT64_C(9817491932198370423));
}
END_TEST

START_TEST(bytes_fill_all_of_it_and_no_more)
{
    cp_error err;
    unsigned char zero[32] = {0};
    unsigned char first[32 + 1] = {0};
    unsigned char second[32] = {0};
    ck_assert_int_eq(cpi_random_bytes(first, 32, &err), CP_OK);
    ck_assert_int_eq(cpi_random_bytes(second, 32, &err), CP_OK);
    ck_assert_int_ne(memcmp(first, zero, 32), 0);
    ck_assert_int_ne(memcmp(first, second, 32), 0);
    ck_assert_int_eq(first[32], 0);
}
END_TEST

Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("random");
    tcase_add_test(tcase, is_splitmix64);
    tcase_add_test(tcase, bytes_fill_all_of_it_and_no_more);
    suite_add_tcase(suite, tcase);
    return suite;
}
