/* What a stream has of a transaction's number, against what Postgres says of all that run. */
#include "suites.h"

#include "source/wal/snapshot.h"

#include <stdio.h>
#include <string.h>

static struct cpi_snapshot snapshot;

static void teardown(void)
{
    cpi_snapshot_fini(&snapshot);
}

static bool sees(uint64_t xid)
{
    return cpi_snapshot_sees(&snapshot, (uint32_t)xid);
}

START_TEST(an_empty_one_sees_nothing)
{
    ck_assert(!sees(0) && !sees(1) && !sees(3) && !sees(UINT32_MAX));
}
END_TEST

START_TEST(what_had_ended_is_seen)
{
    ck_assert(cpi_snapshot_parse(&snapshot, "700:700:"));
    ck_assert_uint_eq(snapshot.count, 0);
    ck_assert(sees(699) && sees(3));
    ck_assert(!sees(700) && !sees(701));
}
END_TEST

START_TEST(what_runs_is_not_seen)
{
    ck_assert(cpi_snapshot_parse(&snapshot, "700:710:700,703,709"));
    for (uint64_t xid = 690; xid < 720; xid++) {
        bool runs = xid == 700 || xid == 703 || xid == 709;
        ck_assert_msg(sees(xid) == (xid < 710 && !runs), "%lu", xid);
    }
}
END_TEST

START_TEST(many_may_run)
{
    char text[8192];
    int length = snprintf(text, sizeof text, "1000:2000:");
    for (int xid = 1000; xid < 2000; xid += 2) {
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%d", xid > 1000 ? "," : "", xid);
    }
    ck_assert(cpi_snapshot_parse(&snapshot, text));
    ck_assert_uint_eq(snapshot.count, 500);
    for (uint64_t xid = 1000; xid < 2000; xid++) {
        ck_assert(sees(xid) == (xid % 2 == 1));
    }
    ck_assert(sees(999) && !sees(2000));
}
END_TEST

/* With the epoch in the upper half, which the stream does not send. */
START_TEST(transaction_numbers_wrap)
{
    const uint64_t epoch = UINT64_C(7) << 32;
    char text[128];
    snprintf(text, sizeof text, "%lu:%lu:%lu,%lu", epoch - 3, epoch + 5, epoch - 3, epoch + 1);
    ck_assert(cpi_snapshot_parse(&snapshot, text));
    ck_assert(sees(epoch - 4) && sees(epoch - 2) && sees(epoch - 1) && sees(epoch) && sees(epoch + 4));
    ck_assert(!sees(epoch - 3) && !sees(epoch + 1));
    ck_assert(!sees(epoch + 5) && !sees(epoch + 100));

    /* Before the wrap: small numbers are of those to come. */
    snprintf(text, sizeof text, "%lu:%lu:", epoch - 2, epoch - 2);
    ck_assert(cpi_snapshot_parse(&snapshot, text));
    ck_assert(sees(epoch - 3));
    ck_assert(!sees(epoch - 2) && !sees(epoch) && !sees(epoch + 3));
}
END_TEST

/* Two billion to either side. */
START_TEST(a_number_is_taken_for_the_nearest)
{
    const uint64_t xmax = (UINT64_C(3) << 32) + 10;
    char text[64];
    snprintf(text, sizeof text, "%lu:%lu:", xmax, xmax);
    ck_assert(cpi_snapshot_parse(&snapshot, text));
    ck_assert(sees(xmax - 1) && sees(xmax - INT32_MAX));
    ck_assert(!sees(xmax + 1) && !sees(xmax + INT32_MAX));
}
END_TEST

START_TEST(a_later_one_takes_its_place)
{
    ck_assert(cpi_snapshot_parse(&snapshot, "5:9:5,6"));
    ck_assert(!sees(5) && !sees(6) && sees(7) && !sees(9));
    ck_assert(cpi_snapshot_parse(&snapshot, "6:10:6"));
    ck_assert(sees(5) && !sees(6) && sees(9));
}
END_TEST

static const char *const garbage[] = {
    "",
    "5",
    "5:",
    "5:9",
    ":9:",
    "5::5",
    "x:9:5",
    "5:x:5",
    "5:9:x",
    "5:9:5,x",
    "5:9:,5",
    "5:9:5,", /* cut: those that follow would be seen */
    "5:9:5 ,6",
    "5:9:5;6",
    "5 :9:5",
    " 5:9:5",
    "-5:9:5",
    "5:-9:5",
    "5:9:-5",
    "5:+9:5",
    "5:9:5:6",
    "5:9:5\n",
    "18446744073709551616:9:5", /* 2^64 */
    "5:18446744073709551616:5",
    "5:9:18446744073709551616",
    "5:9:5,99999999999999999999999999",
};

START_TEST(garbage_is_refused_and_sees_nothing)
{
    ck_assert(cpi_snapshot_parse(&snapshot, "5:9:"));
    ck_assert_msg(!cpi_snapshot_parse(&snapshot, garbage[_i]), "\"%s\"", garbage[_i]);
    ck_assert(!sees(3) && !sees(8) && !sees(UINT32_MAX));
    ck_assert(cpi_snapshot_parse(&snapshot, "5:9:"));
    ck_assert(sees(8));
}
END_TEST

START_TEST(none_at_all_is_refused)
{
    ck_assert(!cpi_snapshot_parse(&snapshot, NULL));
    ck_assert(!sees(3));
}
END_TEST

Suite *snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tcase = tcase_create("snapshot");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, an_empty_one_sees_nothing);
    tcase_add_test(tcase, what_had_ended_is_seen);
    tcase_add_test(tcase, what_runs_is_not_seen);
    tcase_add_test(tcase, many_may_run);
    tcase_add_test(tcase, transaction_numbers_wrap);
    tcase_add_test(tcase, a_number_is_taken_for_the_nearest);
    tcase_add_test(tcase, a_later_one_takes_its_place);
    tcase_add_loop_test(tcase, garbage_is_refused_and_sees_nothing, 0, (int)(sizeof garbage / sizeof *garbage));
    tcase_add_test(tcase, none_at_all_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
