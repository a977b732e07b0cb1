#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_TAG WATCHED("tag", "name")
#define WATCHED_TOKEN WATCHED("token", "id")

enum { ROWS = 1500 };

static cp_verify_options options_of(bool repair)
{
    return (cp_verify_options){.size = sizeof(cp_verify_options), .repair = repair, .recheck_ms = 200 * slowness()};
}

static cp_verify_result verify(cp_syncer *syncer, bool repair)
{
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_verify_options options = options_of(repair);
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    return result;
}

static uint64_t differences(cp_verify_result result)
{
    return result.missing + result.different + result.orphans;
}

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", ROWS);
}

/* 500 missing, 500 different, 2 left over. */
static void do_damage(struct fixture *f)
{
    for (int id = 1; id <= 500; id++) {
        redis_run(f, "DEL %s:%d", f->prefix, id);
    }
    redis_run(f, "SET %s:50000 left-over", f->prefix);
    redis_run(f, "RPUSH %s:50001 left over", f->prefix);
    sql(f, "set session_replication_role = replica; update customer set name = 'unannounced'"
           " where id_customer between 501 and 1000; set session_replication_role = origin");
}

START_TEST(repairs_by_its_own_syncer)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    do_damage(f);
    add_stranger(f, "%s:17:cart", f->prefix);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    cp_verify_result result = verify(syncer, true);
    REQUIRE_INT(result.missing, ==, 500);
    REQUIRE_INT(result.different, ==, 500);
    REQUIRE_INT(result.orphans, ==, 2);
    REQUIRE_INT(result.repaired, ==, 1002);
    require_customers(f);
    REQUIRE_INT(stats_of(syncer).events, >=, 1002);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    REQUIRE_INT(differences(verify(syncer, true)), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* One syncer has been started, as in a daemon, and another one verifies. */
START_TEST(repairs_by_another)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *daemon = run_syncer(f, NULL, NO_SETTINGS);
    do_damage(f);
    cp_verify_result result = verify(make_syncer(f, NULL, NO_SETTINGS), true);
    REQUIRE_INT(result.repaired, ==, 1002);
    require_customers(f);
    stop_syncer(f, daemon);
    fixture_close(f);
}
END_TEST

START_TEST(repairs_by_nobody)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_verify_result result = verify(make_syncer(f, NULL, NO_SETTINGS), true);
    REQUIRE_INT(result.missing, ==, ROWS);
    REQUIRE_INT(result.repaired, ==, 0);
    REQUIRE_INT(count_keys(f), ==, 0);
    fixture_close(f);
}
END_TEST

/* ---- other entities ---- */

static const char tags_and_tokens[] =
    "{ \"entities\": ["
    "{ \"name\": \"tag\", \"key\": \"{prefix}:tag:{id}\", \"id_type\": \"text\", \"channels\": [\"tags\"]," WATCHED_TAG
    "  \"fetch\": \"tag_get\", \"list\": \"select name from tag\" },"
    "{ \"name\": \"token\", \"key\": \"{prefix}-token:{id}:end\", \"id_type\": \"uuid\", "
    "\"channels\": [\"tokens\"]," WATCHED_TOKEN
    "  \"fetch_many\": \"token_get_many\", \"list\": \"select id from token\" } ] }";

static const struct kind kinds[] = {
    {":tag:", "", "select name, tag_get(name) from tag"},
    {"-token:", ":end", "select id, json_build_object('token', id, 'n', n) from token"},
};

static void create_tags_and_tokens(struct fixture *f)
{
    sql(f, "create table tag (name text primary key, n integer default 0);"
           "create function tag_get(name text) returns json language sql stable as"
           " $$ select json_build_object('tag', tag.name, 'n', n) from tag where tag.name = tag_get.name $$;"
           "create table token (id uuid primary key, n integer default 0);"
           "create function token_get_many(ids uuid[]) returns table (id uuid, document json) language sql stable as"
           " $$ select id, json_build_object('token', id, 'n', n) from token where id = any (ids) order by n, id desc"
           " $$;"
           "insert into tag (name) values ('*'), ('[1]'), (''), (E'a\\nb\"c\\\\d\\x01'), ('日本'), ('17');"
           "insert into tag (name) select 'tag ' || i || repeat('x', i % 300) from generate_series(1, 900) i;"
           "insert into token (id) select gen_random_uuid() from generate_series(1, 900)");
}

START_TEST(text_and_uuid_ids)
{
    struct fixture *f = fixture_open();
    create_tags_and_tokens(f);
    cp_syncer *syncer = run_syncer(f, tags_and_tokens, NO_SETTINGS);
    cp_verify_result result = verify(syncer, false);
    REQUIRE_INT(result.compared, ==, 1806);
    REQUIRE_INT(result.equal, ==, 1806);

    sql(f, "update tag set n = 1; update token set n = 2 where n = 0 and id < '80000000-0000-0000-0000-000000000000'");
    long long stale = 906 + sql_number(f, "select count(*) from token where n = 2");
    redis_run(f, "SET %s:tag:%s gone", f->prefix, "\xc3\xa9");
    redis_run(f, "SET %s-token:%s:end gone", f->prefix, "01234567-89ab-cdef-0123-456789abcdef");
    add_stranger(f, "%s-token:%s:end", f->prefix, "01234567-89AB-CDEF-0123-456789ABCDEF");
    add_stranger(f, "%s-token:1:end", f->prefix);
    result = verify(syncer, true);
    REQUIRE_INT(result.different, ==, stale);
    REQUIRE_INT(result.orphans, ==, 2);
    REQUIRE_INT(result.unmanaged, ==, 2);
    REQUIRE_INT(result.repaired, ==, stale + 2);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static const char expiring[] =
    "{ \"entities\": [ { \"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"id_type\": \"integer\","
    "  \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS " \"fetch\": \"customer_get\","
    "  \"list\": \"select id_customer from customer\", \"ttl_s\": 1000 } ] }";

START_TEST(keys_that_expire)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    stop_syncer(f, run_syncer(f, expiring, NO_SETTINGS));
    redis_run(f, "DEL %s:17 %s:18", f->prefix, f->prefix);
    redis_run(f, "SET %s:19 stale", f->prefix);
    cp_verify_result result = verify(make_syncer(f, expiring, NO_SETTINGS), false);
    REQUIRE_INT(result.expired, ==, 2);
    REQUIRE_INT(result.different, ==, 1);
    REQUIRE_INT(result.equal, ==, ROWS - 3);
    fixture_close(f);
}
END_TEST

/* ---- what cannot be told ---- */

static cp_code try_verify(cp_syncer *syncer, cp_verify_result *result, cp_error *err)
{
    cp_verify_options options = options_of(false);
    return cp_syncer_verify(syncer, &options, result, err);
}

START_TEST(redis_away)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    snprintf(f->redis_address, sizeof f->redis_address, "unix:/nowhere/%s.sock", f->base);
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    REQUIRE_INT(try_verify(make_syncer(f, NULL, NO_SETTINGS), &result, &err), ==, CP_ERR_REDIS);
    REQUIRE_CONTAINS(err.message, "Redis at ");
    REQUIRE_INT(differences(result), ==, 0);
    REQUIRE_INT(count_logged(f, "trying again"), ==, 0); /* nobody listens there */
    fixture_close(f);
}
END_TEST

START_TEST(postgres_away)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    snprintf(f->dsn, sizeof f->dsn, "host=/nowhere dbname=none");
    REQUIRE_INT(try_verify(make_syncer(f, NULL, NO_SETTINGS), &result, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_INT(count_logged(f, "trying again"), ==, 0);
    fixture_close(f);
}
END_TEST

static void *restart_servers_connections(void *context)
{
    struct fixture *f = context;
    redisContext *redis = connect_redis(f->redis_address);
    if (redis == NULL) {
        atomic_fetch_add(&f->thread_fault, 1);
        return NULL;
    }
    PGconn *pg = PQconnectdb(f->dsn);
    for (int i = 0; i < 6 && !atomic_load(&f->abandoned); i++) {
        int64_t until_ms = now_ms() + 30;
        PGresult *killed = NULL;
        do {
            PQclear(killed);
            killed = PQexec(pg, "select pg_terminate_backend(pid) from pg_stat_activity"
                                " where application_name = 'cachepusher verify' and datname = current_database()");
        } while (PQntuples(killed) == 0 && now_ms() < until_ms);
        PQclear(killed);
        redisReply *list = redisCommand(redis, "CLIENT LIST");
        for (char *at = list->str; at != NULL && (at = strstr(at, "id=")) != NULL; at = strchr(at, '\n')) {
            char line[400];
            snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
            if (strstr(line, "name=cachepusher-verify") != NULL) {
                freeReplyObject(redisCommand(redis, "CLIENT KILL ID %s", strtok(line + 3, " ")));
            }
        }
        freeReplyObject(list);
    }
    PQfinish(pg);
    redisFree(redis);
    return NULL;
}

START_TEST(lost_connections_are_made_again)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    insert_customers(f);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(2000, 30000) i;"
           "analyze");
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    redis_run(f, "DEL %s:17", f->prefix);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    fixture_thread(f, restart_servers_connections, f);
    cp_verify_result result = verify(syncer, false);
    fixture_join(f);
    REQUIRE_INT(result.missing, ==, 1);
    REQUIRE_INT(differences(result), ==, 1);
    REQUIRE_INT(result.compared, ==, ROWS + 28001);
    REQUIRE_INT(count_logged(f, "trying again, for some seconds"), >=, 1);
    fixture_close(f);
}
END_TEST

static const char breaking[] =
    "{ \"entities\": [ { \"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"id_type\": \"integer\","
    "  \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS " \"fetch\": \"breaking_get\","
    "  \"list\": \"select id_customer from customer\" } ] }";

static void create_breaking_get(struct fixture *f, const char *condition)
{
    sqlf(f,
         "create function breaking_get(id integer) returns json language plpgsql as $$ begin"
         " if %s then raise 'no luck with %%', id; end if; return customer_get(id); end $$",
         condition);
}

START_TEST(a_document_that_cannot_be_read)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    create_breaking_get(f, "id in (17, 18, 1000)");
    redis_run(f, "SET %s:19 stale", f->prefix);
    cp_verify_result result = verify(make_syncer(f, breaking, NO_SETTINGS), false);
    REQUIRE_INT(result.unreadable, ==, 3);
    REQUIRE_INT(result.different, ==, 1);
    REQUIRE_INT(result.equal, ==, ROWS - 4);
    fixture_close(f);
}
END_TEST

START_TEST(no_document_can_be_read)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    create_breaking_get(f, "true");
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_syncer *syncer = make_syncer(f, breaking, NO_SETTINGS);
    REQUIRE_INT(try_verify(syncer, &result, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "1000 documents cannot be read; the last one: ");
    REQUIRE_CONTAINS(err.message, "no luck with ");
    sql(f, "drop function breaking_get(integer)");
    REQUIRE_INT(try_verify(syncer, &result, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "breaking_get");
    sql(f, "drop table customer cascade; create function breaking_get(id integer) returns json language sql as 'select "
           "null::json'");
    REQUIRE_INT(try_verify(syncer, &result, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "customer");
    fixture_close(f);
}
END_TEST

/* ---- stopping ---- */

struct stopped {
    struct fixture *f;
    cp_syncer *syncer;
    cp_code code;
    cp_error err;
    _Atomic bool over;
};

static void *verify_until_stopped(void *context)
{
    struct stopped *stopped = context;
    cp_verify_result result = {.size = sizeof result};
    cp_verify_options options = {.size = sizeof options, .recheck_ms = 3600000};
    stopped->code = cp_syncer_verify(stopped->syncer, &options, &result, &stopped->err);
    atomic_store(&stopped->over, true);
    return NULL;
}

static void stop_meanwhile(struct fixture *f, const char *moment)
{
    static struct stopped stopped;
    cp_error err = {0};
    stopped = (struct stopped){.f = f, .syncer = make_syncer(f, NULL, NO_SETTINGS)};
    fixture_thread(f, verify_until_stopped, &stopped);
    WAIT_UNTIL(sql_number(f, moment) > 0);
    REQUIRE(!atomic_load(&stopped.over));
    int64_t began_ms = now_ms();
    REQUIRE_OK(cp_syncer_stop(stopped.syncer, 0, &err), err);
    WAIT_UNTIL(atomic_load(&stopped.over));
    REQUIRE_INT(now_ms() - began_ms, <, 2000 * slowness());
    fixture_join(f);
    REQUIRE_INT(stopped.code, ==, CP_ERR_STOPPED);
    REQUIRE_CONTAINS(stopped.err.message, "stopping");
    destroy_syncer(f, stopped.syncer);
}

START_TEST(stop_while_it_waits)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    PGconn *other = connect_again(f);
    hold_fetches(other);
    stop_meanwhile(f, "select count(*) from pg_stat_activity where application_name = 'cachepusher verify'"
                      " and datname = current_database() and wait_event_type = 'Lock'");
    release_fetches(other);
    fixture_close(f);
}
END_TEST

/* For an hour it would look again at what differs. */
START_TEST(stop_while_it_looks_again)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    stop_meanwhile(
        f, "select count(*) from pg_stat_activity where application_name = 'cachepusher verify'"
           " and datname = current_database() and state = 'idle' and state_change < now() - '300 ms'::interval");
    fixture_close(f);
}
END_TEST

Suite *verify_repairs_suite(void)
{
    Suite *suite = suite_create("verify_repairs");
    TCase *tcase = tcase_create("repairs, entities, failures");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, repairs_by_its_own_syncer);
    add_test(tcase, repairs_by_another);
    add_test(tcase, repairs_by_nobody);
    add_test(tcase, text_and_uuid_ids);
    add_test(tcase, keys_that_expire);
    add_test(tcase, redis_away);
    add_test(tcase, postgres_away);
    add_test(tcase, lost_connections_are_made_again);
    add_test(tcase, a_document_that_cannot_be_read);
    add_test(tcase, no_document_can_be_read);
    add_test(tcase, stop_while_it_waits);
    add_test(tcase, stop_while_it_looks_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
