#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 100000, BATCH = 256, WARMED = 20000 };

START_TEST(hundred_thousand_rows_in_one_statement)
{
    struct fixture *f = fixture_open();
    sqlf(f,
         "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i;"
         "insert into address (description, fk_customer) select 'street ' || i, i from generate_series(1, %d, 3) i;"
         "analyze",
         CUSTOMERS, CUSTOMERS);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    cp_stats warm = stats_of(syncer);
    REQUIRE_INT(warm.resync_ids, ==, CUSTOMERS);
    REQUIRE_INT(warm.stored, ==, CUSTOMERS);

    sql(f, "update customer set name = name || '!'");
    expect_customers(f);
    cp_stats updated = stats_of(syncer);
    REQUIRE_INT(updated.events - warm.events, ==, CUSTOMERS);
    REQUIRE_INT(updated.fetches - warm.fetches, <, CUSTOMERS / 20);
    REQUIRE_INT(updated.bad_payloads, ==, 0);

    sql(f, "delete from customer");
    expect_customers(f);
    REQUIRE_INT(count_keys(f), ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A thousand changes of one row while its fetch cannot go on become one read more. */
START_TEST(one_row_often)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada')");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    PGconn *holder = connect_again(f);
    cp_stats before = stats_of(syncer);

    hold_fetches(holder);
    sql(f, "update customer set name = 'first' where id_customer = 1");
    WAIT_UNTIL(stats_of(syncer).fetches == before.fetches + 1);
    for (int i = 0; i < 1000; i++) {
        sqlf(f, "update customer set name = 'change %d' where id_customer = 1", i);
    }
    WAIT_UNTIL(stats_of(syncer).events == before.events + 1001);
    REQUIRE_INT(stats_of(syncer).stored, ==, before.stored);
    release_fetches(holder);

    expect_document(f, 1, "{\"id_customer\":1,\"name\":\"change 999\",\"addresses\":[]}");
    /* Those in the ring are not pending yet. */
    WAIT_UNTIL(stats_of(syncer).coalesced - before.coalesced >= 998 && stats_of(syncer).pending == 0);
    cp_stats after = stats_of(syncer);
    REQUIRE_INT(after.fetches - before.fetches, <=, 3);
    REQUIRE_INT(after.stored - before.stored, <=, 3);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Of every id that settles, in which place its document came. Of one worker, hence without a lock. */
struct places {
    int count;
    int watched; /* the place of the watched id; 0: not yet */
    char key[160];
};

static void note_place(void *context, const cp_document *document)
{
    struct fixture *f = context;
    struct places *places = f->settled_context;
    places->count++;
    if (places->watched == 0 && strcmp(document->key, places->key) == 0) {
        places->watched = places->count;
    }
}

START_TEST(live_changes_go_before_the_warm_up)
{
    struct fixture *f = fixture_open();
    struct places places = {0};
    f->settled = note_place;
    f->settled_context = &places;
    snprintf(places.key, sizeof places.key, "%s:%d", f->prefix, WARMED);
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         WARMED);
    PGconn *holder = connect_again(f);
    hold_fetches(holder);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "1"));
    start_syncer(syncer);
    WAIT_UNTIL(stats_of(syncer).fetches == 1 && stats_of(syncer).resync_ids > 4 * BATCH);
    sqlf(f, "update customer set name = 'live' where id_customer = %d", WARMED);
    WAIT_UNTIL(stats_of(syncer).events == 1);
    release_fetches(holder);
    wait_ready(syncer);
    stop_syncer(f, syncer);
    require_customers(f);
    REQUIRE_INT(places.count, >=, WARMED);
    REQUIRE_INT(places.watched, >, 0);
    REQUIRE_INT(places.watched, <=, 2 * BATCH + 1); /* behind the batch that was under way, and one at most */
    fixture_close(f);
}
END_TEST

/* While fetches are held, one session announces far more than its share, then another changes one row. */
static void one_beside_a_crowd(struct fixture *f, const char *crowd, unsigned ids, const char *max_pending)
{
    struct places places = {0};
    f->settled = note_place;
    f->settled_context = &places;
    snprintf(places.key, sizeof places.key, "%s:%d", f->prefix, WARMED);
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         WARMED);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "1", "warmup", "none", "max_pending", max_pending));
    start_syncer(syncer);
    wait_ready(syncer);
    PGconn *holder = connect_again(f);
    hold_fetches(holder);
    cp_stats before = stats_of(syncer);
    sql(f, "update customer set name = 'first' where id_customer = 1");
    WAIT_UNTIL(stats_of(syncer).fetches == before.fetches + 1);
    sql(f, crowd);
    WAIT_UNTIL(stats_of(syncer).events == before.events + 1 + ids);
    PGconn *other = connect_again(f);
    sql_on(other, "update customer set name = 'live' where id_customer = 20000");
    WAIT_UNTIL(stats_of(syncer).events == before.events + 2 + ids);
    release_fetches(holder);
    expect_customers(f);
    stop_syncer(f, syncer);
    REQUIRE_INT(places.watched, >, 0);
    REQUIRE_INT(places.watched, <=, WARMED / 4); /* what was announced in a few windows, and a batch */
}

START_TEST(one_row_goes_before_another_sessions_many)
{
    struct fixture *f = fixture_open();
    one_beside_a_crowd(f, "update customer set name = name || '!' where id_customer between 2 and 19999", WARMED - 2,
                       "1000000");
    REQUIRE_INT(count_logged(f, "max_pending exceeded"), ==, 0);
    fixture_close(f);
}
END_TEST

/* Ids that are none, announced without end, cost neither the others' changes nor their own real ones. */
START_TEST(a_flood_is_dropped_and_read_again_by_a_resync)
{
    struct fixture *f = fixture_open();
    one_beside_a_crowd(
        f,
        "update customer set name = name || '!' where id_customer between 2 and 999;"
        "select count(pg_notify('customer_updated', (1000000 + i)::text)) from generate_series(1, 200000) i;"
        "update customer set name = name || '!' where id_customer between 1000 and 19999",
        WARMED - 2 + 200000, "10000");
    REQUIRE_INT(count_logged(f, "max_pending exceeded: dropping ids that one session announces"), >, 0);
    fixture_close(f);
}
END_TEST

enum { SLOW = 600, SLOW_MS = 30 };

/* So many that a full batch of them could not be read before its statement is cancelled. */
START_TEST(slow_documents_take_about_their_own_time)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    keep_customer_get(f);
    define_customer_get(f, "");
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", SLOW);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(stats_of(syncer).resyncs == 2); /* batches are full ones now */
    define_customer_get(f, "perform pg_sleep(0.03);");
    int64_t began_ms = now_ms();
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(stats_of(syncer).resyncs == 3);
    int64_t took_ms = now_ms() - began_ms;
    REQUIRE_INT(took_ms, >=, SLOW * SLOW_MS);
    /* The first batch is in vain: five seconds, and a search. A second one would be too much. */
    REQUIRE_INT(took_ms, <, SLOW * SLOW_MS + 12000 * slowness());
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *bulk_suite(void)
{
    Suite *suite = suite_create("bulk");
    TCase *tcase = tcase_create("bulk");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, hundred_thousand_rows_in_one_statement);
    add_test(tcase, one_row_often);
    add_test(tcase, live_changes_go_before_the_warm_up);
    add_test(tcase, one_row_goes_before_another_sessions_many);
    add_test(tcase, slow_documents_take_about_their_own_time);
    add_test(tcase, a_flood_is_dropped_and_read_again_by_a_resync);
    suite_add_tcase(suite, tcase);
    return suite;
}
