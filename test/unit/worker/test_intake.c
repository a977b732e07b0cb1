/* What a worker takes from its lane, without the worker: the test settles and parks ids in the set itself. */
#include "suites.h"

#include "queue/live_feed.h"
#include "worker/fakes.h"
#include "worker/intake.h"

/* Of the set of 1024: bulk ids have a batch's room, live ones and those of a crowd the rest, of which the crowd leaves
 * a thirty-second to the live ones. */
enum {
    CAPACITY = 1024,
    LIVE_ROOM = CAPACITY - FAKE_BATCH,
    CROWD_ROOM = LIVE_ROOM - LIVE_ROOM / 32,
    FAILING_TOLD = 512,
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
    cpi_intake_fini(&intake);
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

/* However small the lane is beside a batch. */
START_TEST(a_crowd_that_keeps_to_the_room_loses_nothing)
{
    const uint32_t capacities[] = {CAPACITY, 4 * FAKE_BATCH, 100, 15, 2};
    struct cpi_live_feed *feed = cpi_live_feed_create(&fakes.env.lanes);
    ck_assert_ptr_nonnull(feed);
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        fakes.env.lanes.capacity = intake.capacity = capacities[i];
        cpi_lane_set_queued(&fakes.lane, 0);
        uint32_t room = cpi_live_feed_room(feed);
        ck_assert_uint_gt(room, 0);
        take(1, room, CPI_RING_LIVE, true);
        assert_counts(0, room, 0, 0);
        ck_assert_uint_eq(intake.crowded_out, 0);
        settle(1, room);
    }
    cpi_live_feed_destroy(feed);
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

/* The crowd may have come first, and taken all that it may. */
START_TEST(live_ids_push_out_a_crowd)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    take(2001, LIVE_ROOM, CPI_RING_LIVE, false);
    assert_counts(LIVE_ROOM, 0, 0, 0);
    ck_assert_uint_eq(cpi_ring_count(fakes.lane.rings[CPI_RING_LIVE]), 0);
    ck_assert_uint_eq(intake.crowded_out, CROWD_ROOM);
    put(5001, 1, CPI_RING_LIVE, false);
    ck_assert(!cpi_intake_can_drain(&intake)); /* nobody has to go for this one */
    settle(2001, LIVE_ROOM);
    ck_assert(report_requests());
}
END_TEST

START_TEST(the_oldest_of_a_crowd_go_one_for_one)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    take(2001, LIVE_ROOM - CROWD_ROOM + 10, CPI_RING_LIVE, false);
    assert_counts(LIVE_ROOM - CROWD_ROOM + 10, CROWD_ROOM - 10, 0, 0);
    handle_of(11);
    take(2001, 10, CPI_RING_LIVE, false); /* known: they need no room */
    take(11, 5, CPI_RING_LIVE, false);    /* the crowd's, and live from now on */
    assert_counts(LIVE_ROOM - CROWD_ROOM + 15, CROWD_ROOM - 15, 0, 0);
    ck_assert_uint_eq(intake.crowded_out, 10);
}
END_TEST

/* Of a resync that lists the crowd's ids, none is lost before it has settled. */
START_TEST(what_a_resync_has_listed_is_not_pushed_out)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    put(1, FAKE_BATCH, CPI_RING_BULK, false);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_BULK, 7));
    cpi_intake_drain(&intake);
    take(2001, LIVE_ROOM, CPI_RING_LIVE, false);
    assert_counts(LIVE_ROOM, 0, FAKE_BATCH, 0);
    cpi_intake_drain(&intake);
    settle(1, FAKE_BATCH - 1);
    cpi_intake_drain(&intake);
    ck_assert(!has_passed(CPI_RING_BULK, 7));
    settle(FAKE_BATCH, 1);
    settle(2001, LIVE_ROOM);
    cpi_intake_drain(&intake);
    ck_assert(has_passed(CPI_RING_BULK, 7));
}
END_TEST

START_TEST(a_crowd_that_repeats_itself_loses_nothing)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    park(1, 1);
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    assert_counts(0, CROWD_ROOM, 0, 0);
    ck_assert_uint_eq(intake.crowded_out, 0);
    settle(1, CROWD_ROOM);
    ck_assert(!report_requests());
}
END_TEST

enum { TINY_LIVE_ROOM = 15 - 15 / 4 };

START_TEST(a_crowd_leaves_one_place_in_a_tiny_lane)
{
    intake.capacity = 15;
    take(1, 100, CPI_RING_LIVE, true);
    assert_counts(0, TINY_LIVE_ROOM - 1, 0, 0);
    take(2001, 1, CPI_RING_LIVE, false);
    assert_counts(1, TINY_LIVE_ROOM - 1, 0, 0);
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

/* There a crowd never has as much as half of the set. */
START_TEST(beside_many_parked_ids_the_resync_waits_as_well)
{
    const uint32_t live_room = LIVE_ROOM - CAPACITY / 2;
    const uint32_t crowd_room = live_room - live_room / 32;
    take(1, 600, CPI_RING_LIVE, false);
    park(1, 600);
    take(2001, live_room, CPI_RING_LIVE, true);
    assert_counts(0, crowd_room, 0, 600);
    ck_assert(!report_requests());
    settle(2001, crowd_room - live_room / 2);
    ck_assert(!report_requests());
    settle(2001 + crowd_room - live_room / 2, 1);
    ck_assert(report_requests());
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
    cpi_requests_end_run(&fakes.requests, false);
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

/* ---- positions ---- */

static void take_position(int64_t number)
{
    ck_assert(cpi_lane_put_position(&fakes.lane, number));
    cpi_intake_drain(&intake);
}

static bool has_passed_position(int64_t number)
{
    cpi_intake_report(&intake);
    return cpi_lane_has_passed_position(&fakes.lane, number);
}

START_TEST(a_position_passes_when_what_was_before_it_has_gone)
{
    put(1, 3, CPI_RING_LIVE, false);
    put(11, 1, CPI_RING_LIVE, true);
    take_position(7);
    take(4, 1, CPI_RING_LIVE, false);
    ck_assert(!has_passed_position(7));
    settle(1, 2);
    settle(11, 1);
    ck_assert(!has_passed_position(7));
    park(3, 1);
    ck_assert(has_passed_position(7));
    handle_of(4);
}
END_TEST

START_TEST(a_newer_position_takes_the_place_of_an_older_one)
{
    take(1, 1, CPI_RING_LIVE, false);
    take_position(7);
    take(2, 1, CPI_RING_LIVE, false);
    take_position(8);
    settle(1, 1);
    ck_assert(!has_passed_position(7));
    settle(2, 1);
    ck_assert(has_passed_position(8));
}
END_TEST

START_TEST(positions_and_barriers_do_not_know_each_other)
{
    take(1, 1, CPI_RING_LIVE, false);
    take_position(7);
    take(2, 1, CPI_RING_LIVE, false);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_LIVE, 3));
    put(3, 1, CPI_RING_BULK, false);
    ck_assert(cpi_lane_put_barrier(&fakes.lane, CPI_RING_BULK, 4));
    cpi_intake_drain(&intake);
    settle(1, 1);
    ck_assert(has_passed_position(7));
    ck_assert(!has_passed(CPI_RING_LIVE, 3) && !has_passed(CPI_RING_BULK, 4));
    settle(2, 1);
    ck_assert(has_passed(CPI_RING_LIVE, 3) && !has_passed(CPI_RING_BULK, 4));
    settle(3, 1);
    ck_assert(has_passed(CPI_RING_BULK, 4));
}
END_TEST

/* What was dropped has not settled; the resync that is owed for it is requested before. */
START_TEST(a_position_waits_for_the_resync_owed_to_a_crowd)
{
    take(1, CROWD_ROOM + 1, CPI_RING_LIVE, true);
    take_position(7);
    settle(1, CROWD_ROOM / 4);
    take_position(8); /* nothing has been dropped since the last, but it is still owed */
    ck_assert(!has_passed_position(7));
    settle(CROWD_ROOM / 4 + 1, CROWD_ROOM - CROWD_ROOM / 4);
    ck_assert(!cpi_requests_has(&fakes.requests, CP_CAUSE_OVERFLOW));
    ck_assert(has_passed_position(8));
    ck_assert(cpi_requests_has(&fakes.requests, CP_CAUSE_OVERFLOW));
}
END_TEST

START_TEST(a_position_waits_while_a_crowd_keeps_dropping)
{
    take(1, CROWD_ROOM, CPI_RING_LIVE, true);
    settle(1, 10);
    take_position(7);
    settle(11, CROWD_ROOM - 10);
    take(2001, CROWD_ROOM + 1, CPI_RING_LIVE, true); /* all before the position have gone, and one behind it */
    ck_assert(!has_passed_position(7));
    intake.crowded_out_ms -= OWED_FOR_MS; /* as if the time had passed */
    ck_assert(has_passed_position(7));
    ck_assert(cpi_requests_has(&fakes.requests, CP_CAUSE_OVERFLOW));
}
END_TEST

START_TEST(a_position_waits_for_what_the_worker_owes)
{
    take(1, 1, CPI_RING_LIVE, false);
    take_position(7);
    settle(1, 1);
    intake.owes = true;
    ck_assert(!has_passed_position(7));
    intake.owes = false;
    ck_assert(has_passed_position(7));
}
END_TEST

/* Else what has not reached Redis would be confirmed for good. */
START_TEST(a_position_is_passed_with_what_fails)
{
    take(1, 3, CPI_RING_LIVE, false);
    take_position(7);
    park(1, 3);
    ck_assert(has_passed_position(7));
    ck_assert_uint_eq(cpi_lane_failing(&fakes.lane)->count, 3);
    settle(1, 2);
    take_position(8);
    ck_assert(has_passed_position(8));
    ck_assert_uint_eq(cpi_lane_failing(&fakes.lane)->count, 1);
    ck_assert_int_eq(cpi_lane_failing(&fakes.lane)->items[0].id.number, 3);
}
END_TEST

START_TEST(a_position_is_passed_without_telling_too_many)
{
    take(1, FAILING_TOLD + 1, CPI_RING_LIVE, false);
    park(1, FAILING_TOLD + 1);
    take_position(7);
    ck_assert(has_passed_position(7));
    ck_assert_ptr_null(cpi_lane_failing(&fakes.lane));
    settle(1, 1);
    take_position(8);
    ck_assert(has_passed_position(8));
    ck_assert_uint_eq(cpi_lane_failing(&fakes.lane)->count, FAILING_TOLD);
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
    tcase_add_test(tcase, a_crowd_that_keeps_to_the_room_loses_nothing);
    tcase_add_test(tcase, live_ids_among_a_crowd_are_all_taken);
    tcase_add_test(tcase, live_ids_push_out_a_crowd);
    tcase_add_test(tcase, the_oldest_of_a_crowd_go_one_for_one);
    tcase_add_test(tcase, what_a_resync_has_listed_is_not_pushed_out);
    tcase_add_test(tcase, a_crowd_that_repeats_itself_loses_nothing);
    tcase_add_test(tcase, a_crowd_leaves_one_place_in_a_tiny_lane);
    tcase_add_test(tcase, the_resync_is_owed_until_the_crowd_has_gone);
    tcase_add_test(tcase, beside_many_parked_ids_the_resync_waits_as_well);
    tcase_add_test(tcase, of_a_crowd_that_stays_it_is_requested_now_and_then);
    tcase_add_loop_test(tcase, a_parked_id_that_changes_is_recalled, 0, 2);
    tcase_add_loop_test(tcase, a_barrier_passes_when_what_was_before_it_has_gone, 0, CPI_RINGS);
    tcase_add_test(tcase, a_barrier_passes_behind_a_crowd_that_is_dropped);
    tcase_add_test(tcase, quiesce_is_answered_at_once_and_ends_a_barrier);
    tcase_add_test(tcase, a_position_passes_when_what_was_before_it_has_gone);
    tcase_add_test(tcase, a_newer_position_takes_the_place_of_an_older_one);
    tcase_add_test(tcase, positions_and_barriers_do_not_know_each_other);
    tcase_add_test(tcase, a_position_waits_for_the_resync_owed_to_a_crowd);
    tcase_add_test(tcase, a_position_waits_while_a_crowd_keeps_dropping);
    tcase_add_test(tcase, a_position_waits_for_what_the_worker_owes);
    tcase_add_test(tcase, a_position_is_passed_with_what_fails);
    tcase_add_test(tcase, a_position_is_passed_without_telling_too_many);
    suite_add_tcase(suite, tcase);
    return suite;
}
