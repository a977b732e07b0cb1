#include "heard.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

START_TEST(names_that_need_quotes)
{
    static const char *const columns[] = {"The \"Id\" %I $1",
                                          "id",
                                          "new_rows",
                                          "missing",
                                          "touched",
                                          "select",
                                          "it's",
                                          "\xc3\xa9\\",
                                          "texts",
                                          "payload",
                                          "jit",
                                          "rows_seen",
                                          "announced",
                                          "tg_op",
                                          "new",
                                          "_",
                                          "a__b",
                                          "is_number",
                                          "tg_argv",
                                          "Tg_Argv",
                                          "tg_level",
                                          "old",
                                          "old_rows",
                                          "found",
                                          "before",
                                          "after",
                                          "ids",
                                          "total",
                                          "sqlerrm",
                                          "%",
                                          "%1$s %%I %L",
                                          "\"",
                                          "$sql$ $source$",
                                          "-- x",
                                          "'; '",
                                          "\n",
                                          "\\",
                                          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""};
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
        gather_watched(f, ear);
        expect_heard(f, ear, "insert into \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\" values (1), (2)", "1 2");
        expect_heard(
            f, ear, "insert into \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\" select 3 from generate_series(1, 600)", "3");
        expect_heard(f, ear, "update \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\" set x = 1", "1 2 3");
        expect_heard(f, ear, "set search_path to ''; delete from \"Odd %I Schema\".\"A \"\"Table\"\" 'x'\"", "1 2 3");
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
    gather_watched(f, ear);
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
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (1), (2)", "*");
    expect_heard(f, ear, "update t set renamed = 3 where renamed = 2", "*");
    expect_heard(f, ear, "update t set renamed = 3 where false", "");
    expect_heard(f, ear, "insert into t select 3 from generate_series(1, 600)", "*");
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

/* Another session has plans for the table as it was. */
START_TEST(tables_that_change)
{
    static const char *const steps[][2] = {
        {"select", "1"},
        {"alter table t add new int", "1"},
        {"alter table t drop x", "1"},
        {"alter table t alter id type text", "\"1\""},
        {"alter table t alter id type bigint using id::bigint", "1"},
        {"alter table t alter id type char(3)", "\"1\""},
        {"alter table t rename id to first; alter table t rename other to id", "3"}, /* and not what was called so */
        {"alter table t rename id to other", "*"},
        {"alter table t drop first", "*"},
        {"alter table t add id int default 4", "4"},
        {"alter table t rename to u; create view t as select * from u", "4"},
        {"create schema s; alter table u set schema s", "4"},
        {"alter table s.u disable trigger cachepusher_insert_id", ""},
        {"alter table s.u enable trigger cachepusher_insert_id", "4"},
        {"create or replace view t as select * from s.u where false; select cachepusher.watch('s.u', 'id', 'changed')",
         "4"},
    };
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (x int, id int default 1, other int default 3); select cachepusher.watch('t', 'id', "
           "'changed')");
    gather_watched(f, ear);
    PGconn *other = connect_again(f);
    sql_on(other, "prepare write as insert into t default values");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        sql(f, steps[i][0]);
        gather(f, ear);
        for (int n = 0; n < 7; n++) { /* so often that a plan is kept */
            sql_on(other, "execute write");
            expect_gathered(f, ear, steps[i][0], steps[i][1]);
        }
    }
    fixture_close(f);
}
END_TEST

/* Watched again, a table no longer calls for everything. */
START_TEST(columns_of_another_name)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id int, id_2 int); select cachepusher.watch('t', 'id', 'changed');"
           "select cachepusher.watch('t', 'id_2', 'changed');"
           "alter table t rename id to renamed; select cachepusher.watch('t', 'renamed', 'changed')");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (1, 2)", "1 2");
    expect_heard(f, ear, "truncate t", "*");
    REQUIRE_INT(sql_number(f, "select count(*) from heard"), ==,
                1); /* folded, as the transaction says the same twice */
    REQUIRE_INT(sql_number(f, "select count(*) from pg_trigger where tgrelid = 't'::regclass"), ==, 8);
    fixture_close(f);
}
END_TEST

/* None takes the place of another, and the header's way to stop watching works. */
START_TEST(names_that_are_alike)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    static const char *const tables[][2] = {{"a", "b_c"},  {"a_b", "c"},  {"a", "_b"},  {"a_", "b"},
                                            {"a", "b__c"}, {"a__b", "c"}, {"A", "b_c"}, {"a", "B_c"}};
    for (size_t i = 0; i < 8; i++) {
        sqlf(f, "create table if not exists \"%s\" (); alter table \"%s\" add \"%s\" int default %zu", tables[i][0],
             tables[i][0], tables[i][1], i);
    }
    for (size_t i = 0; i < 8; i++) {
        sqlf(f, "select cachepusher.watch('\"%s\"', '%s', 'changed')", tables[i][0], tables[i][1]);
    }
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into a default values", "0 2 4 7");
    expect_heard(f, ear, "insert into a_b default values; insert into \"A\" default values", "1 6");
    expect_heard(f, ear, "insert into a_ default values; insert into a__b default values", "3 5");

    static const char x50[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    sqlf(f,
         "create table \"%s table 1\" (\"%s column a\" int default 1, \"%s column b\" int default 2);"
         "create table \"%s table 2\" (\"%s column a\" int default 3)",
         x50, x50, x50, x50, x50);
    for (int i = 0; i < 2; i++) {
        sqlf(f,
             "select cachepusher.watch('\"%s table 1\"', '%s column a', 'changed'),"
             " cachepusher.watch('\"%s table 1\"', '%s column b', 'changed'),"
             " cachepusher.watch('\"%s table 2\"', '%s column a', 'changed')",
             x50, x50, x50, x50, x50, x50);
    }
    gather_watched(f, ear);
    sqlf(f, "insert into \"%s table 1\" default values", x50);
    expect_gathered(f, ear, "table 1", "1 2");
    sqlf(f, "insert into \"%s table 2\" default values", x50);
    expect_gathered(f, ear, "table 2", "3");

    expect_heard(f, ear, "drop function cachepusher_a_b__c() cascade; insert into a_b default values", "");
    expect_heard(
        f, ear,
        "drop function cachepusher_address__fk_customer() cascade; insert into customer values (1);"
        "select cachepusher.watch('address', 'fk_customer', 'changed'); insert into address values (1, 'x', 1)",
        "* 1");
    fixture_close(f);
}
END_TEST

/* ---- roles ---- */

/* Who owns the table can watch it; who only writes to it is announced; who may put functions beside it stays out. */
START_TEST(roles)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sqlf(f,
         "create role %s_owner; create role %s_writer; create role %s_other; create schema shop;"
         "grant usage, create on schema shop to %s_owner, %s_other; grant usage on schema shop to %s_writer;",
         f->base, f->base, f->base, f->base, f->base, f->base);
    char owner[96], writer[96], other[96];
    snprintf(owner, sizeof owner, "set role %s_owner", f->base);
    snprintf(writer, sizeof writer, "set role %s_writer", f->base);
    snprintf(other, sizeof other, "set role %s_other", f->base);
    sql(f, owner);
    sql(f, "create table shop.t (id int); select cachepusher.watch('shop.t', 'id', 'changed')");
    sqlf(f, "grant insert on shop.t to %s_writer", f->base);
    sql(f, writer);
    sql(f, "insert into shop.t values (1); insert into shop.t select generate_series(2, 600)");
    expect_error(f, "select cachepusher.watch('shop.t', 'id', 'changed')", "needs CREATE on schema shop");
    sql(f, "reset role");
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard, json_array_elements(nullif(payload, '*')::json)"), ==, 600);

    /* Whoever watches first, the table's owner can do it again. */
    sql(f, "drop function shop.cachepusher_t__id() cascade; select cachepusher.watch('shop.t', 'id', 'changed')");
    sql(f, owner);
    expect_heard(f, ear, "reset role; insert into shop.t values (7)", "* 7");
    sql(f, owner);
    sql(f, "select cachepusher.watch('shop.t', 'id', 'changed')");
    expect_heard(f, ear, "reset role; insert into shop.t values (8)", "* 8");

    /* What another role has put there would run for everybody who writes. */
    sql(f, "drop function shop.cachepusher_t__id() cascade");
    sql(f, other);
    sql(f, "create function shop.cachepusher_t__id() returns trigger language plpgsql as 'begin return null; end'");
    sql(f, "reset role");
    expect_error(f, "select cachepusher.watch('shop.t', 'id', 'changed')", "belongs to");
    sqlf(f, "drop owned by %s_owner, %s_writer, %s_other cascade; drop role %s_owner, %s_writer, %s_other", f->base,
         f->base, f->base, f->base, f->base, f->base);
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
    gather_watched(f, ear);
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
    expect_heard(f, ear, "select cachepusher.watch('p', 'id', 'changed'); insert into p_late values (21, 999)", "* 21");
    sql(f, "alter table p drop x; create foreign data wrapper none; create server nowhere foreign data wrapper none;"
           "create foreign table p_foreign partition of p for values from (300) to (400) server nowhere;"
           "select cachepusher.watch('p', 'id', 'changed')");
    gather_watched(f, ear);
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
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into base values (1); insert into a values (2); insert into c values (3)", "1 2 3");
    expect_heard(f, ear, "update base set x = 1", "1 2 3");
    expect_heard(f, ear, "update only base set x = 1", "1");
    expect_heard(f, ear, "delete from a", "2 3");
    fixture_close(f);
}
END_TEST

/* ---- called again ---- */

/* What is right already is not made again: that would lock the table, and forget what was set by hand. */
START_TEST(what_is_right_is_left_alone)
{
    static const char made[] = "select hashtext(string_agg(oid::text || xmin::text, ' ' order by oid))::bigint"
                               " from (select oid, xmin from pg_trigger where not tgisinternal union all"
                               " select oid, xmin from pg_proc where proname = 'cachepusher_p__id') as t";
    static const char again[] = "select cachepusher.watch('p', 'id', 'Ch\\\xc3\xa9')";
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "Ch\\\xc3\xa9");
    sql(f, partitioned);
    sql(f, again);
    gather_watched(f, ear);
    long long before = sql_number(f, made);
    PGconn *writer = connect_again(f);
    sql_on(writer, "begin; lock table p in row exclusive mode");
    sql(f, again);
    gather_watched(f, ear);
    REQUIRE_INT(sql_number(f, made), ==, before);
    sql_on(writer, "commit");
    expect_heard(f, ear, "select cachepusher.watch('p', 'id', 'elsewhere'); insert into p values (1, 1)", "");
    REQUIRE_INT(sql_number(f, made), !=, before);
    fixture_close(f);
}
END_TEST

static void require_states(struct fixture *f, const char *table, const char *insert, const char *others)
{
    char query[256];
    snprintf(query, sizeof query,
             "select count(*) from pg_trigger where tgrelid = '%s'::regclass and not tgisinternal"
             " and tgenabled = case when tgname like '%%insert%%' then '%s' else '%s' end",
             table, insert, others);
    REQUIRE_INT(sql_number(f, query), ==, 4);
}

/* Triggers stay enabled as they are, each for itself, also if they are made again; new partitions do as their root. */
START_TEST(enabled_as_before)
{
    static const char *const again[] = {
        "select cachepusher.watch('p', 'id', 'changed')",
        "select cachepusher.watch('p', 'id', 'elsewhere')",
        "alter table p rename id to number; select cachepusher.watch('p', 'number', 'changed')",
    };
    struct fixture *f = fixture_open();
    sql(f, partitioned);
    sql(f, "do $$ declare t record; begin"
           " for t in select tgname, tgrelid::regclass as name, tgrelid = 'p'::regclass as root from pg_trigger"
           " where not tgisinternal and tgrelid in ('p'::regclass, 'p_low'::regclass) loop"
           " execute format('alter table only %s enable %s trigger %I', t.name,"
           "  case when t.root then 'always' else 'replica' end, t.tgname);"
           " end loop; end $$;"
           "alter table p_odd disable trigger cachepusher_insert_id");
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        sql(f, again[i]);
        require_states(f, "p", "A", "A");
        require_states(f, "p_low", "R", "R");
        require_states(f, "p_odd", "D", "O");
        require_states(f, "p_leaf", "O", "O");
    }
    sql(f, "create table p_late partition of p default; select cachepusher.watch('p', 'number', 'changed')");
    require_states(f, "p_late", "A", "A");
    fixture_close(f);
}
END_TEST

/* ---- what is not an ordinary write ---- */

/* A server that allows prepared transactions, as far as watch() can tell. */
static void allow_prepared(struct fixture *f)
{
    sql(f, "alter function pg_catalog.current_setting(text) rename to current_setting_really;"
           "create function pg_catalog.current_setting(text) returns text language sql as"
           " 'select case when $1 = ''max_prepared_transactions'' then ''5'' else current_setting_really($1) end'");
}

START_TEST(where_transactions_can_be_prepared)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    sql(f, "create table t (id int)");
    allow_prepared(f);
    expect_error(f, "select cachepusher.watch('t', 'id', 'changed')", "max_prepared_transactions is 5");
    expect_error(f, "select cachepusher.watch('t', 'id', 'changed', null, null)", "could be prepared");
    expect_error(f, "select cachepusher.watch('t', 'id', 'changed', allow_prepared => false)",
                 "allow_prepared => true");
    REQUIRE_INT(sql_number(f, "select count(*) from pg_trigger where tgrelid = 't'::regclass"), ==, 0);
    sql(f, "select cachepusher.watch('t', 'id', 'changed', allow_prepared => true)");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values (1)", "1");
    fixture_close(f);
}
END_TEST

/* Row by row, whatever the name, the type and the length of the ids. */
START_TEST(rows_one_by_one)
{
    static const char *const columns[] = {"id",       "tg_argv", "new",     "old",
                                          "before",   "payload", "tg_op",   "The \"Id\" %I $1 'x' \\",
                                          "\xc3\xa9", "select",  "$source$"};
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char *column = PQescapeIdentifier(f->pg, columns[i], strlen(columns[i]));
        char *literal = PQescapeLiteral(f->pg, columns[i], strlen(columns[i]));
        sqlf(f, "create table t (%s int, x int); select cachepusher.watch('t', %s, 'changed', for_subscriber => true)",
             column, literal);
        gather_watched(f, ear);
        expect_heard(f, ear, "insert into t values (1, 1), (2, 2), (null, 3)", "1 2");
        sqlf(f, "update t set %s = 10 * x where x <> 2", column);
        expect_gathered(f, ear, columns[i], "1 10 30");
        expect_heard(f, ear, "delete from t where x = 2", "2");
        expect_heard(f, ear, "truncate t", "*");
        sqlf(f, "alter table t rename %s to gone", column);
        expect_heard(f, ear, "insert into t values (1)", "*");
        sql(f, "drop table t");
        PQfreemem(column);
        PQfreemem(literal);
    }
    sql(f,
        "create table t (id char(5), x int); select cachepusher.watch('t', 'id', 'changed', for_subscriber => true)");
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into t values ('\"a')", "\"\\\"a\"");
    expect_heard(f, ear, "alter table t alter id type text; insert into t values (repeat('x', 8000)), ('b')",
                 "\"b\" *");
    expect_heard(f, ear, "alter table t alter id type bigint using length(id); update t set x = 1", "1 2 8000");
    fixture_close(f);
}
END_TEST

static void publish(struct fixture *f, const char *source)
{
    sqlf(f, "create database %s", source);
    char dsn[700];
    snprintf(dsn, sizeof dsn, "%s dbname=%s", getenv("CP_DSN"), source);
    PGconn *pg = connect_postgres(dsn);
    sql_on(pg, "create table p (id int primary key, x int); insert into p values (1, 1);"
               "create table customer (id_customer int primary key, name text, touched_at timestamptz default now());"
               "create publication p for all tables");
    char slot[128];
    snprintf(slot, sizeof slot, "select pg_create_logical_replication_slot('%s', 'pgoutput')", source);
    sql_on(pg, slot);
    PQfinish(pg);
}

static void write_at_source(const char *source, const char *statements)
{
    char dsn[700];
    snprintf(dsn, sizeof dsn, "%s dbname=%s", getenv("CP_DSN"), source);
    PGconn *pg = connect_postgres(dsn);
    sql_on(pg, statements);
    PQfinish(pg);
}

/* What a subscriber applies, first its copy of the table. The partitions are its own affair. */
START_TEST(a_subscriber)
{
    struct fixture *f = fixture_open();
    PGconn *ear = listen_to(f, "changed");
    char source[80];
    snprintf(source, sizeof source, "%s_source", f->database);
    publish(f, source);
    sql(f, "create table p (id int, x int, primary key (id)) partition by range (id);"
           "create table p_low partition of p for values from (0) to (100);"
           "create table p_high partition of p for values from (100) to (200);"
           "select cachepusher.watch('p', 'id', 'changed'),"
           " cachepusher.watch('p', 'id', 'changed', for_subscriber => true),"
           " cachepusher.watch('p', 'id', 'changed')");
    gather_watched(f, ear);
    sqlf(f, "create subscription %s connection '%s dbname=%s' publication p with (create_slot = false)", source,
         getenv("CP_DSN"), source);
    WAIT_UNTIL(sql_number(f, "select count(*) from p") == 1);
    expect_gathered(f, ear, "the copy", "1");
    write_at_source(source, "insert into p values (2, 2), (150, 3); update p set id = 151 where id = 150");
    WAIT_UNTIL(sql_number(f, "select count(*) from p where id in (2, 151)") == 2);
    expect_gathered(f, ear, "insertions", "150 151 2");
    write_at_source(source, "delete from p where id = 2");
    WAIT_UNTIL(sql_number(f, "select count(*) from p where id = 2") == 0);
    expect_gathered(f, ear, "a deletion", "2");
    write_at_source(source, "truncate p");
    WAIT_UNTIL(sql_number(f, "select count(*) from p") == 0);
    expect_gathered(f, ear, "truncate", "*");
    expect_heard(f, ear, "insert into p values (3, 3)", "3");

    /* Watched before there was a subscription. */
    sql(f, "select cachepusher.watch('customer', 'id_customer', 'changed')");
    gather_watched(f, ear);
    write_at_source(source, "insert into customer values (7)");
    WAIT_UNTIL(sql_number(f, "select count(*) from customer") == 1);
    expect_gathered(f, ear, "customer", "7");

    sql(f, "create table p_late partition of p default; insert into p values (250)");
    expect_gathered(f, ear, "an unwatched partition", "");
    expect_heard(f, ear, "select cachepusher.watch('p', 'id', 'changed'); insert into p values (251)", "* 251");
    sqlf(f, "alter subscription %s disable", source);
    sqlf(f, "alter subscription %s set (slot_name = none)", source);
    sqlf(f, "drop subscription %s", source);
    sqlf(f, "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '%s'", source);
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_replication_slots where active") == 0);
    sqlf(f, "select pg_drop_replication_slot('%s')", source);
    sqlf(f, "drop database %s with (force)", source);

    expect_heard(f, ear,
                 "select cachepusher.watch('p', 'id', 'changed', for_subscriber => false);"
                 "insert into p values (4), (5); insert into p_low values (6)",
                 "* 4 5 6");
    fixture_close(f);
}
END_TEST

/* ---- who was here before ---- */

static void expect_refused(struct fixture *f, PGconn *victim, const char *part)
{
    char *statements = read_file(DB_DIR "/cachepusher.sql");
    PGresult *result = PQexec(victim, statements);
    char message[1024];
    snprintf(message, sizeof message, "%s", PQresultErrorMessage(result));
    PQclear(result);
    free(statements);
    REQUIRE_CONTAINS(message, part);
    REQUIRE_INT(sql_number(f, "select count(*) from pg_proc where proname = 'made_name'"), <=, 1);
}

/* What somebody else made beforehand he can change later, and it would run as whoever calls watch(). */
START_TEST(somebody_elses_schema)
{
    struct fixture *f = fixture_open();
    char *loaded = read_file(DB_DIR "/cachepusher.sql");
    sqlf(f, "create role %s_mallory; grant create on database %s to %s_mallory", f->base, f->database, f->base);
    PGconn *victim = connect_again(f);
    sql(f, "drop schema cachepusher cascade");
    sqlf(f, "set role %s_mallory", f->base);
    sql(f, "create schema cachepusher");
    expect_refused(f, victim, "schema cachepusher belongs to");
    sql(f, "reset role");
    char *example = read_file(DB_DIR "/schema.sql"); /* it calls watch() */
    expect_error(f, example, "schema.sql: cachepusher belongs to");
    sql(f, "reset role; drop schema cachepusher; create schema cachepusher");
    sqlf(f, "grant create on schema cachepusher to %s_mallory", f->base);
    expect_refused(f, victim, "may create functions in schema cachepusher");
    sqlf(f, "set role %s_mallory", f->base);
    sql(f, "create function cachepusher.made_name(text, name) returns name language sql as 'select $2'; reset role");
    sqlf(f, "revoke create on schema cachepusher from %s_mallory", f->base);
    expect_refused(f, victim, "function cachepusher.made_name(text,name) belongs to");
    sql(f, "drop function cachepusher.made_name(text, name); grant create on schema cachepusher to public");
    expect_refused(f, victim, "everybody may create");
    sql(f, "revoke create on schema cachepusher from public");
    sql_on(victim, loaded);
    sql_on(victim, loaded);

    /* Whoever owns all of it may load it again. */
    sql(f, "drop schema cachepusher cascade");
    sqlf(f, "set role %s_mallory", f->base);
    sql(f, loaded);
    sql(f, loaded);
    sql(f, "reset role");

    /* The example's own functions, in the same way. */
    sql(f, "drop schema cachepusher cascade");
    sql(f, loaded);
    sqlf(f, "alter function customer_get(integer) owner to %s_mallory", f->base);
    expect_error(f, example, "customer_get(integer) belongs to");
    free(example);
    free(loaded);
    sqlf(f, "drop owned by %s_mallory cascade; drop role %s_mallory", f->base, f->base);
    fixture_close(f);
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, names_that_need_quotes);
    tcase_add_test(tcase, channels_are_checked);
    tcase_add_test(tcase, columns_that_have_gone);
    tcase_add_test(tcase, tables_that_change);
    tcase_add_test(tcase, columns_of_another_name);
    tcase_add_test(tcase, names_that_are_alike);
    tcase_add_test(tcase, roles);
    tcase_add_test(tcase, partitions);
    tcase_add_test(tcase, inheritance);
    tcase_add_test(tcase, what_is_right_is_left_alone);
    tcase_add_test(tcase, enabled_as_before);
    tcase_add_test(tcase, where_transactions_can_be_prepared);
    tcase_add_test(tcase, rows_one_by_one);
    tcase_add_test(tcase, a_subscriber);
    tcase_add_test(tcase, somebody_elses_schema);
    suite_add_tcase(suite, tcase);
    return suite;
}
