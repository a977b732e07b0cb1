#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a statement announces ---- */

/* A connection of its own that listens; what it hears is kept in a table. */
static PGconn *listen_to(struct fixture *f, const char *channel)
{
    PGconn *ear = connect_again(f);
    char *name = PQescapeIdentifier(ear, channel, strlen(channel));
    char statement[256];
    snprintf(statement, sizeof statement, "listen %s; listen fence", name);
    PQfreemem(name);
    sql_on(ear, statement);
    sql(f, "set client_min_messages = warning; create temp table if not exists heard (channel text, payload text)");
    return ear;
}

static void keep(struct fixture *f, const PGnotify *notification)
{
    const char *values[] = {notification->relname, notification->extra};
    PGresult *result = PQexecParams(f->pg, "insert into heard values ($1, $2)", 2, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    REQUIRE(status == PGRES_COMMAND_OK);
}

static PGnotify *next_notification(PGconn *ear)
{
    PGnotify *notification = PQnotifies(ear);
    if (notification == NULL) {
        REQUIRE(PQconsumeInput(ear) == 1);
        notification = PQnotifies(ear);
    }
    return notification;
}

/* Everything announced up to now, instead of what the table held. */
static void gather(struct fixture *f, PGconn *ear)
{
    sql(f, "delete from heard; notify fence");
    for (bool done = false; !done;) {
        PGnotify *notification = NULL;
        WAIT_UNTIL((notification = next_notification(ear)) != NULL);
        done = strcmp(notification->relname, "fence") == 0;
        if (!done) {
            keep(f, notification);
        }
        PQfreemem(notification);
    }
}

/* Runs the statements and compares what they announce: the set of ids as JSON, and *, in order. */
static void expect_heard(struct fixture *f, PGconn *ear, const char *statements, const char *expected)
{
    sql(f, statements);
    gather(f, ear);
    PGresult *result = PQexec(
        f->pg, "select coalesce(string_agg(distinct id collate \"C\", ' ' order by id collate \"C\"), '') from heard,"
               " lateral (select '*' where payload = '*' union all"
               " select i::text from json_array_elements(nullif(payload, '*')::json) i)"
               " as ids(id)");
    char heard[1024];
    snprintf(heard, sizeof heard, "%s",
             PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : PQerrorMessage(f->pg));
    PQclear(result);
    if (strcmp(heard, expected) != 0) {
        fail_at(__FILE__, __LINE__, "%.300s: announced %s; expected %s", statements, heard, expected);
    }
}

/* The statement has to fail, with this in the message. */
static void expect_error(struct fixture *f, const char *statement, const char *part)
{
    PGresult *result = PQexec(f->pg, statement);
    char message[512];
    snprintf(message, sizeof message, "%s", PQresultErrorMessage(result));
    PQclear(result);
    REQUIRE_CONTAINS(message, part);
}

/* ---- ids ---- */

/* What Postgres holds for equal can have different texts, and each text has a key of its own. */
START_TEST(equal_ids_of_different_texts)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create extension citext;"
           "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
           "create table c (id citext primary key, x int); create table n (id text collate nocase, x int);"
           "select cachepusher.watch('c', 'id', 'changed'), cachepusher.watch('n', 'id', 'changed')");
    expect_heard(f, ear, "insert into c values ('Ada')", "\"Ada\"");
    expect_heard(f, ear, "update c set id = 'aDA'", "\"Ada\" \"aDA\"");
    expect_heard(f, ear, "update c set x = 1", "\"aDA\"");
    expect_heard(f, ear, "insert into n values ('Bob'), ('BOB'), ('bob')", "\"BOB\" \"Bob\" \"bob\"");
    expect_heard(f, ear, "update n set id = upper(id) where id = 'bob'", "\"BOB\" \"Bob\" \"bob\"");
    fixture_close(f);
}
END_TEST

/* Numbers travel bare, everything else as the text that a cast makes of it. */
START_TEST(types_of_ids)
{
    static const char *const types[][3] = {
        {"smallint", "-7", "-7"},
        {"integer", "2147483647", "2147483647"},
        {"bigint", "-9223372036854775808", "-9223372036854775808"},
        {"positive", "7", "\"7\""},
        {"char(9)", "ab c", "\"ab c\""},
        {"name", "\"", "\"\\\"\""},
        {"varchar(9)", "7", "\"7\""},
        {"text", "*", "\"*\""},
        {"text", "", "\"\""},
        {"text", "\xc3\xa9\n\\", "\"\xc3\xa9\\n\\\\\""},
        {"uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""},
    };
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create domain positive as int check (value > 0)");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char statement[256];
        sqlf(f, "create table t (id %s, x int); select cachepusher.watch('t', 'id', 'changed')", types[i][0]);
        snprintf(statement, sizeof statement, "insert into t values ('%s')", types[i][1]);
        expect_heard(f, ear, statement, types[i][2]);
        expect_heard(f, ear, "update t set x = 1", types[i][2]);
        expect_heard(f, ear, "delete from t", types[i][2]);
        sql(f, "drop table t");
    }
    fixture_close(f);
}
END_TEST

START_TEST(null_ids_are_nobodys)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "customer_updated");
    sql(f, "insert into customer (id_customer) values (1), (2)");
    gather(f, ear);
    expect_heard(f, ear, "insert into address (fk_customer) values (null), (null)", "");
    expect_heard(f, ear, "insert into address (fk_customer) values (null), (2)", "2");
    expect_heard(f, ear, "update address set description = 'x' where fk_customer is null", "");
    expect_heard(f, ear, "update address set fk_customer = 1 where fk_customer is null", "1");
    expect_heard(f, ear, "update address set fk_customer = null", "1 2");
    expect_heard(f, ear, "delete from address", "");
    expect_heard(f, ear, "update customer set name = 'x' where false", "");
    fixture_close(f);
}
END_TEST

/* The longest id that fits is announced by its name, a longer one by calling for all. */
START_TEST(long_ids)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id text); select cachepusher.watch('t', 'id', 'changed')");
    expect_heard(f, ear, "insert into t values (repeat('x', 3898)), ('short')", "\"short\" *");
    expect_heard(f, ear, "delete from t where id = 'short'", "\"short\"");
    expect_heard(f, ear, "insert into t values (repeat('\xc3\xa9', 2000)), ('a'), ('b')", "\"a\" \"b\" *");
    sql(f, "truncate t; insert into t select repeat(chr(64 + i), 3897) from generate_series(1, 26) i");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard where payload = '*'"), ==, 1); /* TRUNCATE */
    REQUIRE_INT(sql_number(f, "select count(distinct i::text) from heard, json_array_elements(payload::json) i"
                              " where payload <> '*'"),
                ==, 26);
    fixture_close(f);
}
END_TEST

START_TEST(many_ids)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f,
        "create table t (id bigint, name text); select cachepusher.watch('t', 'id', 'changed');"
        "insert into t select i::bigint * 7919 * 1000003, i || repeat('x', i % 300) from generate_series(1, 100000) i");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard"), <, 250);
    REQUIRE_INT(sql_number(f, "select max(octet_length(payload)) from heard"), <, 8000);
    REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements_text(payload::json) i"), ==, 100000);
    REQUIRE_INT(sql_number(f, "select count(*) from t where id not in"
                              " (select i::bigint from heard, json_array_elements_text(payload::json) i)"),
                ==, 0);

    sql(f, "alter table t alter id type text using name; update t set name = ''");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select max(octet_length(payload)) from heard"), <, 8000);
    REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements_text(payload::json) i"), ==, 100000);
    fixture_close(f);
}
END_TEST

/* ---- statements ---- */

START_TEST(every_kind_of_statement)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "customer_updated");
    sql(f, "alter table customer add unique (name)");
    sql_on(ear, "listen customer_deleted");
    PQclear(PQexec(f->pg, "copy customer (id_customer, name) from stdin"));
    REQUIRE(PQputCopyData(f->pg, "1\tAda\n2\tBob\n", 12) == 1 && PQputCopyEnd(f->pg, NULL) == 1);
    for (PGresult *result; (result = PQgetResult(f->pg)) != NULL; PQclear(result)) {
        REQUIRE(PQresultStatus(result) == PGRES_COMMAND_OK);
    }
    expect_heard(f, ear, "select", "1 2");
    expect_heard(f, ear, "insert into customer values (1, 'x'), (3, 'Cy') on conflict do nothing", "3");
    expect_heard(f, ear,
                 "insert into customer values (1, 'x'), (4, 'Di') on conflict (id_customer)"
                 " do update set id_customer = 10 + excluded.id_customer",
                 "1 11 4");
    expect_heard(f, ear,
                 "with gone as (delete from customer where id_customer = 4 returning *)"
                 " insert into customer select 5, name || '!' from gone",
                 "4 5");
    if (PQserverVersion(f->pg) >= 150000) {
        expect_heard(f, ear,
                     "merge into customer c using (values (2), (3), (6)) as s(id) on c.id_customer = s.id"
                     " when matched and s.id = 2 then update set name = 'merged' when matched then delete"
                     " when not matched then insert (id_customer) values (s.id)",
                     "2 3 6");
    }
    expect_heard(f, ear, "insert into address (fk_customer) values (2), (2), (11)", "11 2");
    sql_on(ear, "unlisten customer_deleted"); /* so that what is left to hear comes from the addresses */
    expect_heard(f, ear, "delete from customer where id_customer = 2", "2");
    expect_heard(f, ear, "begin; insert into customer values (7); rollback", "");
    expect_heard(f, ear, "begin; savepoint s; delete from address; rollback to s; insert into customer values (8); end",
                 "8");
    expect_heard(f, ear, "truncate customer cascade", "*");
    fixture_close(f);
}
END_TEST

/* ---- names ---- */

START_TEST(names_that_need_quotes)
{
    static const char *const columns[] = {"The \"Id\" %I $1", "id",     "new_rows", "missing",
                                          "touched",          "select", "it's",     "\xc3\xa9\\"};
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "Ch \"x\" 'y' \\ %s");
    sql(f, "create schema \"Odd %I Schema\"");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char *column = PQescapeIdentifier(f->pg, columns[i], strlen(columns[i]));
        char *literal = PQescapeLiteral(f->pg, columns[i], strlen(columns[i]));
        sqlf(f,
             "create table \"Odd %%I Schema\".\"A \"\"Table\"\" 'x'\" (%s int, x int);"
             "select cachepusher.watch('\"Odd %%I Schema\".\"A \"\"Table\"\" ''x''\"', %s, 'Ch \"x\" ''y'' \\ %%s')",
             column, literal);
        PQfreemem(column);
        PQfreemem(literal);
        expect_heard(f, ear, "insert into \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\" values (1), (2)", "1 2");
        expect_heard(f, ear, "update \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\" set x = 1", "1 2");
        expect_heard(f, ear, "set search_path to ''; delete from \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\"", "1 2");
        sql(f, "reset search_path; drop table \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\"");
    }
    fixture_close(f);
}
END_TEST

START_TEST(channels_are_checked)
{
    struct fixture *f = fixture_open();
    static const char channel[] = "a channel of 63 bytes: 6789 123456789 123456789 123456789 123\xc3\xa9";
    REQUIRE_INT(strlen(channel), ==, 63);
    PGconn *ear = listen_to(f, channel);
    sqlf(f, "select cachepusher.watch('customer', 'id_customer', '%s')", channel);
    expect_heard(f, ear, "insert into customer values (1)", "1");
    const char *wrong = "the name of a channel has 1 to 63 bytes, not";
    expect_error(f, "select cachepusher.watch('customer', 'id_customer', repeat('x', 64))", wrong);
    expect_error(f, "select cachepusher.watch('customer', 'id_customer', repeat('\xc3\xa9', 32))", wrong);
    expect_error(f, "select cachepusher.watch('customer', 'id_customer', '')", wrong);
    expect_error(f, "select cachepusher.watch('customer', 'id_customer', null)", wrong);
    expect_error(f, "select cachepusher.watch('customer', 'id_customer', 'c', repeat('x', 64))", wrong);
    expect_error(f, "select cachepusher.watch('customer', 'id_customer', 'c', '')", wrong);
    expect_error(f, "select cachepusher.watch('customer', 'ctid', 'c')", "has no column \"ctid\"");
    expect_heard(f, ear, "delete from customer", "1"); /* as before */
    fixture_close(f);
}
END_TEST

/* The application's writes go on, and everything is read again. */
START_TEST(columns_that_have_gone)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id int, other int); select cachepusher.watch('t', 'id', 'changed');"
           "alter table t rename id to renamed");
    expect_heard(f, ear, "insert into t values (1), (2)", "*");
    expect_heard(f, ear, "update t set renamed = 3 where renamed = 2", "*");
    expect_heard(f, ear, "update t set renamed = 3 where false", "*");
    expect_heard(f, ear, "delete from t where renamed = 3", "*");
    expect_heard(f, ear, "alter table t rename renamed to id; update t set other = 1", "1");
    expect_heard(f, ear, "alter table t drop id; update t set other = 2", "*");

    /* A snapshot from before does not matter. */
    PGconn *other = connect_again(f);
    sql(f, "alter table t add id int default 7");
    sql_on(other, "begin isolation level repeatable read; select");
    sql(f, "alter table t rename id to again");
    sql_on(other, "insert into t values (1); commit");
    expect_heard(f, ear, "select", "*");
    fixture_close(f);
}
END_TEST

/* ---- tables ---- */

static const char partitioned[] =
    "create table p (id int, place int, x int references customer (id_customer) on delete cascade)"
    " partition by range (place);"
    "create table p_low partition of p for values from (0) to (100);"
    "create table p_odd (x int, gone int, place int, id int); alter table p_odd drop gone;"
    "alter table p attach partition p_odd for values from (100) to (200);"
    "create table \"P High\" partition of p for values from (200) to (300) partition by list (place);"
    "create table p_leaf partition of \"P High\" default;"
    "select cachepusher.watch('p', 'id', 'changed')";

START_TEST(partitions)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, partitioned);
    expect_heard(f, ear, "insert into p values (1, 1), (2, 101), (3, 201)", "1 2 3");
    expect_heard(f, ear, "insert into p_low values (4, 2)", "4");
    expect_heard(f, ear, "insert into p_odd (id, place) values (5, 102)", "5");
    expect_heard(f, ear, "insert into p_leaf values (6, 202)", "6");
    expect_heard(f, ear, "insert into \"P High\" values (7, 203)", "7");
    expect_heard(f, ear, "update p set id = id + 10 where id in (1, 2, 3)", "1 11 12 13 2 3");
    expect_heard(f, ear, "update p_odd set id = 2 where id = 12", "12 2");
    expect_heard(f, ear, "update p set place = place + 100 where id in (11, 2)", "11 2"); /* rows move */
    expect_heard(f, ear, "delete from p_leaf where id = 2", "2");
    expect_heard(f, ear, "delete from p where place < 300 and id in (6, 11)", "11 6");
    expect_heard(f, ear, "truncate p_low", "*");
    expect_heard(f, ear, "insert into customer values (1); insert into p values (8, 3, 1), (9, 103, 1), (9, 204, 1)",
                 "8 9");
    expect_heard(f, ear, "delete from customer", "8 9");

    expect_heard(f, ear, "create table p_late partition of p default; insert into p_late values (20, 999)", "");
    expect_heard(f, ear, "select cachepusher.watch('p', 'id', 'changed'); insert into p_late values (21, 999)", "21");
    sql(f, "alter table p drop x; create foreign data wrapper none; create server nowhere foreign data wrapper none;"
           "create foreign table p_foreign partition of p for values from (300) to (400) server nowhere;"
           "select cachepusher.watch('p', 'id', 'changed')");
    expect_heard(
        f, ear,
        "alter table p detach partition p_odd; drop foreign table p_foreign; update p set id = 31 where id = 21",
        "21 31");
    fixture_close(f);
}
END_TEST

START_TEST(inheritance)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table base (id int, x int); create table other (y int);"
           "create table a () inherits (base); create table b () inherits (base, other);"
           "create table c () inherits (a, b); select cachepusher.watch('base', 'id', 'changed')");
    expect_heard(f, ear, "insert into base values (1); insert into a values (2); insert into c values (3)", "1 2 3");
    expect_heard(f, ear, "update base set x = 1", "1 2 3");
    expect_heard(f, ear, "update only base set x = 1", "1");
    expect_heard(f, ear, "delete from a", "2 3");
    fixture_close(f);
}
END_TEST

Suite *triggers_suite(void)
{
    Suite *suite = suite_create("triggers");
    TCase *tcase = tcase_create("triggers");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, equal_ids_of_different_texts);
    tcase_add_test(tcase, types_of_ids);
    tcase_add_test(tcase, null_ids_are_nobodys);
    tcase_add_test(tcase, long_ids);
    tcase_add_test(tcase, many_ids);
    tcase_add_test(tcase, every_kind_of_statement);
    tcase_add_test(tcase, names_that_need_quotes);
    tcase_add_test(tcase, channels_are_checked);
    tcase_add_test(tcase, columns_that_have_gone);
    tcase_add_test(tcase, partitions);
    tcase_add_test(tcase, inheritance);
    suite_add_tcase(suite, tcase);
    return suite;
}
