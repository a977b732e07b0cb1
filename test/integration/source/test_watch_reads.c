/* cachepusher.watch() with ids of several columns, and with the columns that documents read. */
#include "heard.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ids of several columns ---- */

static const char *const for_each[] = {"", ", for_subscriber => true"};

START_TEST(several_columns_are_one_text)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sqlf(f,
         "create table t (tenant char(8), number int, x int);"
         "select cachepusher.watch('t', array['tenant', 'number'], 'changed'%s)",
         for_each[_i]);
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values ('acme', 1)", "\"acme:1\"");
    expect_heard(f, ear, "insert into t values ('a:%3A', 2), ('', 3)", "\":3\" \"a%3A%253A:2\"");
    expect_heard(f, ear, "insert into t values (null, 4), ('acme', null)", "");
    expect_heard(f, ear, "update t set number = 5 where number = 1", "\"acme:1\" \"acme:5\"");
    expect_heard(f, ear, "update t set tenant = null where number = 5", "\"acme:5\"");
    expect_heard(f, ear, "delete from t where number = 3", "\":3\"");
    expect_heard(f, ear, "truncate t", "*");
    sql(f, "insert into t select 'many', n % 700, 1 from generate_series(1, 2000) as n");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(distinct id) from heard, json_array_elements_text(payload::json) as id"
                              " where id ~ '^many:[0-9]+$'"),
                ==, 700);
    expect_heard(f, ear, "alter table t rename tenant to gone; insert into t values ('x', 1)", "*");
    expect_heard(f, ear, "update t set x = 2 where number < 3", "*");
    expect_heard(f, ear, "insert into t select 'x', 1 from generate_series(1, 600)", "*");
    expect_heard(f, ear, "alter table t rename gone to tenant; delete from t where tenant = 'x'", "\"x:1\"");
    fixture_close(f);
}
END_TEST

/* Another way of writing them than the triggers', for functions of documents. */
START_TEST(helpers_say_the_same)
{
    struct fixture *f = fixture_open();
    static const char *const truths[] = {
        "cachepusher.id_text('a:b', 'c%') = 'a%3Ab:c%25'",
        "cachepusher.id_text('a', null) is null",
        "cachepusher.id_text('a', 'b', 'c', 'd:') = 'a:b:c:d%3A'",
        "cachepusher.id_text('a', 'b', null, 'd') is null",
        "cachepusher.id_text(variadic array['a:b']) = 'a:b'",
        "cachepusher.id_part('a%3Ab:%253A', 1) = 'a:b'",
        "cachepusher.id_part('a%3Ab:%253A', 2) = '%3A'",
        "cachepusher.id_part('a:b', 3) = ''",
        "cachepusher.id_integer('-2147483648') = -2147483648",
        "cachepusher.id_integer('2147483648') is null",
        "cachepusher.id_integer('07') is null",
        "cachepusher.id_integer(e'7\\n') is null",
        "cachepusher.id_integer('') is null",
        "cachepusher.id_bigint('9223372036854775807') = 9223372036854775807",
        "cachepusher.id_bigint('9223372036854775808') is null",
        "cachepusher.id_bigint('-0') is null",
        "cachepusher.id_uuid('6f0c3a0e-5b0a-4a3e-9c3a-0123456789ab') = '6f0c3a0e-5b0a-4a3e-9c3a-0123456789ab'",
        "cachepusher.id_uuid('6F0C3A0E-5b0a-4a3e-9c3a-0123456789ab') is null",
        "cachepusher.id_uuid('x') is null",
    };
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        char query[256];
        snprintf(query, sizeof query, "select count(*) where %s", truths[i]);
        if (sql_number(f, query) != 1) {
            fail_at(__FILE__, __LINE__, "not true: %s", truths[i]);
        }
    }
    fixture_close(f);
}
END_TEST

/* What a statement of many rows sets for its own query is the transaction's again, before its end. */
START_TEST(settings_stay_as_they_are)
{
    static const char *const settings[] = {"on", "off"};
    struct fixture *f = fixture_open();
    sql(f, "create table t (id int, x int); insert into t select n, 0 from generate_series(1, 2000) as n;"
           "select cachepusher.watch('t', 'id', 'changed', reads => '{x}')");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char query[96];
        sqlf(f, "begin; set local jit = %s; update t set x = x + 1", settings[i]);
        snprintf(query, sizeof query, "select count(*) where current_setting('jit') = '%s'", settings[i]);
        REQUIRE_INT(sql_number(f, query), ==, 1);
        sql(f, "commit");
    }
    REQUIRE_INT(sql_number(f, "select count(*) where current_setting('jit') = 'on'"), ==, 1);
    fixture_close(f);
}
END_TEST

/* The triggers of other columns, and of a table whose column has both names, are left alone. */
START_TEST(each_has_triggers_of_its_own)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (a int, b int, a__b int);"
           "select cachepusher.watch('t', array['a', 'b'], 'changed'), cachepusher.watch('t', 'a__b', 'changed'),"
           " cachepusher.watch('t', array['b', 'a'], 'changed'), cachepusher.watch('t', 'a', 'changed')");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (1, 2, 3)", "\"1:2\" \"2:1\" 1 3");
    REQUIRE_INT(sql_number(f, "select count(*) from pg_trigger where tgrelid = 't'::regclass"), ==, 16);

    /* Of a column that has gone there are none any more once something is watched. */
    sql(f, "alter table t drop b; select cachepusher.watch('t', 'a', 'changed')");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (4, 5)", "4 5");
    expect_error(f, "select cachepusher.watch('t', '{}'::name[], 'changed')", "1 to 8 columns, not 0");
    expect_error(f, "select cachepusher.watch('t', array['a', 'b'], 'changed')", "has no column \"b\"");
    expect_error(f, "select cachepusher.watch('t', 'a', 'changed', reads => '{a__b,b}')", "has no column \"b\"");
    fixture_close(f);
}
END_TEST

/* ---- what documents read ---- */

START_TEST(updates_of_what_nobody_reads)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sqlf(f,
         "create table t (id int, name text, x int); insert into t select n, 'n', 0 from generate_series(1, 2000) n;"
         "select cachepusher.watch('t', 'id', 'changed', reads => '{name}'%s)",
         for_each[_i]);
    gather_watched(f, ear);
    expect_heard(f, ear, "update t set x = 1 where id = 1", "");
    expect_heard(f, ear, "update t set x = 1 where id < 5", "");
    expect_heard(f, ear, "update t set x = 2, name = name, id = id", "");
    expect_heard(f, ear, "update t set name = 'y' where id = 1", "1");
    expect_heard(f, ear, "update t set x = 3, name = case when id % 999 = 1 then 'z' else name end", "1 1000 1999");
    expect_heard(f, ear, "update t set id = 5000 where id = 7", "5000 7");
    expect_heard(f, ear, "update t set id = null where id = 8; update t set x = 4 where id is null", "8");
    expect_heard(f, ear, "insert into t values (6000, 'a', 1)", "6000");
    expect_heard(f, ear, "delete from t where id = 6000", "6000");
    sql(f, "update t set name = 'all' where id between 1000 and 1799");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(distinct id::text) from heard, json_array_elements(payload::json) as id"),
                ==, 800);
    expect_heard(f, ear, "insert into t values (1, 'n', 1); update t set id = 2 where id = 1", "1 2");

    /* What is known of it is replaced. */
    sqlf(f, "select cachepusher.watch('t', 'id', 'changed', reads => '{x}'%s)", for_each[_i]);
    gather_watched(f, ear);
    expect_heard(f, ear, "update t set name = 'b' where id = 1000; update t set x = 9 where id = 1001", "1001");
    sqlf(f, "select cachepusher.watch('t', 'id', 'changed', reads => '{}'%s)", for_each[_i]);
    gather_watched(f, ear);
    expect_heard(f, ear, "update t set name = 'c', x = 10; update t set id = 9000 where id = 1001", "1001 9000");
    sqlf(f, "select cachepusher.watch('t', 'id', 'changed'%s)", for_each[_i]);
    gather_watched(f, ear);
    expect_heard(f, ear, "update t set x = x where id = 1000", "1000");
    fixture_close(f);
}
END_TEST

/* What a document shows may differ where Postgres finds two values equal. */
START_TEST(images_are_compared)
{
    static const char *const changes[][3] = {
        {"numeric", "1.0", "1.00"},
        {"float8", "0", "-0"},
        {"json", "{\"a\":1}", "{\"a\": 1}"},
        {"jsonb", "{\"a\": 1.0}", "{\"a\": 1.00}"},
        {"text collate ignores_case", "a", "A"},
        {"interval", "1 day", "24 hours"},
        {"numeric[]", "{1.0}", "{1.00}"},
        {"text", "", NULL},
        {"xml", "<a/>", "<a />"}, /* which has no operators */
        {"point", "(0,0)", "(0,1e-9)"},
    };
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create collation ignores_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        sqlf(f, "create table t (id text collate ignores_case, v %s, x int); insert into t values ('a', '%s', 1)",
             changes[i][0], changes[i][1]);
        sqlf(f, "select cachepusher.watch('t', 'id', 'changed', reads => '{v}'%s)", for_each[_i]);
        gather_watched(f, ear);
        expect_heard(f, ear, "update t set x = 2, v = v", "");
        sqlf(f, changes[i][2] != NULL ? "update t set v = '%s'" : "update t set v = null", changes[i][2]);
        expect_gathered(f, ear, changes[i][0], "\"a\"");
        expect_heard(f, ear, "update t set id = 'A'", "\"A\" \"a\"");
        sql(f, "drop table t");
    }
    fixture_close(f);
}
END_TEST

/* Also where it is stored elsewhere, and where somebody else's trigger changes it. */
START_TEST(whatever_changes_it)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sqlf(f,
         "create table t (id int, v text, x int); alter table t alter v set storage external;"
         "insert into t values (1, repeat('a', 100000), 1), (2, 'short', 1);"
         "select cachepusher.watch('t', 'id', 'changed', reads => '{v}'%s)",
         for_each[_i]);
    gather_watched(f, ear);
    expect_heard(f, ear, "update t set x = 2", "");
    expect_heard(f, ear, "update t set v = repeat('a', 100000)", "2");
    expect_heard(f, ear, "update t set v = repeat('a', 99999) || 'b' where id = 1", "1");
    sql(f, "create function change() returns trigger language plpgsql as"
           " 'begin new.v := new.x::text; return new; end';"
           "create trigger zz before update on t for each row when (new.x > 5) execute function change()");
    expect_heard(f, ear, "update t set x = 3", "");
    expect_heard(f, ear, "update t set x = 6 where id = 2", "2");
    expect_heard(f, ear, "update t set x = 6 where id = 2", "");
    fixture_close(f);
}
END_TEST

/* The application's writes go on, and all of them count until watch() is called again. */
START_TEST(columns_that_have_gone)
{
    static const char *const going[][2] = {{"alter table t rename v to w", "alter table t rename w to v"},
                                           {"alter table t drop v", "alter table t add v text"}};
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sqlf(f,
         "create table t (id int, v text, x int); insert into t select n, 'v', 0 from generate_series(1, 2000) n;"
         "select cachepusher.watch('t', 'id', 'changed', reads => '{v}'%s)",
         for_each[_i]);
    gather_watched(f, ear);
    for (size_t i = 0; i < sizeof going / sizeof *going; i++) {
        expect_heard(f, ear, "update t set x = 1 where id < 3", "");
        sql(f, going[i][0]);
        expect_heard(f, ear, "update t set x = 2 where id = 1", "1");
        expect_heard(f, ear, "update t set x = 2 where id < 4", "1 2 3");
        sql(f, "update t set x = 3");
        gather(f, ear);
        REQUIRE_INT(sql_number(f, "select count(distinct i::text) from heard, json_array_elements(payload::json) i"),
                    ==, 2000);
        expect_heard(f, ear, "alter table t rename id to gone; update t set x = 4 where gone = 1", "*");
        expect_heard(f, ear, "update t set x = 5", "*");
        sql(f, "alter table t rename gone to id");
        sql(f, going[i][1]);
        expect_heard(f, ear, "update t set v = 'changed' where id = 2", "2");
    }
    if (_i == 0) { /* triggers for each row have plans that are not made anew: there all count, in this session */
        expect_heard(f, ear, "alter table t alter v type bytea using v::bytea; update t set x = 5", "");
        expect_heard(f, ear, "update t set v = '\\x00' where id = 3", "3");
    }
    fixture_close(f);
}
END_TEST

/* A row that leaves its partition, and one that is kept from entering another: what is paired with what does not
 * matter. */
START_TEST(rows_that_move)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table p (id int, place int, v text, x int) partition by range (place);"
           "create table p_low partition of p for values from (0) to (100);"
           "create table p_high partition of p for values from (100) to (200);"
           "insert into p select n, n, 'v', 0 from generate_series(1, 99) as n;"
           "select cachepusher.watch('p', 'id', 'changed', reads => '{v}')");
    gather_watched(f, ear);
    expect_heard(f, ear, "update p set x = 1; update p_low set x = 2", "");
    expect_heard(f, ear, "update p set place = place + 100 where id < 50", "");
    expect_heard(f, ear, "update p set v = 'w', place = place + 100 where id = 50", "50");
    expect_heard(f, ear, "update p_high set v = 'low' where id = 1", "1");
    sql(f, "create function refuse() returns trigger language plpgsql as 'begin return null; end';"
           "create trigger refuse before insert on p_high for each row when (new.id = 60) execute function refuse()");
    sql(f, "update p set place = place + 100 where id between 60 and 62");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard where payload ~ '\\m60\\M'"), ==, 1);
    fixture_close(f);
}
END_TEST

/* A function can be replaced under a write that has announced nothing with it, and nobody would read again what that
 * wrote: so watch() waits for the write, and only then announces '*'. */
START_TEST(writes_under_way_are_waited_for)
{
    static const char *const calls[] = {
        "'t', 'id', 'changed', reads => '{v,x}'",                         /* the function alone */
        "'t', 'id', 'changed', reads => '{v,x}', announce => 'message'",  /* as messages */
        "'t', 'id', 'changed', reads => '{v,x}', for_subscriber => true", /* triggers, too */
        "'t', 'id', 'other', reads => '{v}'",                             /* triggers alone */
        "'t_1', 'id', 'changed', reads => '{x}'",                         /* a partition by itself */
    };
    struct fixture *f = fixture_open();
    PGconn *writer = connect_again(f);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char call[256];
        snprintf(call, sizeof call, "select cachepusher.watch(%s)", calls[i]);
        sql(f, "set lock_timeout = '200ms'; create table t (id int, v text, x int) partition by list (id);"
               "create table t_1 partition of t for values in (1); create table t_2 partition of t default;"
               "insert into t values (1, 'v', 0); select cachepusher.watch('t', 'id', 'changed', reads => '{v}')");
        sql_on(writer, "begin; update t_1 set x = 1");
        expect_error(f, call, "lock timeout");
        sql_on(writer, "commit");
        sql(f, call);

        /* What is right takes no lock, and waits for none. */
        sql_on(writer, "begin; update t_1 set x = 2");
        sqlf(f, "begin; %s", call);
        REQUIRE_INT(sql_number(f, "select count(*) from pg_locks where pid = pg_backend_pid() and relation in"
                                  " ('t'::regclass, 't_1'::regclass) and mode <> 'AccessShareLock'"),
                    ==, 0);
        sql(f, "commit");
        sql_on(writer, "commit");
        sql(f, "drop table t; drop function if exists cachepusher_t__id(), cachepusher_t_1__id()");
    }
    fixture_close(f);
}
END_TEST

/* One that reads, and goes on to write while watch() waits for it, must not be told of a deadlock. */
START_TEST(readers_are_not_in_the_way)
{
    struct fixture *f = fixture_open();
    PGconn *reader = connect_again(f);
    PGconn *caller = connect_again(f);
    sql(f, "create table t (id int, v text, x int); insert into t values (1, 'v', 0);"
           "select cachepusher.watch('t', 'id', 'changed', reads => '{v}')");
    sql_on(reader, "begin; select * from t");
    REQUIRE(PQsendQuery(caller, "select cachepusher.watch('t', 'id', 'other', reads => '{v,x}')") == 1);
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_locks where not granted and relation = 't'::regclass") == 1);
    sql_on(reader, "update t set x = 1; commit");
    PGresult *result = PQgetResult(caller);
    REQUIRE(PQresultStatus(result) == PGRES_TUPLES_OK);
    PQclear(result);
    fixture_close(f);
}
END_TEST

Suite *watch_reads_suite(void)
{
    Suite *suite = suite_create("watch_reads");
    TCase *tcase = tcase_create("watch_reads");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, several_columns_are_one_text, 0, 2);
    tcase_add_test(tcase, helpers_say_the_same);
    tcase_add_test(tcase, settings_stay_as_they_are);
    tcase_add_test(tcase, each_has_triggers_of_its_own);
    tcase_add_loop_test(tcase, updates_of_what_nobody_reads, 0, 2);
    tcase_add_loop_test(tcase, images_are_compared, 0, 2);
    tcase_add_loop_test(tcase, whatever_changes_it, 0, 2);
    tcase_add_loop_test(tcase, columns_that_have_gone, 0, 2);
    tcase_add_test(tcase, rows_that_move);
    tcase_add_test(tcase, writes_under_way_are_waited_for);
    tcase_add_test(tcase, readers_are_not_in_the_way);
    suite_add_tcase(suite, tcase);
    return suite;
}
