/* What fails in one resync is done again, and "ready" waits for it. */
#include "equal.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 3000, ITEMS = 50, LOCK = 4711 };

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\", \"customer_deleted\"],"
    " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\","
    " \"warmup_procedure\": \"customer_warmup\"},"
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"],"
    " \"fetch\": \"item_get\", \"list\": \"select id from item\", \"warmup_procedure\": \"item_warmup\"}]}";

static const struct kind kinds[] = {
    {":", "", "select id_customer, customer_get(id_customer) from customer"},
    {":item:", "", "select id, title from item"},
};

static void insert_all(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    sqlf(f,
         "create table item (id integer primary key, title text);"
         "create function item_get(id integer) returns text language sql stable as"
         " $$ select i.title from item i where i.id = $1 $$;"
         "create function item_warmup() returns void language sql as $$ update item set title = title $$;"
         "select cachepusher.watch('item', 'id', 'item_changed');"
         "insert into item select i, 'item ' || i from generate_series(1, %d) i",
         ITEMS);
}

/* ---- holding up what the syncer does ---- */

/* The listener's connections are not ready before the lock is released: they call this function first of all. */
static void hold_listener(struct fixture *f, PGconn *holder)
{
    sqlf(f,
         "create schema slow;"
         "create function slow.pg_is_in_recovery() returns boolean language plpgsql as $$ begin"
         " if current_setting('application_name') = 'cachepusher listener' then"
         " perform pg_advisory_xact_lock_shared(%d); end if; return false; end $$;"
         "alter database %s set search_path = slow, pg_catalog, public",
         LOCK, f->database);
    char statement[64];
    snprintf(statement, sizeof statement, "select pg_advisory_lock(%d)", LOCK);
    sql_on(holder, statement);
}

static void hold_warmup(struct fixture *f, PGconn *holder)
{
    sqlf(f,
         "create or replace function customer_warmup() returns bigint language plpgsql as $$ begin"
         " perform pg_advisory_xact_lock_shared(%d); update customer set touched_at = now(); return 1; end $$",
         LOCK);
    char statement[64];
    snprintf(statement, sizeof statement, "select pg_advisory_lock(%d)", LOCK);
    sql_on(holder, statement);
}

static void wait_until_held(struct fixture *f)
{
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_locks where locktype = 'advisory' and not granted and database ="
                             " (select oid from pg_database where datname = current_database())") > 0);
}

static void release(PGconn *holder)
{
    sql_on(holder, "select pg_advisory_unlock_all()");
}

/* ---- one entity cannot be listed ---- */

START_TEST(one_entity_cannot_be_listed)
{
    struct fixture *f = fixture_open();
    insert_all(f);
    cp_syncer *syncer = run_syncer(f, entities, NO_SETTINGS);
    uint64_t resyncs = stats_of(syncer).resyncs;
    /* The listener dies, and what changes is not announced. */
    sql(f, "set session_replication_role = replica; begin; alter table customer rename to away;"
           "update away set name = 'missed' where id_customer <= 100; update item set title = 'not announced'; commit");
    REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
    WAIT_UNTIL(redis_number(f, "STRLEN %s:item:7", f->prefix) == (long long)strlen("not announced") &&
               redis_number(f, "STRLEN %s:item:50", f->prefix) == (long long)strlen("not announced"));
    WAIT_UNTIL(count_logged(f, "resync incomplete") > 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, resyncs);

    sql(f, "alter table away rename to customer");
    expect_equal(f, kinds, 2);
    WAIT_UNTIL(stats_of(syncer).resyncs == resyncs + 1);
    REQUIRE_INT(stats_of(syncer).events, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The same in the first resync: the table goes after the start has looked at it. */
START_TEST(not_ready_before_all_is_listed)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_all(f);
    PGconn *holder = connect_again(f);
    hold_listener(f, holder);
    cp_syncer *syncer = make_syncer(f, entities, NO_SETTINGS);
    start_syncer(syncer);
    wait_until_held(f);
    sql(f, "alter table customer rename to away");
    release(holder);
    WAIT_UNTIL(count_logged(f, "resync incomplete") > 1);
    expect_equal(f, kinds + 1, 1);
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 0, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE(!stats_of(syncer).ready);
    sql(f, "alter table away rename to customer");
    wait_ready(syncer);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS + ITEMS);
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- touch ---- */

START_TEST(the_procedure_fails)
{
    struct fixture *f = fixture_open();
    insert_all(f);
    sql(f, "create or replace function customer_warmup() returns bigint language plpgsql as"
           " $$ begin raise exception 'not today'; end $$");
    redis_run(f, "SET %s:99999 left-over", f->prefix);
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("warmup", "touch"));
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS + ITEMS);
    expect_equal(f, kinds, 2);
    REQUIRE_INT(count_logged(f, "not today"), ==, 1);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    sql(f, "truncate customer cascade");
    expect_equal(f, kinds, 2);
    REQUIRE_INT(count_keys(f), ==, ITEMS);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A request for one entity comes while a procedure is called: the other's leftovers go all the same. */
static void resync_during_touch(const char *entity)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_all(f);
    PGconn *holder = connect_again(f);
    hold_warmup(f, holder);
    redis_run(f, "SET %s:99999 left-over", f->prefix);
    redis_run(f, "SET %s:item:99999 left-over", f->prefix);
    cp_syncer *syncer = make_syncer(f, entities, SETTINGS("warmup", "touch"));
    start_syncer(syncer);
    wait_until_held(f);
    REQUIRE_OK(cp_syncer_resync(syncer, entity, &err), err);
    release(holder);
    wait_ready(syncer);
    REQUIRE_INT(redis_number(f, "EXISTS %s:99999 %s:item:99999", f->prefix, f->prefix), ==, 0);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS + ITEMS);
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(requests_during_touch)
{
    resync_during_touch("customer");
    resync_during_touch("item");
    resync_during_touch(NULL);
}
END_TEST

/* ---- requests before the listener listens ---- */

/* A resync that ends before changes are listened for is not what makes ready. */
static void request_early(const char *warmup)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_all(f);
    PGconn *holder = connect_again(f);
    hold_listener(f, holder);
    cp_syncer *syncer = make_syncer(f, entities, SETTINGS("warmup", warmup));
    REQUIRE_OK(cp_syncer_resync(syncer, "customer", &err), err);
    start_syncer(syncer);
    wait_until_held(f);
    WAIT_UNTIL(stats_of(syncer).resyncs == 1);
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(stats_of(syncer).resyncs == 2);
    expect_equal(f, kinds, 2);
    REQUIRE(!stats_of(syncer).ready);
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 0, &err), ==, CP_ERR_TIMEOUT);
    sql(f, "update item set title = 'nobody hears of it'");
    release(holder);
    wait_ready(syncer);
    REQUIRE_INT(stats_of(syncer).resyncs, >=, 3);
    if (strcmp(warmup, "none") != 0) {
        expect_equal(f, kinds, 2);
    }
    sql(f, "update item set title = 'listened for'");
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(ready_means_listening)
{
    request_early("scan");
    request_early("touch");
    request_early("none");
}
END_TEST

/* Nor is one that began before, and ends after. Item 9999 comes when that one has listed the items and nobody listens,
 * and cannot be read for a while. */
START_TEST(ready_means_listed_since_listening)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_all(f);
    sqlf(f,
         "create or replace function item_get(id integer) returns text language plpgsql stable as $$ begin"
         " if id = 9999 then perform pg_advisory_xact_lock_shared(%d); end if;"
         " return (select i.title from item i where i.id = $1); end $$",
         LOCK);
    PGconn *holder = connect_again(f);
    PGconn *reader = connect_again(f);
    hold_listener(f, holder);
    cp_syncer *syncer = make_syncer(f, entities, NO_SETTINGS);
    hold_fetches(reader);
    start_syncer(syncer);
    wait_until_held(f);
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(stats_of(syncer).resync_ids == CUSTOMERS + ITEMS);
    sql(f, "insert into item values (9999, 'unheard of')");
    sqlf(f, "create or replace function slow.pg_is_in_recovery() returns boolean language sql as 'select false'");
    REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
    WAIT_UNTIL((sql(f, "update item set title = 'heard of' where id = 7"), stats_of(syncer).events > 0));
    release_fetches(reader);
    WAIT_UNTIL(stats_of(syncer).resyncs == 1);
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 200, &err), ==, CP_ERR_TIMEOUT);
    release(holder);
    wait_ready(syncer);
    REQUIRE_INT(redis_number(f, "EXISTS %s:item:9999", f->prefix), ==, 1);
    REQUIRE_INT(stats_of(syncer).resyncs, >=, 2);
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *repairs_suite(void)
{
    Suite *suite = suite_create("repairs");
    TCase *tcase = tcase_create("resync");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, one_entity_cannot_be_listed);
    tcase_add_test(tcase, not_ready_before_all_is_listed);
    tcase_add_test(tcase, the_procedure_fails);
    tcase_add_test(tcase, requests_during_touch);
    tcase_add_test(tcase, ready_means_listening);
    tcase_add_test(tcase, ready_means_listed_since_listening);
    suite_add_tcase(suite, tcase);
    return suite;
}
