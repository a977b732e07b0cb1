#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 5000, MANY = 50000, MAX_PENDING = 1000 };

static cp_syncer *follow(struct fixture *f, int count, const char *const *settings)
{
    own_redis_start(f);
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", count);
    cp_syncer *syncer = run_syncer(f, NULL, settings);
    require_customers(f);
    return syncer;
}

/* kill -9, and back with nothing in it: one change makes the syncer look, and it restores everything. */
START_TEST(restarted_empty)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, CUSTOMERS, NO_SETTINGS);
    for (int round = 0; round < 2; round++) {
        uint64_t resyncs = stats_of(syncer).resyncs;
        own_redis_kill(f);
        own_redis_start(f);
        sqlf(f, "update customer set name = 'round %d' where id_customer = 1", round);
        expect_customers(f);
        WAIT_UNTIL(stats_of(syncer).resyncs > resyncs);
    }
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The same, and FLUSHALL, while nothing changes at all. */
START_TEST(emptied_in_silence)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, CUSTOMERS, NO_SETTINGS);
    cp_error err = {0};
    redis_run(f, "FLUSHALL");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).resyncs == 2);
    /* Read once and not twice: whatever had been asked for comes no later than this. */
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(stats_of(syncer).resyncs == 3);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_REDIS], ==, 1);
    own_redis_kill(f);
    own_redis_start(f);
    expect_customers(f);
    redis_run(f, "FLUSHALL");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).events, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A loss, and at the same moment a resync of one entity, which must not take the other one's losses for its own. */
START_TEST(emptied_when_one_entity_is_read_again)
{
    static const char entities[] =
        "{\"entities\": ["
        "{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\"]," WATCHED_CUSTOMERS
        " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"},"
        "{\"name\": \"copy\", \"key\": \"{prefix}:copy:{id}\", \"channels\": [\"copy_updated\"]," WATCHED_CUSTOMERS
        " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"}]}";
    static const struct kind kinds[] = {
        {":", "", "select id_customer, customer_get(id_customer) from customer"},
        {":copy:", "", "select id_customer, customer_get(id_customer) from customer"},
    };
    struct fixture *f = fixture_open();
    own_redis_start(f);
    sql(f, "insert into customer (id_customer) select generate_series(1, 100)");
    cp_syncer *syncer = run_syncer(f, entities, NO_SETTINGS);
    for (int round = 0; round < 5; round++) {
        redis_run(f, "FLUSHALL");
        sql(f, "select announce('copy_updated', '*')");
        expect_equal(f, kinds, 2);
    }
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_REDIS], ==, 5);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The marker's connection goes away while Postgres takes its time to confirm that it may write. The wait makes the
 * resync thread look after the marker, which is just what it must not do then. */
START_TEST(lost_while_it_is_admitted)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    sql(f, "insert into customer (id_customer) select generate_series(1, 100);"
           "alter function pg_catalog.current_database() rename to current_database_really;"
           "create function pg_catalog.current_database() returns name language plpgsql as $$ begin"
           " if current_setting('application_name') in ('cachepusher resync', 'cachepusher marker')"
           " then perform pg_sleep(0.2); end if;"
           " return pg_catalog.current_database_really(); end $$");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int round = 0; round < 2; round++) {
        REQUIRE_INT(kill_redis_clients(f, "cachepusher-marker"), ==, 1);
        redis_run(f, "FLUSHALL");
        WAIT_UNTIL(sql_number(f, "select count(*) from pg_stat_activity where datname = current_database_really()"
                                 " and application_name in ('cachepusher resync', 'cachepusher marker')"
                                 " and wait_event = 'PgSleep'") >= 1);
        WAIT_UNTIL(kill_redis_clients(f, "cachepusher-marker") == 1);
        expect_customers(f);
    }
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(changes_while_it_is_down)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, CUSTOMERS, NO_SETTINGS);
    own_redis_kill(f);
    sql(f, "update customer set name = 'changed' where id_customer % 2 = 0;"
           "delete from customer where id_customer % 5 = 0; insert into customer (id_customer) values (99999)");
    WAIT_UNTIL(stats_of(syncer).pending > CUSTOMERS / 2 - CUSTOMERS / 10);
    sql(f, "update customer set name = 'changed again' where id_customer % 4 = 0");
    WAIT_UNTIL(count_logged(f, "trying again") > 0);
    own_redis_start(f);
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).pending == 0);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(killed_during_the_warm_up)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", MANY);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(syncer);
    WAIT_UNTIL(stats_of(syncer).stored > 3000);
    own_redis_kill(f);
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 50, &err), ==, CP_ERR_TIMEOUT);
    own_redis_start(f);
    expect_customers(f);
    wait_ready(syncer);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Refused writes are not done: the ids wait, the old documents stay, deletions go through. */
START_TEST(out_of_memory)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, CUSTOMERS, NO_SETTINGS);
    cp_stats before = stats_of(syncer);
    redis_run(f, "CONFIG SET maxmemory 1");
    sql(f,
        "update customer set name = 'changed' where id_customer <= 100; delete from customer where id_customer > 4990");
    WAIT_UNTIL(stats_of(syncer).failures > before.failures && stats_of(syncer).deleted == before.deleted + 10);
    WAIT_UNTIL(stats_of(syncer).pending == 100);
    REQUIRE_INT(stats_of(syncer).stored, ==, before.stored);
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    expect_document(f, 1, "{\"id_customer\":1,\"name\":\"customer 1\",\"addresses\":[]}");
    redis_run(f, "CONFIG SET maxmemory 0");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).pending == 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, before.resyncs);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* More ids than may wait are forgotten, and found again by the resync that is asked for instead. The log keeps them. */
START_TEST(more_than_may_wait)
{
    struct fixture *f = fixture_open();
    char max_pending[16];
    snprintf(max_pending, sizeof max_pending, "%d", MAX_PENDING);
    cp_syncer *syncer = follow(f, MANY, SETTINGS("threads", "1", "max_pending", max_pending));
    redis_run(f, "CONFIG SET maxmemory 1"); /* it keeps what it has: no restart asks for a resync */
    sql(f, "update customer set name = 'changed ' || id_customer; delete from customer where id_customer % 9 = 0");
    if (is_over_wal()) {
        WAIT_UNTIL(count_logged(f, "leaving slot") > 0);
    } else {
        WAIT_UNTIL(stats_of(syncer).overflows > 0);
        WAIT_UNTIL(stats_of(syncer).events == MANY + MANY / 9);
    }
    REQUIRE_INT(stats_of(syncer).pending, <=, MAX_PENDING);
    redis_run(f, "CONFIG SET maxmemory 0");
    expect_customers(f);
    REQUIRE(is_over_wal() || count_logged(f, "resync: overflow") > 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What is allowed to wait does: nothing is read again but what has changed. */
START_TEST(as_many_as_may_wait)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, 54000, SETTINGS("threads", "1", "max_pending", "60000"));
    redis_run(f, "CONFIG SET maxmemory 1");
    sql(f, "update customer set name = 'changed ' || id_customer");
    WAIT_UNTIL(stats_of(syncer).pending == 54000);
    redis_run(f, "CONFIG SET maxmemory 0");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).pending == 0);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(more_than_may_wait_while_it_is_down)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, 100, SETTINGS("threads", "2", "max_pending", "1000"));
    own_redis_kill(f);
    sqlf(f, "insert into customer (id_customer, name) select i, 'new' from generate_series(1000, %d) i", 1000 + MANY);
    WAIT_UNTIL(stats_of(syncer).overflows > 0);
    WAIT_UNTIL(stats_of(syncer).events == MANY + 1);
    REQUIRE_INT(stats_of(syncer).pending, <=, MAX_PENDING);
    /* The listener goes on reading. The queue is everybody's: other tests may fill it for a moment. */
    WAIT_UNTIL(sql_number(f, "select (pg_notification_queue_usage() * 1e9)::bigint") == 0);
    own_redis_start(f);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what it may answer ---- */

/* Somebody has to do something about it: said once, tried again and again, and nothing is lost. */
START_TEST(it_wants_a_password)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, 100, SETTINGS("threads", "1"));
    redis_run(f, "CONFIG SET requirepass secret"); /* for connections to come */
    REQUIRE_INT(kill_redis_clients(f, "cachepusher-worker"), ==, 1);
    sql(f, "update customer set name = 'changed' where id_customer = 7");
    WAIT_UNTIL(count_logged(f, "debug: worker 0: Redis: PING: NOAUTH") > 2);
    REQUIRE_INT(count_logged(f, "warn: worker 0: "), <=, 2);
    REQUIRE_INT(stats_of(syncer).retries, >, 2);
    REQUIRE_INT(stats_of(syncer).pending, ==, 1);
    redis_run(f, "CONFIG SET requirepass %s", "");
    expect_customers(f);
    WAIT_UNTIL(count_logged(f, "workers: Redis is there again after ") == 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A script that does not end: every other command is answered with BUSY. */
static bool is_busy(struct fixture *f)
{
    redisReply *reply = redisCommand(f->redis, "PING");
    bool busy = reply == NULL || reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return busy;
}

START_TEST(it_is_busy)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, 100, SETTINGS("threads", "1", "redis_timeout_ms", "500"));
    redis_run(f, "CONFIG SET lua-time-limit 50");
    redisContext *script = connect_redis(f->redis_address);
    int done = 0;
    redisAppendCommand(script, "EVAL %s 0", "while true do end");
    REQUIRE(redisBufferWrite(script, &done) == REDIS_OK && done);
    sql(f, "update customer set name = 'changed' where id_customer = 7");
    WAIT_UNTIL(count_logged(f, "BUSY") > 2);
    REQUIRE_INT(stats_of(syncer).pending, ==, 1);
    redis_run(f, "SCRIPT KILL");
    WAIT_UNTIL(!is_busy(f)); /* the script ends a little later */
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    redisFree(script);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- replicas ---- */

static void replicate_the_shared_one(struct fixture *f)
{
    const char *address = getenv("CP_REDIS_TCP");
    REQUIRE(address != NULL);
    redis_run(f, "REPLICAOF 127.0.0.1 %s", strchr(address, ':') + 1);
}

static bool is_synchronised(struct fixture *f)
{
    char *info = redis_text(f, "INFO replication");
    bool up = strstr(info, "master_link_status:up") != NULL;
    free(info);
    return up;
}

/* A failover after which the primary lives on as a replica, with its connections: what it had acknowledged and the new
 * one lacks is gone, and so are the documents, here. */
START_TEST(demoted_and_promoted)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, CUSTOMERS, NO_SETTINGS);
    replicate_the_shared_one(f);
    WAIT_UNTIL(is_synchronised(f));
    WAIT_UNTIL(count_logged(f, "the server is a replica") > 0);
    sql(f, "update customer set name = 'meanwhile' where id_customer < 100");
    redis_run(f, "REPLICAOF NO ONE");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_REDIS], >, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* It was a primary whenever the syncer looked. */
START_TEST(data_of_another_primary)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = follow(f, CUSTOMERS, NO_SETTINGS);
    redis_run(f, "SET %s:17 older", f->prefix);
    redis_run(f, "REPLICAOF 127.0.0.1 1"); /* where there is nothing: it keeps what it has */
    redis_run(f, "REPLICAOF NO ONE");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_REDIS], >, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *redis_away_suite(void)
{
    Suite *suite = suite_create("redis_away");
    TCase *tcase = tcase_create("redis");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, restarted_empty);
    add_test(tcase, emptied_in_silence);
    add_test(tcase, emptied_when_one_entity_is_read_again);
    add_test(tcase, lost_while_it_is_admitted);
    add_test(tcase, changes_while_it_is_down);
    add_test(tcase, killed_during_the_warm_up);
    add_test(tcase, out_of_memory);
    add_test(tcase, more_than_may_wait);
    add_test(tcase, as_many_as_may_wait);
    add_test(tcase, more_than_may_wait_while_it_is_down);
    add_test(tcase, it_wants_a_password);
    add_test(tcase, it_is_busy);
    add_test(tcase, demoted_and_promoted);
    add_test(tcase, data_of_another_primary);
    suite_add_tcase(suite, tcase);
    return suite;
}
