#include "equal.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 2000 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    keep_customer_get(f);
}

static const struct kind good_customers = {":", "", "select id_customer, customer_good(id_customer) from customer"};

/* Documents that cannot be read at present are as they were before. */
static void expect_stale(struct fixture *f, const char *failing)
{
    char query[512];
    snprintf(query, sizeof query,
             "select id_customer, case when %s then json_build_object('id_customer', id_customer, 'name',"
             " 'customer ' || id_customer, 'addresses', '{}'::int[])::text else customer_good(id_customer)::text end"
             " from customer",
             failing);
    /* json_build_object() writes spaces where row_to_json() writes none. */
    char compact[640];
    snprintf(compact, sizeof compact,
             "select id_customer, replace(replace(d, ' : ', ':'), ', \"', ',\"') from (%s) q(id_customer, d)", query);
    struct kind stale = {":", "", compact};
    expect_equal(f, &stale, 1);
}

START_TEST(null_means_no_key)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(
        f, "if id % 3 = 0 or exists (select from customer c where c.id_customer = id and c.name = 'hidden')"
           " then return null; end if;");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS - CUSTOMERS / 3);
    expect_document(f, 7, "{\"id_customer\":7,\"name\":\"customer 7\",\"addresses\":[]}");
    sql(f, "update customer set name = 'hidden' where id_customer = 7");
    expect_document(f, 7, NULL);
    sql(f, "update customer set name = 'seen' where id_customer = 7");
    expect_document(f, 7, "{\"id_customer\":7,\"name\":\"seen\",\"addresses\":[]}");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* One that does not come is set aside before the configured half minute, and costs the others little from then on. */
START_TEST(one_that_hangs_holds_few_up)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    define_customer_get(
        f, "if id = 7 and exists (select from customer c where c.id_customer = 7 and c.name = 'hangs') then"
           " perform pg_sleep(60); end if;");
    sql(f, "update customer set name = case when id_customer = 7 then 'hangs' else 'changed' end");
    expect_stale(f, "id_customer = 7");
    REQUIRE_INT(count_logged(f, "customer 7: Postgres: canceling statement due to statement timeout"), ==, 1);
    for (int i = 0; i < 20; i++) { /* with one that hangs and changes all the time */
        sqlf(f, "update customer set name = 'again %d' where id_customer = 8", i);
        sql(f, "update customer set name = 'hangs' where id_customer = 7");
    }
    expect_stale(f, "id_customer = 7");
    sql(f, "update customer set name = 'well' where id_customer = 7");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* With errors of every class: what a server in trouble says can as well be the function's own word about one row. */
START_TEST(some_fail_and_the_others_are_served)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(
        f, "if id % 250 = 0 then raise exception 'no % today', id using errcode ="
           " (array['P0001', 'XX000', 'XX001', '0A000', '53200', '26000', '40001', '25001'])[id / 250]; end if;");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    cp_stats stats = stats_of(syncer);
    REQUIRE(stats.ready);
    REQUIRE_INT(stats.failing, ==, CUSTOMERS / 250);
    REQUIRE_INT(stats.pending, ==, CUSTOMERS / 250);
    REQUIRE_INT(stats.failures, >=, CUSTOMERS / 250);
    REQUIRE_INT(stats.stored, ==, CUSTOMERS - CUSTOMERS / 250);
    REQUIRE_INT(count_logged(f, "warn: customer 500: Postgres: no 500 today"), ==, 1);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS - CUSTOMERS / 250);

    /* Live changes go on, and a failing id that is announced again still fails. */
    sql(f, "update customer set name = 'changed' where id_customer in (249, 250, 251)");
    expect_document(f, 251, "{\"id_customer\":251,\"name\":\"changed\",\"addresses\":[]}");
    expect_document(f, 249, "{\"id_customer\":249,\"name\":\"changed\",\"addresses\":[]}");

    define_customer_get(f, "");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0 && stats_of(syncer).pending == 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* An error is never "no such row": the documents stay, and are mended when the function is. */
START_TEST(failing_documents_stay)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    define_customer_get(f, "if id % 100 = 0 then perform 1 / (id - id); end if;");
    sql(f, "update customer set name = 'changed ' || id_customer");
    expect_stale(f, "id_customer % 100 = 0");
    WAIT_UNTIL(stats_of(syncer).failing == CUSTOMERS / 100);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 0);
    define_customer_get(f, "");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* So many that a worker has to tell them from an outage, again and again: they do not hold up the others. */
START_TEST(many_fail)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(f, "if id % 20 = 0 then raise exception 'no'; end if;");
    int64_t began_ms = now_ms();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(now_ms() - began_ms, <, 5000 * slowness());
    REQUIRE_INT(stats_of(syncer).failing, ==, CUSTOMERS / 20);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS - CUSTOMERS / 20);
    define_customer_get(f, "");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Everything fails, for the function is gone: nothing is deleted, and it goes on when the function is back. */
START_TEST(function_goes_and_comes_back)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    sql(f, "drop function customer_get_many");
    sql(f, "update customer set name = 'changed ' || id_customer; delete from customer where id_customer > 1990");
    WAIT_UNTIL(stats_of(syncer).failures > 0);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS);
    fetch_by_customer_get(f);
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).deleted, >=, 10); /* "updated" and "deleted" may have been read one by one */
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The prepared statements of the workers do not survive this. */
START_TEST(function_changes_its_type)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    static const char *const types[] = {"jsonb", "json", "text", "jsonb", "varchar"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        sqlf(f,
             "begin; drop function customer_get, customer_get_many;"
             "create function customer_get(id integer) returns %s language sql stable as"
             " $$ select customer_good($1)::%s $$;"
             "create function customer_get_many(ids integer[]) returns table (id integer, document %s)"
             " language sql stable as $$ select u.id, customer_get(u.id) from unnest(ids) as u(id) $$; commit",
             types[i], types[i], types[i]);
        sqlf(f, "update customer set name = 'as %s'", types[i]);
        expect_customers(f);
    }
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A statement that takes too long is a failed one. */
START_TEST(fetches_time_out)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("fetch_timeout_ms", "100"));
    PGconn *holder = connect_again(f);
    hold_fetches(holder);
    sql(f, "update customer set name = 'changed' where id_customer <= 20");
    WAIT_UNTIL(stats_of(syncer).failures > 0);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS);
    release_fetches(holder);
    expect_equal(f, &good_customers, 1);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *failing_suite(void)
{
    Suite *suite = suite_create("failing");
    TCase *tcase = tcase_create("fetches");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, null_means_no_key);
    tcase_add_test(tcase, one_that_hangs_holds_few_up);
    tcase_add_test(tcase, some_fail_and_the_others_are_served);
    tcase_add_test(tcase, failing_documents_stay);
    tcase_add_test(tcase, many_fail);
    tcase_add_test(tcase, function_goes_and_comes_back);
    tcase_add_test(tcase, function_changes_its_type);
    tcase_add_test(tcase, fetches_time_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
