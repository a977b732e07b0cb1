#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 20000 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

/* Everything changed and received, while nothing can be fetched. */
static cp_syncer *queue_everything(struct fixture *f, PGconn *holder, const char *threads)
{
    insert_customers(f);
    sql(f, "alter table address drop constraint address_fk_customer_fkey"); /* the holder would block its cascade */
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", threads));
    hold_fetches(holder);
    sql(f, "update customer set name = 'changed'; delete from customer where id_customer % 10 = 0");
    WAIT_UNTIL(stats_of(syncer).events == CUSTOMERS + CUSTOMERS / 10);
    return syncer;
}

struct stopping {
    struct fixture *f;
    cp_syncer *syncer;
    int grace_ms;
    cp_code code;
};

static void *stop_in_thread(void *context)
{
    struct stopping *stopping = context;
    stopping->code = cp_syncer_stop(stopping->syncer, stopping->grace_ms, NULL);
    return NULL;
}

static bool is_stopping(cp_syncer *syncer)
{
    cp_error err = {0};
    return cp_syncer_resync(syncer, "no such entity", &err) != CP_OK && strstr(err.message, "stopping") != NULL;
}

/* More than one ring holds: some of it waits in the listener's spill. */
START_TEST(what_is_queued_is_settled)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    cp_syncer *syncer = queue_everything(f, holder, "1");
    struct stopping stopping = {f, syncer, timeout_ms(), CP_ERR_ARGUMENT};
    fixture_thread(f, stop_in_thread, &stopping);
    WAIT_UNTIL(is_stopping(syncer));
    release_fetches(holder);
    fixture_join(f);
    REQUIRE_INT(stopping.code, ==, CP_OK);
    require_customers(f);
    REQUIRE_INT(stats_of(syncer).pending, ==, 0);

    /* Nothing is received any more. */
    sql(f, "update customer set name = 'too late'");
    REQUIRE_INT(stats_of(syncer).events, ==, CUSTOMERS + CUSTOMERS / 10);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Without a lock: the notifications are in the socket, in the rings and in the sets. */
/* The lease's session has just been lost, and the connections to Redis have to be admitted anew: the keeper, which ends
 * last, gets the lease back for that. */
START_TEST(stopped_while_the_lease_is_lost)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    PGconn *holder = connect_again(f);
    PGconn *leases = connect_again(f);
    cp_syncer *syncer = queue_everything(f, holder, "2");
    hold_connections(f, leases, "cachepusher lease");
    REQUIRE_INT(terminate_backends(f, "cachepusher lease"), ==, 1);
    WAIT_UNTIL(!stats_of(syncer).writer);
    REQUIRE_INT(kill_redis_clients(f, "cachepusher-worker"), >, 0);
    struct stopping stopping = {f, syncer, timeout_ms(), CP_ERR_ARGUMENT};
    fixture_thread(f, stop_in_thread, &stopping);
    WAIT_UNTIL(is_stopping(syncer));
    release_fetches(holder);
    release_connections(leases);
    fixture_join(f);
    REQUIRE_INT(stopping.code, ==, CP_OK);
    require_customers(f);
    fixture_close(f);
}
END_TEST

START_TEST(stopped_in_the_middle_of_a_burst)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    for (int round = 0; round < 3; round++) {
        cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
        require_customers(f);
        cp_stats before = stats_of(syncer);
        sqlf(f, "update customer set name = 'round %d'", round);
        WAIT_UNTIL(stats_of(syncer).events > before.events);
        cp_error err = {0};
        REQUIRE_OK(cp_syncer_stop(syncer, timeout_ms(), &err), err);
        cp_stats stats = stats_of(syncer);
        REQUIRE_INT(stats.pending, ==, 0);
        REQUIRE_INT(stats.stored - before.stored, ==, stats.events - before.events); /* each id came once */
        destroy_syncer(f, syncer);
    }
    fixture_close(f);
}
END_TEST

START_TEST(the_grace_passes)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    hold_fetches(holder);
    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(stats_of(syncer).events == CUSTOMERS);

    cp_error err = {0};
    int64_t began_ms = now_ms();
    REQUIRE_INT(cp_syncer_stop(syncer, 200, &err), ==, CP_ERR_TIMEOUT);
    int64_t took_ms = now_ms() - began_ms;
    REQUIRE_INT(took_ms, >=, 200);
    REQUIRE_INT(took_ms, <, 5000 * slowness()); /* connect_timeout_ms longer at most */
    REQUIRE_INT(err.code, ==, CP_ERR_TIMEOUT);
    REQUIRE_INT(strtoll(err.message, NULL, 10), ==, CUSTOMERS);
    REQUIRE_CONTAINS(err.message, "ids had not settled");

    /* Stopped stays stopped, and says the same again. */
    cp_error again = {0};
    REQUIRE_INT(cp_syncer_stop(syncer, 200, &again), ==, CP_ERR_TIMEOUT);
    REQUIRE(strcmp(err.message, again.message) == 0);
    destroy_syncer(f, syncer);

    /* The next warm-up repairs them. */
    release_fetches(holder);
    syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* During a warm-up that cannot go on, and while waiters wait. */
static void *wait_in_thread(void *context)
{
    struct stopping *stopping = context;
    stopping->code = cp_syncer_wait_ready(stopping->syncer, -1, NULL);
    return NULL;
}

START_TEST(stopped_before_it_is_ready)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    insert_customers(f);
    hold_fetches(holder);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(syncer);
    struct stopping waiters[3];
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = (struct stopping){.f = f, .syncer = syncer, .code = CP_OK};
        fixture_thread(f, wait_in_thread, &waiters[i]);
    }
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_wait_ready(syncer, 20, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE(err.retriable);
    WAIT_UNTIL(stats_of(syncer).resync_ids > 0);
    REQUIRE_INT(cp_syncer_stop(syncer, 0, &err), ==, CP_ERR_TIMEOUT);
    fixture_join(f);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE_INT(waiters[i].code, ==, CP_ERR_STOPPED);
    }
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A "*" is an event too: CP_OK would say that what it named has settled. */
START_TEST(stopped_before_a_resync_has_ended)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    sql_on(holder, "begin; lock table customer in access exclusive mode"); /* it cannot be listed */
    sql(f, "select announce('customer_updated', '*')");
    WAIT_UNTIL(count_logged(f, "resync: truncate") == 1);
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_stop(syncer, 1000, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_CONTAINS(err.message, "a resync that events called for was cut short");
    destroy_syncer(f, syncer);
    disconnect(f, holder);
    syncer = run_syncer(f, NULL, NO_SETTINGS);
    WAIT_UNTIL(stats_of(syncer).resyncs == 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Nothing that was announced is left, but something may be out of date: that is said. */
START_TEST(stopped_before_a_requested_resync_has_ended)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    sql_on(holder, "begin; lock table customer in access exclusive mode"); /* it cannot be listed */
    REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
    WAIT_UNTIL(count_logged(f, "resync: listener connected again") == 1);
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_stop(syncer, 1000, &err), err);
    REQUIRE_INT(count_logged(f, "warn: stopping in the middle of a resync"), ==, 1);
    destroy_syncer(f, syncer);
    disconnect(f, holder);
    fixture_close(f);
}
END_TEST

START_TEST(stopped_twice_or_not_at_all)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_OK(cp_syncer_stop(syncer, 1000, &err), err);
    REQUIRE_OK(cp_syncer_stop(syncer, 1000, &err), err);
    REQUIRE_OK(cp_syncer_stop(syncer, -1, NULL), err);
    REQUIRE_INT(cp_syncer_enqueue(syncer, "customer", "1", &err), ==, CP_ERR_STOPPED);
    REQUIRE_INT(cp_syncer_resync(syncer, NULL, &err), ==, CP_ERR_STOPPED);
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_STOPPED);
    destroy_syncer(f, syncer);

    insert_customers(f);
    for (int i = 0; i < 10; i++) {
        syncer = make_syncer(f, NULL, NO_SETTINGS);
        start_syncer(syncer);
        destroy_syncer(f, syncer); /* without stop, in the middle of the warm-up */
    }
    destroy_syncer(f, make_syncer(f, NULL, NO_SETTINGS));
    destroy_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    cp_syncer_destroy(NULL);
    require_customers(f);
    REQUIRE_INT(sql_number(f, "select count(*) from pg_stat_activity where application_name like 'cachepusher %'"
                              " and datname = current_database() and state <> 'idle'"),
                ==, 0);
    fixture_close(f);
}
END_TEST

/* Several at once: each hears the same. */
START_TEST(stopped_from_several_threads)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    cp_syncer *syncer = queue_everything(f, holder, "4");
    struct stopping stopping[4];
    for (size_t i = 0; i < 4; i++) {
        stopping[i] = (struct stopping){f, syncer, timeout_ms(), CP_ERR_ARGUMENT};
        fixture_thread(f, stop_in_thread, &stopping[i]);
    }
    WAIT_UNTIL(is_stopping(syncer));
    release_fetches(holder);
    fixture_join(f);
    for (size_t i = 0; i < 4; i++) {
        REQUIRE_INT(stopping[i].code, ==, CP_OK);
    }
    require_customers(f);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The grace that ends first counts, whoever gave it. */
START_TEST(a_shorter_grace_hurries)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    cp_syncer *syncer = queue_everything(f, holder, "2");
    struct stopping stopping = {f, syncer, 600000, CP_OK};
    fixture_thread(f, stop_in_thread, &stopping);
    WAIT_UNTIL(is_stopping(syncer));
    REQUIRE_INT(cp_syncer_stop(syncer, 0, NULL), ==, CP_ERR_TIMEOUT);
    fixture_join(f);
    REQUIRE_INT(stopping.code, ==, CP_ERR_TIMEOUT);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *stop_suite(void)
{
    Suite *suite = suite_create("stop");
    TCase *tcase = tcase_create("stop");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, what_is_queued_is_settled);
    add_test(tcase, stopped_while_the_lease_is_lost);
    add_test(tcase, stopped_in_the_middle_of_a_burst);
    add_test(tcase, the_grace_passes);
    add_test(tcase, stopped_before_it_is_ready);
    add_test(tcase, stopped_before_a_resync_has_ended);
    add_test(tcase, stopped_before_a_requested_resync_has_ended);
    add_test(tcase, stopped_twice_or_not_at_all);
    add_test(tcase, stopped_from_several_threads);
    add_test(tcase, a_shorter_grace_hurries);
    suite_add_tcase(suite, tcase);
    return suite;
}
