/* What a worker takes from its lane, without the worker: the test settles and parks ids in the set itself. */
#include "suites.h"

#include "worker/fakes.h"
#include "worker/intake.h"

/* Of the set of 1024: bulk ids have a batch's room, live ones and those of a crowd the rest, of which the crowd leaves
 * a thirty-second to the live ones. */
enum {
    CAPACITY = 1024,
    LIVE_ROOM = CAPACITY - FAKE_BATCH,
    CROWD_ROOM = LIVE_ROOM - LIVE_ROOM / 32,
    OWED_FOR_MS = 5000
};

static struct fakes fakes;
static struct cpi_idset *set;
static struct cpi_intake intake;

static void setup(void)
{
    fakes_init(&fakes);
    ck_assert_uint_eq(fakes.env.lanes.capacity, CAPACITY);
    set = cpi_idset_create(&fakes.entity);
    ck_assert_ptr_nonnull(set);
    cpi_intake_init(&intake, &fakes.env, 0, set);
}

static void teardown(void)
{
    cpi_idset_destroy(set);
    fakes_fini(&fakes);
}

static void put(int64_t first, int64_t n, enum cpi_ring_kind kind, bool in_crowd)
{
    for (int64_t id = first; id < first + n; id++) {
        const struct cpi_event event = {.id = {.number = id}, .in_crowd = in_crowd};
        ck_assert_uint_eq(cpi_lane_put(&fakes.lane, kind, &event, 1), 1);
    }
}

static void take(int64_t first, int64_t n, enum cpi_ring_kind kind, bool in_crowd)
{
    put(first, n, kind, in_crowd);
    cpi_intake_drain(&intake);
}

static uint32_t handle_of(int64_t id)
{
    const union cpi_id key = {.number = id};
    uint32_t handle = cpi_idset_find(set, 0, &key);
    ck_assert_uint_ne(handle, 0);
    return handle;
}

static void settle(int64_t first, int64_t n)
{
    for (int64_t id = first; id < first + n; id++) {
        cpi_idset_remove(set, handle_of(id));
    }
}

static void park(int64_t first, int64_t n)
{
    for (int64_t id = first; id < first + n; id++) {
        cpi_idset_move(set, handle_of(id), CPI_PARKED);
    }
}

static void assert_counts(uint32_t live, uint32_t crowd, uint32_t bulk, uint32_t parked)
{
    ck_assert_uint_eq(cpi_idset_count(set, CPI_LIVE), live);
    ck_assert_uint_eq(cpi_idset_count(set, CPI_CROWD), crowd);
    ck_assert_uint_eq(cpi_idset_count(set, CPI_BULK), bulk);
    ck_assert_uint_eq(cpi_idset_count(set, CPI_PARKED), parked);
}

/* Whether a resync is requested after a report. */
static bool report_requests(void)
{
    cpi_intake_report(&intake);
    return cpi_requests_has(&fakes.requests, CP_CAUSE_OVERFLOW);
}

static bool has_passed(enum cpi_ring_kind kind, int64_t number)
{
    cpi_intake_report(&intake);
    return cpi_lane_has_passed(&fakes.lane, kind, number);
}

/* ---- bounds ---- */

START_TEST(live_ids_are_taken_while_there_is_room_and_never_dropped)
{
    take(1, LIVE_ROOM + 10, CPI_RING_LIVE, false);
    assert_counts(LIVE_ROOM, 0, 0, 0);
    ck_assert(!cpi_intake_can_drain(&intake));
    ck_assert_uint_eq(cpi_ring_count(fakes.lane.rings[CPI_RING_LIVE]), 10);
    settle(1, 4);
    ck_assert(cpi_intake_can_drain(&intake));
    cpi_intake_drain(&intake);
    assert_counts(LIVE_ROOM, 0, 0, 0);
    ck_assert_uint_eq(cpi_ring_count(fakes.lane.rings[CPI_RING_LIVE]), 6);
    ck_assert_uint_eq(intake.crowded_out, 0);
}
END_TEST

START_TEST(bulk_ids_are_taken_for_one_batch)
{
    take(1, 3 * FAKE_BATCH, CPI_RING_BULK, false);
    assert_counts(0, 0, FAKE_BATCH, 0);
    ck_assert(!cpi_intake_can_drain(&intake));
    settle(1, FAKE_BATCH);
    cpi_intake_drain(&intake);
    assert_counts(0, 0, FAKE_BATCH, 0);
    handle_of(2 * FAKE_BATCH);
}
END_TEST

START_TEST(parked_ids_take_half_of_the_room_at_most)
{
    take(1, 600, CPI_RING_LIVE, false);
    park(1, 600);
    ck_assert_uint_eq(cpi_intake_waiting(&intake), 0);
    take(2001, CAPACITY, CPI_RING_LIVE, false);
    assert_counts(LIVE_ROOM - CAPACITY / 2, 0, 0, 600);
    ck_assert_uint_eq(cpi_intake_waiting(&intake), LIVE_ROOM - CAPACITY / 2);
}
END_TEST

START_TEST(reports_tell_how_many_there_are)
{
    take(1, 5, CPI_RING_LIVE, false);
    take(11, 3, CPI_RING_BULK, false);
    park(1, 2);
    cpi_intake_report(&intake);
    cpi_intake_report(&intake);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_PENDING), 8);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING), 2);
    ck_assert_uint_eq(cpi_lane_queued(&fakes.lane), 8);
    settle(1, 4);
    cpi_intake_report(&intake);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_PENDING), 4);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_FAILING), 0);
    ck_assert_uint_eq(cpi_lane_queued(&fakes.lane), 4);
}
END_TEST

/* ---- crowds ---- */

START_TEST(a_crowd_leaves_room_to_live_ids)
{
    take(1, CAPACITY, CPI_RING_LIVE, true);
    assert_counts(0, CROWD_ROOM, 0, 0);
    ck_assert_uint_eq(cpi_ring_count(fakes.lane.rings[CPI_RING_LIVE]), 0); /* dropped, so that others come through */
    ck_assert_uint_eq(intake.crowded_out, CAPACITY - CROWD_ROOM);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_OVERFLOWS), 1);

    take(2001, LIVE_ROOM - CROWD_ROOM, CPI_RING_LIVE, false);
    assert_counts(LIVE_ROOM - CROWD_ROOM, CROWD_ROOM, 0, 0);
}
END_TEST

START_TEST(live_ids_among_a_crowd_are_all_taken)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    for (int64_t i = 0; i < 20; i++) {
        put(5000 + 100 * i, 100, CPI_RING_LIVE, true);
        put(2001 + i, 1, CPI_RING_LIVE, false);
    }
    while (cpi_intake_can_drain(&intake)) {
        cpi_intake_drain(&intake);
    }
    assert_counts(20, CROWD_ROOM, 0, 0);
}
END_TEST

START_TEST(the_resync_is_owed_until_the_crowd_has_gone)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    ck_assert(!report_requests());
    take(3001, 1, CPI_RING_LIVE, true);
    ck_assert(!report_requests());
    settle(1, CROWD_ROOM - LIVE_ROOM / 2);
    ck_assert(!report_requests());
    settle(CROWD_ROOM - 1, 2);
    ck_assert(report_requests());
    ck_assert_uint_eq(intake.crowded_out, 0);
}
END_TEST

START_TEST(of_a_crowd_that_stays_it_is_requested_now_and_then)
{
    take(1, CROWD_ROOM + 1, CPI_RING_LIVE, true);
    ck_assert(!report_requests());
    intake.crowded_out_ms -= OWED_FOR_MS; /* as if the time had passed */
    ck_assert(report_requests());

    bool wanted[1] = {false};
    cpi_requests_take(&fakes.requests, wanted);
    cpi_requests_end_run(&fakes.requests);
    ck_assert(wanted[0]);
    ck_assert(!report_requests()); /* once */
    take(3001, 1, CPI_RING_LIVE, true);
    ck_assert(!report_requests()); /* the interval begins again */
    ck_assert_uint_eq(intake.crowded_out, 1);
}
END_TEST

/* ---- parked ids ---- */

/* At once, unless the worker rests from what fails, or others have been recalled before. */
START_TEST(a_parked_id_that_changes_is_recalled)
{
    bool in_crowd = _i == 1;
    take(1, 3, CPI_RING_LIVE, false);
    park(1, 3);
    take(2, 1, CPI_RING_BULK, false); /* a resync that lists it says nothing about it */
    assert_counts(0, 0, 0, 3);
    take(3, 1, CPI_RING_LIVE, in_crowd);
    assert_counts(!in_crowd, in_crowd, 0, 2);
    ck_assert(!intake.recalled);

    intake.rested_ms = INT64_MAX;
    take(1, 1, CPI_RING_LIVE, in_crowd);
    assert_counts(!in_crowd, in_crowd, 0, 2);
    ck_assert(intake.recalled);
    intake.rested_ms = 0;
    take(2, 1, CPI_RING_LIVE, in_crowd);
    assert_counts(!in_crowd, in_crowd, 0, 2);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_COALESCED), 4);
}
END_TEST

/* ---- marks ---- */

START_TEST(a_barrier_passes_when_what_was_before_it_has_gone)
{
    enum cpi_ring_kind kind = (enum cpi_ring_kind)_i;
    put(1, 3, kind, false);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, kind, 7));
    take(4, 1, kind, false);
    ck_assert(!has_passed(kind, 7));
    settle(1, 2);
    ck_assert(!has_passed(kind, 7));
    park(3, 1);
    ck_assert(has_passed(kind, 7));
    handle_of(4);
}
END_TEST

START_TEST(a_barrier_passes_behind_a_crowd_that_is_dropped)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    put(3001, 1000, CPI_RING_LIVE, true);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_LIVE, 7));
    cpi_intake_drain(&intake);
    ck_assert(!has_passed(CPI_RING_LIVE, 7));
    settle(1, CROWD_ROOM);
    ck_assert(has_passed(CPI_RING_LIVE, 7));
    ck_assert(report_requests());
}
END_TEST

START_TEST(quiesce_is_answered_at_once_and_ends_a_barrier)
{
    put(1, 1, CPI_RING_BULK, false);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_BULK, 7));
    ck_assert(cpi_lane_put_quiesce(&fakes.lane, CPI_RING_BULK, 8));
    cpi_intake_drain(&intake);
    ck_assert(cpi_lane_has_passed(&fakes.lane, CPI_RING_BULK, 8));
    ck_assert_int_eq(intake.barriers[CPI_RING_BULK], 0);
    settle(1, 1);
    cpi_intake_report(&intake); /* a lane would not let an older one be acknowledged */
}
END_TEST

Suite *intake_suite(void)
{
    Suite *suite = suite_create("intake");
    TCase *tcase = tcase_create("intake");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, live_ids_are_taken_while_there_is_room_and_never_dropped);
    tcase_add_test(tcase, bulk_ids_are_taken_for_one_batch);
    tcase_add_test(tcase, parked_ids_take_half_of_the_room_at_most);
    tcase_add_test(tcase, reports_tell_how_many_there_are);
    tcase_add_test(tcase, a_crowd_leaves_room_to_live_ids);
    tcase_add_test(tcase, live_ids_among_a_crowd_are_all_taken);
    tcase_add_test(tcase, the_resync_is_owed_until_the_crowd_has_gone);
    tcase_add_test(tcase, of_a_crowd_that_stays_it_is_requested_now_and_then);
    tcase_add_loop_test(tcase, a_parked_id_that_changes_is_recalled, 0, 2);
    tcase_add_loop_test(tcase, a_barrier_passes_when_what_was_before_it_has_gone, 0, CPI_RINGS);
    tcase_add_test(tcase, a_barrier_passes_behind_a_crowd_that_is_dropped);
    tcase_add_test(tcase, quiesce_is_answered_at_once_and_ends_a_barrier);
    suite_add_tcase(suite, tcase);
    return suite;
}
