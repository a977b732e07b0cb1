/* The worker between a Postgres and a Redis in memory. Its cycles are run by the test, without a thread. */
#include "suites.h"

#include "base/clock.h"
#include "worker/fakes.h"
#include "worker/worker.h"

#include <poll.h>

enum { DEADLINE_MS = 20000, LIVE_BATCHES = 16 };

static struct fakes fakes;
static struct cpi_worker *worker;

static void setup(void)
{
    cp_error err;
    fakes_init(&fakes);
    worker = cpi_worker_create(&fakes.env, 0, fakes_servers(&fakes), &err);
    ck_assert_ptr_nonnull(worker);
}

static void teardown(void)
{
    cpi_worker_destroy(worker);
    fakes_fini(&fakes);
}

static void put(int64_t id, enum cpi_ring_kind kind)
{
    const struct cpi_event event = {.id = {.number = id}};
    ck_assert_uint_eq(cpi_lane_put(&fakes.lane, kind, &event, 1), 1);
}

static void put_many(int64_t first, int64_t n, enum cpi_ring_kind kind)
{
    for (int64_t id = first; id < first + n; id++) {
        put(id, kind);
    }
}

static bool has_passed(enum cpi_ring_kind kind, int64_t number)
{
    return cpi_lane_has_passed(&fakes.lane, kind, number);
}

/* Cycles, with the short waits that a worker makes between tries, until it is so. */
#define CYCLE_UNTIL(condition)                                                                                         \
    for (int64_t until_ms = cpi_now_ms() + DEADLINE_MS; !(condition); poll(NULL, 0, 1)) {                              \
        ck_assert_msg(cpi_now_ms() < until_ms, "not in time: %s", #condition);                                         \
        cpi_worker_cycle(worker);                                                                                      \
    }

/* ---- what is worked on first ---- */

START_TEST(many_events_of_an_id_are_one_read)
{
    for (int i = 0; i < 5; i++) {
        put(1, CPI_RING_LIVE);
    }
    put(1, CPI_RING_BULK);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes_stored(&fakes, 1), 1);
    ck_assert_uint_eq(fakes.postgres.runs, 1);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_COALESCED), 5);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 0);
}
END_TEST

START_TEST(live_goes_before_bulk)
{
    put_many(100, FAKE_BATCH, CPI_RING_BULK);
    put(1, CPI_RING_LIVE);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes.target.count, 1);
    ck_assert_uint_eq(fakes_stored(&fakes, 1), 1);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes.target.count, 1 + FAKE_BATCH);
}
END_TEST

START_TEST(live_that_never_ends_lets_bulk_through)
{
    put_many(1, (LIVE_BATCHES + 2) * FAKE_BATCH, CPI_RING_LIVE);
    put(1000, CPI_RING_BULK);
    for (int i = 0; i < LIVE_BATCHES; i++) {
        cpi_worker_cycle(worker);
        ck_assert_uint_eq(fakes_stored(&fakes, 1000), 0);
    }
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes_stored(&fakes, 1000), 1);
}
END_TEST

START_TEST(a_worker_that_stands_by_reads_nothing)
{
    cpi_lease_set(&fakes.lease, CPI_LEASE_TAKEN);
    put(1, CPI_RING_LIVE);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes.postgres.runs, 0);
    ck_assert_uint_eq(fakes.target.opened, 0);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 1);

    fakes_begin_term(&fakes);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes_stored(&fakes, 1), 1);
}
END_TEST

/* ---- barriers ---- */

START_TEST(a_barrier_is_passed_when_what_was_before_it_has_settled)
{
    enum cpi_ring_kind kind = (enum cpi_ring_kind)_i;
    fakes.target.answer = CPI_ANSWER_WAIT;
    put_many(1, 2 * FAKE_BATCH, kind);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, kind, 7));
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_RETRIES) >= 3);
    ck_assert(!has_passed(kind, 7));

    fakes.target.odd = (struct fake_ids){.numbers = {3}, .count = 1};
    CYCLE_UNTIL(fakes.target.count >= 2 * FAKE_BATCH - 1);
    ck_assert(!has_passed(kind, 7)); /* one is left */

    put(500, kind); /* after the barrier: does not count */
    fakes.target.odd = (struct fake_ids){.numbers = {500}, .count = 1};
    CYCLE_UNTIL(has_passed(kind, 7));
    ck_assert_uint_eq(fakes_stored(&fakes, 3), 1);
}
END_TEST

START_TEST(a_parked_id_does_not_hold_a_barrier_up)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1}, .count = 1};
    put_many(1, 3, CPI_RING_BULK);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_BULK, 7));
    CYCLE_UNTIL(has_passed(CPI_RING_BULK, 7));
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 1);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING), 1);
}
END_TEST

START_TEST(quiesce_is_answered_between_two_batches_whatever_waits)
{
    fakes.target.away = true;
    put(1, CPI_RING_BULK);
    cpi_worker_cycle(worker);
    ck_assert(cpi_lane_put_quiesce(&fakes.lane, CPI_RING_BULK, 7));
    ck_assert(!has_passed(CPI_RING_BULK, 7));
    cpi_worker_cycle(worker);
    ck_assert(has_passed(CPI_RING_BULK, 7));
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 1);
}
END_TEST

/* ---- failing ---- */

START_TEST(a_server_that_is_away_is_waited_for)
{
    fakes.target.away = _i == 0;
    fakes.postgres.open_failure = _i == 0 ? CPI_FAILURE_NONE : CPI_FAILURE_CONNECTION;
    put_many(1, 3, CPI_RING_LIVE);
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_RETRIES) >= 3);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 3);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING), 0);

    fakes.target.away = false;
    fakes.postgres.open_failure = CPI_FAILURE_NONE;
    CYCLE_UNTIL(cpi_worker_unsettled(worker) == 0);
    ck_assert_uint_eq(fakes.target.count, 3);
}
END_TEST

START_TEST(parked_ids_are_retried_until_they_work)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1, 2}, .count = 2};
    put_many(1, 4, CPI_RING_LIVE);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 2);
    unsigned runs = fakes.postgres.runs;
    CYCLE_UNTIL(fakes.postgres.runs >= runs + 4);
    ck_assert_uint_eq(fakes.postgres.last_n, 1); /* each by itself */
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 2);

    fakes.postgres.broken.count = 0;
    CYCLE_UNTIL(cpi_worker_unsettled(worker) == 0);
    for (int64_t id = 1; id <= 4; id++) {
        ck_assert_uint_eq(fakes_stored(&fakes, id), 1);
    }
}
END_TEST

START_TEST(a_parked_id_that_changes_is_tried_at_once)
{
    fakes.target.answer = CPI_ANSWER_REFUSED;
    put(1, CPI_RING_LIVE);
    unsigned retried = 0;
    CYCLE_UNTIL((retried = fakes.target.flushed) >= 5); /* the next retry is some time away */
    fakes.target.answer = CPI_ANSWER_DONE;
    put(1, CPI_RING_LIVE);
    poll(NULL, 0, 5); /* the rest after a try that took no time */
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes.target.flushed, retried + 1);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 0);
}
END_TEST

/* A resync, say, reads others in a new session. */
START_TEST(what_failed_is_tried_soon_where_others_work)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1}, .count = 1};
    put(1, CPI_RING_LIVE);
    unsigned runs = 0;
    CYCLE_UNTIL((runs = fakes.postgres.runs) >= 5); /* the next retry is some time away */
    fakes.postgres.broken.count = 0;
    put(2, CPI_RING_BULK);
    poll(NULL, 0, 5); /* the rest after a try that took no time */
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes.postgres.runs, runs + 1); /* the session is the one in which it has failed */
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 1);

    fakes_begin_term(&fakes);
    put(3, CPI_RING_BULK);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(fakes.postgres.runs, runs + 3);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 0);
}
END_TEST

/* However long that took: a second, as on a silent way, or no time, as when it ends its session itself. */
START_TEST(what_loses_a_session_rests_for_five_seconds)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1, 2}, .count = 2};
    put_many(1, 2, CPI_RING_LIVE);
    cpi_worker_cycle(worker);
    fakes.postgres.lethal = fakes.postgres.broken;
    fakes.postgres.run_ms = _i == 0 ? 0 : 1000;
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_RETRIES) == 1);

    int64_t lost_ms = cpi_now_ms();
    fakes.postgres.lethal.count = 0;
    fakes.postgres.broken.count = 0;
    fakes.postgres.run_ms = 0;
    put(3, CPI_RING_BULK);
    CYCLE_UNTIL(fakes_stored(&fakes, 3) == 1); /* in a new session */
    CYCLE_UNTIL(cpi_worker_unsettled(worker) == 0);
    ck_assert_int_ge(cpi_now_ms() - lost_ms, 4500);
    ck_assert_int_lt(cpi_now_ms() - lost_ms, 8000);
}
END_TEST

START_TEST(an_id_that_fails_holds_no_other_up)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1}, .count = 1};
    put_many(1, 3 * FAKE_BATCH, CPI_RING_LIVE);
    for (int i = 0; i < 3; i++) {
        cpi_worker_cycle(worker);
    }
    ck_assert_uint_eq(fakes.target.count, 3 * FAKE_BATCH - 1);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_RETRIES), 0);
}
END_TEST

/* Neither an event of its own nor another that works again brings it back among others. */
START_TEST(one_that_hangs_is_only_tried_alone)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1, 2}, .count = 2};
    fakes.postgres.run_ms = 150;
    put(1, CPI_RING_LIVE);
    cpi_worker_cycle(worker);
    fakes.postgres.run_ms = 0;
    put(2, CPI_RING_LIVE);
    cpi_worker_cycle(worker);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING), 2);

    fakes.postgres.broken.count = 1;
    fakes.postgres.hangs = 1;
    fakes.postgres.hang_ms = 150;
    CYCLE_UNTIL(fakes_stored(&fakes, 2) == 1);
    for (int i = 0; i < 3; i++) {
        put_many(1, FAKE_BATCH, CPI_RING_LIVE);
        unsigned hung = fakes.postgres.hung;
        CYCLE_UNTIL(cpi_worker_unsettled(worker) == 1);
        CYCLE_UNTIL(fakes.postgres.hung > hung);
    }
    ck_assert_uint_eq(fakes.postgres.hung_with, 1);

    fakes.postgres.broken.count = 0;
    CYCLE_UNTIL(cpi_worker_unsettled(worker) == 0);
}
END_TEST

enum { MANY = 400, TOO_MANY = 600, NO_ID = 1000000 };

/* However many are broken, and however long they have been: the whole queue is tried in turn. */
START_TEST(one_that_works_again_is_found_behind_many_that_do_not)
{
    fakes.postgres.broken_but = NO_ID;
    put_many(1, MANY, CPI_RING_LIVE);
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING) == MANY);
    unsigned runs = fakes.postgres.runs;
    CYCLE_UNTIL(fakes.postgres.runs > runs + MANY);
    fakes.postgres.broken_but = MANY / 2;
    CYCLE_UNTIL(fakes_stored(&fakes, MANY / 2) == 1);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), MANY - 1);
}
END_TEST

/* What was dropped is owed a resync, also when those that were kept come back by events of their own. */
START_TEST(what_was_dropped_is_read_again)
{
    fakes.postgres.broken_but = NO_ID;
    put_many(1, TOO_MANY, CPI_RING_LIVE);
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_OVERFLOWS) > 0 && cpi_lane_is_empty(&fakes.lane));
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING) == cpi_stats_get(&fakes.stats, CPI_STAT_PENDING));
    uint64_t kept = cpi_stats_get(&fakes.stats, CPI_STAT_FAILING);
    ck_assert_uint_lt(kept, TOO_MANY);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), TOO_MANY); /* stopping now is no success */
    ck_assert(!cpi_requests_has_any(&fakes.requests));

    fakes.postgres.broken_but = 0;
    put_many(TOO_MANY - (int64_t)kept + 1, (int64_t)kept, CPI_RING_LIVE);
    CYCLE_UNTIL(cpi_stats_get(&fakes.stats, CPI_STAT_PENDING) == 0);
    ck_assert(cpi_requests_has(&fakes.requests, CP_CAUSE_OVERFLOW));
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 0);
}
END_TEST

/* ---- the thread ---- */

START_TEST(the_thread_works_until_it_is_told_to_end)
{
    cp_error err;
    ck_assert_int_eq(cpi_worker_start(worker, &err), CP_OK);
    put_many(1, 3 * FAKE_BATCH, CPI_RING_LIVE);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_LIVE, 7));
    cpi_bell_ring(&fakes.lane.bell);
    for (int64_t until_ms = cpi_now_ms() + DEADLINE_MS; !has_passed(CPI_RING_LIVE, 7); poll(NULL, 0, 1)) {
        ck_assert(cpi_now_ms() < until_ms);
    }
    put(1000, CPI_RING_LIVE); /* settled before it ends */
    cpi_stop_close(&fakes.stop);
    cpi_bell_ring(&fakes.lane.bell);
    cpi_worker_join(worker);
    ck_assert_uint_eq(cpi_worker_unsettled(worker), 0);
    ck_assert_uint_eq(fakes.target.count, 3 * FAKE_BATCH + 1);
    ck_assert(!fakes.target.open);
    ck_assert(!fakes.postgres.open);
}
END_TEST

Suite *worker_suite(void)
{
    Suite *suite = suite_create("worker");
    TCase *tcase = tcase_create("worker");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, many_events_of_an_id_are_one_read);
    tcase_add_test(tcase, live_goes_before_bulk);
    tcase_add_test(tcase, live_that_never_ends_lets_bulk_through);
    tcase_add_test(tcase, a_worker_that_stands_by_reads_nothing);
    tcase_add_loop_test(tcase, a_barrier_is_passed_when_what_was_before_it_has_settled, 0, CPI_RINGS);
    tcase_add_test(tcase, a_parked_id_does_not_hold_a_barrier_up);
    tcase_add_test(tcase, quiesce_is_answered_between_two_batches_whatever_waits);
    tcase_add_loop_test(tcase, a_server_that_is_away_is_waited_for, 0, 2);
    tcase_add_test(tcase, parked_ids_are_retried_until_they_work);
    tcase_add_test(tcase, a_parked_id_that_changes_is_tried_at_once);
    tcase_add_test(tcase, what_failed_is_tried_soon_where_others_work);
    tcase_add_loop_test(tcase, what_loses_a_session_rests_for_five_seconds, 0, 2);
    tcase_add_test(tcase, an_id_that_fails_holds_no_other_up);
    tcase_add_test(tcase, one_that_hangs_is_only_tried_alone);
    tcase_add_test(tcase, one_that_works_again_is_found_behind_many_that_do_not);
    tcase_add_test(tcase, what_was_dropped_is_read_again);
    tcase_add_test(tcase, the_thread_works_until_it_is_told_to_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
