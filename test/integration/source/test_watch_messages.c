/* cachepusher.watch(..., announce => 'message'): the same payloads, in the write-ahead log. */
#include "heard.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The messages since the last look go where gather() puts notifications; what was notified is to be nothing. */
static void read_messages(struct fixture *f, PGconn *ear)
{
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard"), ==, 0);
    sqlf(f,
         "insert into heard select m[1], m[2] from pg_logical_slot_get_changes('%s', null, null),"
         " regexp_matches(data, '^message: transactional: 1 prefix: cachepusher:(.*), sz: \\d+ content:(.*)$') as m",
         f->database);
}

static void expect_messages(struct fixture *f, PGconn *ear, const char *statements, const char *expected)
{
    sql(f, statements);
    read_messages(f, ear);
    char query[1024];
    snprintf(query, sizeof query,
             "select count(*) from (select coalesce(string_agg(channel || ' ' || payload, ' ' order by ctid), '') as it"
             " from heard) as t where it = '%s'",
             expected);
    if (sql_number(f, query) != 1) {
        fail_at(__FILE__, __LINE__, "%s: not what was expected: %s", statements, expected);
    }
}

static PGconn *open_slot(struct fixture *f)
{
    PGconn *ear = listen_to(f, "changed");
    sqlf(f, "select pg_create_logical_replication_slot('%s', 'test_decoding')", f->database);
    return ear;
}

static void close_slot(struct fixture *f)
{
    sqlf(f, "select pg_drop_replication_slot('%s')", f->database);
    fixture_close(f);
}

START_TEST(payloads_are_those_of_notifications)
{
    struct fixture *f = fixture_open();
    PGconn *ear = open_slot(f);
    sql(f, "create table t (id int, x text)");
    expect_messages(f, ear, "select cachepusher.watch('t', 'id', 'changed', 'gone', announce => 'message')",
                    "changed *");
    expect_messages(f, ear, "insert into t values (1)", "changed [1]");
    expect_messages(f, ear, "insert into t values (2), (3)", "changed [2,3]");
    expect_messages(f, ear, "update t set id = 4 where id = 1", "changed [1,4]");
    expect_messages(f, ear, "update t set x = 1 where false", "");
    expect_messages(f, ear, "delete from t where id = 2", "gone [2]");
    expect_messages(f, ear, "begin; insert into t values (9); rollback", "");
    expect_messages(f, ear, "truncate t", "changed *");
    sql(f, "insert into t select generate_series(1, 5000)");
    read_messages(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements(payload::json)"), ==, 5000);
    expect_messages(f, ear, "alter table t rename id to gone; insert into t values (1)", "changed *");
    close_slot(f);
}
END_TEST

/* A call that does not say it keeps it, also where the column has another name or the triggers are for each row. */
START_TEST(it_is_kept_until_told)
{
    struct fixture *f = fixture_open();
    PGconn *ear = open_slot(f);
    sql(f, "create table t (id int, x int); select cachepusher.watch('t', 'id', 'changed', announce => 'message')");
    read_messages(f, ear);
    expect_messages(f, ear, "select cachepusher.watch('t', 'id', 'other'); insert into t values (1)",
                    "other * other [1]");
    expect_messages(f, ear,
                    "alter table t rename id to number; select cachepusher.watch('t', 'number', 'other');"
                    "insert into t values (2)",
                    "other * other [2]");
    expect_messages(f, ear,
                    "select cachepusher.watch('t', 'number', 'other', for_subscriber => true);"
                    "insert into t values (3); update t set number = 4 where number = 3; truncate t",
                    "other * other [3] other [3,4] other *");
    expect_error(f, "select cachepusher.watch('t', 'number', 'other', announce => 'shout')", "notify or message");
    sql(f, "select cachepusher.watch('t', 'number', 'changed', for_subscriber => false, announce => 'notify')");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (5)", "5");
    expect_heard(f, ear, "select cachepusher.watch('t', 'number', 'changed'); insert into t values (6)", "* 6");
    close_slot(f);
}
END_TEST

/* The session's search_path is a stranger's, and so may names be. */
START_TEST(whatever_the_names_and_the_path)
{
    static const char *const columns[] = {"The \"Id\" %I $1", "tg_argv", "pg_catalog.pg_notify($1, ", "%9$s", "call"};
    struct fixture *f = fixture_open();
    PGconn *ear = open_slot(f);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char *column = PQescapeIdentifier(f->pg, columns[i], strlen(columns[i]));
        char *literal = PQescapeLiteral(f->pg, columns[i], strlen(columns[i]));
        sqlf(f, "create table t (%s int); select cachepusher.watch('t', %s, 'it is', announce => 'message')", column,
             literal);
        read_messages(f, ear);
        expect_messages(f, ear, "set search_path = ''; insert into public.t values (7); reset search_path",
                        "it is [7]");
        sql(f, "insert into t select generate_series(1, 2000)");
        read_messages(f, ear);
        REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements(payload::json)"), ==, 2000);
        sql(f, "drop table t");
        PQfreemem(column);
        PQfreemem(literal);
    }
    close_slot(f);
}
END_TEST

/* As far as watch() can tell, this server allows it. */
START_TEST(prepared_transactions_do_not_matter)
{
    struct fixture *f = fixture_open();
    listen_to(f, "changed"); /* it makes a temporary table: plans from before, with the real function, are made anew */
    sql(f, "create table t (id int);"
           "alter function pg_catalog.current_setting(text) rename to current_setting_really;"
           "create function pg_catalog.current_setting(text) returns text language sql as"
           " 'select case when $1 = ''max_prepared_transactions'' then ''5'' else current_setting_really($1) end'");
    expect_error(f, "select cachepusher.watch('t', 'id', 'changed')", "could be prepared");
    sql(f, "select cachepusher.watch('t', 'id', 'changed', announce => 'message')");
    sql(f, "select cachepusher.watch('t', 'id', 'changed')");
    expect_error(f, "select cachepusher.watch('t', 'id', 'changed', announce => 'notify')", "could be prepared");
    fixture_close(f);
}
END_TEST

Suite *watch_messages_suite(void)
{
    Suite *suite = suite_create("watch_messages");
    TCase *tcase = tcase_create("watch_messages");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, payloads_are_those_of_notifications);
    tcase_add_test(tcase, it_is_kept_until_told);
    tcase_add_test(tcase, whatever_the_names_and_the_path);
    tcase_add_test(tcase, prepared_transactions_do_not_matter);
    suite_add_tcase(suite, tcase);
    return suite;
}
