/* Transactions of a stream that come in parts, the first of them before their commit. */
#include "suites.h"

#include "source/wal_fixture.h"

#include <stdio.h>

static struct wal_fixture wal;

static void setup(void)
{
    wal_fixture_init(&wal);
    wal_relations(&wal);
    wal_see(&wal, "50:50:");
}

static void teardown(void)
{
    wal_fixture_fini(&wal);
}

static void part(uint32_t xid, const char *row)
{
    wal_start_part(&wal, xid);
    wal_insert(&wal, CUSTOMER, row);
    wal_stop_part(&wal);
}

static void insert_range(int first, int n)
{
    for (int id = first; id < first + n; id++) {
        char row[32];
        snprintf(row, sizeof row, "%d,a", id);
        wal_insert(&wal, CUSTOMER, row);
    }
}

static void assert_position(uint64_t position)
{
    ck_assert_uint_eq(wal.changes.position, position);
}

/* Whatever a snapshot that is no longer true says: this number may have been another transaction's. */
START_TEST(nothing_goes_on_before_the_end)
{
    wal_start_part(&wal, 10);
    wal_relation(&wal, CUSTOMER, "public.customer", "*id 23,name 25");
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_update(&wal, CUSTOMER, "K2,-", "3,a");
    wal_delete(&wal, CUSTOMER, "K4,-");
    wal_truncate(&wal, NOTE, 0);
    wal_message(&wal, "cachepusher:note", "told");
    wal_stop_part(&wal);
    wal_see(&wal, "60:60:");
    wal_assert_arrived(&wal, "");
    ck_assert(!cpi_wal_changes_wait(&wal.changes)); /* nor is there anything to be asked */
    part(10, "5,a");
    wal_assert_arrived(&wal, "");
    wal_commit_parts(&wal, 10, 100);
    wal_assert_arrived(&wal, "customer 1, customer 2, customer 3, customer 4, note told, customer 5, note everything");
    assert_position(100);
}
END_TEST

START_TEST(nor_before_it_is_seen)
{
    part(70, "1,a");
    wal_commit_parts(&wal, 70, 100);
    wal_assert_arrived(&wal, "");
    ck_assert(cpi_wal_changes_wait(&wal.changes));
    assert_position(1);
    wal_see(&wal, "71:71:");
    wal_assert_arrived(&wal, "customer 1");
    assert_position(100);
}
END_TEST

START_TEST(what_is_rolled_back_goes)
{
    part(10, "1,a");
    part(11, "2,a");
    wal_start_part(&wal, 10);
    wal_message(&wal, "cachepusher:own", "7");
    wal_truncate(&wal, CUSTOMER, 0);
    wal_stop_part(&wal);
    wal_abort_parts(&wal, 10, 10);
    wal_abort_parts(&wal, 12, 12); /* nothing of it had come */
    wal_commit_parts(&wal, 11, 100);
    wal_assert_arrived(&wal, "customer 2");
    wal_refuses_commit_parts(&wal, 10, 110);
}
END_TEST

/* Its ids are read without need, and nothing else is lost. */
START_TEST(a_subtransaction_that_is_rolled_back_takes_nothing_along)
{
    part(10, "1,a");
    part(10, "2,a");
    wal_abort_parts(&wal, 10, 12);
    wal_commit_parts(&wal, 10, 100);
    wal_assert_arrived(&wal, "customer 1, customer 2");
}
END_TEST

START_TEST(others_do_not_wait)
{
    part(10, "1,a");
    wal_begin(&wal, 11);
    wal_insert(&wal, CUSTOMER, "2,a");
    wal_commit(&wal, 100);
    wal_assert_arrived(&wal, "customer 2");
    assert_position(100); /* of the other the slot knows that it is open */
    cpi_wal_changes_keepalive(&wal.changes, 120);
    assert_position(120);
    part(10, "3,a");
    part(12, "4,a");
    wal_commit_parts(&wal, 12, 130);
    wal_assert_arrived(&wal, "customer 4");
    wal_commit_parts(&wal, 10, 140);
    wal_assert_arrived(&wal, "customer 1, customer 3");
    assert_position(140);
}
END_TEST

START_TEST(parts_out_of_turn_are_refused)
{
    wal_refuses_commit_parts(&wal, 10, 100);
    part(10, "1,a");
    wal_start_part(&wal, 10);
    wal_refuses_commit(&wal, 100);
    wal_refuses_commit_parts(&wal, 10, 100);
    wal_refuses_begin(&wal, 11);
    wal_stop_part(&wal);
    wal_commit_parts(&wal, 10, 100);
    wal_refuses_commit_parts(&wal, 10, 110);
    wal_assert_arrived(&wal, "customer 1");
}
END_TEST

START_TEST(a_new_stream_forgets_the_parts)
{
    part(10, "1,a");
    wal_start_part(&wal, 11);
    wal.part_of = 0;
    cpi_wal_changes_begin(&wal.changes, 40);
    wal_see(&wal, "50:50:");
    wal_refuses_commit_parts(&wal, 10, 100);
    wal_begin(&wal, 12); /* not within a part any more */
    wal_insert(&wal, CUSTOMER, "2,a");
    wal_commit(&wal, 110);
    wal_assert_arrived(&wal, "customer 2");
}
END_TEST

START_TEST(more_than_max_pending_has_to_come_otherwise)
{
    size_t of_crowd = 0;
    wal_start_part(&wal, 10);
    insert_range(1, MAX_PENDING / 2);
    wal_stop_part(&wal);
    wal_start_part(&wal, 11);
    insert_range(1, MAX_PENDING / 2);
    ck_assert(!wal.changes.has_outgrown);
    wal_refuses_insert(&wal, CUSTOMER, "9000,a");
    ck_assert(wal.changes.has_outgrown);

    wal.part_of = 0;
    cpi_wal_changes_begin(&wal.changes, 40);
    ck_assert(wal.changes.has_outgrown);
    wal_see(&wal, "50:50:");
    wal_begin(&wal, 10);
    insert_range(1, MAX_PENDING + 1);
    wal_commit(&wal, 100);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), MAX_PENDING + 1);
    wal_assert_arrived(&wal, "");
}
END_TEST

/* ---- handing on ---- */

START_TEST(no_more_goes_on_than_there_is_room_for)
{
    size_t of_crowd = 0;
    wal.arrivals.room = 499; /* half of it is left to others */
    wal_start_part(&wal, 10);
    insert_range(1, 600);
    wal_truncate(&wal, NOTE, 0);
    wal_stop_part(&wal);
    wal_commit_parts(&wal, 10, 100);
    ck_assert(cpi_wal_changes_have_more(&wal.changes));
    ck_assert(!cpi_wal_changes_wait(&wal.changes));
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 250);
    ck_assert_uint_eq(of_crowd, 600 - 512); /* the last first */
    cpi_wal_changes_keepalive(&wal.changes, 110);
    assert_position(1);
    wal_assert_arrived(&wal, "note everything");

    wal.arrivals.room = 0;
    cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
    wal_assert_arrived(&wal, "");
    wal.arrivals.room = 1;
    cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 1);
    wal.arrivals.room = 598;
    cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 299);
    assert_position(1);
    cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 50);
    wal_assert_arrived(&wal, ""); /* once */
    ck_assert(!cpi_wal_changes_have_more(&wal.changes));
    assert_position(100);
}
END_TEST

/* Else a document of one row would wait for as long as a million others take (event.h). */
START_TEST(those_of_others_go_before_what_is_left_of_a_crowd)
{
    size_t of_crowd = 0;
    wal.arrivals.room = 100;
    wal_start_part(&wal, 10);
    insert_range(1, 550);
    wal_stop_part(&wal);
    wal_commit_parts(&wal, 10, 100);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 50);
    wal.arrivals.room = 0;
    wal_begin(&wal, 60); /* cannot be seen yet, as a rule */
    wal_insert(&wal, CUSTOMER, "9999,a");
    wal_commit(&wal, 110);
    wal_see(&wal, "61:61:");
    wal_assert_arrived(&wal, "");
    wal.arrivals.room = 4;
    cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
    wal_assert_arrived(&wal, "customer 9999, customer 500");
    assert_position(1);
}
END_TEST

/* What comes whole, is more than may be kept, and cannot be seen yet is left in the server until then. */
START_TEST(much_that_cannot_be_seen_is_not_all_taken)
{
    size_t of_crowd = 0;
    wal_begin(&wal, 60);
    insert_range(1, MAX_PENDING / 2 - 1);
    ck_assert(!cpi_wal_changes_are_full(&wal.changes));
    insert_range(1000, 1);
    ck_assert(cpi_wal_changes_are_full(&wal.changes));
    wal.arrivals.room = 100;
    wal_see(&wal, "61:61:");
    ck_assert(!cpi_wal_changes_are_full(&wal.changes)); /* the rest is waited for by none but the lanes */
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 100);
    wal_commit(&wal, 100);
}
END_TEST

/* A barrier says that all before it has gone on. It was sent when what is visible could be seen; not so for what is
 * not. */
START_TEST(a_barrier_waits_for_what_is_left_before_it)
{
    size_t of_crowd = 0;
    wal.arrivals.room = 100;
    wal_start_part(&wal, 60);
    wal_insert(&wal, CUSTOMER, "9999,a");
    wal_stop_part(&wal);
    wal_commit_parts(&wal, 60, 90); /* is not seen for a while */
    wal_start_part(&wal, 10);
    insert_range(1, 150);
    wal_stop_part(&wal);
    wal_commit_parts(&wal, 10, 100);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 100);
    for (uint32_t i = 0; i < 2; i++) {
        wal_begin(&wal, 11 + i);
        wal_message(&wal, "cachepusher:own", i == 0 ? "7" : "8");
        wal_commit(&wal, 110 + i);
    }
    wal_assert_arrived(&wal, "");
    cpi_wal_changes_hand_on(&wal.changes, &wal.arrivals);
    ck_assert_uint_eq(wal_take_arrived(&wal, &of_crowd), 50);
    wal_assert_arrived(&wal, "barrier 8");
    assert_position(1);
    wal_see(&wal, "61:61:");
    wal_assert_arrived(&wal, "customer 9999");
    assert_position(111);
}
END_TEST

/* It comes with the small transaction of its own, in parts where Postgres has hardly any memory for it. */
START_TEST(a_barrier_may_come_in_parts)
{
    wal_start_part(&wal, 10);
    wal_message(&wal, "cachepusher:own", "7");
    wal_stop_part(&wal);
    wal_assert_arrived(&wal, "");
    wal_commit_parts(&wal, 10, 100);
    wal_assert_arrived(&wal, "barrier 7");
}
END_TEST

Suite *wal_parts_suite(void)
{
    Suite *suite = suite_create("wal_parts");
    TCase *tcase = tcase_create("wal_parts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_goes_on_before_the_end);
    tcase_add_test(tcase, nor_before_it_is_seen);
    tcase_add_test(tcase, what_is_rolled_back_goes);
    tcase_add_test(tcase, a_subtransaction_that_is_rolled_back_takes_nothing_along);
    tcase_add_test(tcase, others_do_not_wait);
    tcase_add_test(tcase, parts_out_of_turn_are_refused);
    tcase_add_test(tcase, a_new_stream_forgets_the_parts);
    tcase_add_test(tcase, more_than_max_pending_has_to_come_otherwise);
    tcase_add_test(tcase, no_more_goes_on_than_there_is_room_for);
    tcase_add_test(tcase, those_of_others_go_before_what_is_left_of_a_crowd);
    tcase_add_test(tcase, much_that_cannot_be_seen_is_not_all_taken);
    tcase_add_test(tcase, a_barrier_waits_for_what_is_left_before_it);
    tcase_add_test(tcase, a_barrier_may_come_in_parts);
    suite_add_tcase(suite, tcase);
    return suite;
}
