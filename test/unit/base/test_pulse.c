/* What is to be seen of a thread, and times by their buckets. */
#include "suites.h"

#include "base/clock.h"
#include "base/histogram.h"
#include "base/pulse.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static cp_thread seen(struct cpi_pulse *pulse)
{
    cp_thread thread;
    cpi_pulse_look(pulse, &thread);
    return thread;
}

START_TEST(a_thread_without_a_pulse_has_nothing_to_set)
{
    struct cpi_pulse pulse;
    cpi_pulse_init(&pulse, "idle");
    cpi_pulse_does("nothing");
    cpi_pulse_waits(CP_WAIT_REDIS);
    cpi_pulse_fails(&(cp_error){.code = CP_ERR_REDIS});
    cp_thread thread = seen(&pulse);
    ck_assert_str_eq(thread.name, "idle");
    ck_assert(!thread.runs && !thread.stuck && !thread.failing);
    ck_assert_ptr_null(thread.doing);
    cpi_pulse_fini(&pulse);
}
END_TEST

START_TEST(it_shows_what_the_thread_says)
{
    struct cpi_pulse pulse;
    cpi_pulse_init(&pulse, "one");
    cpi_pulse_adopt(&pulse);
    cpi_pulse_does("reading");
    ck_assert(seen(&pulse).runs);
    ck_assert_str_eq(seen(&pulse).doing, "reading");
    ck_assert_int_eq(seen(&pulse).waits_for, CP_WAIT_NONE);
    cpi_pulse_waits(CP_WAIT_POSTGRES);
    ck_assert_int_eq(seen(&pulse).waits_for, CP_WAIT_POSTGRES);
    cpi_pulse_adopt(NULL);
    ck_assert(!seen(&pulse).runs);
    ck_assert_int_eq(seen(&pulse).waits_for, CP_WAIT_NONE);
    cpi_pulse_fini(&pulse);
}
END_TEST

START_TEST(trouble_has_a_beginning_and_an_end)
{
    struct cpi_pulse pulse;
    cpi_pulse_init(&pulse, "one");
    cpi_pulse_adopt(&pulse);
    cpi_pulse_fails(&(cp_error){.code = CP_ERR_REDIS, .message = "first"});
    int64_t began_ms = pulse.failed_ms;
    cpi_pulse_fails(&(cp_error){.code = CP_ERR_POSTGRES, .message = "second"});
    cp_thread thread = seen(&pulse);
    ck_assert(thread.failing);
    ck_assert_str_eq(thread.error, "second");
    ck_assert_int_eq(thread.code, CP_ERR_POSTGRES);
    ck_assert_int_eq(pulse.failed_ms, began_ms);
    cpi_pulse_succeeds();
    thread = seen(&pulse);
    ck_assert(!thread.failing);
    ck_assert_str_eq(thread.error, "second"); /* the newest one is remembered */
    cpi_pulse_adopt(NULL);
    cpi_pulse_fini(&pulse);
}
END_TEST

/* As if nothing had been heard of it for so long. */
static bool is_stuck(struct cpi_pulse *pulse, cp_wait wait, int64_t silent_ms)
{
    cpi_pulse_adopt(pulse);
    cpi_pulse_waits(wait);
    atomic_store(&pulse->seen_ms, cpi_now_ms() - silent_ms);
    bool stuck = seen(pulse).stuck;
    cpi_pulse_adopt(NULL);
    return stuck;
}

START_TEST(who_is_silent_is_stuck_unless_there_is_nothing_to_do)
{
    struct cpi_pulse pulse;
    cpi_pulse_init(&pulse, "one");
    ck_assert(!is_stuck(&pulse, CP_WAIT_NONE, 1000));
    ck_assert(is_stuck(&pulse, CP_WAIT_NONE, 4000));
    ck_assert(is_stuck(&pulse, CP_WAIT_REDIS, 4000));   /* waits are cut into seconds */
    ck_assert(!is_stuck(&pulse, CP_WAIT_STORE, 29000)); /* and these are not */
    ck_assert(is_stuck(&pulse, CP_WAIT_STORE, 31000));
    ck_assert(!is_stuck(&pulse, CP_WAIT_WORK, 4000000));
    ck_assert(!is_stuck(&pulse, CP_WAIT_THREAD, 4000000));
    cpi_pulse_fini(&pulse);
}
END_TEST

START_TEST(waits_come_in_slices)
{
    ck_assert_int_eq(cpi_pulse_slice(-1), CPI_PULSE_EVERY_MS);
    ck_assert_int_eq(cpi_pulse_slice(0), 0);
    ck_assert_int_eq(cpi_pulse_slice(7), 7);
    ck_assert_int_eq(cpi_pulse_slice(100000), CPI_PULSE_EVERY_MS);
}
END_TEST

/* ---- histograms ---- */

START_TEST(bounds_are_inclusive)
{
    struct cpi_histogram histogram;
    cp_histogram out = {.size = sizeof out};
    cpi_histogram_init(&histogram);
    cpi_histogram_add(&histogram, -5);
    cpi_histogram_add(&histogram, 500);
    cpi_histogram_add(&histogram, 501);
    cpi_histogram_add(&histogram, 300 * INT64_C(1000000));
    cpi_histogram_add(&histogram, 300 * INT64_C(1000000) + 1);
    cpi_histogram_read(&histogram, &out);
    ck_assert_uint_eq(out.buckets, CPI_HISTOGRAM_BUCKETS);
    ck_assert_uint_eq(out.counts[0], 2);
    ck_assert_uint_eq(out.counts[1], 1);
    ck_assert_uint_eq(out.counts[out.buckets - 2], 1);
    ck_assert_uint_eq(out.counts[out.buckets - 1], 1);
    ck_assert_uint_eq(out.count, 5);
    ck_assert_double_eq_tol(out.sum, 600.001002, 1e-9);
    for (size_t i = 1; i + 1 < out.buckets; i++) {
        ck_assert_double_lt(out.bounds[i - 1], out.bounds[i]);
    }
}
END_TEST

START_TEST(what_was_gathered_is_added)
{
    struct cpi_histogram histogram;
    struct cpi_observations gathered = {0};
    cp_histogram out = {.size = sizeof out};
    cpi_histogram_init(&histogram);
    for (int i = 0; i < 10; i++) {
        cpi_observe(&gathered, 2000);
    }
    cpi_histogram_add_all(&histogram, &gathered);
    cpi_histogram_add_all(&histogram, &gathered);
    cpi_histogram_read(&histogram, &out);
    ck_assert_uint_eq(out.counts[2], 20);
    ck_assert_double_eq_tol(out.sum, 0.04, 1e-9);
}
END_TEST

/* ---- ticks ---- */

START_TEST(ticks_wrap_around)
{
    ck_assert_int_eq(cpi_ticks_since_us(100, 104), 1000);
    ck_assert_int_eq(cpi_ticks_since_us(UINT32_MAX - 1, 2), 1000);
    ck_assert_int_eq(cpi_ticks_since_us(104, 100), 0);                     /* another thread's clock was read later */
    ck_assert_int_eq(cpi_ticks_since_us(0, 1u << 31), INT64_C(250) << 31); /* six days */
    ck_assert_int_eq(cpi_ticks_since_us(5000, 0), INT64_C(250) * 4294962296); /* twelve, almost */
    ck_assert_uint_ne(cpi_now_ticks(), 0);
}
END_TEST

Suite *pulse_suite(void)
{
    Suite *suite = suite_create("pulse");
    TCase *tcase = tcase_create("pulse");
    tcase_add_test(tcase, a_thread_without_a_pulse_has_nothing_to_set);
    tcase_add_test(tcase, it_shows_what_the_thread_says);
    tcase_add_test(tcase, trouble_has_a_beginning_and_an_end);
    tcase_add_test(tcase, who_is_silent_is_stuck_unless_there_is_nothing_to_do);
    tcase_add_test(tcase, waits_come_in_slices);
    tcase_add_test(tcase, bounds_are_inclusive);
    tcase_add_test(tcase, what_was_gathered_is_added);
    tcase_add_test(tcase, ticks_wrap_around);
    suite_add_tcase(suite, tcase);
    return suite;
}
