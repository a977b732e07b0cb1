#include "equal.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A person's own trigger: for each row, one bare id. */
START_TEST(row_level_trigger)
{
    struct fixture *f = fixture_open();
    sql(f, "drop trigger cachepusher_insert_id_customer on customer;"
           "drop trigger cachepusher_update_id_customer on customer;"
           "drop trigger cachepusher_delete_id_customer on customer;"
           "create function own() returns trigger language plpgsql as $$ begin"
           " if tg_op <> 'INSERT' then perform pg_notify('customer_deleted', old.id_customer::text); end if;"
           " if tg_op <> 'DELETE' then perform pg_notify('customer_updated', new.id_customer::text); end if;"
           " return null; end $$;"
           "create trigger own after insert or update or delete on customer for each row execute function own()");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 2000) i");
    expect_customers(f);
    sql(f, "update customer set name = 'x' where id_customer % 2 = 0; delete from customer where id_customer % 3 = 0;"
           "update customer set id_customer = id_customer + 5000 where id_customer % 5 = 0");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resync_ids, ==, 0);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* They name no customer, or something that no customer can be, and nothing is lost. */
static const char *const impossible[] = {
    "1.5",
    "[1.5]",
    "[null]",
    "2147483648",
    "[2147483648]",
    "99999999999999999999",
    "[\"1\\u0000\"]",
    "[\"8.50\", null]",
    "-",
};

/* They may name any. */
static const char *const unreadable[] = {
    "",        "x",           "1,2",
    "17x",     "[1",          "[1, 2]]",
    "[true]",  "[[1]]",       "[{}]",
    "[\"x\"]", "{\"id\": 1}", "***",
    "[\"*\"]", "\xd9\xa1",    "[9999999999999999999999]",
    "\"1\"",   "0x1",         "[\"\"]",
    " 1",      "1 2",
};

enum { IMPOSSIBLE = sizeof impossible / sizeof *impossible, UNREADABLE = sizeof unreadable / sizeof *unreadable };

static void notify(struct fixture *f, const char *channel, const char *payload)
{
    const char *values[] = {channel, payload};
    PGresult *result = PQexecParams(f->pg, "select pg_notify($1, $2)", 2, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    REQUIRE(status == PGRES_TUPLES_OK);
}

/* Counted, logged with the channel, and without effect on anything else. */
START_TEST(what_can_be_no_id_changes_nothing)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada'), (2, 'Bob')");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    cp_stats before = stats_of(syncer);
    redis_run(f, "SET %s:1 untouched", f->prefix);
    for (size_t i = 0; i < IMPOSSIBLE; i++) {
        notify(f, "customer_updated", impossible[i]);
        WAIT_UNTIL(stats_of(syncer).bad_payloads == i + 1);
    }
    REQUIRE_INT(count_logged(f, "channel customer_updated: payload"), ==, IMPOSSIBLE);
    REQUIRE_INT(stats_of(syncer).unreadable, >=, IMPOSSIBLE);

    /* What comes after, or beside it, is served as ever. */
    notify(f, "customer_updated", "[2147483648, 2, \"8.50\"]");
    WAIT_UNTIL(stats_of(syncer).stored == before.stored + 1);
    cp_stats after = stats_of(syncer);
    REQUIRE_INT(after.events - before.events, ==, 1);
    REQUIRE_INT(after.resyncs, ==, before.resyncs);
    expect_document(f, 1, "untouched");
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* An event that cannot be read is an event lost: everything is read again. Not at once for each, but for the last, too.
 */
START_TEST(what_cannot_be_read_asks_for_a_resync)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada'), (2, 'Bob')");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    redis_run(f, "SET %s:1 stale", f->prefix);
    notify(f, "customer_deleted", "no id");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_UNREADABLE] == 1);
    REQUIRE_INT(count_logged(f, "channel customer_deleted: payload \"no id\""), ==, 1);
    for (size_t i = 0; i < UNREADABLE; i++) {
        notify(f, "customer_updated", unreadable[i]);
        WAIT_UNTIL(stats_of(syncer).bad_payloads == i + 2);
    }
    redis_run(f, "SET %s:2 stale", f->prefix);
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_UNREADABLE], <=, 1 + UNREADABLE / 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Ids in unusual but valid clothes; and an empty array, which names nothing. */
START_TEST(odd_payloads_are_understood)
{
    struct fixture *f = fixture_open();
    sql(f, "alter table customer disable trigger user;"
           "insert into customer (id_customer, name) select i, 'n' from generate_series(1, 3000) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    notify(f, "customer_updated", "[]");
    notify(f, "customer_updated", "007");
    expect_document(f, 7, "{\"id_customer\":7,\"name\":\"n\",\"addresses\":[]}");
    notify(f, "customer_deleted", "[ 8 ,\n\t\"9\" ]");
    expect_document(f, 9, "{\"id_customer\":9,\"name\":\"n\",\"addresses\":[]}");
    expect_document(f, 8, "{\"id_customer\":8,\"name\":\"n\",\"addresses\":[]}");
    REQUIRE_INT(stats_of(syncer).events, ==, 3);
    notify(f, "no_such_channel", "10");
    sql(f, "select pg_notify('customer_updated', (select json_agg(i)::text from generate_series(1, 1300) i)),"
           " pg_notify('customer_updated', (select json_agg(i)::text from generate_series(1301, 2500) i)),"
           " pg_notify('customer_updated', (select json_agg(i)::text from generate_series(2501, 3700) i))");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    REQUIRE_INT(stats_of(syncer).events, ==, 3703);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* '*' asks for a resync of the channel's entity. */
START_TEST(star_means_everything)
{
    struct fixture *f = fixture_open();
    sql(f, "alter table customer disable trigger user;"
           "insert into customer (id_customer, name) select i, 'n' from generate_series(1, 3000) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    redis_run(f, "SET %s:99999 left-over", f->prefix);
    notify(f, "customer_updated", "*");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resync_ids, ==, 3001);
    REQUIRE_INT(stats_of(syncer).events, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *payloads_suite(void)
{
    Suite *suite = suite_create("payloads");
    TCase *tcase = tcase_create("payloads");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, row_level_trigger);
    tcase_add_test(tcase, what_can_be_no_id_changes_nothing);
    tcase_add_test(tcase, what_cannot_be_read_asks_for_a_resync);
    tcase_add_test(tcase, odd_payloads_are_understood);
    tcase_add_test(tcase, star_means_everything);
    suite_add_tcase(suite, tcase);
    return suite;
}
