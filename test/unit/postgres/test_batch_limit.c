/* How many documents are read at once. Durations are told, so nothing takes any time. */
#include "suites.h"

#include "postgres/batch_limit.h"

enum { FIRST = 32, BATCH = 256, TIMEOUT_MS = 5000, MEGABYTE = 1024 * 1024 };

static struct cpi_batch_limit limit;

static void create(void)
{
    ck_assert(cpi_batch_limit_init(&limit, 2));
}

static void destroy(void)
{
    cpi_batch_limit_fini(&limit);
}

static uint32_t of_entity(uint32_t entity)
{
    return cpi_batch_limit_of_entity(&limit, entity);
}

/* A statement for as many ids as one may have, of which each takes this long. Returns how long it took; one that would
 * take longer than it may has failed by then. */
static int64_t read_batch(int document_ms)
{
    uint32_t n = of_entity(0) < BATCH ? of_entity(0) : BATCH;
    int64_t needs_ms = (int64_t)n * document_ms;
    int64_t took_ms = needs_ms < TIMEOUT_MS ? needs_ms : TIMEOUT_MS;
    cpi_batch_limit_note_time(&limit, 0, n, took_ms, TIMEOUT_MS, needs_ms < TIMEOUT_MS);
    return took_ms;
}

static void note(uint32_t n, int64_t took_ms)
{
    cpi_batch_limit_note_time(&limit, 0, n, took_ms, TIMEOUT_MS, took_ms < TIMEOUT_MS);
}

static void reach_full_batches(void)
{
    for (int i = 0; i < 3; i++) {
        read_batch(0);
    }
    ck_assert_uint_ge(of_entity(0), BATCH);
}

START_TEST(fast_documents_have_full_batches_soon)
{
    ck_assert_uint_eq(of_entity(0), FIRST);
    reach_full_batches();
    note(1, 20); /* a long way to the server */
    note(3, 20);
    ck_assert_uint_ge(of_entity(0), BATCH);
    ck_assert_uint_eq(of_entity(1), FIRST); /* each for itself */
}
END_TEST

/* From the first batch on, none is in vain, and they get no smaller than need be. */
START_TEST(slow_documents_are_read_in_about_a_second)
{
    static const int document_ms[] = {3, 10, 30, 150};
    for (int i = 0; i < 100; i++) {
        ck_assert_int_lt(read_batch(document_ms[_i]), TIMEOUT_MS);
    }
    ck_assert_int_le(read_batch(document_ms[_i]), 1000);
    ck_assert_int_ge(read_batch(document_ms[_i]), 400);
}
END_TEST

START_TEST(documents_that_become_slow_cost_few_timeouts)
{
    static const int document_ms[] = {20, 30, 400, 2400};
    reach_full_batches();
    int timeouts = 0;
    for (int i = 0; i < 100; i++) {
        timeouts += read_batch(document_ms[_i]) == TIMEOUT_MS;
    }
    ck_assert_int_ge(timeouts, 1);
    ck_assert_int_le(timeouts, 3); /* each makes them a fifth */
    ck_assert_uint_ge(of_entity(0), 1);
    for (int i = 0; of_entity(0) < BATCH; i++) { /* fast again */
        ck_assert_int_lt(i, 9);
        read_batch(0);
    }
}
END_TEST

/* A function that reads a whole table, or a server that answers late: smaller batches would only make it worse. */
START_TEST(what_a_statement_takes_by_itself_does_not_count)
{
    static const int statement_ms[] = {400, 800, 1500, 3000};
    for (int i = 0; i < 100; i++) {
        uint32_t n = of_entity(0) < BATCH ? of_entity(0) : BATCH;
        ck_assert(i < 20 || n >= BATCH / 2);
        note(n, statement_ms[_i] + (int)n / 10 + i % 3 * 20);
        note(1, statement_ms[_i]);
    }
}
END_TEST

START_TEST(what_a_few_ids_took_is_no_measure_either)
{
    note(2, 1500);
    ck_assert_uint_eq(of_entity(0), 1);
    for (int i = 0; i < 10; i++) {
        note(of_entity(0), 1500);
    }
    ck_assert_uint_ge(of_entity(0), BATCH);
}
END_TEST

/* A wait for a lock, in a batch of whatever size. */
START_TEST(one_that_had_to_wait_is_soon_forgotten)
{
    reach_full_batches();
    note(BATCH, 2000);
    ck_assert_uint_ge(of_entity(0), BATCH / 2);
    read_batch(0);
    ck_assert_uint_ge(of_entity(0), BATCH);
    cpi_batch_limit_note_time(&limit, 0, 2, 2000, TIMEOUT_MS, _i == 0);
    for (int i = 0; i < 8; i++) {
        read_batch(0);
    }
    ck_assert_uint_ge(of_entity(0), BATCH);
}
END_TEST

START_TEST(a_single_id_that_hangs_says_nothing_of_others)
{
    reach_full_batches();
    uint32_t before = of_entity(0);
    note(1, TIMEOUT_MS);
    note(1, 1500);
    ck_assert_uint_eq(of_entity(0), before);
    for (int i = 0; i < 10; i++) { /* among others that are alone */
        note(1, 1);
    }
    note(1, 1500);
    ck_assert_uint_eq(of_entity(0), before);
}
END_TEST

/* Nothing is known of what the others would have taken. */
START_TEST(a_statement_that_fails_at_once_teaches_nothing)
{
    cpi_batch_limit_note_time(&limit, 0, BATCH, 1, TIMEOUT_MS, false);
    ck_assert_uint_eq(of_entity(0), FIRST);
}
END_TEST

START_TEST(a_fifth_of_a_short_timeout_is_aimed_at)
{
    cpi_batch_limit_note_time(&limit, 0, 20, 100, 100, false);
    ck_assert_uint_eq(of_entity(0), 4);
    cpi_batch_limit_note_time(&limit, 0, 4, 20, 100, true);
    ck_assert_uint_eq(of_entity(0), 4);
    cpi_batch_limit_note_time(&limit, 0, 4, 900, 0, true); /* one that is not limited: a second */
    ck_assert_uint_ge(of_entity(0), 4);
    cpi_batch_limit_note_time(&limit, 0, 4, 2000, 0, true);
    ck_assert_uint_eq(of_entity(0), 2);
}
END_TEST

START_TEST(large_documents_make_batches_smaller)
{
    ck_assert_uint_eq(cpi_batch_limit_get(&limit, BATCH), FIRST);
    cpi_batch_limit_note_bytes(&limit, 4, 4 * (size_t)MEGABYTE);
    ck_assert_uint_eq(cpi_batch_limit_get(&limit, BATCH), 7);
    ck_assert_uint_eq(cpi_batch_limit_get(&limit, 3), 3);
    cpi_batch_limit_note_bytes(&limit, 1, 1024 * (size_t)MEGABYTE);
    ck_assert_uint_eq(cpi_batch_limit_get(&limit, BATCH), 1);
    for (int i = 0; i < 64; i++) {
        cpi_batch_limit_note_bytes(&limit, 4, 40);
    }
    ck_assert_uint_eq(cpi_batch_limit_get(&limit, BATCH), BATCH);
}
END_TEST

Suite *batch_limit_suite(void)
{
    Suite *suite = suite_create("batch_limit");
    TCase *tcase = tcase_create("batch_limit");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, fast_documents_have_full_batches_soon);
    tcase_add_loop_test(tcase, slow_documents_are_read_in_about_a_second, 0, 4);
    tcase_add_loop_test(tcase, documents_that_become_slow_cost_few_timeouts, 0, 4);
    tcase_add_test(tcase, what_a_few_ids_took_is_no_measure_either);
    tcase_add_loop_test(tcase, what_a_statement_takes_by_itself_does_not_count, 0, 4);
    tcase_add_loop_test(tcase, one_that_had_to_wait_is_soon_forgotten, 0, 2);
    tcase_add_test(tcase, a_single_id_that_hangs_says_nothing_of_others);
    tcase_add_test(tcase, a_statement_that_fails_at_once_teaches_nothing);
    tcase_add_test(tcase, a_fifth_of_a_short_timeout_is_aimed_at);
    tcase_add_test(tcase, large_documents_make_batches_smaller);
    suite_add_tcase(suite, tcase);
    return suite;
}
