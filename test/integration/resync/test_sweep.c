#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

/* Keys that look like documents of the prefix to somebody who is careless: with a suffix, an id written otherwise, a
 * longer or shorter prefix, and, for a prefix of glob characters, keys that it matches when it is not escaped. */
static void add_lookalikes(struct fixture *f)
{
    static const char *const suffixes[] = {":17:cart", ":17x", ":x",  ":",        ":007",        ":+7",
                                           ": 7",      ":1.0", ":-0", ":1e3",     ":2147483648", ":customer:7",
                                           ":*",       "::7",  ":7:", ":\xd9\xa7"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        add_stranger(f, "%s%s", f->prefix, suffixes[i]);
    }
}

static void add_outsiders(struct fixture *f)
{
    add_stranger(f, "%s2:7", f->prefix);
    add_stranger(f, "%sx", f->prefix);
    add_stranger(f, "%s", f->prefix);
    add_stranger(f, "%s-other:7", f->base);
    add_stranger(f, "%s-other:%s:7", f->base, f->prefix);
}

/* What "a*b[c]?\" and "a*b[c]?" would match without their backslashes. */
static void add_bait(struct fixture *f)
{
    static const char *const bait[] = {"aXbcY\\:7",   "ab[c]?\\:7", "aXbcY:7", "a*bcx:7",
                                       "a*b[c]x\\:7", "aXXbc?\\:7", "abc?:7"};
    for (size_t i = 0; i < sizeof bait / sizeof *bait; i++) {
        add_stranger(f, "%s%s", f->base, bait[i]);
    }
}

static void insert_customers(struct fixture *f)
{
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 300) i");
}

static void add_left_overs(struct fixture *f)
{
    for (int id = 290; id < 3000; id++) {
        redisAppendCommand(f->redis, "SET %s:%d left-over", f->prefix, id);
    }
    for (int id = 290; id < 3000; id++) {
        void *reply = NULL;
        REQUIRE(redisGetReply(f->redis, &reply) == REDIS_OK);
        freeReplyObject(reply);
    }
    redis_run(f, "SET %s:0 left-over", f->prefix);
    redis_run(f, "SET %s:-5 left-over", f->prefix);
    redis_run(f, "SET %s:-2147483648 left-over", f->prefix);
}

static void sweep(struct fixture *f, const char *max_pending)
{
    insert_customers(f);
    add_left_overs(f);
    add_lookalikes(f);
    add_outsiders(f);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("max_pending", max_pending, "max_delete_percent", "100"));
    require_customers(f);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 3000 - 301 + 3);
    REQUIRE_INT(count_logged(f, "are left alone"), ==, 1);
    stop_syncer(f, syncer);
}

START_TEST(left_overs_go_and_strangers_stay)
{
    struct fixture *f = fixture_open();
    sweep(f, "1000000");
    fixture_close(f);
}
END_TEST

/* Those beyond the bound are looked up in Postgres. */
START_TEST(more_keys_than_are_remembered)
{
    struct fixture *f = fixture_open();
    sweep(f, "1000");
    fixture_close(f);
}
END_TEST

/* A listing that is suddenly short, say of the wrong table: only a word deletes most of the cache. */
static void too_few_listed(struct fixture *f, const char *max_pending, uint64_t free)
{
    insert_customers(f);
    add_left_overs(f);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("max_pending", max_pending));
    start_syncer(syncer);
    WAIT_UNTIL(count_logged(f, "more than max_delete_percent (50)") > 0 && stats_of(syncer).stored >= 300);
    REQUIRE_INT(stats_of(syncer).deleted, <=, free);
    REQUIRE_INT(stats_of(syncer).ready, ==, 0);
    sql(f, "select announce('customer_updated', '*')");
    wait_ready(syncer);
    require_customers(f);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 3000 - 301 + 3);

    /* The word counts once. */
    for (int id = 1000; id < 2000; id++) {
        redis_run(f, "SET %s:%d left-over", f->prefix, id);
    }
    size_t said = count_logged(f, "more than max_delete_percent (50)");
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(count_logged(f, "more than max_delete_percent (50)") > said);
    REQUIRE_INT(count_keys(f), >=, 300 + 1000 - free);
    destroy_syncer(f, syncer);
}

START_TEST(too_few_are_listed)
{
    struct fixture *f = fixture_open();
    too_few_listed(f, "1000000", 0);
    fixture_close(f);
}
END_TEST

START_TEST(too_few_are_listed_of_many)
{
    struct fixture *f = fixture_open();
    too_few_listed(f, "1000", 200); /* decided page by page: the first few are free */
    fixture_close(f);
}
END_TEST

static void insert_many(struct fixture *f, int count)
{
    char query[160];
    snprintf(query, sizeof query,
             "insert into customer (id_customer, name) select i, 'n' from generate_series(1, %d) i", count);
    sql(f, query);
}

/* As a join that was broken would: the listing is fine, and only the first so many have a document. */
static void break_fetch(struct fixture *f, int documents)
{
    char query[300];
    snprintf(query, sizeof query,
             "create or replace function customer_get_many(ids integer[]) returns table (id integer, document json)"
             " language sql stable as $$ select id_customer, to_json(name) from customer"
             " where id_customer = any (ids) and id_customer <= %d $$",
             documents);
    sql(f, query);
}

/* The catalogue requests a resync by itself, and what failed is repeated: however often, no more keys go. */
START_TEST(a_fetch_function_that_gives_nothing)
{
    struct fixture *f = fixture_open();
    insert_many(f, 1000);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("max_delete_percent", "10", "catalog_check_ms", "100"));
    REQUIRE_INT(count_keys(f), ==, 1000);
    uint64_t resyncs = stats_of(syncer).resyncs;
    cp_error err = {0};
    break_fetch(f, 0);
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(count_logged(f, "customer_get_many gives no document for ") >= 3);
    REQUIRE_INT(count_keys(f), ==, 800);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, resyncs);
    REQUIRE_INT(stats_of(syncer).withheld, >=, 3 * 800);
    REQUIRE_INT(count_logged(f, is_over_wal()
                                    ? "select pg_logical_emit_message(true, 'cachepusher:customer_updated', '*')"
                                    : "select pg_notify('customer_updated', '*')"),
                >, 0);

    sql(f, "select announce('customer_updated', '*')");
    WAIT_UNTIL(stats_of(syncer).resyncs > resyncs);
    REQUIRE_INT(count_keys(f), ==, 0);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(a_fetch_function_that_is_mended)
{
    struct fixture *f = fixture_open();
    insert_many(f, 1000);
    break_fetch(f, 1000);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("catalog_check_ms", "100"));
    uint64_t resyncs = stats_of(syncer).resyncs;
    break_fetch(f, 0);
    WAIT_UNTIL(count_logged(f, "customer_get_many gives no document for ") >= 1);
    REQUIRE_INT(count_keys(f), ==, 500);
    break_fetch(f, 1000);
    WAIT_UNTIL(stats_of(syncer).resyncs > resyncs);
    REQUIRE_INT(count_keys(f), ==, 1000);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(ids_without_a_document_that_never_had_a_key)
{
    struct fixture *f = fixture_open();
    insert_many(f, 3000);
    break_fetch(f, 100);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("max_delete_percent", "0"));
    REQUIRE_INT(count_keys(f), ==, 100);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 2900);
    REQUIRE_INT(stats_of(syncer).withheld, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(deletions_that_are_announced_have_no_limit)
{
    struct fixture *f = fixture_open();
    insert_many(f, 1000);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("max_delete_percent", "0"));
    sql(f, "delete from customer where id_customer <= 300");
    expect_customers(f);
    REQUIRE_INT(count_keys(f), ==, 700);
    REQUIRE_INT(stats_of(syncer).withheld, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(sweep_under_a_prefix_of_glob_characters)
{
    struct fixture *f = fixture_open();
    snprintf(f->prefix, sizeof f->prefix, "%sa*b[c]?\\", f->base);
    add_bait(f);
    sweep(f, "1000000");
    fixture_close(f);
}
END_TEST

/* Everything under the prefix and a colon goes, and nothing else. */
static void flush(struct fixture *f)
{
    add_outsiders(f);
    insert_customers(f);
    add_left_overs(f);
    redis_run(f, "SET %s:17:cart under", f->prefix);
    redis_run(f, "SET %s: under", f->prefix);
    redis_run(f, "LPUSH %s:list under", f->prefix);
    redis_run(f, "SET %s:\xff\xfe under", f->prefix);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("flush", "true", "warmup", "none"));
    start_syncer(syncer);
    wait_ready(syncer);
    stop_syncer(f, syncer);
    REQUIRE_INT(count_keys(f), ==, f->stranger_count);

    syncer = run_syncer(f, NULL, SETTINGS("flush", "true"));
    require_customers(f);
    stop_syncer(f, syncer);
}

START_TEST(flush_deletes_what_is_under_the_prefix)
{
    struct fixture *f = fixture_open();
    flush(f);
    fixture_close(f);
}
END_TEST

START_TEST(flush_under_a_prefix_of_glob_characters)
{
    struct fixture *f = fixture_open();
    snprintf(f->prefix, sizeof f->prefix, "%sa*b[c]?\\", f->base);
    add_bait(f);
    flush(f);
    fixture_close(f);
}
END_TEST

/* What is enqueued while a flush is under way is stored after it. */
START_TEST(flush_spares_what_is_enqueued_meanwhile)
{
    enum { KEYS = 50000 };
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_customers(f);
    redis_run(f, "EVAL %s 0 %s %d", "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. ':x' .. i, i) end",
              f->prefix, KEYS);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("flush", "true", "warmup", "none"));
    start_syncer(syncer);
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "7", &err), err);
    WAIT_UNTIL(stats_of(syncer).stored == 1 && count_logged(f, "flush: ") == 1);
    stop_syncer(f, syncer);
    REQUIRE_INT(count_keys(f), ==, 1);
    fixture_close(f);
}
END_TEST

/* A document of another type of value in the way is replaced, and one that is gone is deleted. */
START_TEST(wrong_types_of_value)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    redis_run(f, "LPUSH %s:17 a b c", f->prefix);
    redis_run(f, "HSET %s:5000 a b", f->prefix);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static void wait_until_read(struct fixture *f, int id)
{
    char query[400];
    snprintf(query, sizeof query,
             "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle' and"
             " application_name = 'cachepusher worker' and"
             " query_start > (select touched_at from customer where id_customer = %d)",
             id);
    WAIT_UNTIL(sql_number(f, query) > 0);
}

/* Redis takes no SET meanwhile: the key comes into being after the row has gone, unannounced. */
START_TEST(read_before_a_deletion_that_nobody_heard)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("redis_timeout_ms", "60000"));
    redis_run(f, "CLIENT PAUSE 60000 WRITE");
    sql(f, "insert into customer (id_customer, name) values (5000, 'short-lived')");
    wait_until_read(f, 5000);

    PGconn *holder = connect_again(f);
    hold_connections(f, holder, "cachepusher listener");
    REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_locks where locktype = 'advisory' and not granted and database ="
                             " (select oid from pg_database where datname = current_database())") == 1);
    sql(f, "delete from customer where id_customer = 5000");
    release_connections(holder);
    WAIT_UNTIL(new_beginnings(syncer) == 1);
    int64_t until_ms = now_ms() + 1000; /* in which a sweep would be through, were it not held back */
    WAIT_UNTIL(now_ms() > until_ms);
    redis_run(f, "CLIENT UNPAUSE");
    WAIT_UNTIL(stats_of(syncer).resyncs == 2 || stats_of(syncer).causes[CP_CAUSE_RESUME] == 1);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *sweep_suite(void)
{
    Suite *suite = suite_create("sweep");
    TCase *tcase = tcase_create("keys");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, left_overs_go_and_strangers_stay);
    tcase_add_test(tcase, more_keys_than_are_remembered);
    tcase_add_test(tcase, too_few_are_listed);
    tcase_add_test(tcase, too_few_are_listed_of_many);
    tcase_add_test(tcase, a_fetch_function_that_gives_nothing);
    tcase_add_test(tcase, a_fetch_function_that_is_mended);
    tcase_add_test(tcase, ids_without_a_document_that_never_had_a_key);
    tcase_add_test(tcase, deletions_that_are_announced_have_no_limit);
    tcase_add_test(tcase, read_before_a_deletion_that_nobody_heard);
    tcase_add_test(tcase, sweep_under_a_prefix_of_glob_characters);
    tcase_add_test(tcase, flush_deletes_what_is_under_the_prefix);
    tcase_add_test(tcase, flush_under_a_prefix_of_glob_characters);
    tcase_add_test(tcase, flush_spares_what_is_enqueued_meanwhile);
    tcase_add_test(tcase, wrong_types_of_value);
    suite_add_tcase(suite, tcase);
    return suite;
}
