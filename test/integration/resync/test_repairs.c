/* What fails in one resync is done again, and "ready" waits for it. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define WATCHED_ITEM WATCHED("item", "id")

enum { CUSTOMERS = 3000, ITEMS = 50, LOCK = 4711 };

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\", "
    "\"customer_deleted\"]," WATCHED_CUSTOMERS
    " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\","
    " \"warmup_procedure\": \"customer_warmup\"},"
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"]," WATCHED_ITEM
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

/* The listener, which has the right to write by then, does not listen before the lock is released: this is the last
 * function that it calls before. */
static void hold_listener(struct fixture *f, PGconn *holder)
{
    sqlf(f,
         "alter function pg_catalog.set_config(text, text, boolean) rename to set_config_really;"
         "create function pg_catalog.set_config(text, text, boolean) returns text language plpgsql as $$ begin"
         " if $1 = 'synchronous_commit' then perform pg_advisory_xact_lock_shared(%d); end if;"
         " return pg_catalog.set_config_really($1, $2, $3); end $$",
         LOCK);
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

/* What is asked for before changes are listened for is done afterwards, so that what changes until then is found. */
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
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 200, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_INT(stats_of(syncer).resync_ids, ==, 0);
    sql(f, "update item set title = 'nobody hears of it'; insert into item values (9999, 'nor of this')");
    release(holder);
    wait_ready(syncer);
    expect_equal(f, kinds, 2);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_REQUEST], ==, 1);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_START], ==, 1);
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

Suite *repairs_suite(void)
{
    Suite *suite = suite_create("repairs");
    TCase *tcase = tcase_create("resync");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, one_entity_cannot_be_listed);
    add_test(tcase, not_ready_before_all_is_listed);
    add_test(tcase, the_procedure_fails);
    add_test(tcase, requests_during_touch);
    add_test(tcase, ready_means_listening);
    suite_add_tcase(suite, tcase);
    return suite;
}
