#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 300 };

#define AUDIT SETTINGS("audit_per_second", "1000")

static void insert_customers(struct fixture *f, int rows)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", rows);
}

static uint64_t audited(const cp_syncer *syncer)
{
    return stats_of(syncer).audited;
}

static uint64_t stale(const cp_syncer *syncer)
{
    return stats_of(syncer).stale;
}

static long long auditors(struct fixture *f)
{
    return sql_number(f, "select count(*) from pg_stat_activity where datname = current_database()"
                         " and application_name = 'cachepusher audit'");
}

START_TEST(off_by_default)
{
    struct fixture *f = fixture_open();
    insert_customers(f, ROWS);
    cp_syncer *off = run_syncer(f, NULL, NO_SETTINGS);
    redis_run(f, "DEL %s:17", f->prefix);

    /* What would have been long enough, to go by another one. */
    snprintf(f->prefix, sizeof f->prefix, "%s_other", f->base);
    cp_syncer *on = run_syncer(f, NULL, AUDIT);
    WAIT_UNTIL(auditors(f) > 0);
    redis_run(f, "DEL %s:17", f->prefix);
    WAIT_UNTIL(stale(on) == 1);
    stop_syncer(f, on);
    snprintf(f->prefix, sizeof f->prefix, "%s", f->base);

    WAIT_UNTIL(auditors(f) == 0);
    REQUIRE_INT(audited(off), ==, 0);
    REQUIRE_INT(stale(off), ==, 0);
    REQUIRE_INT(redis_number(f, "EXISTS %s:17", f->prefix), ==, 0);
    stop_syncer(f, off);
    fixture_close(f);
}
END_TEST

START_TEST(finds_and_repairs)
{
    struct fixture *f = fixture_open();
    insert_customers(f, ROWS);
    add_stranger(f, "%s:17:cart", f->prefix);
    cp_syncer *syncer = run_syncer(f, NULL, AUDIT);
    WAIT_UNTIL(audited(syncer) > 2 * ROWS);
    REQUIRE_INT(stale(syncer), ==, 0);

    redis_run(f, "DEL %s:17", f->prefix);
    redis_run(f, "SET %s:18 changed", f->prefix);
    redis_run(f, "SET %s:5000 gone", f->prefix);
    redis_run(f, "LPUSH %s:5001 gone", f->prefix);
    sql(f, "set session_replication_role = replica; update customer set name = 'unannounced' where id_customer = 19;"
           " delete from customer where id_customer = 20; set session_replication_role = origin");
    WAIT_UNTIL(stats_of(syncer).deleted == 3); /* before that a key that is to go is no string */
    expect_customers(f);
    WAIT_UNTIL(stale(syncer) == 6);
    REQUIRE_INT(count_logged(f, ":17 is missing; reading it again"), ==, 1);
    REQUIRE_INT(count_logged(f, ":18 is different; reading it again"), ==, 1);
    REQUIRE_INT(count_logged(f, ":5000 is an orphan; reading it again"), ==, 1);
    uint64_t before = audited(syncer);
    WAIT_UNTIL(audited(syncer) > before + 2 * ROWS);
    REQUIRE_INT(stale(syncer), ==, 6);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* More than suspects are kept of at once. */
START_TEST(finds_much)
{
    struct fixture *f = fixture_open();
    insert_customers(f, 2000);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("audit_per_second", "150"));
    sql(f, "set session_replication_role = replica; update customer set name = 'unannounced' where id_customer <= 900;"
           " set session_replication_role = origin");
    WAIT_UNTIL(stale(syncer) == 900);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static const char entities[] =
    "{ \"audit\": { \"per_second\": 1000 }, \"entities\": ["
    "{ \"name\": \"tag\", \"key\": \"{prefix}:tag:{id}\", \"id_type\": \"text\", \"channels\": [\"tags\"],"
    "  \"fetch\": \"tag_get\", \"list\": \"select name from tag\" },"
    "{ \"name\": \"broken\", \"key\": \"{prefix}:broken:{id}\", \"channels\": [\"broken\"],"
    "  \"fetch\": \"broken_get\", \"list\": \"select n from generate_series(1, 3) n\" },"
    "{ \"name\": \"expiring\", \"key\": \"{prefix}:expiring:{id}\", \"id_type\": \"text\", \"channels\": [\"tags\"],"
    "  \"fetch\": \"tag_get\", \"list\": \"select name from tag\", \"ttl_s\": 1000 } ] }";

static const struct kind kinds[] = {
    {":tag:", "", "select name, tag_get(name) from tag"},
    {":expiring:", "", "select name, tag_get(name) from tag where n < 2"},
};

/* Three kinds of documents, one of which cannot be read at all and one of which may lack keys. */
START_TEST(several_entities)
{
    struct fixture *f = fixture_open();
    sql(f, "create table tag (name text primary key, n integer default 0);"
           "create function tag_get(name text) returns json language sql stable as"
           " $$ select json_build_object('tag', tag.name, 'n', n) from tag where tag.name = tag_get.name $$;"
           "create function broken_get(id integer) returns json language plpgsql as"
           " $$ begin raise 'no luck'; end $$;"
           "insert into tag (name) values ('*'), (E'a\\nb\"c'), ('日本')");
    cp_syncer *syncer = run_syncer(f, entities, NO_SETTINGS);
    sql(f, "update tag set n = 1 where name <> '*'; update tag set n = 2 where name = '*'");
    redis_run(f, "DEL %s:expiring:*", f->prefix);
    redis_run(f, "SET %s:tag:gone stale", f->prefix);
    expect_equal(f, kinds, 2);
    WAIT_UNTIL(stale(syncer) == 6);
    uint64_t before = audited(syncer);
    WAIT_UNTIL(audited(syncer) > before + 100);
    REQUIRE_INT(stale(syncer), ==, 6);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The walk would take half an hour to come to this row; that it has been written brings it up at once. The auditor is
 * given another document than the workers, so that it must find what it looks at to be stale. */
static const char two_faced[] =
    "{ \"entities\": [ { \"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"id_type\": \"integer\","
    "  \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS " \"fetch\": \"two_faced_get\","
    "  \"list\": \"select id_customer from customer\" } ] }";

START_TEST(recently_written_ids_go_first)
{
    struct fixture *f = fixture_open();
    insert_customers(f, 20000);
    sql(f, "create function two_faced_get(id integer) returns text language sql as $$ select id || case"
           " when id = 17000 and current_setting('application_name') = 'cachepusher audit' then 'a' else 'b' end $$");
    cp_syncer *syncer = run_syncer(f, two_faced, SETTINGS("audit_per_second", "20"));
    sql(f, "update customer set name = 'written' where id_customer = 17000");
    WAIT_UNTIL(count_logged(f, ":17000 is different") > 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- changes under way, outages ---- */

struct writer {
    struct fixture *f;
    struct mix mix;
    _Atomic bool done;
};

static void *write_on(void *context)
{
    struct writer *writer = context;
    while (!atomic_load(&writer->done) && !atomic_load(&writer->f->abandoned)) {
        if (!write_once(&writer->mix)) {
            atomic_fetch_add(&writer->f->thread_fault, 1);
            break;
        }
    }
    return NULL;
}

START_TEST(changes_in_flight)
{
    static struct writer writers[3];
    struct fixture *f = fixture_open();
    struct mix rows = {.pg = f->pg, .state = choose_seed(), .ids = 60};
    insert_rows(&rows);
    cp_syncer *syncer = run_syncer(f, NULL, AUDIT);
    for (unsigned i = 0; i < 3; i++) {
        writers[i] = (struct writer){.f = f, .mix = {.pg = connect_again(f), .state = choose_seed() + i, .ids = 60}};
        sql_on(writers[i].mix.pg, "set synchronous_commit = off");
        fixture_thread(f, write_on, &writers[i]);
    }
    int64_t until_ms = now_ms() + 8000;
    WAIT_UNTIL(now_ms() > until_ms && audited(syncer) > 500);
    for (unsigned i = 0; i < 3; i++) {
        atomic_store(&writers[i].done, true);
    }
    fixture_join(f);
    expect_customers(f);
    REQUIRE_INT(stale(syncer), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What Redis has lost is the resync's business, and nobody's fault. */
START_TEST(redis_lost_and_back)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    insert_customers(f, ROWS);
    cp_syncer *syncer = run_syncer(f, NULL, AUDIT);
    WAIT_UNTIL(audited(syncer) > ROWS);
    redis_run(f, "FLUSHALL");
    expect_customers(f);
    own_redis_kill(f);
    WAIT_UNTIL(count_logged(f, "Redis at ") > 0);
    own_redis_start(f);
    expect_customers(f);
    uint64_t before = audited(syncer);
    WAIT_UNTIL(audited(syncer) > before + ROWS);
    terminate_backends(f, "cachepusher audit");
    before = audited(syncer);
    WAIT_UNTIL(audited(syncer) > before + ROWS);
    REQUIRE_INT(stale(syncer), ==, 0);
    redis_run(f, "DEL %s:17", f->prefix);
    WAIT_UNTIL(stale(syncer) == 1);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static const char held[] =
    "{ \"entities\": [ { \"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"id_type\": \"integer\","
    "  \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS " \"fetch\": \"held_get\","
    "  \"list\": \"select id_customer from customer\" } ] }";

/* A warm-up that is not through: that keys are missing is no news. */
START_TEST(pauses_while_a_resync_runs)
{
    struct fixture *f = fixture_open();
    insert_customers(f, ROWS);
    sql(f, "create function held_get(id integer) returns json language plpgsql as $$ begin"
           " if current_setting('application_name') = 'cachepusher worker' then"
           " perform pg_advisory_xact_lock_shared(77); end if; return customer_get(id); end $$");
    PGconn *other = connect_again(f);
    sql_on(other, "select pg_advisory_lock(77)");
    cp_syncer *syncer = make_syncer(f, held, AUDIT);
    start_syncer(syncer);
    int64_t until_ms = now_ms() + 5000;
    WAIT_UNTIL(now_ms() > until_ms);
    REQUIRE_INT(stats_of(syncer).stored, ==, 0);
    REQUIRE_INT(audited(syncer), ==, 0);
    sql_on(other, "select pg_advisory_unlock(77)");
    wait_ready(syncer);
    WAIT_UNTIL(audited(syncer) > ROWS);
    REQUIRE_INT(stale(syncer), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(stops_at_once)
{
    struct fixture *f = fixture_open();
    insert_customers(f, ROWS);
    cp_syncer *syncer = run_syncer(f, NULL, AUDIT);
    PGconn *other = connect_again(f);
    hold_fetches(other);
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_stat_activity where datname = current_database()"
                             " and application_name = 'cachepusher audit' and wait_event_type = 'Lock'") > 0);
    int64_t began_ms = now_ms();
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_stop(syncer, 20000, &err), err);
    REQUIRE_INT(now_ms() - began_ms, <, 2000 * slowness());
    release_fetches(other);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *audit_suite(void)
{
    Suite *suite = suite_create("audit");
    TCase *tcase = tcase_create("audit");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, off_by_default);
    add_test(tcase, finds_and_repairs);
    add_test(tcase, finds_much);
    add_test(tcase, several_entities);
    add_test(tcase, recently_written_ids_go_first);
    add_test(tcase, changes_in_flight);
    add_test(tcase, redis_lost_and_back);
    add_test(tcase, pauses_while_a_resync_runs);
    add_test(tcase, stops_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
