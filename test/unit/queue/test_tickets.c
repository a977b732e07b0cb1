#include "suites.h"

#include "queue/tickets.h"

static struct cpi_bell bell;
static struct cpi_stop stop;
static struct cpi_tickets tickets;

static void create(void)
{
    ck_assert_int_eq(cpi_bell_init(&bell, NULL), CP_OK);
    ck_assert_int_eq(cpi_stop_init(&stop, NULL), CP_OK);
    cpi_tickets_init(&tickets, &bell);
}

static void destroy(void)
{
    cpi_tickets_fini(&tickets);
    cpi_stop_fini(&stop);
    cpi_bell_fini(&bell);
}

static enum cpi_ticket_state state_of(uint64_t number)
{
    return cpi_tickets_wait(&tickets, &stop, number, 0);
}

START_TEST(those_taken_meanwhile_share_the_next_barrier)
{
    ck_assert_int_eq(cpi_tickets_begin(&tickets), 0);
    ck_assert_uint_eq(cpi_tickets_take(&tickets), 1);
    int64_t first = cpi_tickets_begin(&tickets);
    ck_assert_int_gt(first, 0);
    ck_assert_uint_eq(cpi_tickets_take(&tickets), 2);
    ck_assert_uint_eq(cpi_tickets_take(&tickets), 3);
    ck_assert(!cpi_tickets_wants_barrier(&tickets));
    ck_assert_int_eq(cpi_tickets_begin(&tickets), 0);
    cpi_tickets_pass(&tickets, 0);
    ck_assert(cpi_tickets_is_through(&tickets, 1));
    ck_assert(!cpi_tickets_is_through(&tickets, 2));
    ck_assert(cpi_tickets_wants_barrier(&tickets));
    ck_assert_int_gt(cpi_tickets_begin(&tickets), first);
    cpi_tickets_pass(&tickets, 0);
    ck_assert(cpi_tickets_is_through(&tickets, 3));
    ck_assert(cpi_tickets_knows(&tickets, 3));
    ck_assert(!cpi_tickets_knows(&tickets, 4));
}
END_TEST

START_TEST(a_lost_barrier_is_sent_again_by_another_number)
{
    cpi_tickets_take(&tickets);
    int64_t first = cpi_tickets_begin(&tickets);
    cpi_tickets_lose(&tickets);
    ck_assert_int_eq(cpi_tickets_barrier(&tickets), 0);
    ck_assert_int_gt(cpi_tickets_begin(&tickets), first);
}
END_TEST

/* Later ones owe more resyncs, and do not hold up the first. */
START_TEST(settled_once_what_was_owed_has_been_read)
{
    for (uint64_t i = 1; i <= 3; i++) {
        cpi_tickets_take(&tickets);
        cpi_tickets_begin(&tickets);
        cpi_tickets_pass(&tickets, 10 * i);
    }
    ck_assert(!cpi_tickets_note_repaired(&tickets, 9));
    ck_assert_int_eq(state_of(1), CPI_TICKET_OPEN);
    ck_assert(cpi_tickets_note_repaired(&tickets, 10));
    ck_assert_int_eq(state_of(1), CPI_TICKET_SETTLED);
    ck_assert_int_eq(state_of(2), CPI_TICKET_OPEN);
    ck_assert(!cpi_tickets_note_repaired(&tickets, 29));
    ck_assert(cpi_tickets_note_repaired(&tickets, 30));
    ck_assert_int_eq(state_of(3), CPI_TICKET_SETTLED);
}
END_TEST

START_TEST(whoever_stands_by_knows_only_what_settled_before)
{
    cpi_tickets_take(&tickets);
    cpi_tickets_begin(&tickets);
    cpi_tickets_pass(&tickets, 0);
    cpi_tickets_note_repaired(&tickets, 0);
    cpi_tickets_take(&tickets);
    cpi_tickets_stand_by(&tickets, true);
    ck_assert_int_eq(state_of(1), CPI_TICKET_SETTLED);
    ck_assert_int_eq(cpi_tickets_wait(&tickets, &stop, 2, -1), CPI_TICKET_STANDBY);
    cpi_tickets_stand_by(&tickets, false);
    ck_assert_int_eq(state_of(2), CPI_TICKET_OPEN);
}
END_TEST

Suite *tickets_suite(void)
{
    Suite *suite = suite_create("tickets");
    TCase *tcase = tcase_create("tickets");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, those_taken_meanwhile_share_the_next_barrier);
    tcase_add_test(tcase, a_lost_barrier_is_sent_again_by_another_number);
    tcase_add_test(tcase, settled_once_what_was_owed_has_been_read);
    tcase_add_test(tcase, whoever_stands_by_knows_only_what_settled_before);
    suite_add_tcase(suite, tcase);
    return suite;
}
