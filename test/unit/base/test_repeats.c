#include "suites.h"

#include "base/repeats.h"

#include "base/clock.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 64, LINE_BYTES = 512 };

/* What was logged, without what is only for debug. */
struct lines {
    char text[LINES][LINE_BYTES];
    cp_log_entry last;
    size_t count;
    size_t debug;
};

static void keep(void *context, const cp_log_entry *entry)
{
    struct lines *lines = context;
    if (entry->level == CP_LOG_DEBUG) {
        lines->debug++;
        return;
    }
    ck_assert_uint_lt(lines->count, LINES);
    snprintf(lines->text[lines->count++], LINE_BYTES, "%s", entry->message);
    lines->last = *entry;
}

static struct lines lines;
static struct cpi_repeats repeats;
static const struct cpi_log log_of_test = {.write_entry = keep, .context = &lines, .repeats = &repeats};

static void set_up(void)
{
    memset(&lines, 0, sizeof lines);
    cpi_repeats_init(&repeats);
}

static void tear_down(void)
{
    cpi_repeats_fini(&repeats);
}

static void fail_times(unsigned times, const char *reason)
{
    static const char entity[] = "customer";
    for (unsigned i = 0; i < times; i++) {
        cpi_log_repeated(&log_of_test, CPI_REPEAT_DOUBLED, reason, CP_LOG_WARN,
                         &(struct cpi_log_about){.entity = entity, .key = "customer:7"}, "customer %u: %s", i, reason);
    }
}

START_TEST(test_said_once_and_counted)
{
    fail_times(600, "no luck");
    ck_assert_uint_eq(lines.count, 1);
    ck_assert_str_eq(lines.text[0], "customer 0: no luck");
    ck_assert_str_eq(lines.last.entity, "customer");
    ck_assert_str_eq(lines.last.key, "customer:7");
    ck_assert_uint_eq(lines.debug, 599);
    cpi_repeats_tick(&log_of_test, cpi_now_ms(), 0);
    ck_assert_uint_eq(lines.count, 1);
    cpi_repeats_tick(&log_of_test, cpi_now_ms() + 10000, 0);
    ck_assert_uint_eq(lines.count, 2);
    ck_assert_ptr_eq(strstr(lines.text[1], "customer: 600 ids had more than one document within "), lines.text[1]);
    ck_assert_ptr_ne(strstr(lines.text[1], "it is over: none for 10 s (no luck)"), NULL);
    ck_assert_uint_eq(lines.last.count, 600);
    ck_assert_int_gt(lines.last.duration_ms, 0);
    ck_assert_str_eq(lines.last.entity, "customer");
    cpi_repeats_tick(&log_of_test, cpi_now_ms() + 60000, 0);
    ck_assert_uint_eq(lines.count, 2);
    fail_times(1, "no luck");
    ck_assert_uint_eq(lines.count, 3);
}
END_TEST

START_TEST(test_a_single_one_is_not_summed_up)
{
    fail_times(1, "no luck");
    cpi_repeats_tick(&log_of_test, cpi_now_ms() + 60000, 0);
    cpi_repeats_finish(&log_of_test);
    ck_assert_uint_eq(lines.count, 1);
}
END_TEST

START_TEST(test_another_reason_is_said)
{
    fail_times(2, "no luck");
    fail_times(2, "a lock");
    ck_assert_uint_eq(lines.count, 2);
    cpi_repeats_finish(&log_of_test);
    ck_assert_uint_eq(lines.count, 4);
}
END_TEST

/* A reason may name the id. */
START_TEST(test_reasons_are_bounded)
{
    for (unsigned i = 0; i < 600; i++) {
        char reason[32];
        snprintf(reason, sizeof reason, "no luck with %u", i);
        fail_times(1, reason);
    }
    ck_assert_uint_eq(lines.count, 5);
    cpi_repeats_finish(&log_of_test);
    ck_assert_uint_eq(lines.count, 6);
    ck_assert_ptr_eq(strstr(lines.text[5], "customer: 596 ids had more than one document within "), lines.text[5]);
}
END_TEST

START_TEST(test_told_while_it_goes_on)
{
    fail_times(3, "no luck");
    repeats.items[0].told_ms -= 60000;
    cpi_repeats_tick(&log_of_test, cpi_now_ms(), 0);
    ck_assert_uint_eq(lines.count, 2);
    ck_assert_ptr_ne(strstr(lines.text[1], "customer: 3 ids"), NULL);
    ck_assert_ptr_ne(strstr(lines.text[1], " so far (no luck)"), NULL);
    cpi_repeats_finish(&log_of_test);
    ck_assert_uint_eq(lines.count, 3);
}
END_TEST

/* More failures than there is room for: none is lost without its count. */
START_TEST(test_no_room)
{
    static char names[CPI_REPEATS_MAX + 1][16];
    for (unsigned i = 0; i <= CPI_REPEATS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "entity%u", i);
        for (unsigned n = 0; n < 2; n++) {
            cpi_log_repeated(&log_of_test, CPI_REPEAT_PAYLOAD, NULL, CP_LOG_WARN,
                             &(struct cpi_log_about){.entity = names[i]}, "%s", names[i]);
        }
    }
    ck_assert_uint_eq(lines.count, CPI_REPEATS_MAX + 2);
}
END_TEST

START_TEST(test_ids_that_fail_no_more)
{
    int64_t now_ms = cpi_now_ms();
    cpi_repeats_tick(&log_of_test, now_ms, 3);
    cpi_repeats_tick(&log_of_test, now_ms + 2000, 1);
    ck_assert_uint_eq(lines.count, 0);
    cpi_repeats_tick(&log_of_test, now_ms + 5000, 0);
    cpi_repeats_tick(&log_of_test, now_ms + 6000, 0);
    ck_assert_uint_eq(lines.count, 1);
    ck_assert_str_eq(lines.text[0], "no id is set aside any more, after 5.0 s");
    ck_assert_int_eq(lines.last.duration_ms, 5000);
}
END_TEST

START_TEST(test_workers_share_an_outage)
{
    const cp_error gone = {.code = CP_ERR_REDIS, .retriable = true, .message = "Redis: refused"};
    for (unsigned worker = 0; worker < 64; worker++) {
        cpi_log_away(&log_of_test, worker, "cache:6379", &gone);
    }
    ck_assert_uint_eq(lines.count, 1);
    ck_assert_str_eq(lines.last.host, "cache:6379");
    for (unsigned worker = 0; worker < 63; worker++) {
        cpi_log_back(&log_of_test, worker);
    }
    ck_assert_uint_eq(lines.count, 1);
    cpi_log_back(&log_of_test, 63);
    ck_assert_uint_eq(lines.count, 2);
    ck_assert_ptr_eq(strstr(lines.text[1], "workers: Redis is there again after "), lines.text[1]);
    ck_assert_ptr_ne(strstr(lines.text[1], "(64 tries)"), NULL);
    ck_assert_uint_eq(lines.last.count, 64);
    cpi_log_back(&log_of_test, 63);
    ck_assert_uint_eq(lines.count, 2);
}
END_TEST

START_TEST(test_an_outage_that_needs_somebody)
{
    const cp_error gone = {.code = CP_ERR_REDIS, .retriable = true, .message = "Redis: refused"};
    const cp_error denied = {.code = CP_ERR_REDIS, .retriable = false, .message = "Redis: NOAUTH"};
    cpi_log_away(&log_of_test, 0, NULL, &gone);
    cpi_log_away(&log_of_test, 1, NULL, &denied);
    cpi_log_away(&log_of_test, 0, NULL, &denied);
    ck_assert_uint_eq(lines.count, 2);
    ck_assert_str_eq(lines.text[1], "worker 1: Redis: NOAUTH; trying again");
}
END_TEST

START_TEST(test_an_outage)
{
    struct cpi_outage outage = {.tries = 0};
    cpi_outage_end(&outage, &log_of_test, NULL, "never");
    ck_assert(cpi_outage_note(&outage));
    ck_assert(!cpi_outage_note(&outage));
    cpi_outage_end(&outage, &log_of_test, "db:5432/shop", "listening again");
    cpi_outage_end(&outage, &log_of_test, NULL, "never");
    ck_assert_uint_eq(lines.count, 1);
    ck_assert_ptr_eq(strstr(lines.text[0], "listening again after "), lines.text[0]);
    ck_assert_ptr_ne(strstr(lines.text[0], " s (2 tries)"), NULL);
    ck_assert_str_eq(lines.last.host, "db:5432/shop");
}
END_TEST

static void keep_plain(void *context, cp_level level, const char *message)
{
    struct lines *kept = context;
    keep(kept, &(cp_log_entry){.size = sizeof(cp_log_entry), .level = level, .message = message});
}

/* Programs that know no fields, and parts that know no counts. */
START_TEST(test_plain)
{
    const struct cpi_log plain = {.write = keep_plain, .context = &lines};
    cpi_log_repeated(&plain, CPI_REPEAT_DOUBLED, "r", CP_LOG_WARN, NULL, "once");
    cpi_log_repeated(&plain, CPI_REPEAT_DOUBLED, "r", CP_LOG_WARN, NULL, "more");
    cpi_log_about(&plain, CP_LOG_INFO, &(struct cpi_log_about){.host = "h"}, "%d", 3);
    cpi_repeats_tick(&plain, cpi_now_ms(), 3);
    cpi_repeats_finish(&plain);
    ck_assert_uint_eq(lines.count, 3);
    ck_assert_str_eq(lines.text[2], "3");
    const struct cpi_log none = {.context = &lines};
    cpi_log(&none, CP_LOG_ERROR, "nothing");
    cpi_log_repeated(&none, CPI_REPEAT_DOUBLED, "r", CP_LOG_WARN, NULL, "nothing");
    ck_assert_uint_eq(lines.count, 3);
}
END_TEST

Suite *repeats_suite(void)
{
    Suite *suite = suite_create("repeats");
    TCase *tests = tcase_create("repeats");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_said_once_and_counted);
    tcase_add_test(tests, test_a_single_one_is_not_summed_up);
    tcase_add_test(tests, test_another_reason_is_said);
    tcase_add_test(tests, test_reasons_are_bounded);
    tcase_add_test(tests, test_told_while_it_goes_on);
    tcase_add_test(tests, test_no_room);
    tcase_add_test(tests, test_ids_that_fail_no_more);
    tcase_add_test(tests, test_workers_share_an_outage);
    tcase_add_test(tests, test_an_outage_that_needs_somebody);
    tcase_add_test(tests, test_an_outage);
    tcase_add_test(tests, test_plain);
    suite_add_tcase(suite, tests);
    return suite;
}
