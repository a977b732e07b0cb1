#include "suites.h"

#include "lease/lease.h"

#include <stdio.h>
#include <string.h>

static struct cpi_lease lease;
static int changes;

static void note_change(void *context)
{
    ck_assert_ptr_eq(context, &changes);
    changes++;
}

static void create(void)
{
    changes = 0;
    cpi_lease_init(&lease, "shop", "0123", note_change, &changes);
}

static void destroy(void)
{
    cpi_lease_fini(&lease);
}

static struct cpi_lease_session session_called(const char *token)
{
    struct cpi_lease_session session = {.group = "abc"};
    snprintf(session.token, sizeof session.token, "%s", token);
    return session;
}

static void begin_term(const char *token)
{
    struct cpi_lease_session session = session_called(token);
    cpi_lease_begin_term(&lease, &session);
}

static void report_loss(const char *token, bool taken)
{
    struct cpi_lease_session session = session_called(token);
    cpi_lease_report_loss(&lease, &session, taken);
}

START_TEST(a_term_begins_with_each_session)
{
    struct cpi_lease_session session;
    ck_assert_int_eq(cpi_lease_state(&lease), CPI_LEASE_NONE);
    ck_assert(!cpi_lease_is_held(&lease));
    ck_assert_uint_eq(cpi_lease_term(&lease), 0);
    begin_term("0123-1");
    ck_assert(cpi_lease_is_held(&lease));
    ck_assert_uint_eq(cpi_lease_term(&lease), 1);
    cpi_lease_set(&lease, CPI_LEASE_NONE);
    ck_assert(!cpi_lease_is_held(&lease));
    ck_assert_uint_eq(cpi_lease_term(&lease), 1);

    /* Of the session before, which still has the lock: the same term, the same name in Redis. */
    cpi_lease_set(&lease, CPI_LEASE_INHERITED);
    ck_assert(cpi_lease_is_held(&lease));
    ck_assert_uint_eq(cpi_lease_term(&lease), 1);
    ck_assert_int_eq(cpi_lease_read(&lease, &session), CPI_LEASE_INHERITED);
    ck_assert_str_eq(session.token, "0123-1");
    begin_term("0123-2");
    ck_assert_uint_eq(cpi_lease_term(&lease), 2);
    ck_assert_int_eq(cpi_lease_read(&lease, &session), CPI_LEASE_HELD);
    ck_assert_str_eq(session.token, "0123-2");
    ck_assert(!cpi_lease_was_taken(&lease));
    ck_assert_int_eq(changes, 4);
}
END_TEST

START_TEST(a_loss_counts_for_the_session_it_is_about)
{
    begin_term("0123-1");
    begin_term("0123-2");
    report_loss("0123-1", true);
    ck_assert_int_eq(cpi_lease_state(&lease), CPI_LEASE_HELD);
    ck_assert(!cpi_lease_was_taken(&lease));
    ck_assert_int_eq(changes, 2);
    report_loss("0123-2", false);
    ck_assert_int_eq(cpi_lease_state(&lease), CPI_LEASE_NONE);
    begin_term("0123-3");
    report_loss("0123-3", true);
    ck_assert_int_eq(cpi_lease_state(&lease), CPI_LEASE_TAKEN);
    ck_assert_int_eq(changes, 5);
}
END_TEST

/* Whoever had it in between may have written, even when nobody has looked meanwhile. */
START_TEST(that_it_was_taken_is_remembered)
{
    cpi_lease_set(&lease, CPI_LEASE_TAKEN);
    cpi_lease_set(&lease, CPI_LEASE_TAKEN);
    ck_assert_int_eq(changes, 1);
    begin_term("0123-1");
    ck_assert(cpi_lease_was_taken(&lease));
}
END_TEST

Suite *lease_suite(void)
{
    Suite *suite = suite_create("lease");
    TCase *tcase = tcase_create("lease");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, a_term_begins_with_each_session);
    tcase_add_test(tcase, a_loss_counts_for_the_session_it_is_about);
    tcase_add_test(tcase, that_it_was_taken_is_remembered);
    suite_add_tcase(suite, tcase);
    return suite;
}
