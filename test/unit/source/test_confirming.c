/* Positions on their way through the lanes. The test is the workers, and the clock where it has to be. */
#include "suites.h"

#include "source/confirming.h"

#include "base/clock.h"
#include "queue/live_feed.h"

enum { LANES = 2, PUT_EVERY_MS = 250 };

static const struct cpi_entity entities[] = {{.id_type = CPI_ID_BIGINT}};

static struct cpi_lane items[LANES];
static struct cpi_stats stats;
static struct cpi_lanes lanes;
static struct cpi_live_feed *feed;
static struct cpi_confirming confirming;
static struct cpi_requests requests;
static uint64_t confirmed; /* 0: nothing since the last look */
static bool complete;      /* that was */

static void confirm(struct cpi_source *source, uint64_t position, bool is_complete)
{
    (void)source;
    ck_assert_uint_eq(confirmed, 0);
    confirmed = position;
    complete = is_complete;
}

static const struct cpi_source_ops ops = {.confirm = confirm};
static struct cpi_source source = {.ops = &ops};

/* What is owed is done. */
static void run(void)
{
    bool wanted[1] = {false};
    cpi_requests_take(&requests, wanted);
    cpi_requests_note_filled(&requests, 0);
    cpi_requests_end_run(&requests, false);
}

static void setup(void)
{
    for (int i = 0; i < LANES; i++) {
        ck_assert_int_eq(cpi_lane_init(&items[i], NULL), CP_OK);
    }
    ck_assert(cpi_stats_init(&stats, 4));
    lanes = (struct cpi_lanes){.items = items, .count = LANES, .capacity = 100, .entities = entities, .stats = &stats};
    feed = cpi_live_feed_create(&lanes);
    ck_assert_ptr_nonnull(feed);
    confirming = (struct cpi_confirming){0};
    confirmed = 0;
    ck_assert_int_eq(cpi_requests_init(&requests, 1, NULL), CP_OK);
    cpi_requests_set_listening(&requests, true);
    cpi_requests_resync(&requests, CPI_ALL_ENTITIES, CP_CAUSE_START);
    run();
}

static void teardown(void)
{
    cpi_requests_fini(&requests);
    cpi_stats_fini(&stats);
    cpi_live_feed_destroy(feed);
    for (int i = 0; i < LANES; i++) {
        cpi_lane_fini(&items[i], entities);
    }
}

static bool put(void)
{
    int64_t number = cpi_confirming_put(&confirming, &requests);
    if (number != 0) {
        cpi_live_feed_position(feed, number);
    }
    ck_assert(cpi_live_feed_flush(feed));
    return number != 0;
}

/* The number of the position that has come through a lane, which passes it; 0: none. */
static int64_t pass_telling(int lane, bool is_all)
{
    struct cpi_events none = {0};
    struct cpi_event event;
    if (cpi_lane_get(&items[lane], CPI_RING_LIVE, &event, 1) == 0) {
        return 0;
    }
    ck_assert_uint_eq(event.entity, CPI_POSITION);
    cpi_lane_pass_position(&items[lane], event.id.number, &none, is_all);
    return event.id.number;
}

static int64_t pass(int lane)
{
    return pass_telling(lane, true);
}

/* What is confirmed now; 0: nothing. */
static uint64_t look(void)
{
    confirmed = 0;
    cpi_confirming_look(&confirming, &requests, &lanes, &source);
    return confirmed;
}

static void let_time_pass(void)
{
    confirming.at_ms -= PUT_EVERY_MS;
}

START_TEST(what_every_lane_has_passed_is_confirmed)
{
    ck_assert_uint_eq(look(), 0);
    cpi_confirming_offer(&confirming, 100);
    ck_assert_uint_eq(look(), 0);
    ck_assert(put());
    ck_assert_uint_eq(look(), 0);
    ck_assert_int_ne(pass(1), 0);
    ck_assert_uint_eq(look(), 0);
    ck_assert_int_ne(pass(0), 0);
    ck_assert_uint_eq(look(), 100);
    ck_assert_uint_eq(look(), 0); /* once */
}
END_TEST

START_TEST(nothing_new_is_not_put)
{
    ck_assert(!put());
    cpi_confirming_offer(&confirming, 0);
    ck_assert(!put());
    cpi_confirming_offer(&confirming, 100);
    cpi_confirming_offer(&confirming, 0); /* takes nothing back */
    ck_assert(put());
}
END_TEST

START_TEST(one_at_a_time_and_then_the_newest)
{
    cpi_confirming_offer(&confirming, 100);
    ck_assert(put());
    let_time_pass();
    cpi_confirming_offer(&confirming, 110);
    cpi_confirming_offer(&confirming, 120);
    ck_assert(!put());
    pass(0);
    let_time_pass();
    ck_assert(!put()); /* the other lane's is missing */
    pass(1);
    ck_assert_int_eq(pass(0), 0);
    ck_assert_uint_eq(look(), 100);
    ck_assert(put());
    pass(0);
    pass(1);
    ck_assert_uint_eq(look(), 120);
}
END_TEST

START_TEST(not_more_often_than_every_250_ms)
{
    int64_t before_ms = cpi_now_ms();
    cpi_confirming_offer(&confirming, 100);
    ck_assert(put());
    int64_t after_ms = cpi_now_ms();
    ck_assert_int_ge(confirming.at_ms, before_ms + PUT_EVERY_MS);
    ck_assert_int_le(confirming.at_ms, after_ms + PUT_EVERY_MS);
    pass(0);
    pass(1);
    ck_assert_uint_eq(look(), 100);

    cpi_confirming_offer(&confirming, 110);
    confirming.at_ms = cpi_now_ms() + 60000; /* not yet, however slow this is */
    ck_assert(!put());
    ck_assert_int_gt(cpi_confirming_due_ms(&confirming), 50);
    confirming.at_ms = cpi_now_ms();
    ck_assert_int_eq(cpi_confirming_due_ms(&confirming), 0);
    ck_assert(put());
}
END_TEST

START_TEST(says_when_there_is_something_to_do)
{
    ck_assert_int_eq(cpi_confirming_due_ms(&confirming), -1);
    cpi_confirming_offer(&confirming, 100);
    ck_assert_int_eq(cpi_confirming_due_ms(&confirming), 0);
    ck_assert(put());
    ck_assert_int_gt(cpi_confirming_due_ms(&confirming), 0); /* to look at the lanes */
    pass(0);
    pass(1);
    look();
    ck_assert_int_eq(cpi_confirming_due_ms(&confirming), -1);
}
END_TEST

/* The source has been opened anew, and brings it again. */
START_TEST(a_forgotten_one_is_not_confirmed)
{
    cpi_confirming_offer(&confirming, 900);
    ck_assert(put());
    cpi_confirming_offer(&confirming, 910);
    cpi_confirming_forget(&confirming);
    ck_assert_int_eq(cpi_confirming_due_ms(&confirming), -1);
    pass(0);
    pass(1);
    ck_assert_uint_eq(look(), 0);
    let_time_pass();
    ck_assert(!put());
}
END_TEST

/* That it passes late does not confirm the next one, not even with a smaller position. */
START_TEST(a_forgotten_one_does_not_stand_for_the_next)
{
    cpi_confirming_offer(&confirming, 900);
    ck_assert(put());
    cpi_confirming_forget(&confirming);
    let_time_pass();
    cpi_confirming_offer(&confirming, 100);
    ck_assert(put());
    int64_t first = pass(0);
    ck_assert_int_eq(pass(1), first);
    ck_assert_uint_eq(look(), 0);
    ck_assert_int_gt(pass(0), first);
    ck_assert_uint_eq(look(), 0);
    ck_assert_int_gt(pass(1), first);
    ck_assert_uint_eq(look(), 100);
}
END_TEST

START_TEST(it_is_complete_if_all_lanes_tell_what_fails)
{
    for (int telling = 0; telling < 4; telling++) {
        cpi_confirming_offer(&confirming, 100);
        ck_assert(put());
        pass_telling(0, (telling & 1) != 0);
        pass_telling(1, (telling & 2) != 0);
        ck_assert_uint_eq(look(), 100);
        ck_assert(complete == (telling == 3));
        let_time_pass();
    }
}
END_TEST

/* What a resync lists may be parked after a lane has told what fails. */
START_TEST(it_is_not_complete_if_a_resync_was_owed_meanwhile)
{
    enum { NEVER, BEFORE, BETWEEN, AFTER, ENDED_BETWEEN, CASES };
    for (int when = NEVER; when < CASES; when++) {
        cpi_confirming_offer(&confirming, 100);
        if (when == BEFORE) {
            cpi_requests_resync(&requests, 0, CP_CAUSE_OVERFLOW);
        }
        ck_assert(put());
        if (when == BEFORE || when == BETWEEN || when == ENDED_BETWEEN) {
            cpi_requests_resync(&requests, 0, CP_CAUSE_OVERFLOW);
        }
        if (when == BEFORE || when == ENDED_BETWEEN) {
            run();
        }
        pass(0);
        pass(1);
        if (when == AFTER) {
            cpi_requests_resync(&requests, 0, CP_CAUSE_OVERFLOW);
        }
        ck_assert_uint_eq(look(), 100);
        ck_assert(complete == (when == NEVER));
        run();
        let_time_pass();
    }
}
END_TEST

Suite *confirming_suite(void)
{
    Suite *suite = suite_create("confirming");
    TCase *tcase = tcase_create("confirming");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_every_lane_has_passed_is_confirmed);
    tcase_add_test(tcase, nothing_new_is_not_put);
    tcase_add_test(tcase, one_at_a_time_and_then_the_newest);
    tcase_add_test(tcase, not_more_often_than_every_250_ms);
    tcase_add_test(tcase, says_when_there_is_something_to_do);
    tcase_add_test(tcase, it_is_complete_if_all_lanes_tell_what_fails);
    tcase_add_test(tcase, it_is_not_complete_if_a_resync_was_owed_meanwhile);
    tcase_add_test(tcase, a_forgotten_one_is_not_confirmed);
    tcase_add_test(tcase, a_forgotten_one_does_not_stand_for_the_next);
    suite_add_tcase(suite, tcase);
    return suite;
}
