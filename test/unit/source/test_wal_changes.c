/* Transactions of a stream: when their events go on, and how far the position may move. */
#include "suites.h"

#include "source/wal_fixture.h"

#include <stdio.h>

static struct wal_fixture wal;

static void setup(void)
{
    wal_fixture_init(&wal);
    wal_relations(&wal);
}

static void teardown(void)
{
    wal_fixture_fini(&wal);
}

static void transaction(uint32_t xid, uint64_t end_lsn, const char *row)
{
    wal_begin(&wal, xid);
    wal_insert(&wal, CUSTOMER, row);
    wal_commit(&wal, end_lsn);
}

static void assert_position(uint64_t position)
{
    ck_assert_uint_eq(wal.changes.position, position);
}

/* ---- what is seen ---- */

START_TEST(nothing_arrives_before_it_is_seen)
{
    ck_assert(!cpi_wal_changes_wait(&wal.changes));
    wal_begin(&wal, 10);
    ck_assert(cpi_wal_changes_wait(&wal.changes));
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_truncate(&wal, NOTE, 0);
    wal_commit(&wal, 100);
    wal_assert_arrived(&wal, "");
    wal_see(&wal, "10:10:");
    wal_see(&wal, "10:12:10,11");
    wal_assert_arrived(&wal, "");
    ck_assert(cpi_wal_changes_wait(&wal.changes));
    assert_position(1);

    wal_see(&wal, "11:12:11");
    wal_assert_arrived(&wal, "customer 1, note everything");
    ck_assert(!cpi_wal_changes_wait(&wal.changes));
    assert_position(100);
    wal_see(&wal, "12:12:");
    wal_assert_arrived(&wal, ""); /* once */
}
END_TEST

START_TEST(those_behind_do_not_wait_but_the_position_does)
{
    transaction(10, 100, "1,a");
    transaction(11, 110, "2,a");
    transaction(12, 120, "3,a");
    transaction(13, 130, "4,a");
    wal_see(&wal, "10:14:10,12");
    wal_assert_arrived(&wal, "customer 2, customer 4");
    ck_assert(cpi_wal_changes_wait(&wal.changes));
    assert_position(1);
    transaction(9, 140, "5,a"); /* seen before it came */
    wal_assert_arrived(&wal, "customer 5");
    assert_position(1);

    wal_see(&wal, "12:14:12");
    wal_assert_arrived(&wal, "customer 1");
    assert_position(110);
    wal_see(&wal, "14:14:");
    wal_assert_arrived(&wal, "customer 3");
    assert_position(140);
    ck_assert(!cpi_wal_changes_wait(&wal.changes));
}
END_TEST

START_TEST(one_that_is_visible_hands_on_at_once)
{
    wal_see(&wal, "20:20:");
    wal_begin(&wal, 10);
    ck_assert(!cpi_wal_changes_wait(&wal.changes));
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_assert_arrived(&wal, "customer 1");
    wal_truncate(&wal, CUSTOMER, 0);
    wal_assert_arrived(&wal, "customer everything");
    assert_position(1); /* its end has not come */
    wal_commit(&wal, 100);
    wal_assert_arrived(&wal, "");
    assert_position(100);
}
END_TEST

/* The messages of a large one come in several reads. */
START_TEST(one_that_is_seen_on_its_way_hands_on_the_rest_at_once)
{
    wal_begin(&wal, 10);
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_see(&wal, "11:11:");
    wal_assert_arrived(&wal, "customer 1");
    assert_position(1);
    wal_insert(&wal, CUSTOMER, "2,a");
    wal_assert_arrived(&wal, "customer 2");
    wal_commit(&wal, 100);
    assert_position(100);
}
END_TEST

START_TEST(numbers_of_transactions_wrap)
{
    transaction(UINT32_MAX, 100, "1,a");
    transaction(3, 110, "2,a");
    wal_see(&wal, "4294967295:4294967299:4294967295"); /* 2^32 - 1 runs, 2^32 + 2 is the last */
    wal_assert_arrived(&wal, "");
    wal_see(&wal, "4294967295:4294967300:4294967295");
    wal_assert_arrived(&wal, "customer 2");
    wal_see(&wal, "4294967300:4294967300:");
    wal_assert_arrived(&wal, "customer 1");
    assert_position(110);
}
END_TEST

START_TEST(a_snapshot_that_cannot_be_read_shows_nothing)
{
    cp_error err = {0};
    wal_see(&wal, "20:20:");
    ck_assert_int_eq(cpi_wal_changes_see(&wal.changes, "20:", &wal.arrivals, &err), CP_ERR_POSTGRES);
    ck_assert(err.retriable);
    transaction(10, 100, "1,a");
    wal_assert_arrived(&wal, "");
    assert_position(1);
}
END_TEST

/* ---- the position ---- */

START_TEST(keepalives_move_the_position_while_nothing_is_held)
{
    cpi_wal_changes_keepalive(&wal.changes, 50);
    assert_position(50);
    cpi_wal_changes_keepalive(&wal.changes, 40);
    assert_position(50);
    transaction(10, 100, "1,a");
    cpi_wal_changes_keepalive(&wal.changes, 200);
    assert_position(50);
    wal_see(&wal, "11:11:");
    assert_position(100);
    cpi_wal_changes_keepalive(&wal.changes, 200);
    assert_position(200);

    wal_begin(&wal, 5); /* visible, but its end has not come */
    cpi_wal_changes_keepalive(&wal.changes, 300);
    assert_position(200);
    wal_commit(&wal, 250);
    cpi_wal_changes_keepalive(&wal.changes, 300);
    assert_position(300);
}
END_TEST

START_TEST(the_position_does_not_go_back)
{
    wal_see(&wal, "20:20:");
    cpi_wal_changes_keepalive(&wal.changes, 500);
    transaction(10, 100, "1,a");
    assert_position(500);
}
END_TEST

/* ---- out of turn ---- */

START_TEST(a_transaction_in_another_is_refused)
{
    wal_begin(&wal, 10);
    wal_refuses_begin(&wal, 11);
}
END_TEST

START_TEST(an_end_without_a_beginning_is_refused)
{
    wal_refuses_commit(&wal, 100);
    transaction(10, 110, "1,a");
    wal_refuses_commit(&wal, 120);
    assert_position(1);
}
END_TEST

START_TEST(what_is_no_message_is_refused)
{
    cp_error err = {0};
    ck_assert_int_eq(cpi_wal_changes_take(&wal.changes, "B", 1, &wal.arrivals, &err), CP_ERR_POSTGRES);
}
END_TEST

START_TEST(a_new_stream_forgets_what_was_held)
{
    wal_see(&wal, "20:20:");
    transaction(30, 100, "1,a");
    transaction(10, 110, "2,a");
    wal_begin(&wal, 31);
    wal_message(&wal, "cachepusher:note", "held back");
    wal_message(&wal, "cachepusher:own", "5");
    wal_assert_arrived(&wal, "customer 2");

    cpi_wal_changes_begin(&wal.changes, 40);
    assert_position(40);
    ck_assert(!cpi_wal_changes_wait(&wal.changes));
    wal_refuses_commit(&wal, 120);
    transaction(10, 100, "1,a"); /* the snapshot was another server's, perhaps */
    wal_assert_arrived(&wal, "");
    wal_see(&wal, "40:40:");
    wal_assert_arrived(&wal, "customer 1"); /* the tables are still known */
    assert_position(100);
}
END_TEST

/* ---- large ones ---- */

static void insert_range(int first, int n)
{
    for (int id = first; id < first + n; id++) {
        char row[32];
        snprintf(row, sizeof row, "%d,a", id);
        wal_insert(&wal, CUSTOMER, row);
    }
}

START_TEST(more_than_512_events_of_one_are_a_crowd)
{
    enum { ONE_EACH = 512, MORE = 40 };
    size_t of_crowd = 0;
    bool is_visible = _i == 1;
    wal_see(&wal, is_visible ? "20:20:" : "5:5:");
    wal_begin(&wal, 10);
    insert_range(1, ONE_EACH + MORE);
    wal_commit(&wal, 100);
    transaction(11, 110, "9999,a"); /* counted by itself */
    wal_see(&wal, "20:20:");
    struct cpi_event last = wal.arrivals.events.items[ONE_EACH + MORE];
    ck_assert(last.id.number == 9999 && !last.in_crowd);
    ck_assert(!wal.arrivals.events.items[ONE_EACH - 1].in_crowd);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), ONE_EACH + MORE + 1);
    ck_assert_uint_eq(of_crowd, MORE);
    wal_assert_arrived(&wal, "");
}
END_TEST

START_TEST(more_than_max_pending_held_back_are_lost)
{
    size_t of_crowd = 0;
    wal_begin(&wal, 10);
    insert_range(1, MAX_PENDING);
    wal_commit(&wal, 100);
    wal_see(&wal, "11:11:");
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING);
    wal_assert_arrived(&wal, "");

    wal_begin(&wal, 12);
    insert_range(1, MAX_PENDING);
    wal_message(&wal, "cachepusher:note", "too much"); /* the transaction is as large with any entity's */
    wal_commit(&wal, 110);
    wal_assert_arrived(&wal, "");
    wal_see(&wal, "13:13:");
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING);
    wal_assert_arrived(&wal, "note lost");
    assert_position(110);

    wal_begin(&wal, 9); /* visible: nothing is kept back */
    insert_range(1, MAX_PENDING + 1);
    wal_commit(&wal, 120);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING + 1);
    wal_assert_arrived(&wal, "");
}
END_TEST

/* However many transactions wait: a synchronous standby that is away holds back as many as there are sessions. */
START_TEST(what_all_transactions_hold_back_is_bounded)
{
    size_t of_crowd = 0;
    for (uint32_t i = 0; i < 4; i++) {
        wal_begin(&wal, 10 + i);
        insert_range(1, MAX_PENDING / 2);
        wal_commit(&wal, 100 + i);
    }
    wal_see(&wal, "11:14:11,12,13"); /* makes room */
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING / 2);
    wal_assert_arrived(&wal, "");
    wal_begin(&wal, 14);
    insert_range(1, MAX_PENDING);
    wal_commit(&wal, 110);
    wal_see(&wal, "14:15:14");
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING / 2);
    wal_assert_arrived(&wal, "customer lost");
    wal_see(&wal, "15:15:");
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING / 2);
    wal_assert_arrived(&wal, "customer lost");

    wal_begin(&wal, 20);
    insert_range(1, MAX_PENDING);
    cpi_wal_changes_begin(&wal.changes, 100); /* what is forgotten makes room, too */
    wal_begin(&wal, 20);
    insert_range(1, MAX_PENDING);
    wal_commit(&wal, 120);
    wal_see(&wal, "21:21:");
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING);
    wal_assert_arrived(&wal, "");
}
END_TEST

/* ---- barriers ---- */

START_TEST(a_barrier_waits_for_the_end_of_its_transaction)
{
    wal_see(&wal, "20:20:");
    wal_begin(&wal, 10);
    wal_message(&wal, "cachepusher:own", "7");
    wal_assert_arrived(&wal, "");
    wal_commit(&wal, 100);
    wal_assert_arrived(&wal, "barrier 7");
}
END_TEST

START_TEST(a_barrier_waits_until_it_is_seen)
{
    wal_begin(&wal, 10);
    wal_message(&wal, "cachepusher:own", "7");
    wal_commit(&wal, 100);
    wal_begin(&wal, 11);
    wal_message(&wal, "cachepusher:own", "8");
    wal_assert_arrived(&wal, "");
    wal_see(&wal, "11:12:11");
    wal_assert_arrived(&wal, "barrier 7");
    wal_see(&wal, "12:12:"); /* seen, but its end has not come */
    wal_assert_arrived(&wal, "");
    wal_commit(&wal, 110);
    wal_assert_arrived(&wal, "barrier 8");
}
END_TEST

START_TEST(the_newest_barrier_stands)
{
    for (uint32_t number = 0; number < 3; number++) {
        char text[8];
        snprintf(text, sizeof text, "%u", 9 - number);
        wal_begin(&wal, 10 + number);
        wal_message(&wal, "cachepusher:own", text);
        wal_commit(&wal, 100 + number);
    }
    wal_see(&wal, "20:20:");
    wal_assert_arrived(&wal, "barrier 9");
}
END_TEST

START_TEST(only_the_own_channel_has_barriers)
{
    wal_see(&wal, "20:20:");
    wal_begin(&wal, 10);
    wal_message(&wal, "cachepusher:other", "7");
    wal_message(&wal, "own", "8");
    wal_message(&wal, "cachepusher:customer", "9");
    wal_commit(&wal, 100);
    wal_assert_arrived(&wal, "customer 9");
}
END_TEST

Suite *wal_changes_suite(void)
{
    Suite *suite = suite_create("wal_changes");
    TCase *tcase = tcase_create("wal_changes");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_arrives_before_it_is_seen);
    tcase_add_test(tcase, those_behind_do_not_wait_but_the_position_does);
    tcase_add_test(tcase, one_that_is_visible_hands_on_at_once);
    tcase_add_test(tcase, one_that_is_seen_on_its_way_hands_on_the_rest_at_once);
    tcase_add_test(tcase, numbers_of_transactions_wrap);
    tcase_add_test(tcase, a_snapshot_that_cannot_be_read_shows_nothing);
    tcase_add_test(tcase, keepalives_move_the_position_while_nothing_is_held);
    tcase_add_test(tcase, the_position_does_not_go_back);
    tcase_add_test(tcase, a_transaction_in_another_is_refused);
    tcase_add_test(tcase, an_end_without_a_beginning_is_refused);
    tcase_add_test(tcase, what_is_no_message_is_refused);
    tcase_add_test(tcase, a_new_stream_forgets_what_was_held);
    tcase_add_loop_test(tcase, more_than_512_events_of_one_are_a_crowd, 0, 2);
    tcase_add_test(tcase, more_than_max_pending_held_back_are_lost);
    tcase_add_test(tcase, what_all_transactions_hold_back_is_bounded);
    tcase_add_test(tcase, a_barrier_waits_for_the_end_of_its_transaction);
    tcase_add_test(tcase, a_barrier_waits_until_it_is_seen);
    tcase_add_test(tcase, the_newest_barrier_stands);
    tcase_add_test(tcase, only_the_own_channel_has_barriers);
    suite_add_tcase(suite, tcase);
    return suite;
}
