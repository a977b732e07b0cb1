/* What the ordinary session beside a stream asks next. */
#include "suites.h"

#include "source/wal_fixture.h"
#include "source/wal_session.h"

enum { NOW_MS = 1000000, A_WHILE_MS = 60000 };

static struct wal_fixture wal;
static struct cpi_wal_session session;

static void setup(void)
{
    wal_fixture_init(&wal);
    session = (struct cpi_wal_session){.env = &wal.env, .changes = &wal.changes, .look_at_ms = NOW_MS};
}

static void teardown(void)
{
    wal_fixture_fini(&wal);
}

static enum cpi_wal_question question(int64_t now_ms)
{
    return cpi_wal_session_question(&session, now_ms);
}

START_TEST(what_keeps_documents_waiting_comes_first)
{
    ck_assert_int_eq(question(NOW_MS - 1), CPI_WAL_NOTHING);
    ck_assert_int_eq(question(NOW_MS), CPI_WAL_LOOK);
    wal_begin(&wal, 10);
    session.has_come = true;
    ck_assert_int_eq(question(NOW_MS), CPI_WAL_SNAPSHOT);
    session.has_come = false;
    session.ask_at_ms = NOW_MS + 1;
    ck_assert_int_eq(question(NOW_MS), CPI_WAL_LOOK);
    ck_assert_int_eq(question(NOW_MS + 1), CPI_WAL_SNAPSHOT);
}
END_TEST

/* Transactions that come faster than questions are answered. */
START_TEST(a_load_that_never_rests_keeps_nothing_else_waiting)
{
    wal_begin(&wal, 10);
    session.has_come = true;
    session.barrier = 7;
    ck_assert_int_eq(question(NOW_MS), CPI_WAL_BARRIER);
    session.barrier_at_ms = NOW_MS + A_WHILE_MS; /* it has been asked, and what it waits for is asked now */
    ck_assert_int_eq(question(NOW_MS), CPI_WAL_SNAPSHOT);
    ck_assert_int_eq(question(NOW_MS + A_WHILE_MS - 1), CPI_WAL_LOOK);
}
END_TEST

Suite *wal_session_suite(void)
{
    Suite *suite = suite_create("wal_session");
    TCase *tcase = tcase_create("wal_session");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_keeps_documents_waiting_comes_first);
    tcase_add_test(tcase, a_load_that_never_rests_keeps_nothing_else_waiting);
    suite_add_tcase(suite, tcase);
    return suite;
}
