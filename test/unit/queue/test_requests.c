#include "suites.h"

#include "base/clock.h"
#include "queue/requests.h"

enum { ENTITIES = 3 };

static struct cpi_requests requests;

static void create(void)
{
    ck_assert_int_eq(cpi_requests_init(&requests, ENTITIES, NULL), CP_OK);
}

static void destroy(void)
{
    cpi_requests_fini(&requests);
}

static void start(void)
{
    cpi_requests_resync(&requests, CPI_ALL_ENTITIES, CP_CAUSE_START);
    cpi_requests_set_listening(&requests, true);
}

START_TEST(nothing_begins_before_the_start_and_without_listening)
{
    bool wanted[ENTITIES] = {false};
    cpi_requests_resync(&requests, 1, CP_CAUSE_REQUEST);
    ck_assert(cpi_requests_has_any(&requests));
    ck_assert(!cpi_requests_may_begin(&requests));
    cpi_requests_resync(&requests, CPI_ALL_ENTITIES, CP_CAUSE_START);
    ck_assert(!cpi_requests_may_begin(&requests));
    cpi_requests_set_listening(&requests, true);
    ck_assert(cpi_requests_may_begin(&requests));

    /* What came before is kept. The start itself names no entity: what it means is the configuration's. */
    ck_assert_uint_eq(cpi_requests_take(&requests, wanted), 1u << CP_CAUSE_REQUEST | 1u << CP_CAUSE_START);
    ck_assert(!wanted[0] && wanted[1] && !wanted[2]);
    ck_assert(!cpi_requests_may_begin(&requests));

    /* Later ones wait while nobody listens. */
    cpi_requests_set_listening(&requests, false);
    cpi_requests_resync(&requests, CPI_ALL_ENTITIES, CP_CAUSE_LISTENER);
    ck_assert(!cpi_requests_may_begin(&requests));
    cpi_requests_set_listening(&requests, true);
    ck_assert(cpi_requests_may_begin(&requests));
}
END_TEST

START_TEST(a_request_during_a_run_makes_another)
{
    bool wanted[ENTITIES] = {false};
    start();
    cpi_requests_take(&requests, wanted);
    cpi_requests_resync(&requests, 2, CP_CAUSE_OVERFLOW);
    cpi_requests_end_run(&requests, false);
    ck_assert(cpi_requests_may_begin(&requests));
    ck_assert(cpi_requests_has(&requests, CP_CAUSE_OVERFLOW));
    ck_assert(!cpi_requests_has(&requests, CP_CAUSE_START));
    bool again[ENTITIES] = {true, false, false}; /* what has failed before is kept */
    ck_assert_uint_eq(cpi_requests_take(&requests, again), 1u << CP_CAUSE_OVERFLOW);
    ck_assert(again[0] && !again[1] && again[2]);
}
END_TEST

START_TEST(idle_means_started_listening_and_nothing_to_do)
{
    bool wanted[ENTITIES] = {false};
    ck_assert(!cpi_requests_is_idle(&requests));
    start();
    ck_assert(!cpi_requests_is_idle(&requests));
    cpi_requests_take(&requests, wanted);
    ck_assert(!cpi_requests_is_idle(&requests)); /* a run is under way */
    cpi_requests_end_run(&requests, false);
    ck_assert(cpi_requests_is_idle(&requests));
    cpi_requests_set_listening(&requests, false);
    ck_assert(!cpi_requests_is_idle(&requests));
}
END_TEST

/* A position is confirmed for good only then. */
START_TEST(a_run_to_be_repeated_is_owed)
{
    bool wanted[ENTITIES] = {false};
    ck_assert(!cpi_requests_owe_nothing(&requests));
    start();
    ck_assert(!cpi_requests_owe_nothing(&requests));
    cpi_requests_take(&requests, wanted);
    ck_assert(!cpi_requests_owe_nothing(&requests));
    cpi_requests_end_run(&requests, true);
    ck_assert(cpi_requests_is_idle(&requests));
    ck_assert(!cpi_requests_owe_nothing(&requests));

    cpi_requests_resync(&requests, 0, CP_CAUSE_RETRY);
    cpi_requests_take(&requests, wanted);
    cpi_requests_end_run(&requests, false);
    for (uint32_t e = 0; e < ENTITIES; e++) {
        ck_assert(!cpi_requests_owe_nothing(&requests)); /* some have never been gone through, as without a warm-up */
        cpi_requests_note_filled(&requests, e);
    }
    uint64_t number = cpi_requests_owe_nothing(&requests);
    ck_assert(number != 0 && number == cpi_requests_owe_nothing(&requests));
    cpi_requests_resync(&requests, 1, CP_CAUSE_OVERFLOW);
    ck_assert(!cpi_requests_owe_nothing(&requests));
    cpi_requests_take(&requests, wanted);
    cpi_requests_end_run(&requests, false);
    ck_assert(cpi_requests_owe_nothing(&requests) != 0 && cpi_requests_owe_nothing(&requests) != number);
    number = cpi_requests_owe_nothing(&requests);
    cpi_requests_note_enqueued(&requests);
    ck_assert(cpi_requests_owe_nothing(&requests) != 0 && cpi_requests_owe_nothing(&requests) != number);
    cpi_requests_set_listening(&requests, false);
    ck_assert(!cpi_requests_owe_nothing(&requests));
}
END_TEST

/* In the place of the warm-up: it begins a run that lists nothing, and lets others begin. */
START_TEST(resuming_is_a_start_that_wants_no_entity)
{
    bool wanted[ENTITIES] = {false};
    uint64_t generation = cpi_requests_generation(&requests);
    cpi_requests_set_listening(&requests, true);
    ck_assert(!cpi_requests_may_begin(&requests));
    cpi_requests_resync(&requests, CPI_NO_ENTITY, CP_CAUSE_RESUME);
    ck_assert(cpi_requests_may_begin(&requests));
    uint64_t number = cpi_requests_owe_nothing(&requests);
    ck_assert_uint_ne(number, 0);                /* what is to be read again comes from the source */
    requests.renewed_ms -= CPI_RENEWAL_EVERY_MS; /* as if the time had passed */
    ck_assert_uint_eq(cpi_requests_take(&requests, wanted), 1u << CP_CAUSE_RESUME);
    ck_assert(!wanted[0] && !wanted[1] && !wanted[2]);
    ck_assert_uint_eq(cpi_requests_generation(&requests), generation);
    ck_assert_uint_eq(cpi_requests_owe_nothing(&requests), number);
    cpi_requests_end_run(&requests, false);
    ck_assert_uint_eq(cpi_requests_owe_nothing(&requests), number);

    cpi_requests_resync(&requests, CPI_NO_ENTITY, CP_CAUSE_RESUME);
    cpi_requests_resync(&requests, 1, CP_CAUSE_OVERFLOW);
    ck_assert(!cpi_requests_owe_nothing(&requests));
    ck_assert_uint_eq(cpi_requests_take(&requests, wanted), 1u << CP_CAUSE_RESUME | 1u << CP_CAUSE_OVERFLOW);
    ck_assert(!cpi_requests_owe_nothing(&requests));
    ck_assert(!wanted[0] && wanted[1] && !wanted[2]);
    ck_assert_uint_gt(cpi_requests_generation(&requests), generation);
}
END_TEST

START_TEST(the_fingerprint_is_the_last_one_set)
{
    ck_assert_uint_eq(cpi_requests_fingerprint(&requests), 0);
    cpi_requests_set_fingerprint(&requests, UINT64_MAX);
    ck_assert_uint_eq(cpi_requests_fingerprint(&requests), UINT64_MAX);
    cpi_requests_set_fingerprint(&requests, 0);
    ck_assert_uint_eq(cpi_requests_fingerprint(&requests), 0);
}
END_TEST

START_TEST(the_listeners_request_is_taken_once)
{
    ck_assert(!cpi_requests_has_for_listener(&requests));
    cpi_requests_relay(&requests);
    ck_assert(cpi_requests_has_for_listener(&requests));
    ck_assert(cpi_requests_take_relay(&requests));
    ck_assert(!cpi_requests_has_for_listener(&requests));
    ck_assert(!cpi_requests_take_relay(&requests));
    ck_assert(!cpi_requests_has_any(&requests));
}
END_TEST

/* A run serves what was called for before it was taken, once it is complete; requests by hand are no repairs. */
START_TEST(repairs_are_counted_until_a_run_has_made_them)
{
    bool wanted[3] = {false};
    cpi_requests_resync(&requests, CPI_ALL_ENTITIES, CP_CAUSE_REQUEST);
    cpi_requests_resync(&requests, CPI_NO_ENTITY, CP_CAUSE_RESUME);
    ck_assert_uint_eq(cpi_requests_repairs(&requests), 0);
    cpi_requests_resync(&requests, 1, CP_CAUSE_OVERFLOW);
    cpi_requests_take(&requests, wanted);
    cpi_requests_resync(&requests, 2, CP_CAUSE_OVERFLOW);
    ck_assert_uint_eq(cpi_requests_repairs(&requests), 2);
    cpi_requests_end_run(&requests, true);
    ck_assert_uint_eq(cpi_requests_repaired(&requests), 0);
    cpi_requests_take(&requests, wanted);
    ck_assert_uint_eq(cpi_requests_repaired(&requests), 0);
    cpi_requests_end_run(&requests, false);
    ck_assert_uint_eq(cpi_requests_repaired(&requests), 2);
}
END_TEST

START_TEST(what_is_owed_is_so_until_a_run_was_completed)
{
    bool wanted[ENTITIES] = {false};
    int64_t since_ms = 0;
    ck_assert_uint_eq(cpi_requests_owed(&requests, &since_ms), 0);
    int64_t before_ms = cpi_now_ms();
    cpi_requests_resync(&requests, 1, CP_CAUSE_REDIS);
    ck_assert_uint_eq(cpi_requests_owed(&requests, &since_ms), 1u << CP_CAUSE_REDIS);
    ck_assert_int_ge(since_ms, before_ms);
    cpi_requests_take(&requests, wanted);
    cpi_requests_resync(&requests, 2, CP_CAUSE_CATALOG);
    ck_assert_uint_eq(cpi_requests_owed(&requests, &since_ms), 1u << CP_CAUSE_REDIS | 1u << CP_CAUSE_CATALOG);
    cpi_requests_end_run(&requests, true);
    ck_assert_uint_eq(cpi_requests_owed(&requests, &since_ms), 1u << CP_CAUSE_REDIS | 1u << CP_CAUSE_CATALOG);
    cpi_requests_take(&requests, wanted);
    cpi_requests_end_run(&requests, false);
    ck_assert_uint_eq(cpi_requests_owed(&requests, &since_ms), 0);
}
END_TEST

Suite *requests_suite(void)
{
    Suite *suite = suite_create("requests");
    TCase *tcase = tcase_create("requests");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, nothing_begins_before_the_start_and_without_listening);
    tcase_add_test(tcase, a_request_during_a_run_makes_another);
    tcase_add_test(tcase, idle_means_started_listening_and_nothing_to_do);
    tcase_add_test(tcase, a_run_to_be_repeated_is_owed);
    tcase_add_test(tcase, resuming_is_a_start_that_wants_no_entity);
    tcase_add_test(tcase, the_fingerprint_is_the_last_one_set);
    tcase_add_test(tcase, the_listeners_request_is_taken_once);
    tcase_add_test(tcase, repairs_are_counted_until_a_run_has_made_them);
    tcase_add_test(tcase, what_is_owed_is_so_until_a_run_was_completed);
    suite_add_tcase(suite, tcase);
    return suite;
}
