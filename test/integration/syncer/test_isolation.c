/* What fails by itself holds up nobody else. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_ITEM WATCHED("item", "id")

enum { CUSTOMERS = 2000, BAD = 400, SOON_MS = 5000 };

static void insert_customers(struct fixture *f, int count)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", count);
    keep_customer_get(f);
}

static void expect_name(struct fixture *f, int id, const char *name)
{
    char document[128];
    snprintf(document, sizeof document, "{\"id_customer\":%d,\"name\":\"%s\",\"addresses\":[]}", id, name);
    int64_t began_ms = now_ms();
    expect_document(f, id, document);
    REQUIRE_INT(now_ms() - began_ms, <, SOON_MS * slowness());
}

/* The first ids of the listing, and more than a batch of them. */
START_TEST(a_block_of_ids_fails)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    define_customer_get(f, "if id <= 400 then raise exception 'bad row'; end if;");
    int64_t began_ms = now_ms();
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    REQUIRE_INT(now_ms() - began_ms, <, SOON_MS * slowness());
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS - BAD);
    REQUIRE_INT(stats_of(syncer).failing, ==, BAD);
    REQUIRE_INT(stats_of(syncer).stored, ==, CUSTOMERS - BAD);
    sql(f, "update customer set name = 'changed' where id_customer in (1, 2000)");
    expect_name(f, 2000, "changed");

    uint64_t events = stats_of(syncer).events;
    define_customer_get(f, "");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0 && stats_of(syncer).pending == 0);
    REQUIRE_INT(stats_of(syncer).events, ==, events);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Good and bad ids are announced by one statement, so that they share batches. */
START_TEST(good_ids_among_many_bad_ones)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    define_customer_get(f, "if id <= 400 then raise exception 'bad row'; end if;");
    for (int round = 0; round < 3; round++) {
        char name[16];
        snprintf(name, sizeof name, "round %d", round);
        sqlf(f, "update customer set name = '%s' where id_customer <= 410", name);
        expect_name(f, 401, name);
        expect_name(f, 410, name);
    }
    define_customer_get(f, "");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Codes that would mean trouble with the session or the server if it was not the function that raises them. */
START_TEST(errors_that_look_like_an_outage)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    define_customer_get(f, "if id % 500 = 0 then raise exception 'as if' using errcode ="
                           " (array['08001', '57P01', '25006', '0A000'])[id / 500]; end if;");
    int64_t began_ms = now_ms();
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    REQUIRE_INT(now_ms() - began_ms, <, SOON_MS * slowness());
    REQUIRE_INT(stats_of(syncer).failing, ==, 4);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS - 4);
    for (int id = 500; id <= CUSTOMERS; id += 500) {
        sqlf(f, "update customer set name = 'changed' where id_customer between %d and %d", id - 1, id);
        expect_name(f, id - 1, "changed");
    }
    define_customer_get(f, "");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- two entities ---- */

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\", "
    "\"customer_deleted\"]," WATCHED_CUSTOMERS
    " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"},"
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"]," WATCHED_ITEM
    " \"fetch\": \"item_get\", \"list\": \"select id from item\"}]}";

static const struct kind kinds[] = {
    {":", "", "select id_customer, customer_good(id_customer) from customer"},
    {":item:", "", "select id, title from item"},
};

static void expect_items_soon(struct fixture *f, const char *title)
{
    char *key = NULL;
    REQUIRE(asprintf(&key, "%s:item:7", f->prefix) > 0);
    sqlf(f, "update item set title = '%s'", title);
    int64_t until_ms = now_ms() + SOON_MS * slowness();
    char *stored = NULL;
    bool there = false;
    while (!there && now_ms() < until_ms) {
        stored = redis_text(f, "GET %s", key);
        there = stored != NULL && strcmp(stored, title) == 0;
        free(stored);
    }
    free(key);
    REQUIRE(there);
}

/* Through all that can become of customers' function, items are served at once. */
START_TEST(another_entity_is_broken)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    define_customer_get(f, "");
    sql(f, "create table item (id integer primary key, title text);"
           "create function item_get(id integer) returns text language sql stable as"
           " $$ select i.title from item i where i.id = $1 $$;"
           "select cachepusher.watch('item', 'id', 'item_changed');"
           "insert into item select i, 'item' from generate_series(1, 50) i");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "1"));
    define_customer_get(f, "raise exception 'broken migration';");
    sql(f, "update customer set name = 'raised' where id_customer <= 300");
    expect_items_soon(f, "raised");

    sql(f, "drop function customer_get");
    sql(f, "update customer set name = 'dropped' where id_customer <= 300");
    expect_items_soon(f, "dropped");
    REQUIRE_INT(terminate_backends(f, "cachepusher worker"), ==, 1);
    expect_items_soon(f, "connected again");
    sql(f, "update customer set name = 'dropped, new connection' where id_customer between 200 and 600");
    expect_items_soon(f, "still");

    define_customer_get(f, "");
    expect_equal(f, kinds, 2);
    WAIT_UNTIL(stats_of(syncer).failing == 0 && stats_of(syncer).pending == 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- parked ids have their turn ---- */

/* A warm-up that would take a minute: one id that was mended is announced, the other is not. */
START_TEST(mended_during_the_warm_up)
{
    struct fixture *f = fixture_open();
    insert_customers(f, 10 * CUSTOMERS);
    sql(f, "create table bad (id integer); insert into bad values (1), (2)");
    define_customer_get(
        f, "if exists (select from bad b where b.id = customer_get.id) then raise exception 'bad row'; end if;"
           " perform pg_sleep(0.002);");
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "1", "batch", "100"));
    start_syncer(syncer);
    WAIT_UNTIL(stats_of(syncer).failing == 2 && stats_of(syncer).stored > 0);
    sql(f, "delete from bad; update customer set name = 'mended' where id_customer = 1");
    expect_name(f, 1, "mended");
    expect_name(f, 2, "customer 2");
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    REQUIRE(!stats_of(syncer).ready);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 0);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

struct load {
    struct fixture *f;
    PGconn *pg;
    atomic_bool stop;
};

static void *update_without_pause(void *context)
{
    struct load *load = context;
    bool fine = true;
    while (fine && !atomic_load(&load->stop) && !atomic_load(&load->f->abandoned)) {
        PGresult *result = PQexec(load->pg, "update customer set name = 'busy' where id_customer > 1900");
        fine = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (!fine && !atomic_load(&load->f->abandoned)) {
        atomic_fetch_add(&load->f->thread_fault, 1);
    }
    return NULL;
}

/* There is always something else to do: documents change faster than they can be read. */
START_TEST(mended_under_load)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    static struct load load;
    load.f = f;
    load.pg = connect_postgres(f->dsn);
    REQUIRE(load.pg != NULL);
    atomic_store(&load.stop, false);
    fixture_thread(f, update_without_pause, &load);
    define_customer_get(f, "if id <= 3 then raise exception 'bad row'; end if;"
                           " if id > 1900 then perform pg_sleep(0.002); end if;");
    sql(f, "update customer set name = 'mended' where id_customer <= 3");
    WAIT_UNTIL(stats_of(syncer).failing == 3);
    define_customer_get(f, "if id > 1900 then perform pg_sleep(0.002); end if;");
    expect_name(f, 1, "mended");
    expect_name(f, 2, "mended");
    expect_name(f, 3, "mended");
    atomic_store(&load.stop, true);
    fixture_join(f);
    PQfinish(load.pg);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Ids that fail are kept within a bound of their own; it leaves room for those that do not. */
START_TEST(more_fail_than_may_wait)
{
    struct fixture *f = fixture_open();
    insert_customers(f, CUSTOMERS);
    define_customer_get(f, "");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1", "max_pending", "1000"));
    define_customer_get(f, "if id <= 900 then raise exception 'bad row'; end if;");
    for (int round = 0; round < 5; round++) {
        char name[16];
        snprintf(name, sizeof name, "round %d", round);
        sqlf(f, "update customer set name = '%s' where id_customer <= 900", name);
        sqlf(f, "update customer set name = '%s' where id_customer in (901, 2000)", name);
        expect_name(f, 901, name);
        expect_name(f, 2000, name);
        REQUIRE_INT(stats_of(syncer).pending, <=, 1000);
    }
    WAIT_UNTIL(stats_of(syncer).overflows > 0);
    define_customer_get(f, "");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *isolation_suite(void)
{
    Suite *suite = suite_create("isolation");
    TCase *tcase = tcase_create("documents");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_block_of_ids_fails);
    tcase_add_test(tcase, good_ids_among_many_bad_ones);
    tcase_add_test(tcase, errors_that_look_like_an_outage);
    tcase_add_test(tcase, another_entity_is_broken);
    tcase_add_test(tcase, mended_during_the_warm_up);
    tcase_add_test(tcase, mended_under_load);
    tcase_add_test(tcase, more_fail_than_may_wait);
    suite_add_tcase(suite, tcase);
    return suite;
}
