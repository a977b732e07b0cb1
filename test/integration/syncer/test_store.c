/* A store of the host's own in Redis' place: all that is kept in Redis else is kept in a table of the test's. */
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 400, TTL_S = 77 };

static struct table table;

static void begin(void)
{
    table_init(&table);
}

static void end(void)
{
    table_fini(&table);
}

/* Where no Redis is, so that whoever wants one fails. */
static struct fixture *open_with_table(void)
{
    struct fixture *f = fixture_open();
    f->store = &table.store;
    snprintf(f->redis_address, sizeof f->redis_address, "127.0.0.1:1");
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    return f;
}

static const char *key_of(struct fixture *f, const char *id)
{
    static char key[160];
    snprintf(key, sizeof key, "%s:%s", f->prefix, id);
    return key;
}

static void expect_table(struct fixture *f)
{
    WAIT_UNTIL(table_is_equal(f, &table, "", "", 0));
}

static uint64_t cause(const cp_syncer *syncer, cp_cause of)
{
    return stats_of(syncer).causes[of];
}

/* ---- what it is for ---- */

static const char with_ttl[] =
    "{\"entities\": [{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"id_type\": \"integer\", \"ttl_s\": 77,"
    " \"channels\": [\"customer_created\", \"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS
    " \"fetch_many\": \"customer_get_many\", \"list\": \"select id_customer from customer\"}]}";

static void count_same(void *context, const cp_document *document)
{
    struct fixture *f = context;
    char held[4096];
    bool is_there = table_read(&table, document->key, held, sizeof held);
    bool is_same =
        is_there == document->exists &&
        (!is_there || (strlen(held) == document->bytes && !memcmp(held, document->document, document->bytes)));
    atomic_fetch_add(is_same ? (_Atomic int *)f->settled_context : &f->thread_fault, 1);
}

START_TEST(it_is_filled_and_follows)
{
    struct fixture *f = open_with_table();
    cp_error err = {0};
    cp_ticket ticket = 0;
    _Atomic int told = 0;
    f->settled = count_same;
    f->settled_context = &told;
    cp_syncer *syncer = run_syncer(f, with_ttl, NO_SETTINGS);
    REQUIRE(table_is_equal(f, &table, "", "", 0));
    REQUIRE_INT(table_ttl(&table, key_of(f, "7")), ==, TTL_S);
    REQUIRE_INT(atomic_load(&told), ==, CUSTOMERS);
    sql(f, "update customer set name = 'other' where id_customer % 3 = 0; delete from customer where id_customer = 8;"
           "insert into customer (id_customer, name) values (4711, 'new')");
    REQUIRE_OK(cp_syncer_ticket(syncer, &ticket, &err), err);
    REQUIRE_OK(cp_syncer_wait(syncer, ticket, timeout_ms(), &err), err);
    REQUIRE(table_is_equal(f, &table, "", "", 0));
    REQUIRE_INT(stats_of(syncer).redis_connections, ==, 0);
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
    REQUIRE_INT(count_logged(f, "to the test's table, entity customer"), ==, 1);
    stop_syncer(f, syncer);
    REQUIRE_INT(table.opened, ==, table.closed);
    fixture_close(f);
}
END_TEST

START_TEST(a_resync_removes_what_has_no_document)
{
    struct fixture *f = open_with_table();
    table_put(&table, key_of(f, "9001"), "from before");
    table_put(&table, key_of(f, "17:cart"), "somebody else's");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("max_delete_percent", "10"));
    WAIT_UNTIL(table_is_equal(f, &table, "", "", 1));
    for (int id = 10000; id < 10300; id++) {
        char text[16];
        snprintf(text, sizeof text, "%d", id);
        table_put(&table, key_of(f, text), "too many");
    }
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(count_logged(f, "more than max_delete_percent (10)") >= 1);
    REQUIRE(table_is_equal(f, &table, "", "", 301));
    sql(f, "select announce('customer_updated', '*')");
    WAIT_UNTIL(table_is_equal(f, &table, "", "", 1));
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(flush_empties_it_first)
{
    struct fixture *f = open_with_table();
    table_put(&table, key_of(f, "9001:left"), "over");
    table_put(&table, "another:1", "stays");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("flush", "true"));
    REQUIRE(table_is_equal(f, &table, "", "", 0));
    REQUIRE_INT(table_count(&table, "another:"), ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what may come of a call ---- */

static void note_why(void *context, const cp_parked *parked)
{
    snprintf(context, 512, "%s %s", parked->id, parked->why);
}

static void require_parked(cp_syncer *syncer, const char *expected)
{
    char why[512] = "";
    cp_error err = {0};
    uint64_t more = 0;
    WAIT_UNTIL(stats_of(syncer).failing == 1);
    REQUIRE_OK(cp_syncer_parked(syncer, note_why, why, &more, &err), err);
    REQUIRE_CONTAINS(why, expected);
    REQUIRE_INT(cp_syncer_enqueue_wait(syncer, "customer", "7", timeout_ms(), &err), ==, CP_ERR_PARKED);
    REQUIRE_CONTAINS(err.message, "no room for this one");
}

static void refuse_one(bool late)
{
    struct fixture *f = open_with_table();
    table_refuse(&table, key_of(f, "7"), late);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(table_count(&table, key_of(f, "")), ==, CUSTOMERS - 1);
    require_parked(syncer, "7 store: no room for this one");
    sql(f, "update customer set name = 'served' where id_customer <> 7");
    char held[1024];
    WAIT_UNTIL(table_read(&table, key_of(f, "8"), held, sizeof held) && strstr(held, "served") != NULL);
    table_refuse(&table, "", late);
    expect_table(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(a_refused_document_is_parked)
{
    refuse_one(false);
}
END_TEST

START_TEST(one_that_is_refused_late_is_parked)
{
    refuse_one(true);
}
END_TEST

START_TEST(a_busy_store_is_waited_for)
{
    struct fixture *f = open_with_table();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    table_put_off(&table, 6);
    sql(f, "update customer set name = 'in time'; delete from customer where id_customer = 8");
    expect_table(f);
    REQUIRE_INT(stats_of(syncer).retries, >, 0);
    REQUIRE_INT(stats_of(syncer).reconnects, ==, 0);
    REQUIRE_INT(count_logged(f, "set aside"), ==, 0);
    REQUIRE_INT(count_logged(f, "store: the table is busy"), >=, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(what_was_lost_is_repeated)
{
    struct fixture *f = open_with_table();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int round = 0; round < 6; round++) {
        uint64_t reconnects = stats_of(syncer).reconnects;
        table_lose(&table, 2, round % 2 == 0);
        sqlf(f, "update customer set name = 'round %d'; delete from customer where id_customer = %d", round, round + 1);
        expect_table(f);
        REQUIRE_INT(stats_of(syncer).reconnects, >, reconnects);
    }
    table_go_wild(&table);
    sql(f, "update customer set name = 'after a wild answer'");
    expect_table(f);
    REQUIRE_INT(count_logged(f, "store: 77 is no cp_store_answer"), >=, 1);
    REQUIRE_INT(count_logged(f, "set aside"), ==, 0);
    stop_syncer(f, syncer);
    REQUIRE_INT(table.opened, ==, table.closed);
    fixture_close(f);
}
END_TEST

START_TEST(a_start_fails_where_it_does_not_open)
{
    struct fixture *f = open_with_table();
    cp_error err = {0};
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    table.opens = CP_STORE_REFUSED;
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_REDIS);
    REQUIRE_CONTAINS(err.message, "store: the table is locked");
    REQUIRE(!err.retriable);
    table.opens = CP_STORE_LOST;
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_REDIS);
    REQUIRE(err.retriable);
    table.opens = CP_STORE_DONE;
    start_syncer(syncer);
    wait_ready(syncer);
    REQUIRE(table_is_equal(f, &table, "", "", 0));
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- the marker, and where it goes on ---- */

START_TEST(what_it_loses_is_read_again)
{
    struct fixture *f = open_with_table();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    table_empty(&table);
    expect_table(f);
    REQUIRE_INT(cause(syncer, CP_CAUSE_REDIS), ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Over wal: its checkpoint is in the table as well, and goes with it. */
START_TEST(a_restart_goes_on_where_it_was)
{
    struct fixture *f = open_with_table();
    if (is_over_wal()) {
        cp_syncer *first = run_syncer(f, NULL, NO_SETTINGS);
        WAIT_UNTIL(table_count(&table, "cachepusher:marker:") == 1);
        stop_syncer(f, first);
        sql(f, "update customer set name = 'meanwhile' where id_customer = 7");
        cp_syncer *second = run_syncer(f, NULL, NO_SETTINGS);
        expect_table(f);
        REQUIRE_INT(cause(second, CP_CAUSE_RESUME), ==, 1);
        REQUIRE_INT(stats_of(second).stored, <, 10);
        stop_syncer(f, second);
        table_empty(&table);
        cp_syncer *third = run_syncer(f, NULL, NO_SETTINGS);
        expect_table(f);
        REQUIRE_INT(cause(third, CP_CAUSE_START), ==, 1);
        stop_syncer(f, third);
    }
    fixture_close(f);
}
END_TEST

/* ---- one writer ---- */

START_TEST(a_standby_takes_over)
{
    struct fixture *f = open_with_table();
    cp_syncer *first = run_syncer(f, NULL, NO_SETTINGS);
    cp_syncer *second = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "standing by") == 1);
    table_put(&table, key_of(f, "9001"), "unheard");
    stop_syncer(f, first);
    wait_ready(second);
    expect_table(f);
    sql(f, "update customer set name = 'by the second'");
    expect_table(f);
    REQUIRE_INT(stats_of(second).stored, >=, 2 * CUSTOMERS);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Its sessions are lost, and told anew whose they are. */
START_TEST(a_writer_that_is_fenced_off_asks_again)
{
    struct fixture *f = open_with_table();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    unsigned fenced = table_look(&table, &table.fenced);
    table_steal(&table);
    sql(f, "update customer set name = 'after that'");
    expect_table(f);
    REQUIRE_INT(table_look(&table, &table.fenced), >, fenced);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- verification ---- */

static cp_verify_result verify(cp_syncer *syncer, bool repair)
{
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_verify_options options = {.size = sizeof options, .repair = repair, .recheck_ms = 200 * slowness()};
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    return result;
}

static void damage(struct fixture *f)
{
    table_put(&table, key_of(f, "1"), NULL);
    table_put(&table, key_of(f, "2"), "tampered with");
    table_put(&table, key_of(f, "9001"), "an orphan");
}

START_TEST(verification_finds_and_repairs)
{
    struct fixture *f = open_with_table();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    cp_verify_result result = verify(syncer, false);
    REQUIRE_INT(result.equal, ==, CUSTOMERS);
    REQUIRE_INT(result.missing + result.different + result.orphans, ==, 0);
    damage(f);
    result = verify(syncer, true);
    REQUIRE_INT(result.missing, ==, 1);
    REQUIRE_INT(result.different, ==, 1);
    REQUIRE_INT(result.orphans, ==, 1);
    REQUIRE_INT(result.repaired, ==, 3);
    REQUIRE(table_is_equal(f, &table, "", "", 0));
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(the_auditor_repairs)
{
    struct fixture *f = open_with_table();
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("audit_per_second", "1000"));
    damage(f);
    expect_table(f);
    REQUIRE_INT(stats_of(syncer).stale, ==, 3);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- health ---- */

/* A worker that is in the store for longer than one may be silent elsewhere. */
static bool waits_for_store(const cp_syncer *syncer, uint64_t ms)
{
    cp_thread thread = {.size = sizeof thread};
    return cp_syncer_thread(syncer, 0, &thread, NULL) == CP_OK && thread.waits_for == CP_WAIT_STORE &&
           thread.for_ms >= ms && !thread.stuck;
}

START_TEST(who_waits_in_it_is_degraded_and_not_dead)
{
    struct fixture *f = open_with_table();
    cp_health health = {.size = sizeof health};
    cp_error err = {0};
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    table_hold(&table);
    sql(f, "update customer set name = 'held' where id_customer = 7");
    WAIT_UNTIL(waits_for_store(syncer, 4500));
    REQUIRE_OK(cp_syncer_health(syncer, &health, &err), err);
    REQUIRE(health.alive && !health.ready);
    REQUIRE_INT(health.state, ==, CP_STATE_DEGRADED);
    REQUIRE_CONTAINS(health.why, "the store has not answered cp-worker-0 for ");
    table_release(&table);
    expect_table(f);
    WAIT_UNTIL(cp_syncer_health(syncer, &health, &err) == CP_OK && health.ready);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, it_is_filled_and_follows);
    tcase_add_test(tcase, a_resync_removes_what_has_no_document);
    tcase_add_test(tcase, flush_empties_it_first);
    tcase_add_test(tcase, a_refused_document_is_parked);
    tcase_add_test(tcase, one_that_is_refused_late_is_parked);
    tcase_add_test(tcase, a_busy_store_is_waited_for);
    tcase_add_test(tcase, what_was_lost_is_repeated);
    tcase_add_test(tcase, a_start_fails_where_it_does_not_open);
    tcase_add_test(tcase, what_it_loses_is_read_again);
    tcase_add_test(tcase, a_restart_goes_on_where_it_was);
    tcase_add_test(tcase, a_standby_takes_over);
    tcase_add_test(tcase, a_writer_that_is_fenced_off_asks_again);
    tcase_add_test(tcase, verification_finds_and_repairs);
    tcase_add_test(tcase, the_auditor_repairs);
    tcase_add_test(tcase, who_waits_in_it_is_degraded_and_not_dead);
    suite_add_tcase(suite, tcase);
    return suite;
}
