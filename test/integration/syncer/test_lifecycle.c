#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_THING WATCHED("thing", "id")

static const char one_entity[] =
    "{\"entities\": [{\"name\": \"thing\", \"key\": \"{prefix}:{id}\", \"channels\": [\"thing\"]," WATCHED_THING
    " \"fetch\": \"thing_get\", \"list\": \"select id from thing\"}]}";

static const struct kind things = {":", "", "select id, thing_get(id) from thing"};

/* The start fails with a sentence that contains these. */
static void expect_refusal(cp_syncer *syncer, cp_code code, bool retriable, const char *part)
{
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, code);
    REQUIRE_INT(err.code, ==, code);
    REQUIRE_CONTAINS(err.message, part);
    REQUIRE(strchr(err.message, '\n') == NULL);
    REQUIRE(strstr(err.message, "sesame") == NULL);
    REQUIRE_INT(err.retriable, ==, retriable);
}

/* One syncer, started again after each repair. */
START_TEST(start_fails_until_everything_is_there)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = make_syncer(f, one_entity, NO_SETTINGS);
    expect_refusal(syncer, CP_ERR_POSTGRES, false, "thing_get");
    sql(f, "create function thing_get(id integer) returns integer language sql as 'select 1'");
    expect_refusal(syncer, CP_ERR_POSTGRES, false, "expected json");
    sql(f, "drop function thing_get; create function thing_get(id integer) returns json language sql as"
           " $$ select to_json('thing ' || id) $$");
    expect_refusal(syncer, CP_ERR_POSTGRES, false, "\"thing\" does not exist");
    sql(f, "create table thing (wrong integer)");
    expect_refusal(syncer, CP_ERR_POSTGRES, false, "\"id\" does not exist");
    sql(f, "alter table thing rename to other; create table thing (id point)");
    expect_refusal(syncer, CP_ERR_POSTGRES, false, "entity \"thing\": listing query");
    sql(f, "drop table thing; create table thing (id integer primary key); insert into thing values (1), (2)");
    start_syncer(syncer);
    wait_ready(syncer);
    expect_equal(f, &things, 1);
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_ARGUMENT);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(start_without_servers)
{
    struct fixture *f = fixture_open();
    char dsn[600];
    expect_refusal(make_syncer(f, NULL, SETTINGS("postgres", "host=/nonexistent dbname=x password=sesame")),
                   CP_ERR_POSTGRES, true, "/nonexistent");
    snprintf(dsn, sizeof dsn, "%s dbname=cp_no_such password=sesame", f->dsn);
    expect_refusal(make_syncer(f, NULL, SETTINGS("postgres", dsn)), CP_ERR_POSTGRES, true, "cp_no_such");
    snprintf(dsn, sizeof dsn, "%s user=cp_password password=sesame", f->dsn);
    expect_refusal(make_syncer(f, NULL, SETTINGS("postgres", dsn)), CP_ERR_POSTGRES, true, "cp_password");
    expect_refusal(make_syncer(f, NULL, SETTINGS("redis", "unix:/nonexistent.sock")), CP_ERR_REDIS, true,
                   "/nonexistent.sock");
    fixture_close(f);
}
END_TEST

/* A password, as few rights as there can be, and TCP. */
START_TEST(start_with_a_password)
{
    struct fixture *f = fixture_open();
    char dsn[600];
    char redis[300];
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada');"
           "grant select on customer, address to cp_password; grant usage on schema public to cp_password");
    snprintf(dsn, sizeof dsn, "%s user=cp_password password=secret", f->dsn);
    snprintf(redis, sizeof redis, "redis://%s/0", getenv("CP_REDIS_TCP"));
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("postgres", dsn, "redis", redis));
    require_customers(f);
    sql(f, "update customer set name = 'changed'; insert into customer (id_customer) values (2)");
    expect_customers(f);

    sql(f, "revoke select on address from cp_password; update customer set name = 'again'");
    WAIT_UNTIL(stats_of(syncer).failures > 0);
    REQUIRE_INT(count_keys(f), ==, 2);
    sql(f, "grant select on address to cp_password");
    expect_customers(f);
    sql(f, "drop owned by cp_password");
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(enqueued_by_hand)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    sql(f, "alter table customer disable trigger user;"
           "insert into customer (id_customer, name) select i, 'quiet ' || i from generate_series(1, 1000) i");
    REQUIRE_INT(stats_of(syncer).events, ==, 0);
    for (int i = 1; i <= 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, i % 2 == 0 ? "%d" : "000%d", i);
        REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", id, &err), err);
    }
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).events, ==, 1000);
    sql(f, "delete from customer where id_customer = 1");
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "1", &err), err);
    expect_document(f, 1, NULL);
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "31415", &err), err);
    WAIT_UNTIL(stats_of(syncer).deleted == 2);

    static const char *const no_ids[] = {"", "x", "1.5", "2147483648", "*", "[1]"};
    for (size_t i = 0; i < sizeof no_ids / sizeof *no_ids; i++) {
        REQUIRE_INT(cp_syncer_enqueue(syncer, "customer", no_ids[i], &err), ==, CP_ERR_ARGUMENT);
        REQUIRE_CONTAINS(err.message, "integer");
    }
    REQUIRE_INT(cp_syncer_enqueue(syncer, "address", "1", &err), ==, CP_ERR_ARGUMENT);
    REQUIRE_CONTAINS(err.message, "address");
    REQUIRE_INT(cp_syncer_enqueue(syncer, NULL, "1", &err), ==, CP_ERR_ARGUMENT);
    REQUIRE_INT(cp_syncer_resync(syncer, "address", &err), ==, CP_ERR_ARGUMENT);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(resynced_on_request)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    sql(f, "alter table customer disable trigger user;"
           "insert into customer (id_customer, name) select i, 'quiet ' || i from generate_series(1, 5000) i");
    redis_run(f, "SET %s:99999 left-over", f->prefix);
    REQUIRE_OK(cp_syncer_resync(syncer, "customer", &err), err);
    expect_customers(f);

    /* A request made while one runs is served by one more after it: what changed in between is found. */
    for (int i = 0; i < 20; i++) {
        sqlf(f, "update customer set name = 'quiet change %d' where id_customer %% 20 = %d", i, i);
        REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    }
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

struct settled {
    pthread_mutex_t mutex;
    int calls;
    int wrong;
    size_t bytes;
    bool existed;
    char key[160];
};

static void note_settled(void *context, const cp_document *document)
{
    struct fixture *f = context;
    struct settled *settled = f->settled_context;
    pthread_mutex_lock(&settled->mutex);
    settled->calls++;
    settled->wrong += strcmp(document->entity, "customer") != 0;
    settled->bytes = document->bytes;
    settled->existed = document->exists;
    snprintf(settled->key, sizeof settled->key, "%s", document->key);
    pthread_mutex_unlock(&settled->mutex);
}

static struct settled read_settled(struct settled *settled)
{
    pthread_mutex_lock(&settled->mutex);
    struct settled copy = *settled;
    pthread_mutex_unlock(&settled->mutex);
    return copy;
}

/* Told once for each document, and not before Redis has it. */
START_TEST(settled_is_told)
{
    struct fixture *f = fixture_open();
    struct settled settled = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    char key[160];
    f->settled = note_settled;
    f->settled_context = &settled;
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 700) i");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(read_settled(&settled).calls, ==, 700);
    REQUIRE_INT(read_settled(&settled).wrong, ==, 0);

    sql(f, "update customer set name = 'Z\u00fcrich' where id_customer = 17");
    WAIT_UNTIL(read_settled(&settled).calls == 701);
    struct settled last = read_settled(&settled);
    snprintf(key, sizeof key, "%s:17", f->prefix);
    REQUIRE(strcmp(last.key, key) == 0);
    REQUIRE(last.existed);
    REQUIRE_INT(last.bytes, ==, strlen("{\"id_customer\":17,\"name\":\"Z\u00fcrich\",\"addresses\":[]}"));
    REQUIRE_INT(redis_number(f, "STRLEN %s", key), ==, last.bytes);

    sql(f, "delete from customer where id_customer = 17");
    WAIT_UNTIL(read_settled(&settled).calls == 702);
    last = read_settled(&settled);
    REQUIRE(!last.existed);
    REQUIRE_INT(last.bytes, ==, 0);
    REQUIRE(strcmp(last.key, key) == 0);
    REQUIRE_INT(redis_number(f, "EXISTS %s", key), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* In one process and on one database, each with its own prefix and settings. */
START_TEST(two_syncers)
{
    struct fixture *f = fixture_open();
    char other[sizeof f->prefix + 8];
    snprintf(other, sizeof other, "%s-other", f->base);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 3000) i");
    cp_syncer *first = run_syncer(f, NULL, SETTINGS("threads", "2"));
    cp_syncer *second = make_syncer(f, NULL, SETTINGS("threads", "3", "warmup", "touch", "prefix", other));
    start_syncer(second);
    wait_ready(second); /* first: the touch locks every row, in another order than what follows */
    sql(f,
        "update customer set name = 'changed' where id_customer % 2 = 0; delete from customer where id_customer < 50");

    const struct kind both[] = {customers, {"-other:", "", customers.documents}};
    expect_equal(f, both, 2);
    stop_syncer(f, first);
    sql(f, "update customer set name = 'later' where id_customer = 100");
    WAIT_UNTIL(redis_number(f, "STRLEN %s:100", other) != redis_number(f, "STRLEN %s:100", f->prefix));
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

Suite *lifecycle_suite(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *tcase = tcase_create("calls");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, start_fails_until_everything_is_there);
    add_test(tcase, start_without_servers);
    add_test(tcase, start_with_a_password);
    add_test(tcase, enqueued_by_hand);
    add_test(tcase, resynced_on_request);
    add_test(tcase, settled_is_told);
    add_test(tcase, two_syncers);
    suite_add_tcase(suite, tcase);
    return suite;
}
