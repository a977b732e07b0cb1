/* The listener's side of a lane whose ring is full. */
#include "suites.h"

#include "queue/live_feed.h"

#include <stdio.h>
#include <string.h>

static const struct cpi_entity entities[] = {{.id_type = CPI_ID_BIGINT}, {.id_type = CPI_ID_TEXT}};

enum { NUMBERS, TEXTS, CAPACITY = 4, RING = 8192 };

static struct cpi_lane lane;
static struct cpi_stats stats;
static struct cpi_lanes lanes;
static struct cpi_live_feed *feed;
static bool takes_when_full; /* a worker at the lane */

static void create(void)
{
    takes_when_full = false;
    cp_error err = {0};
    ck_assert_msg(cpi_lane_init(&lane, &err) == CP_OK, "%s", err.message);
    ck_assert(cpi_stats_init(&stats, 4));
    lanes = (struct cpi_lanes){.items = &lane, .count = 1, .capacity = CAPACITY, .entities = entities, .stats = &stats};
    feed = cpi_live_feed_create(&lanes);
    ck_assert_ptr_nonnull(feed);
}

static void destroy(void)
{
    cpi_live_feed_destroy(feed);
    cpi_lane_fini(&lane, entities);
    cpi_stats_fini(&stats);
}

uint32_t __real_cpi_lane_put(struct cpi_lane *to, enum cpi_ring_kind kind, const struct cpi_event *events, uint32_t n);
uint32_t __wrap_cpi_lane_put(struct cpi_lane *to, enum cpi_ring_kind kind, const struct cpi_event *events, uint32_t n);

/* Linked in the place of cpi_lane_put(): a worker may take something as soon as it has found no room. */
uint32_t __wrap_cpi_lane_put(struct cpi_lane *to, enum cpi_ring_kind kind, const struct cpi_event *events, uint32_t n)
{
    uint32_t fitted = __real_cpi_lane_put(to, kind, events, n);
    if (fitted < n && to == &lane && takes_when_full) {
        struct cpi_event taken;
        ck_assert_uint_eq(cpi_lane_get(&lane, kind, &taken, 1), 1);
    }
    return fitted;
}

static enum cpi_fed put_range(int64_t first, int64_t n, bool in_crowd)
{
    struct cpi_events events = {0};
    for (int64_t id = first; id < first + n; id++) {
        const struct cpi_event event = {.id.number = id, .entity = NUMBERS, .in_crowd = in_crowd};
        ck_assert(cpi_events_add(&events, &event));
    }
    enum cpi_fed fed = cpi_live_feed_put(feed, &events);
    ck_assert_uint_eq(events.count, 0);
    cpi_events_fini(&events, entities);
    return fed;
}

static enum cpi_fed put(int64_t id)
{
    return put_range(id, 1, false);
}

static enum cpi_fed put_of_crowd(int64_t id)
{
    return put_range(id, 1, true);
}

static enum cpi_fed put_text(const char *text, bool in_crowd)
{
    struct cpi_events events = {0};
    const struct cpi_event event = {.id.text = strdup(text), .entity = TEXTS, .in_crowd = in_crowd};
    ck_assert(cpi_events_add(&events, &event));
    enum cpi_fed fed = cpi_live_feed_put(feed, &events);
    cpi_events_fini(&events, entities);
    return fed;
}

static void fill_ring(void)
{
    ck_assert_int_eq(put_range(100000, RING, false), CPI_FED);
    ck_assert(!cpi_lane_has_room(&lane, CPI_RING_LIVE));
    ck_assert_uint_eq(cpi_live_feed_count(feed), 0);
}

static void empty_ring(void)
{
    struct cpi_event event;
    while (cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1) == 1) {
        if (cpi_event_is_id(&event)) {
            cpi_id_fini(entities[event.entity].id_type, &event.id);
        }
    }
}

static const char *mark_name(const struct cpi_event *event)
{
    return event->entity == CPI_BARRIER ? "barrier " : event->entity == CPI_POSITION ? "position " : "";
}

/* What comes out of the ring, as "1 2 barrier 7 position 8". */
static void assert_ring(const char *want)
{
    struct cpi_event event;
    char text[128] = "";
    size_t length = 0;
    while (length < sizeof text && cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1) == 1) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s%lld", length > 0 ? " " : "",
                                   mark_name(&event), (long long)event.id.number);
    }
    ck_assert_str_eq(text, want);
}

/* Flushes into an empty ring. */
static void assert_kept(const char *want)
{
    empty_ring();
    ck_assert(cpi_live_feed_flush(feed));
    assert_ring(want);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 0);
}

START_TEST(with_room_in_the_ring_nothing_is_kept)
{
    ck_assert_int_eq(put_range(1, 3, false), CPI_FED);
    ck_assert_int_eq(put_range(4, 2, true), CPI_FED);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 0);
    assert_ring("1 2 3 4 5");
}
END_TEST

START_TEST(what_does_not_fit_is_kept_once)
{
    fill_ring();
    ck_assert_int_eq(put_range(1, 3, false), CPI_FED);
    ck_assert_int_eq(put_range(1, 3, false), CPI_FED);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 3);
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_COALESCED), 3);
    ck_assert(!cpi_live_feed_flush(feed));
    assert_kept("1 2 3");
}
END_TEST

START_TEST(more_of_a_crowd_than_fits_is_dropped)
{
    fill_ring();
    ck_assert_int_eq(put_range(1, CAPACITY, true), CPI_FED);
    ck_assert_int_eq(put_of_crowd(5), CPI_FED_LESS);
    ck_assert_int_eq(put_range(6, 100, true), CPI_FED_LESS);
    assert_kept("1 2 3 4");
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_OVERFLOWS), 0); /* the listener's to count */
}
END_TEST

START_TEST(a_live_id_pushes_one_of_a_crowd_out)
{
    fill_ring();
    ck_assert_int_eq(put(11), CPI_FED);
    ck_assert_int_eq(put_range(1, CAPACITY - 1, true), CPI_FED);
    ck_assert_int_eq(put(12), CPI_FED_LESS);
    ck_assert_int_eq(put(13), CPI_FED_LESS);
    ck_assert_uint_eq(cpi_live_feed_count(feed), CAPACITY);
    assert_kept("11 12 13 3"); /* the oldest of the crowd went */
}
END_TEST

START_TEST(an_id_that_is_kept_needs_no_room)
{
    fill_ring();
    ck_assert_int_eq(put(11), CPI_FED);
    ck_assert_int_eq(put_range(1, CAPACITY - 1, true), CPI_FED);
    ck_assert_int_eq(put(11), CPI_FED);
    ck_assert_int_eq(put(2), CPI_FED); /* no longer one of a crowd */
    ck_assert_uint_eq(cpi_live_feed_count(feed), CAPACITY);
    assert_kept("11 2 1 3");
}
END_TEST

START_TEST(too_many_live_ids_are_lost_and_all_are_dropped)
{
    fill_ring();
    ck_assert_int_eq(put_range(11, CAPACITY, false), CPI_FED);
    ck_assert_int_eq(put_of_crowd(1), CPI_FED_LESS); /* pushes nothing out */
    ck_assert_uint_eq(cpi_live_feed_count(feed), CAPACITY);
    ck_assert_int_eq(put(12), CPI_FED);
    ck_assert_int_eq(put(15), CPI_FED_LOST);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 0);
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_OVERFLOWS), 1);

    /* It begins anew. */
    ck_assert_int_eq(put(16), CPI_FED);
    assert_kept("16");
}
END_TEST

START_TEST(what_the_worker_holds_leaves_less_room)
{
    fill_ring();
    cpi_lane_set_queued(&lane, CAPACITY - 1);
    ck_assert_int_eq(put_of_crowd(1), CPI_FED);
    ck_assert_int_eq(put_of_crowd(2), CPI_FED_LESS);
    ck_assert_int_eq(put(11), CPI_FED_LESS);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 1);
    cpi_lane_set_queued(&lane, CAPACITY + 1);
    ck_assert_int_eq(put(12), CPI_FED_LOST);
}
END_TEST

START_TEST(the_worst_of_one_put_is_returned)
{
    fill_ring();
    ck_assert_int_eq(put_range(1, 2 * CAPACITY, true), CPI_FED_LESS);
    ck_assert_int_eq(put_range(11, CAPACITY + 1, false), CPI_FED_LOST);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 0);
}
END_TEST

START_TEST(a_barrier_comes_behind_everything)
{
    fill_ring();
    ck_assert_int_eq(put_range(1, 2, true), CPI_FED);
    ck_assert_int_eq(put(11), CPI_FED);
    cpi_live_feed_barrier(feed, 7);
    ck_assert_int_eq(put(12), CPI_FED);
    ck_assert(!cpi_live_feed_flush(feed));

    /* Ids go as room comes, live ones first; the barrier stays behind. */
    struct cpi_event event;
    for (uint32_t left = CAPACITY; left > 0; left--) {
        ck_assert_uint_eq(cpi_live_feed_count(feed), left);
        ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1), 1);
        ck_assert(!cpi_live_feed_flush(feed));
    }
    ck_assert_uint_eq(cpi_live_feed_count(feed), 0);
    for (int i = 0; i < RING - CAPACITY; i++) {
        ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1), 1);
        ck_assert_int_ge(event.id.number, 100000);
    }
    ck_assert(cpi_live_feed_flush(feed));
    assert_ring("11 12 1 2 barrier 7");
}
END_TEST

START_TEST(a_newer_barrier_replaces_an_older_one)
{
    fill_ring();
    cpi_live_feed_barrier(feed, 7);
    ck_assert(!cpi_live_feed_flush(feed));
    ck_assert_int_eq(put(1), CPI_FED);
    cpi_live_feed_barrier(feed, 8);
    assert_kept("1 barrier 8");
    ck_assert(cpi_live_feed_flush(feed));
    assert_ring("");
}
END_TEST

START_TEST(a_position_comes_behind_everything)
{
    cpi_live_feed_position(feed, 6);
    ck_assert(cpi_live_feed_flush(feed));
    assert_ring("position 6");

    fill_ring();
    ck_assert_int_eq(put(11), CPI_FED);
    ck_assert_int_eq(put_of_crowd(1), CPI_FED);
    cpi_live_feed_position(feed, 7);
    assert_kept("11 1 position 7");

    fill_ring();
    ck_assert_int_eq(put(11), CPI_FED);
    ck_assert_int_eq(put_of_crowd(1), CPI_FED);
    cpi_live_feed_position(feed, 8);
    cpi_live_feed_barrier(feed, 70);
    ck_assert(!cpi_live_feed_flush(feed));
    struct cpi_event event;
    for (int i = 0; i < 2; i++) { /* the ids go into the ring, which is full again */
        ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1), 1);
        ck_assert(!cpi_live_feed_flush(feed));
    }
    assert_kept("barrier 70 position 8");
}
END_TEST

START_TEST(marks_stay_behind_when_room_comes_meanwhile)
{
    fill_ring();
    ck_assert_int_eq(put_range(1, 2, true), CPI_FED);
    ck_assert_int_eq(put_range(11, 2, false), CPI_FED);
    if (_i == 0) {
        cpi_live_feed_barrier(feed, 7);
    } else {
        cpi_live_feed_position(feed, 7);
    }
    takes_when_full = true;
    ck_assert(!cpi_live_feed_flush(feed));
    takes_when_full = false;
    ck_assert(cpi_lane_has_room(&lane, CPI_RING_LIVE));
    assert_kept(_i == 0 ? "11 12 2 barrier 7" : "11 12 2 position 7"); /* 1 has gone to the end of the ring */
}
END_TEST

START_TEST(a_newer_position_replaces_an_older_one)
{
    fill_ring();
    cpi_live_feed_position(feed, 7);
    ck_assert(!cpi_live_feed_flush(feed));
    ck_assert_int_eq(put(1), CPI_FED);
    cpi_live_feed_position(feed, 8);
    assert_kept("1 position 8");
    ck_assert(cpi_live_feed_flush(feed));
    assert_ring("");
}
END_TEST

/* Two thirds of what a lane may keep, less what there is in the feed, the ring and the worker's set. */
START_TEST(room_is_left_for_a_third)
{
    lanes.capacity = 113;
    ck_assert_uint_eq(cpi_live_feed_room(feed), 75);
    ck_assert_int_eq(put_range(1, 20, false), CPI_FED);
    ck_assert_uint_eq(cpi_live_feed_room(feed), 55);
    cpi_lane_set_queued(&lane, 30);
    ck_assert_uint_eq(cpi_live_feed_room(feed), 25);
    ck_assert_int_eq(put_range(101, 25, true), CPI_FED);
    ck_assert_uint_eq(cpi_live_feed_room(feed), 0);
    ck_assert_int_eq(put(200), CPI_FED);
    ck_assert_uint_eq(cpi_live_feed_room(feed), 0);
    empty_ring();
    ck_assert_uint_eq(cpi_live_feed_room(feed), 45);

    fill_ring();
    cpi_lane_set_queued(&lane, 0);
    ck_assert_int_eq(put_range(1, 10, false), CPI_FED);
    ck_assert_uint_eq(cpi_live_feed_count(feed), 10);
    ck_assert_uint_eq(cpi_live_feed_room(feed), 0);
    empty_ring();
    ck_assert_uint_eq(cpi_live_feed_room(feed), 65);
}
END_TEST

/* Each of the ways that an id can go; AddressSanitizer sees one that is freed twice, or never. */
START_TEST(texts_are_freed_once)
{
    fill_ring();
    ck_assert_int_eq(put_text("a", true), CPI_FED);
    ck_assert_int_eq(put_text("b", true), CPI_FED);
    ck_assert_int_eq(put_text("c", false), CPI_FED);
    ck_assert_int_eq(put_text("d", false), CPI_FED);
    ck_assert_int_eq(put_text("c", false), CPI_FED);
    ck_assert_int_eq(put_text("e", true), CPI_FED_LESS);
    ck_assert_int_eq(put_text("e", false), CPI_FED_LESS);
    ck_assert_int_eq(put_text("f", false), CPI_FED_LESS);
    ck_assert_int_eq(put_text("g", false), CPI_FED_LOST);
    ck_assert_int_eq(put_text("h", false), CPI_FED); /* to be left behind */
}
END_TEST

Suite *live_feed_suite(void)
{
    Suite *suite = suite_create("live_feed");
    TCase *tcase = tcase_create("live_feed");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, with_room_in_the_ring_nothing_is_kept);
    tcase_add_test(tcase, what_does_not_fit_is_kept_once);
    tcase_add_test(tcase, more_of_a_crowd_than_fits_is_dropped);
    tcase_add_test(tcase, a_live_id_pushes_one_of_a_crowd_out);
    tcase_add_test(tcase, an_id_that_is_kept_needs_no_room);
    tcase_add_test(tcase, too_many_live_ids_are_lost_and_all_are_dropped);
    tcase_add_test(tcase, what_the_worker_holds_leaves_less_room);
    tcase_add_test(tcase, the_worst_of_one_put_is_returned);
    tcase_add_test(tcase, a_barrier_comes_behind_everything);
    tcase_add_test(tcase, a_newer_barrier_replaces_an_older_one);
    tcase_add_test(tcase, a_position_comes_behind_everything);
    tcase_add_loop_test(tcase, marks_stay_behind_when_room_comes_meanwhile, 0, 2);
    tcase_add_test(tcase, a_newer_position_replaces_an_older_one);
    tcase_add_test(tcase, room_is_left_for_a_third);
    tcase_add_test(tcase, texts_are_freed_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
