#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>

#define WATCHED_C WATCHED("c", "id")
#define WATCHED_B WATCHED("b", "id")

static const char entities[] =
    "{\"entities\": [{\"name\": \"c\", \"key\": \"{prefix}:{id}\", \"channels\": [\"c\"]," WATCHED_C
    " \"fetch\": \"c_get\", \"list\": \"select id from c_listed\"}]}";

static const struct kind kinds[] = {{":", "", "select id::text, public.c_get(id)::text from public.c"}};

/* Documents hang on a table, partitions, a materialized view, an enum, a function that another calls, and a view. */
static cp_syncer *follow(struct fixture *f)
{
    sql(f,
        "create type st as enum ('new', 'done'); create table c (id int primary key, s st, t text);"
        "create view c_listed as select id from c;"
        "create table pay (c int, m int, n int) partition by list (m);"
        "create table pay_1 partition of pay for values in (1);"
        "create table pay_2 partition of pay for values in (2);"
        "create table extra (c int, v text);"
        "create materialized view mv as select c, count(*) as n from extra group by c; create unique index on mv (c);"
        "create view v as select id, 'v1'::text as v from c;"
        "create function helper(text) returns text language plpgsql stable as $$ begin return $1; end $$;"
        "create function c_get(id int) returns json language sql stable as $$"
        " select row_to_json(d) from (select c.*, (select sum(n) from pay p where p.c = c.id) as paid,"
        " (select n from mv where mv.c = c.id) as extras, (select v from v where v.id = c.id) as v, helper(c.t) as h"
        " from c where c.id = $1) d $$;"
        "select cachepusher.watch('c', 'id', 'c'); select cachepusher.watch('pay', 'c', 'c');"
        "insert into c select i, 'new', 't' from generate_series(1, 20) i;"
        "insert into pay select i, 1 + i % 2, i from generate_series(1, 20) i");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("catalog_check_ms", "100"));
    expect_equal(f, kinds, 1);
    return syncer;
}

static void finish(struct fixture *f, cp_syncer *syncer)
{
    WAIT_UNTIL(stats_of(syncer).pending == 0);
    destroy_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(tables_change)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "alter table pay detach partition pay_1");
    expect_equal(f, kinds, 1);
    sql(f, "alter table pay attach partition pay_1 for values in (1)");
    expect_equal(f, kinds, 1);
    sql(f, "drop table pay_2");
    expect_equal(f, kinds, 1);
    sql(f, "alter type st rename value 'new' to 'fresh'");
    expect_equal(f, kinds, 1);
    sql(f, "alter table c add more int default 5");
    expect_equal(f, kinds, 1);
    sql(f, "alter table c alter more type int using more + 1");
    expect_equal(f, kinds, 1);
    sql(f, "alter table c rename more to most");
    expect_equal(f, kinds, 1);
    /* What is published, or how, may have been noticed first. */
    REQUIRE_INT(count_logged(f, "what its documents hang on has changed") + stats_of(syncer).causes[CP_CAUSE_LISTENER],
                >=, 7);
    finish(f, syncer);
}
END_TEST

START_TEST(functions_and_views_change)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "create or replace function helper(text) returns text language plpgsql stable as"
           " $$ begin return $1 || 'h'; end $$");
    expect_equal(f, kinds, 1);
    sql(f, "create or replace view v as select id, 'v2'::text as v from c");
    expect_equal(f, kinds, 1);
    sql(f, "insert into extra values (1, 'x'), (2, 'y'); refresh materialized view mv");
    expect_equal(f, kinds, 1);
    sql(f, "begin; drop function c_get; create function c_get(id int) returns json language sql stable as"
           " $$ select json_build_object('v2', s, 'n', (select n from mv where mv.c = c.id)) from c where c.id = $1 $$;"
           " commit");
    expect_equal(f, kinds, 1);
    sql(f, "insert into extra values (1, 'x'), (3, 'z'); refresh materialized view concurrently mv");
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

/* What is the same afterwards, and what only concerns storage, costs no resync. */
START_TEST(nothing_has_changed)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f,
        "create or replace function helper(text) returns text language plpgsql stable as $$ begin return $1; end $$");
    sql(f, "create or replace view v as select id, 'v1'::text as v from c");
    sql(f, "vacuum full c");
    sql(f, "analyze c; create index on c (t); grant select on c to public;"
           "alter function helper(text) owner to current_user; select cachepusher.watch('c', 'id', 'c')");
    sql(f, "alter table c add more int default 5");
    expect_equal(f, kinds, 1);
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_CATALOG] > 0);
    REQUIRE_INT(count_logged(f, "what its documents hang on has changed"), ==, 1);
    REQUIRE_INT(count_logged(f, "(public.c: columns)"), ==, 1);
    finish(f, syncer);
}
END_TEST

START_TEST(the_connection_is_lost_meanwhile)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "begin; alter type st rename value 'new' to 'fresh';"
           "select pg_terminate_backend(pid) from pg_stat_activity"
           " where application_name = 'cachepusher catalog' and datname = current_database(); commit");
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

START_TEST(triggers_are_amiss)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "create table pay_3 partition of pay for values in (3)");
    WAIT_UNTIL(count_logged(f, "table public.pay_3: it lacks the triggers") == 1);
    sql(f, "select cachepusher.watch('pay', 'c', 'c'); alter table c disable trigger all");
    WAIT_UNTIL(count_logged(f, "table public.c: a trigger that announces its changes is disabled") == 1);
    sql(f, "do $$ declare t record; begin for t in select tgname from pg_trigger where tgrelid = 'c'::regclass"
           " and not tgisinternal loop execute format('drop trigger %I on c', t.tgname); end loop; end $$");
    WAIT_UNTIL(count_logged(f, "table public.c: its triggers are gone") == 1);
    finish(f, syncer);
}
END_TEST

START_TEST(a_trigger_is_missing)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "drop trigger cachepusher_update_id on c");
    WAIT_UNTIL(count_logged(f, "table public.c: a trigger that announces its changes is missing") == 1);
    sql(f, "create or replace function cachepusher_pay__c() returns trigger language plpgsql as"
           " $$ begin return null; end $$");
    WAIT_UNTIL(
        count_logged(f, "table public.pay: the function of its triggers is not as cachepusher.watch() made it") == 1);
    sql(f, "select cachepusher.watch('c', 'id', 'c'); select cachepusher.watch('c', 't', 'other')");
    sql(f, "alter table c add more int default 5");
    WAIT_UNTIL(count_logged(f, "(public.c: columns") == 1);
    REQUIRE_INT(count_logged(f, "table public.c: its triggers are gone"), ==, 0);
    sql(f, "drop function cachepusher_c__t cascade");
    WAIT_UNTIL(count_logged(f, "table public.c: its triggers are gone") == 1);
    finish(f, syncer);
}
END_TEST

START_TEST(a_watched_table_is_made_again)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "begin; create table fresh (like pay including all); drop table pay; alter table fresh rename to pay;"
           " insert into pay select i, 1, 7 from generate_series(1, 20) i; commit");
    WAIT_UNTIL(count_logged(f, "table public.pay: its triggers are gone") == 1);
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

START_TEST(tables_are_swapped)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "begin; create table pay_new (like pay including all); insert into pay_new select i, 1, 7 from"
           " generate_series(1, 20) i; alter table pay rename to pay_old; alter table pay_new rename to pay; commit");
    expect_equal(f, kinds, 1);
    WAIT_UNTIL(count_logged(f, "table public.pay: its triggers are gone") == 1);
    finish(f, syncer);
}
END_TEST

/* What is called by its name alone is what comes first in the search_path. */
START_TEST(something_comes_first)
{
    struct fixture *f = fixture_open();
    sql(f, "create schema app");
    sqlf(f, "alter database %s set search_path = app, public", f->database);
    sql(f, "set search_path = public");
    cp_syncer *syncer = follow(f);
    sql(f, "set search_path = app, public");
    sql(f, "create function app.helper(text) returns text language sql stable as $$ select 'shadow ' || $1 $$");
    expect_equal(f, kinds, 1);
    sql(f, "create table app.extra (c int, v text); create table app.pay (c int, m int, n int);"
           "insert into app.pay select id, 1, 1000 from public.c");
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

START_TEST(policies_and_settings_change)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f);
    sql(f, "alter table c enable row level security");
    WAIT_UNTIL(count_logged(f, "(public.c: row-level security") == 1);
    sqlf(f, "alter database %s set intervalstyle = 'iso_8601'", f->database);
    WAIT_UNTIL(count_logged(f, "(settings of the role, the database or the server: changed)") == 1);
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_CATALOG] >= 2);
    sqlf(f, "alter database %s set work_mem = '5MB'", f->database); /* says nothing of documents */
    sql(f, "alter table c add more int default 5");
    expect_equal(f, kinds, 1);
    REQUIRE_INT(count_logged(f, "settings of the role"), ==, 1);
    finish(f, syncer);
}
END_TEST

START_TEST(aggregates_and_operators_change)
{
    struct fixture *f = fixture_open();
    sql(f, "create table c (id int primary key, v int); insert into c select i, i from generate_series(1, 20) i;"
           "create view c_listed as select id from c;"
           "create function s1(int, int) returns int language sql as 'select $1 + $2';"
           "create function s2(int, int) returns int language sql as 'select $1 + $2 * 10';"
           "create function plus(int, int) returns int language sql as 'select $1 + $2';"
           "create function times(int, int) returns int language sql as 'select $1 * $2';"
           "create aggregate total(int) (sfunc = s1, stype = int, initcond = '0');"
           "create operator <+> (leftarg = int, rightarg = int, function = plus);"
           "create operator <*> (leftarg = int, rightarg = int, function = times);"
           "create view w as select id, v <*> 2 as w from c;"
           "create function c_get(id int) returns json language sql stable as $$ select json_build_object("
           "'total', (select total(v) from c x where x.id = c.id), 'sum', v <+> 5, 'w', (select w from w where w.id = "
           "c.id))"
           " from c where c.id = $1 $$");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("catalog_check_ms", "100"));
    expect_equal(f, kinds, 1);
    sql(f, "create or replace aggregate total(int) (sfunc = s2, stype = int, initcond = '0')");
    expect_equal(f, kinds, 1);
    sql(f, "create or replace function s2(int, int) returns int language sql as 'select $1 + $2 * 100'");
    expect_equal(f, kinds, 1);
    sql(f, "create or replace function plus(int, int) returns int language sql as 'select $1 + $2 * 1000'");
    expect_equal(f, kinds, 1);
    sql(f, "create or replace function times(int, int) returns int language sql as 'select $1 * $2 * 1000'");
    expect_equal(f, kinds, 1);
    sql(f, "begin; drop operator <+>(int, int); create operator <+> (leftarg = int, rightarg = int, function = s1); "
           "commit");
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

/* ALTER SYSTEM only takes a setting that the session knows. */
static void set_for_the_server(struct fixture *f, const char *value)
{
    sql(f, "set cp_test.base_url = ''");
    sqlf(f, "alter system set cp_test.base_url = '%s'", value);
    sql(f, "reset cp_test.base_url; select pg_reload_conf()");
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_file_settings where name = 'cp_test.base_url' and applied") == 1);
}

/* Those of the application's own, which documents are made with. */
START_TEST(a_setting_of_the_server_changes)
{
    struct fixture *f = fixture_open();
    set_for_the_server(f, "http://old");
    sql(f, "create table c (id int primary key); insert into c select generate_series(1, 20);"
           "create view c_listed as select id from c;"
           "create function c_get(id int) returns json language sql stable as $$ select json_build_object('url',"
           " current_setting('cp_test.base_url', true) || '/' || id) from c where c.id = $1 $$");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("catalog_check_ms", "100"));
    expect_document(f, 1, "{\"url\" : \"http://old/1\"}");
    set_for_the_server(f, "http://new");
    expect_document(f, 1, "{\"url\" : \"http://new/1\"}");
    sql(f, "alter system reset cp_test.base_url");
    sql(f, "select pg_reload_conf()");
    finish(f, syncer);
}
END_TEST

/* Of 2,000 documents, one reads a materialized view through a function of its own. */
START_TEST(what_only_a_branch_reads)
{
    struct fixture *f = fixture_open();
    sql(f,
        "create table c (id int primary key); insert into c select generate_series(1, 2000);"
        "create view c_listed as select id from c;"
        "create table raw (x int); insert into raw values (1); create materialized view mv as select sum(x) as s from "
        "raw;"
        "create function rare() returns bigint language plpgsql stable as $$ begin return (select s from mv); end $$;"
        "create function c_get(id int) returns json language plpgsql stable as $$ begin"
        " if id = 1999 then return json_build_object('s', rare()); end if; return json_build_object('id', id); end $$");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("catalog_check_ms", "100"));
    expect_equal(f, kinds, 1);
    sql(f, "insert into raw values (2); refresh materialized view mv");
    WAIT_UNTIL(count_logged(f, "(public.mv: contents") == 1);
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

/* Half of the documents read what no source names; the first ones do not. */
/* None at first; then all but few, of which the next ones that are tried may be. */
START_TEST(other_documents_lead_to_more)
{
    struct fixture *f = fixture_open();
    sql(f,
        "create table c (id int primary key); insert into c select generate_series(1, 10);"
        "create view c_listed as select id from c;"
        "create table raw (x int); insert into raw values (1); create materialized view mv as select sum(x) as s from "
        "raw;"
        "create function c_get(id int) returns json language plpgsql stable as $$ declare s bigint; begin"
        " if id > 10 then execute 'select s from m' || 'v' into s; end if; return json_build_object('s', s); end $$");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("catalog_check_ms", "100"));
    expect_equal(f, kinds, 1);
    sql(f, "insert into c select generate_series(11, 200); select announce('c', '*')");
    expect_equal(f, kinds, 1);
    sql(f, "insert into raw values (2); refresh materialized view mv");
    expect_equal(f, kinds, 1);
    finish(f, syncer);
}
END_TEST

static const char two_entities[] =
    "{\"entities\": [{\"name\": \"w\", \"key\": \"{prefix}:w:{id}\", \"channels\": [\"w\"]," WATCHED_B
    " \"fetch\": \"w_get\", \"list\": \"select id from b\"},"
    " {\"name\": \"b\", \"key\": \"{prefix}:b:{id}\", \"channels\": [\"b\"]," WATCHED_B " \"fetch\": \"b_get\","
    " \"list\": \"select id from b\"}]}";

/* The first entity's function writes, which the try to learn what it reads may not. */
START_TEST(an_entity_that_cannot_be_tried)
{
    static const struct kind both[] = {{":w:", "", "select id::text, json_build_object('w', id)::text from public.b"},
                                       {":b:", "", "select id::text, public.b_get(id)::text from public.b"}};
    struct fixture *f = fixture_open();
    sql(f,
        "create table b (id int primary key); insert into b select generate_series(1, 20); create table seen (id int);"
        "create table raw (x int); insert into raw values (1); create materialized view mv as select x from raw;"
        "create function w_get(i int) returns json language plpgsql as $$ begin insert into public.seen values (i);"
        " return json_build_object('w', i); end $$;"
        "create function b_get(i int) returns json language sql stable as $$ select json_build_object('b', i) $$");
    cp_syncer *syncer = run_syncer(f, two_entities, SETTINGS("catalog_check_ms", "100"));
    expect_equal(f, both, 2);
    sql(f, "create or replace function b_get(i int) returns json language plpgsql stable as"
           " $$ begin return json_build_object('b', i, 'mv', (select sum(x) from mv)); end $$");
    expect_equal(f, both, 2);
    sql(f, "insert into raw values (2); refresh materialized view mv");
    expect_equal(f, both, 2);
    WAIT_UNTIL(count_logged(f, "w: its documents could not be read to find what they hang on") == 1);
    REQUIRE_INT(count_logged(f, "catalogue: "), ==, 0);
    finish(f, syncer);
}
END_TEST

Suite *catalog_suite(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tcase = tcase_create("looks");
    tcase_set_timeout(tcase, 120);
    add_test(tcase, tables_change);
    add_test(tcase, functions_and_views_change);
    add_test(tcase, nothing_has_changed);
    add_test(tcase, the_connection_is_lost_meanwhile);
    add_test(tcase, triggers_are_amiss);
    add_test(tcase, policies_and_settings_change);
    add_test(tcase, a_trigger_is_missing);
    add_test(tcase, a_watched_table_is_made_again);
    add_test(tcase, tables_are_swapped);
    add_test(tcase, something_comes_first);
    add_test(tcase, aggregates_and_operators_change);
    add_test(tcase, a_setting_of_the_server_changes);
    add_test(tcase, what_only_a_branch_reads);
    add_test(tcase, other_documents_lead_to_more);
    add_test(tcase, an_entity_that_cannot_be_tried);
    suite_add_tcase(suite, tcase);
    return suite;
}
