/* cachepusher.unwatch(), the opposite of watch(): what it takes away, what it leaves, what it refuses. */
#include "heard.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>

static const char triggers[] =
    "select count(*) from pg_trigger where not tgisinternal and tgname like 'cachepusher\\_%'";
static const char functions[] = "select count(*) from pg_proc where prosrc like ' -- made by cachepusher.watch()%'";

static void require_left(struct fixture *f, long long trigger_count, long long function_count)
{
    REQUIRE_INT(sql_number(f, triggers), ==, trigger_count);
    REQUIRE_INT(sql_number(f, functions), ==, function_count);
}

/* A database without the example's triggers, so that all of them are the test's. */
static struct fixture *open_bare(void)
{
    struct fixture *f = fixture_open();
    sql(f, "drop table customer, address cascade; drop function cachepusher_customer__id_customer(),"
           " cachepusher_address__fk_customer()");
    require_left(f, 0, 0);
    return f;
}

static const char *const for_each[] = {"", ", for_subscriber => true"};

START_TEST(what_watch_has_made_is_gone)
{
    struct fixture *f = open_bare();
    PGconn *ear = listen_to(f, "changed");
    sqlf(f,
         "create table t (id int, other int); create table u (id int);"
         "select cachepusher.watch(name::regclass, 'id', 'changed'%s) from unnest('{t,u}'::text[]) as name",
         for_each[_i]);
    gather_watched(f, ear);
    require_left(f, 8, 2);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('t', 'id')"), ==, 4);
    require_left(f, 4, 1);
    expect_heard(f, ear, "insert into t values (1); update t set id = 2; delete from t; truncate t", "");
    expect_heard(f, ear, "insert into u values (3)", "3");

    /* and made again */
    sqlf(f, "select cachepusher.watch('t', 'id', 'changed'%s)", for_each[_i]);
    gather_watched(f, ear);
    require_left(f, 8, 2);
    expect_heard(f, ear, "insert into t values (4)", "4");
    fixture_close(f);
}
END_TEST

/* Of three sets of triggers, each by its columns, its channel, or all at once. */
START_TEST(columns_and_channels)
{
    static const char made[] = "drop table if exists t; create table t (a int primary key, b int, c int);"
                               "select cachepusher.watch('t', 'a', 'first', 'gone');"
                               "select cachepusher.watch('t', 'b', 'second');"
                               "select cachepusher.watch('t', array['b', 'c'], 'second', reads => '{a}')";
    static const struct {
        const char *call;
        long long dropped;
    } calls[] = {
        {"select cachepusher.unwatch('t')", 12},
        {"select cachepusher.unwatch('t', 'b')", 4},
        {"select cachepusher.unwatch('t', array['b'])", 4},
        {"select cachepusher.unwatch('t', array['b', 'c'])", 4},
        {"select cachepusher.unwatch('t', 'a', 'first')", 4},
        {"select cachepusher.unwatch('t', null, 'first')", 4},
        {"select cachepusher.unwatch('t', channel => 'second')", 8},
        {"select cachepusher.unwatch('t', array['b', 'c'], 'second')", 4},
        {"select cachepusher.unwatch('t', id_columns => array['b', 'c'], channel => 'second')", 4},
    };
    struct fixture *f = open_bare();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        sql(f, "set client_min_messages = warning");
        sql(f, made);
        require_left(f, 12, 3);
        REQUIRE_INT(sql_number(f, calls[i].call), ==, calls[i].dropped);
        require_left(f, 12 - calls[i].dropped, 3 - calls[i].dropped / 4);
        sql(f, "drop table t; drop function if exists cachepusher_t__a(), cachepusher_t__b(), cachepusher_t__b__c()");
    }
    fixture_close(f);
}
END_TEST

/* ---- tables that have others ---- */

static const char partitioned[] =
    "create table p (id int, place int, other int) partition by range (place);"
    "create table p_low partition of p for values from (0) to (100);"
    "create table \"P High\" partition of p for values from (200) to (300) partition by list (place);"
    "create table p_leaf partition of \"P High\" default;"
    "select cachepusher.watch('p', 'id', 'changed'); select cachepusher.watch('p', 'other', 'changed')";

/* Statement-level triggers are on every table: four tables, four kinds of statement, two columns. */
START_TEST(partitions)
{
    struct fixture *f = open_bare();
    PGconn *ear = listen_to(f, "changed");
    sql(f, partitioned);
    require_left(f, 32, 2);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('p', 'other')"), ==, 16);
    require_left(f, 16, 1);

    /* One alone; the function is still of use to the others. */
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('p_low')"), ==, 4);
    require_left(f, 12, 1);
    gather_watched(f, ear);
    expect_heard(f, ear, "insert into p_low values (1, 1); insert into p_leaf values (2, 201)", "2");

    /* One that has left keeps its own. */
    sql(f, "alter table \"P High\" detach partition p_leaf");
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('p')"), ==, 8);
    require_left(f, 4, 1);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('p_leaf')"), ==, 4);
    require_left(f, 0, 0);
    fixture_close(f);
}
END_TEST

/* For each row, a partitioned table has none but that of TRUNCATE. */
START_TEST(partitions_row_by_row)
{
    struct fixture *f = open_bare();
    sql(f, partitioned);
    sql(f, "select cachepusher.watch('p', 'id', 'changed', for_subscriber => true)");
    require_left(f, 26, 2);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('p', 'id')"), ==, 10);
    require_left(f, 16, 1);
    fixture_close(f);
}
END_TEST

START_TEST(inheritance)
{
    struct fixture *f = open_bare();
    sql(f, "create table base (id int); create table a () inherits (base); create table b () inherits (base);"
           "create table c () inherits (a, b); select cachepusher.watch('base', 'id', 'changed')");
    require_left(f, 16, 1);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('base')"), ==, 16);
    require_left(f, 0, 0);
    fixture_close(f);
}
END_TEST

/* ---- what has changed since ---- */

START_TEST(renamed_and_dropped)
{
    struct fixture *f = open_bare();
    sql(f, "create schema \"Odd %I\"; create table \"Odd %I\".\"T \"\"x\" (\"The Id\" int, gone int);"
           "select cachepusher.watch('\"Odd %I\".\"T \"\"x\"', 'The Id', 'Ch ''1''');"
           "select cachepusher.watch('\"Odd %I\".\"T \"\"x\"', 'gone', 'Ch ''1''');"
           "alter table \"Odd %I\".\"T \"\"x\" drop gone; alter table \"Odd %I\".\"T \"\"x\" rename to t;"
           "alter table \"Odd %I\".t rename \"The Id\" to id; alter table \"Odd %I\".t set schema public");
    expect_error(f, "select cachepusher.unwatch('t', 'id')",
                 "table public.t has no triggers of watch() for (id); it has ");
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('t', 'gone')"), ==, 4);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('t', 'The Id', 'Ch ''1''')"), ==, 4);
    require_left(f, 0, 0);
    fixture_close(f);
}
END_TEST

/* ---- what is refused, and what is left ---- */

START_TEST(what_it_does_not_know)
{
    struct fixture *f = open_bare();
    sql(f, "create table t (id int primary key, other int); create table u (id int); create view v as select * from t;"
           "create function mine() returns trigger language plpgsql as 'begin return null; end';"
           "create trigger cachepusher_insert_other after insert on t execute function mine();"
           "select cachepusher.watch('t', 'id', 'changed', 'gone')");
    static const char has[] = "; it has cachepusher_delete_id on gone, cachepusher_insert_id on changed, ";
    static const struct {
        const char *call;
        const char *message;
        const char *rest;
    } calls[] = {
        {"select cachepusher.unwatch('u')", "table public.u has no triggers of watch()\n", ""},
        {"select cachepusher.unwatch('v')", "table public.v has no triggers of watch()\n", ""},
        {"select cachepusher.unwatch('u', 'id', 'c')",
         "table public.u has no triggers of watch() for (id) that announce on \"c\"\n", ""},
        {"select cachepusher.unwatch('t', 'other')", "table public.t has no triggers of watch() for (other)", has},
        {"select cachepusher.unwatch('t', array['id', 'other'])",
         "table public.t has no triggers of watch() for (id, other)", has},
        {"select cachepusher.unwatch('t', 'id', 'chnged')", "for (id) that announce on \"chnged\"", has},
        {"select cachepusher.unwatch('t', channel => 'gone')", "watch() that announce on \"gone\"", has},
        {"select cachepusher.unwatch('nowhere')", "relation \"nowhere\" does not exist", ""},
        {"select cachepusher.unwatch(null)", "table <NULL> has no triggers of watch()", ""},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        expect_error(f, calls[i].call, calls[i].message);
        expect_error(f, calls[i].call, calls[i].rest);
    }
    require_left(f, 5, 1);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('t')"), ==, 4);
    require_left(f, 1, 0); /* somebody's own, which is only called so */
    expect_error(f, "select cachepusher.unwatch('t')", "table public.t has no triggers of watch()\n");
    fixture_close(f);
}
END_TEST

/* By the owner; not by who only writes. */
START_TEST(roles)
{
    struct fixture *f = open_bare();
    sqlf(f,
         "create role %s_owner; create role %s_writer; create schema shop authorization %s_owner;"
         "grant usage on schema shop to %s_writer; set role %s_owner; create table shop.t (id int);"
         "select cachepusher.watch('shop.t', 'id', 'changed'); grant all on shop.t to %s_writer; reset role",
         f->base, f->base, f->base, f->base, f->base, f->base);
    sqlf(f, "set role %s_writer", f->base);
    expect_error(f, "select cachepusher.unwatch('shop.t')", "must be owner of");
    require_left(f, 4, 1);
    sqlf(f, "reset role; set role %s_owner", f->base);
    REQUIRE_INT(sql_number(f, "select cachepusher.unwatch('shop.t')"), ==, 4);
    require_left(f, 0, 0);
    sqlf(f, "reset role; drop owned by %s_owner, %s_writer cascade; drop role %s_owner, %s_writer", f->base, f->base,
         f->base, f->base);
    fixture_close(f);
}
END_TEST

Suite *unwatch_suite(void)
{
    Suite *suite = suite_create("unwatch");
    TCase *tcase = tcase_create("unwatch");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, what_watch_has_made_is_gone, 0, sizeof for_each / sizeof *for_each);
    tcase_add_test(tcase, columns_and_channels);
    tcase_add_test(tcase, partitions);
    tcase_add_test(tcase, partitions_row_by_row);
    tcase_add_test(tcase, inheritance);
    tcase_add_test(tcase, renamed_and_dropped);
    tcase_add_test(tcase, what_it_does_not_know);
    tcase_add_test(tcase, roles);
    suite_add_tcase(suite, tcase);
    return suite;
}
