#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 2000, ROUNDS = 15 };

struct load {
    struct fixture *f;
    struct mix mix;
    atomic_bool enough;
};

static void *write_until_enough(void *context)
{
    struct load *load = context;
    while (!atomic_load(&load->enough) && !atomic_load(&load->f->abandoned)) {
        if (!write_once(&load->mix)) {
            atomic_fetch_add(&load->f->thread_fault, 1);
            break;
        }
    }
    return NULL;
}

/* A syncer under a writing load. */
static cp_syncer *run_loaded(struct fixture *f, struct load *load, const char *const *settings)
{
    *load = (struct load){.f = f, .mix = {connect_again(f), choose_seed(), CUSTOMERS}};
    insert_rows(&load->mix);
    cp_syncer *syncer = run_syncer(f, NULL, settings);
    fixture_thread(f, write_until_enough, load);
    return syncer;
}

/* Connected again, and served something since. */
static void wait_for_recovery(const cp_syncer *syncer, const cp_stats *before, uint64_t connections)
{
    WAIT_UNTIL(stats_of(syncer).reconnects >= before->reconnects + connections);
    cp_stats connected = stats_of(syncer);
    WAIT_UNTIL(stats_of(syncer).stored > connected.stored);
}

static void expect_survival(struct fixture *f, cp_syncer *syncer, struct load *load)
{
    atomic_store(&load->enough, true);
    fixture_join(f);
    expect_customers(f);
    sql(f, "update customer set name = 'alive'");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}

START_TEST(postgres_connections_killed)
{
    struct fixture *f = fixture_open();
    struct load load;
    cp_syncer *syncer = run_loaded(f, &load, NO_SETTINGS);
    for (int round = 0; round < ROUNDS; round++) {
        cp_stats before = stats_of(syncer);
        WAIT_UNTIL(terminate_backends(f, "cachepusher %") > 0);
        wait_for_recovery(syncer, &before, 1);
    }
    REQUIRE_INT(stats_of(syncer).reconnects, >=, ROUNDS);
    expect_survival(f, syncer, &load);
}
END_TEST

START_TEST(redis_connections_killed)
{
    struct fixture *f = fixture_open();
    own_redis_start(f); /* other tests' connections have the same names */
    struct load load;
    cp_syncer *syncer = run_loaded(f, &load, NO_SETTINGS);
    uint64_t resyncs = stats_of(syncer).resyncs;
    for (int round = 0; round < ROUNDS; round++) {
        cp_stats before = stats_of(syncer);
        WAIT_UNTIL(kill_redis_clients(f, "cachepusher-worker") > 0);
        wait_for_recovery(syncer, &before, 1);
    }
    REQUIRE_INT(stats_of(syncer).resyncs, ==, resyncs); /* the server is still the same */
    expect_survival(f, syncer, &load);
}
END_TEST

START_TEST(all_connections_killed)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    struct load load;
    cp_syncer *syncer = run_loaded(f, &load, SETTINGS("threads", "2", "batch", "16"));
    for (int round = 0; round < ROUNDS; round++) {
        cp_stats before = stats_of(syncer);
        WAIT_UNTIL(terminate_backends(f, "cachepusher %") > 0);
        WAIT_UNTIL(kill_redis_clients(f, "cachepusher-") > 0);
        wait_for_recovery(syncer, &before, 2);
    }
    expect_survival(f, syncer, &load);
}
END_TEST

/* The notification of this transaction goes to nobody, or to a listener that is about to die. */
START_TEST(listener_killed_by_the_very_transaction)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 500) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    for (int round = 0; round < 10; round++) {
        uint64_t before = stats_of(syncer).reconnects;
        sqlf(f,
             "begin; select pg_terminate_backend(pid) from pg_stat_activity"
             " where application_name = 'cachepusher listener' and datname = current_database();"
             "update customer set name = 'round %d' where id_customer %% 10 = %d;"
             "delete from customer where id_customer = %d; commit",
             round, round, 400 + round);
        WAIT_UNTIL(stats_of(syncer).reconnects > before);
        WAIT_UNTIL(stats_of(syncer).resyncs > 0 || stats_of(syncer).causes[CP_CAUSE_RESUME] > 0);
    }
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Nobody hears of what changes here, for nobody can connect. */
START_TEST(changes_during_an_outage_of_postgres)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 2000) i");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    PGconn *admin = connect_postgres(getenv("CP_DSN"));
    REQUIRE(admin != NULL);
    char statement[128];
    snprintf(statement, sizeof statement, "alter database %s allow_connections false", f->database);
    sql_on(admin, statement);
    REQUIRE_INT(terminate_backends(f, "cachepusher %"), >, 0);
    WAIT_UNTIL(terminate_backends(f, "cachepusher %") == 0);
    cp_stats before = stats_of(syncer);
    sql(f,
        "update customer set name = 'unheard' where id_customer % 3 = 0; delete from customer where id_customer < 20;"
        "insert into customer (id_customer, name) values (7777, 'new')");
    WAIT_UNTIL(count_logged(f, "connecting again") > 0);
    REQUIRE_INT(stats_of(syncer).events, ==, before.events);
    REQUIRE_INT(count_keys(f), ==, 2000);
    snprintf(statement, sizeof statement, "alter database %s allow_connections true", f->database);
    sql_on(admin, statement);
    PQfinish(admin);
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).resyncs == before.resyncs + 1 || stats_of(syncer).causes[CP_CAUSE_RESUME] == 1);
    REQUIRE_INT(stats_of(syncer).reconnects, >=, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The resync's own connections break: it goes on where it was. */
START_TEST(connections_killed_during_the_warm_up)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 30000) i");
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(syncer);
    while (!stats_of(syncer).ready) {
        cp_stats before = stats_of(syncer);
        terminate_backends(f, "cachepusher resync");
        terminate_backends(f, "cachepusher worker");
        kill_redis_clients(f, "cachepusher-resync");
        kill_redis_clients(f, "cachepusher-worker");
        WAIT_UNTIL(stats_of(syncer).ready || stats_of(syncer).stored > before.stored + 4000);
    }
    require_customers(f);
    REQUIRE_INT(stats_of(syncer).reconnects, >, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A server process that is frozen keeps its connection up and sends nothing: only the heartbeat that does not come
 * back, or an answer, tells. What has changed meanwhile is found. */
START_TEST(a_deaf_listener_connects_again)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer) values (1)");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    pid_t backend = (pid_t)sql_number(f, "select pid from pg_stat_activity where datname = current_database() and "
                                         "application_name = 'cachepusher listener'");
    REQUIRE(kill(backend, SIGSTOP) == 0);
    sql(f, "update customer set name = 'unheard'");

    /* No WAIT_UNTIL: the process has to go on whatever comes of it. */
    int64_t began_ms = now_ms();
    while (stats_of(syncer).reconnects == 0 && now_ms() - began_ms < timeout_ms()) {
        poll(NULL, 0, 10);
    }
    kill(backend, SIGCONT);
    REQUIRE_INT(stats_of(syncer).reconnects, ==, 1);
    REQUIRE_INT(now_ms() - began_ms, <, 12000 * slowness());
    expect_document(f, 1, "{\"id_customer\":1,\"name\":\"unheard\",\"addresses\":[]}");
    REQUIRE_INT(count_logged(f, is_over_wal() ? "no answer in time" : "no notification has come back"), ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What a standby holds is not what was committed. This server claims to be one: at the start, and later when a
 * connection is made again. */
static void pretend(struct fixture *f, bool standby)
{
    sqlf(f, "create or replace function pg_catalog.pg_is_in_recovery() returns boolean language sql as 'select %s'",
         standby ? "true" : "false");
}

START_TEST(a_standby_of_postgres_is_refused)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    sql(f, "insert into customer (id_customer) values (1);"
           "alter function pg_catalog.pg_is_in_recovery() rename to is_in_recovery_really");
    pretend(f, true);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "is a standby; the primary is needed");
    REQUIRE(err.retriable);

    pretend(f, false);
    start_syncer(syncer);
    wait_ready(syncer);
    pretend(f, true);
    REQUIRE_INT(terminate_backends(f, "cachepusher %"), >, 1);
    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(count_logged(f, "is a standby") > 2);
    REQUIRE_INT(redis_number(f, "STRLEN %s:1", f->prefix), ==,
                strlen("{\"id_customer\":1,\"name\":null,\"addresses\":[]}"));
    pretend(f, false);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *connections_suite(void)
{
    Suite *suite = suite_create("connections");
    TCase *tcase = tcase_create("killed");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, postgres_connections_killed);
    tcase_add_test(tcase, redis_connections_killed);
    tcase_add_test(tcase, all_connections_killed);
    tcase_add_test(tcase, listener_killed_by_the_very_transaction);
    tcase_add_test(tcase, changes_during_an_outage_of_postgres);
    tcase_add_test(tcase, connections_killed_during_the_warm_up);
    tcase_add_test(tcase, a_deaf_listener_connects_again);
    tcase_add_test(tcase, a_standby_of_postgres_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
