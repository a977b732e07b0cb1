#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_ITEM WATCHED("item", "id")
#define WATCHED_LEDGER WATCHED("ledger", "id")
#define WATCHED_SESSION WATCHED("app.session", "id_session")
#define WATCHED_PLACE WATCHED("place", "name")

/* Five kinds of documents over four tables, one for each type of id; items feed two kinds through one channel. */
static const char tables[] =
    "create table item (id integer primary key, title text);"
    "create function item_get(id integer) returns json language sql stable as"
    " $$ select json_build_object('id', i.id, 'title', i.title) from item i where i.id = $1 $$;"
    "create function item_card(id integer) returns varchar language sql stable as"
    " $$ select upper(i.title) from item i where i.id = $1 $$;"
    "select cachepusher.watch('item', 'id', 'item_changed');"

    /* Rows in an order of their own, twice, and some that nobody has asked for. */
    "create table ledger (id bigint primary key, amount numeric, memo text);"
    "create function ledger_get_many(ids bigint[]) returns table (id bigint, document jsonb) language sql stable as"
    " $$ select l.id, to_jsonb(l) from ledger l where l.id = any (ids)"
    " union all select l.id, to_jsonb(l) from ledger l where l.id = any (ids)"
    " union all select 4711, '{\"nobody\": \"asked\"}' union all select null, '{}' order by 1 desc nulls first $$;"
    "select cachepusher.watch('ledger', 'id', 'ledger_changed', 'ledger_gone');"

    "create schema app;"
    "create table app.session (id_session uuid primary key, data jsonb);"
    "create function app.session_get(id uuid) returns jsonb language sql stable as"
    " $$ select data from app.session where id_session = $1 $$;"
    "select cachepusher.watch('app.session', 'id_session', 'session_changed');"

    "create table place (name text primary key, note text);"
    "create function \"Place Get\"(name text) returns text language sql stable as"
    " $$ select p.note from place p where p.name = $1 $$;"
    "select cachepusher.watch('place', 'name', 'Place Changed');";

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"]," WATCHED_ITEM
    " \"fetch\": \"item_get\", \"list\": \"select id from item\"},"
    "{\"name\": \"card\", \"key\": \"{prefix}:card:{id}\", \"channels\": [\"item_changed\"]," WATCHED_ITEM
    " \"fetch\": \"public.item_card\", \"list\": \"select id from item;\"},"
    "{\"name\": \"ledger\", \"key\": \"{prefix}:ledger:{id}\", \"id_type\": \"bigint\","
    " \"channels\": [\"ledger_changed\", \"ledger_gone\"]," WATCHED_LEDGER
    " \"fetch_many\": \"ledger_get_many\", \"list\": \"select id from ledger -- "
    "all of them\"},"
    "{\"name\": \"session\", \"key\": \"{prefix}:session:{id}\", \"id_type\": "
    "\"uuid\", \"ttl_s\": 1000,"
    " \"channels\": [\"session_changed\"]," WATCHED_SESSION " \"fetch\": \"app.session_get\","
    " \"list\": \"select id_session from app.session\"},"
    "{\"name\": \"place\", \"key\": "
    "\"{prefix}:place:{id}:doc\", \"id_type\": \"text\","
    " \"channels\": [\"Place Changed\"]," WATCHED_PLACE " \"fetch\": \"\\\"Place Get\\\"\", "
    "\"list\": \"select name from place\"}"
    "]}";

static const struct kind kinds[] = {
    {":item:", "", "select id, item_get(id) from item"},
    {":card:", "", "select id, item_card(id) from item"},
    {":ledger:", "", "select id, to_jsonb(l) from ledger l"},
    {":session:", "", "select id_session, data from app.session"},
    {":place:", ":doc", "select name, note from place"},
};

static const size_t kind_count = sizeof kinds / sizeof *kinds;

static void insert_all(struct fixture *f)
{
    sql(f, tables);
    sql(f, "insert into item select i, case when i % 10 > 0 then 'Title ' || i end from generate_series(-20, 700) i;"
           "insert into ledger select 9223372036854775807 - i, i * 1.5, 'memo ' || i from generate_series(0, 500) i;"
           "insert into ledger values (9007199254740993, 1, 'beyond 2^53'), (9007199254740992, 2, 'at 2^53'),"
           " (-9223372036854775808, 3, 'least');"
           "insert into app.session select md5(i::text)::uuid, jsonb_build_object('n', i, 'z', null, 'a', '\u00e9\\\"')"
           " from generate_series(1, 300) i;"
           "insert into place values ('', 'the empty name'), (' ', 'a space'), ('a b', 'inside'), ('a:b:c', 'colons'),"
           " ('\"quoted\"', 'double'), ('it''s', 'single'), (E'back\\\\slash', 'one'), (E'two\\nlines\\t', ''),"
           " ('*', 'star'), ('[1]', 'bracket'), ('{id}', 'braces'), ('Z\u00fcrich \u6771\u4eac', 'unicode'),"
           " ('%s $1', 'format'), ('nothing', null), ('empty', ''), (repeat('long ', 100), repeat('note ', 1000))");
}

START_TEST(every_type_of_id)
{
    struct fixture *f = fixture_open();
    insert_all(f);
    cp_syncer *syncer = run_syncer(f, entities, NO_SETTINGS);
    expect_equal(f, kinds, kind_count);

    sql(f, "update item set title = title || ' changed' where id % 2 = 0; delete from item where id % 7 = 0;"
           "insert into item values (2147483647, 'last'), (-2147483648, 'first')");
    sql(f, "update ledger set memo = 'changed' where id > 9007199254740992; delete from ledger where amount = 3;"
           "update ledger set memo = 'exactly this' where id = 9007199254740993");
    sql(f, "update app.session set data = '{\"changed\": true}' where data->>'n' like '1%';"
           "delete from app.session where data->>'n' like '2%'");
    sql(f, "update place set note = coalesce(note, '') || ' changed'; delete from place where name in ('*', 'a b');"
           "insert into place values (E'new \\\\ \" name', 'inserted'), (repeat('x', 5000), 'a name as long as that');"
           "update place set name = name || '/renamed' where name like '%:%'");
    expect_equal(f, kinds, kind_count);

    sql(f, "delete from item; delete from ledger; delete from app.session; delete from place");
    expect_equal(f, kinds, kind_count);
    REQUIRE_INT(count_keys(f), ==, 0);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    REQUIRE_INT(stats_of(syncer).failures, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Postgres finds no function of smallint for an integer, and none of a domain's array for an array of text. An id that
 * the other type does not have has no document. */
START_TEST(functions_of_other_types)
{
    static const char other_json[] =
        "{\"entities\": ["
        "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"]," WATCHED_ITEM
        " \"fetch\": \"item_get\", \"list\": \"select id from item\"},"
        "{\"name\": \"place\", \"key\": \"{prefix}:place:{id}:doc\", \"id_type\": \"text\","
        " \"channels\": [\"Place Changed\"]," WATCHED_PLACE
        " \"fetch_many\": \"place_get\", \"list\": \"select name from place\"}]}";
    static const struct kind other_kinds[] = {
        {":item:", "", "select id, json_build_object('id', id, 'title', title) from item where id < 40000"},
        {":place:", ":doc", "select name, note from place"},
    };
    struct fixture *f = fixture_open();
    insert_all(f);
    sql(f, "drop function item_get(integer);"
           "create function item_get(id smallint) returns json language sql stable as"
           " $$ select json_build_object('id', i.id, 'title', i.title) from item i where i.id = $1 $$;"
           "create domain caption as text;"
           "create function place_get(names caption[]) returns table (name caption, note text) language sql stable as"
           " $$ select p.name, p.note from place p where p.name = any (names) $$;"
           "insert into item values (40000, 'too large for it')");
    cp_syncer *syncer = run_syncer(f, other_json, NO_SETTINGS);
    expect_equal(f, other_kinds, 2);
    sql(f, "update item set title = 'changed'; update place set note = 'changed'");
    expect_equal(f, other_kinds, 2);
    REQUIRE_INT(stats_of(syncer).failures, ==, 0);
    stop_syncer(f, syncer);

    /* The same of a function that takes many. */
    sql(f, "drop function item_get(smallint); update item set title = 'changed again';"
           "create function item_get(ids smallint[]) returns table (id smallint, document json) language sql stable as"
           " $$ select i.id::smallint, json_build_object('id', i.id, 'title', i.title) from item i"
           "    where i.id = any (ids) $$");
    char many_json[sizeof other_json + 8];
    const char *fetch = strstr(other_json, "\"fetch\"");
    snprintf(many_json, sizeof many_json, "%.*s\"fetch_many\"%s", (int)(fetch - other_json), other_json,
             fetch + strlen("\"fetch\""));
    syncer = run_syncer(f, many_json, NO_SETTINGS);
    expect_equal(f, other_kinds, 2);
    REQUIRE_INT(stats_of(syncer).failures, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Each id in a payload of its own, as hand-written triggers send them. */
START_TEST(ids_notified_by_hand)
{
    struct fixture *f = fixture_open();
    sql(f, tables);
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("warmup", "none"));
    sql(f, "alter table item disable trigger user; alter table ledger disable trigger user;"
           "alter table app.session disable trigger user; alter table place disable trigger user;"
           "insert into item values (7, 'seven'), (8, 'eight'), (9, 'nine'), (10, 'ten');"
           "insert into ledger values (9007199254740993, 1, 'x'), (9007199254740992, 2, 'y'), (5, 3, 'z');"
           "insert into app.session values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1'),"
           " ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2');"
           "insert into place values ('a b', '1'), ('', '2'), ('\"q\"', '3'), ('Z\u00fcrich', '4'), ('17', '5')");
    REQUIRE(is_over_wal() || stats_of(syncer).events == 0); /* the log has the rows whatever triggers do */
    sql(f, "select announce('item_changed', '7'), announce('item_changed', '[8, \"9\",10]'),"
           " announce('ledger_changed', '9007199254740993'), announce('ledger_gone', '[9007199254740992]'),"
           " announce('ledger_changed', '\"5\"'), announce('ledger_changed', '[\"5\"]'),"
           " announce('session_changed', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'),"
           " announce('session_changed', '[\"B0EEBC999C0B4EF8BB6D6BB9BD380A11\"]'),"
           " announce('Place Changed', 'a b'), announce('Place Changed', '\"q\"'),"
           " announce('Place Changed', '[\"\", \"Z\\u00fcrich\", \"17\"]')");
    expect_equal(f, kinds, kind_count);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 1); /* '"5"', for which the ledger is read again */
    REQUIRE_INT(stats_of(syncer).resync_ids, <=, 3);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(keys_expire_where_a_ttl_is_set)
{
    struct fixture *f = fixture_open();
    insert_all(f);
    cp_syncer *syncer = run_syncer(f, entities, NO_SETTINGS);
    long long ttl = redis_number(f, "TTL %s:session:%s", f->prefix, "c4ca4238-a0b9-2382-0dcc-509a6f75849b");
    REQUIRE_INT(ttl, >, 1000 - timeout_ms() / 1000);
    REQUIRE_INT(ttl, <=, 1000);
    REQUIRE_INT(redis_number(f, "TTL %s:item:7", f->prefix), ==, -1);

    redis_run(f, "EXPIRE %s:session:%s 5000", f->prefix, "c4ca4238-a0b9-2382-0dcc-509a6f75849b");
    sql(f, "update app.session set data = '{}' where data->>'n' = '1'");
    expect_equal(f, kinds, kind_count);
    REQUIRE_INT(redis_number(f, "TTL %s:session:%s", f->prefix, "c4ca4238-a0b9-2382-0dcc-509a6f75849b"), <=, 1000);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A resync of one entity leaves the others' documents as they are. */
START_TEST(one_entity_is_resynced)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_all(f);
    cp_syncer *syncer = run_syncer(f, entities, NO_SETTINGS);
    redis_run(f, "SET %s:place:%s:doc broken", f->prefix, "a b");
    redis_run(f, "SET %s:item:7 broken", f->prefix);
    redis_run(f, "SET %s:item:12345 left-over", f->prefix);
    redis_run(f, "SET %s:session:00000000-0000-0000-0000-000000000000 left-over", f->prefix);
    cp_stats before = stats_of(syncer);
    REQUIRE_OK(cp_syncer_resync(syncer, "item", &err), err);
    WAIT_UNTIL(stats_of(syncer).resyncs == before.resyncs + 1);
    REQUIRE_INT(stats_of(syncer).resync_ids - before.resync_ids, ==, sql_number(f, "select count(*) + 1 from item"));
    char *item = redis_text(f, "GET %s:item:7", f->prefix);
    char *place = redis_text(f, "GET %s:place:%s:doc", f->prefix, "a b");
    bool repaired = strcmp(item, "broken") != 0 && strcmp(place, "broken") == 0;
    free(item);
    free(place);
    REQUIRE(repaired);

    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    expect_equal(f, kinds, kind_count);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *entities_suite(void)
{
    Suite *suite = suite_create("entities");
    TCase *tcase = tcase_create("entities");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, every_type_of_id);
    tcase_add_test(tcase, functions_of_other_types);
    tcase_add_test(tcase, ids_notified_by_hand);
    tcase_add_test(tcase, keys_expire_where_a_ttl_is_set);
    tcase_add_test(tcase, one_entity_is_resynced);
    suite_add_tcase(suite, tcase);
    return suite;
}
