/*
 * A whole syncer on real servers while allocations fail in its threads: it neither crashes nor loses an id, and Redis
 * becomes equal to Postgres.
 *
 * First the Nth allocation fails and no other, for N = 1, 2, 3 and so on, as long as what is done makes so many: so
 * each one of a start, of a round of changes, of a resync and of a stop fails once, and no other failure's repair can
 * hide an id that is lost. There are few rows, so that this takes seconds. Then the first allocation at each place in
 * the code fails, and every kth. With the other two suites this covers each of the 60 places where the library
 * allocates (counted once, by the addresses that the failed ones would have returned to).
 */
#include "failing.h"
#include "tests.h"

#include "equal.h"
#include "harness.h"
#include "servers.h"

enum { MOST = 500 }; /* allocations of anything done here */

static const char tables[] =
    "create table owner (owner_id text primary key, name text);"
    "create table item (id integer primary key, title text, owner_id text default '1');"
    "create function item_get(id integer) returns json language sql stable as $$ select json_build_object('id', i.id,"
    " 'title', i.title, 'owner', o.name) from item i left join owner o using (owner_id) where i.id = $1 $$;"
    "create procedure item_warmup() language sql as $$ update item set title = title $$;"
    "select cachepusher.watch('item', 'id', 'item_changed');"
    "select cachepusher.watch('owner', 'owner_id', 'owner_changed');"
    "create table place (name text primary key, note text);"
    "create function place_get_many(names text[]) returns table (name text, document text) language sql stable as"
    " $$ select p.name, p.note from place p where p.name = any (names) $$;"
    "create procedure place_warmup() language sql as $$ update place set note = note $$;"
    "select cachepusher.watch('place', 'name', 'place_changed');"
    "insert into owner select i, 'owner ' || i from generate_series(1, 3) i;"
    "insert into item select i, 'item ' || i, 1 + i % 2 from generate_series(1, 6) i;"
    "insert into place select 'place ' || i, 'note ' || i from generate_series(1, 4) i";

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"],"
    " \"watch\": [{\"table\": \"owner\", \"column\": \"owner_id\", \"channel\": \"owner_changed\","
    " \"maps\": \"select id from item where owner_id = any ($1)\"}],"
    " \"fetch\": \"item_get\", \"list\": \"select id from item\", \"warmup_procedure\": \"item_warmup\"},"
    "{\"name\": \"place\", \"key\": \"{prefix}:place:{id}\", \"id_type\": \"text\", \"channels\": [\"place_changed\"],"
    " \"fetch_many\": \"place_get_many\", \"list\": \"select name from place\","
    " \"warmup_procedure\": \"place_warmup\"}]}";

static const struct kind kinds[] = {
    {":item:", "", "select id, item_get(id) from item"},
    {":place:", "", "select name, note from place"},
};

static void expect_all(struct fixture *f)
{
    expect_equal(f, kinds, sizeof kinds / sizeof *kinds);
}

/* How often the place with the long name has been told of: its key takes an allocation on the way to that. */
static atomic_uint told_long;

static void hear_of_settled(void *context, const cp_document *document)
{
    (void)context;
    told_long += strlen(document->id) > 512;
}

static struct fixture *open_with_tables(void)
{
    struct fixture *f = fixture_open();
    f->settled = hear_of_settled;
    sql(f, tables);
    sql(f, "insert into place values (repeat('far ', 200), 'away')");
    return f;
}

/* ---- what is done ---- */

static void change(struct fixture *f, unsigned round)
{
    sqlf(f,
         "begin; update item set title = 'round %u' where id %% 3 = %u; insert into item values (1000 + %u, 'new');"
         "delete from item where id = 1000 + %u - 2; commit;"
         "begin; update place set note = 'round %u' where name like '%%%u'; insert into place values ('new %u', 'new');"
         "delete from place where name = 'new ' || %u - 2; commit;"
         "update owner set name = 'round %u' where owner_id = '%u'",
         round, round % 3, round, round, round, round % 4 + 1, round, round, round, round % 2 + 1);
}

/* Changes that only a resync finds. */
static void change_in_silence(struct fixture *f, unsigned round)
{
    sql(f, "set session_replication_role = replica");
    change(f, round);
    sql(f, "set session_replication_role = origin;"
           "select pg_notify('item_changed', '*'), pg_notify('place_changed', '*')");
}

/* Has documents that somebody has broken repaired: by hand, in payloads of one id. */
static void break_and_name(struct fixture *f, cp_syncer *syncer)
{
    redis_run(f, "SET %s:place:%s broken", f->prefix, "place 1");
    redis_run(f, "SET %s:place:%s broken", f->prefix, "place 2");
    redis_run(f, "SET %s:item:5 broken", f->prefix);
    sql(f, "select pg_notify('place_changed', 'place 1'), pg_notify('item_changed', '5')");
    cp_error err = {0};
    cp_code code;
    while ((code = cp_syncer_enqueue(syncer, "place", "place 2", &err)) != CP_OK) {
        REQUIRE_INT(code, ==, CP_ERR_SYSTEM);
        REQUIRE(err.retriable);
    }
}

void start_at_last(cp_syncer *syncer)
{
    cp_error err = {0};
    cp_code code;
    int64_t until_ms = deadline_ms();
    while ((code = cp_syncer_start(syncer, &err)) != CP_OK) {
        REQUIRE_INT(code, ==, CP_ERR_SYSTEM);
        REQUIRE_INT(err.code, ==, CP_ERR_SYSTEM);
        REQUIRE(err.retriable);
        REQUIRE_CONTAINS(err.message, "out of memory");
        REQUIRE(now_ms() < until_ms);
    }
}

static void expect_settled(struct fixture *f, cp_syncer *syncer)
{
    expect_all(f);
    WAIT_UNTIL(stats_of(syncer).pending == 0);
}

/* ---- one at a time ---- */

START_TEST(of_a_start)
{
    struct fixture *f = open_with_tables();
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        redis_run(f, "SET %s:place:gone stale", f->prefix);
        cp_syncer *syncer = make_syncer(f, entities, SETTINGS("threads", "1"));
        unsigned before = told_long;
        fail_nth(n);
        start_at_last(syncer);
        wait_ready(syncer);
        expect_settled(f, syncer);
        REQUIRE_INT(told_long, >, before);
        has_failed = fail_none() > 0;
        stop_syncer(f, syncer);
        change(f, n);
    }
    REQUIRE_INT(n, >, 20);
    fixture_close(f);
}
END_TEST

START_TEST(of_changes)
{
    struct fixture *f = open_with_tables();
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "2"));
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        fail_nth(n);
        change(f, n);
        break_and_name(f, syncer);
        expect_settled(f, syncer);
        has_failed = fail_none() > 0;
    }
    REQUIRE_INT(n, >, 5);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(of_a_resync)
{
    struct fixture *f = open_with_tables();
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "2"));
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        uint64_t resyncs = stats_of(syncer).resyncs;
        fail_nth(n);
        change_in_silence(f, n);
        expect_settled(f, syncer);
        WAIT_UNTIL(stats_of(syncer).resyncs > resyncs);
        has_failed = fail_none() > 0;
    }
    REQUIRE_INT(n, >, 20);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What has been received when it stops is settled, or the call says that it is not. */
START_TEST(of_a_stop)
{
    struct fixture *f = open_with_tables();
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "1"));
        fail_nth(n);
        change(f, n);
        sql(f, "select pg_notify('item_changed', 'the last')");
        WAIT_UNTIL(stats_of(syncer).bad_payloads == 1);
        cp_error err = {0};
        cp_code code = cp_syncer_stop(syncer, timeout_ms(), &err);
        has_failed = fail_none() > 0;
        /* The last payload cannot be read, so a resync is asked for, which the stop cuts short. */
        REQUIRE(code == CP_OK || code == CP_ERR_TIMEOUT);
        if (code == CP_OK) {
            expect_all(f);
        }
        destroy_syncer(f, syncer);
    }
    REQUIRE_INT(n, >, 5);
    fixture_close(f);
}
END_TEST

/* ---- many ---- */

START_TEST(at_each_place_once)
{
    struct fixture *f = open_with_tables();
    fail_none();
    cp_syncer *syncer = make_syncer(f, entities, SETTINGS("threads", "2", "warmup", "touch", "flush", "true"));
    redis_run(f, "SET %s:place:gone stale", f->prefix);
    fail_each_place();
    start_at_last(syncer);
    wait_ready(syncer);
    for (unsigned round = 1; round <= 3; round++) {
        change(f, round);
        break_and_name(f, syncer);
        expect_settled(f, syncer);
    }
    sql(f, "insert into place select 'many ' || i, 'x' from generate_series(1, 5000) i");
    expect_settled(f, syncer);
    uint64_t resyncs = stats_of(syncer).resyncs;
    change_in_silence(f, 7);
    expect_settled(f, syncer);
    WAIT_UNTIL(stats_of(syncer).resyncs > resyncs);
    REQUIRE_INT(fail_none(), >, 10);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static const unsigned every[] = {100, 10, 3};

START_TEST(every_kth)
{
    struct fixture *f = open_with_tables();
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "2"));
    fail_every(every[_i]);
    unsigned round = 0;
    while (failed_so_far() < 30) {
        uint64_t fetches = stats_of(syncer).fetches;
        unsigned failed = failed_so_far();
        change(f, ++round);
        change_in_silence(f, ++round);
        break_and_name(f, syncer);
        WAIT_UNTIL(stats_of(syncer).fetches > fetches || failed_so_far() > failed);
    }
    fail_none();
    expect_settled(f, syncer);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *syncer_suite(void)
{
    Suite *suite = suite_create("syncer");
    TCase *tcase = tcase_create("allocations that fail");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, of_a_start);
    tcase_add_test(tcase, of_changes);
    tcase_add_test(tcase, of_a_resync);
    tcase_add_test(tcase, of_a_stop);
    tcase_add_test(tcase, at_each_place_once);
    tcase_add_loop_test(tcase, every_kth, 0, sizeof every / sizeof *every);
    suite_add_tcase(suite, tcase);
    return suite;
}
