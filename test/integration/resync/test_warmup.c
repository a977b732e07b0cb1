#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 12000, FEW = 500 }; /* more than one page of the listing, and than one ring */

static void insert_customers(struct fixture *f, int count)
{
    sqlf(f,
         "insert into customer (id_customer, name, touched_at)"
         " select 3 * i, 'customer ' || i, '2001-01-01' from generate_series(1, %d) i",
         count);
}

static long long count_touched(struct fixture *f)
{
    return sql_number(f, "select count(*) from customer where touched_at > '2001-01-01'");
}

START_TEST(scan_reads_and_writes_nothing)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "scan"));
    require_customers(f);
    cp_stats stats = stats_of(syncer);
    REQUIRE(stats.ready);
    REQUIRE_INT(stats.resync_ids, ==, CUSTOMERS);
    REQUIRE_INT(stats.stored, ==, CUSTOMERS);
    REQUIRE_INT(stats.events, ==, 0);
    REQUIRE_INT(stats.resyncs, ==, 1);
    REQUIRE_INT(stats.pending, ==, 0);
    REQUIRE_INT(stats.fetches, <, CUSTOMERS / 10);
    REQUIRE_INT(stats.bytes, ==,
                sql_number(f, "select sum(octet_length(customer_get(id_customer)::text)) from customer"));
    REQUIRE_INT(count_touched(f), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The burst of notifications is larger than what rings and sets hold: the spill takes the rest. */
START_TEST(touch_lets_the_triggers_announce)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    redis_run(f, "SET %s:1 left-over", f->prefix);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "touch", "threads", "1"));
    require_customers(f);
    cp_stats stats = stats_of(syncer);
    REQUIRE_INT(stats.events, ==, CUSTOMERS);
    REQUIRE_INT(stats.resync_ids, ==, 1);
    REQUIRE_INT(stats.overflows, ==, 0);
    REQUIRE_INT(count_touched(f), ==, CUSTOMERS);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Not when every id is under way, but when each has settled. */
static void expect_no_haste(struct fixture *f, const char *warmup)
{
    PGconn *holder = connect_again(f);
    cp_error err = {0};
    hold_fetches(holder);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("warmup", warmup));
    start_syncer(syncer);
    WAIT_UNTIL(stats_of(syncer).events + stats_of(syncer).resync_ids == FEW);
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 300, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE(!stats_of(syncer).ready);
    release_fetches(holder);
    disconnect(f, holder);
    wait_ready(syncer);
    require_customers(f);
    stop_syncer(f, syncer);
}

START_TEST(ready_means_settled)
{
    struct fixture *f = fixture_open();
    insert_customers(f, FEW);
    expect_no_haste(f, "scan");
    source_forget(f);
    expect_no_haste(f, "touch");
    fixture_close(f);
}
END_TEST

START_TEST(touch_calls_procedures_too)
{
    struct fixture *f = fixture_open();
    insert_customers(f, FEW);
    sql(f, "drop function customer_warmup;"
           "create procedure customer_warmup() language sql as $$ update customer set touched_at = now() $$");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "touch"));
    require_customers(f);
    REQUIRE_INT(stats_of(syncer).events, ==, FEW);
    REQUIRE_INT(count_touched(f), ==, FEW);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(none_waits_for_changes)
{
    struct fixture *f = fixture_open();
    insert_customers(f, FEW);
    redis_run(f, "SET %s:1 left-over", f->prefix);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    REQUIRE(stats_of(syncer).ready);
    sql(f, "update customer set name = 'changed' where id_customer = 3");
    expect_document(f, 3, "{\"id_customer\":3,\"name\":\"changed\",\"addresses\":[]}");
    REQUIRE_INT(count_keys(f), ==, 2);
    WAIT_UNTIL(stats_of(syncer).stored == 1); /* counted once the reply has been read */
    REQUIRE_INT(stats_of(syncer).resync_ids, ==, 0);
    REQUIRE_INT(count_touched(f), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Rows come, change and go while the ids are listed. */
START_TEST(writes_during_the_warm_up)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(syncer);
    for (int i = 0; i < 100; i++) {
        sqlf(f,
             "update customer set name = 'changed %d' where id_customer %% 101 = %d;"
             "delete from customer where id_customer %% 211 = %d;"
             "insert into customer (id_customer, name) values (%d, 'new') on conflict do nothing",
             i, i, i, 1000 * i + 1);
    }
    wait_ready(syncer);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(nothing_to_warm)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "scan"));
    REQUIRE_INT(stats_of(syncer).fetches, ==, 0);
    stop_syncer(f, syncer);
    syncer = run_syncer(f, NULL, SETTINGS("warmup", "touch"));
    REQUIRE_INT(stats_of(syncer).fetches, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *warmup_suite(void)
{
    Suite *suite = suite_create("warmup");
    TCase *tcase = tcase_create("modes");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, scan_reads_and_writes_nothing);
    tcase_add_test(tcase, touch_lets_the_triggers_announce);
    tcase_add_test(tcase, ready_means_settled);
    tcase_add_test(tcase, touch_calls_procedures_too);
    tcase_add_test(tcase, none_waits_for_changes);
    tcase_add_test(tcase, writes_during_the_warm_up);
    tcase_add_test(tcase, nothing_to_warm);
    suite_add_tcase(suite, tcase);
    return suite;
}
