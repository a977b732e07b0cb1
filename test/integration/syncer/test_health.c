/* What is to be seen of a syncer: that it is well, and which part of it is not, within five seconds. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WITHIN_MS = 5000 };

static cp_health health_of(const cp_syncer *syncer)
{
    cp_health health = {.size = sizeof health};
    cp_error err;
    REQUIRE_OK(cp_syncer_health(syncer, &health, &err), err);
    return health;
}

/* Looks until it is not ready. *took_ms: after how long. */
static cp_health wait_for_trouble(const cp_syncer *syncer, int64_t *took_ms)
{
    int64_t began_ms = now_ms();
    WAIT_UNTIL(!health_of(syncer).ready);
    *took_ms = now_ms() - began_ms;
    return health_of(syncer);
}

static void require_in_time(int64_t took_ms)
{
    REQUIRE_INT(took_ms, <, (int64_t)WITHIN_MS * slowness());
}

static uint64_t settled_times(const cp_syncer *syncer)
{
    cp_histogram histogram = {.size = sizeof histogram};
    cp_error err;
    REQUIRE_OK(cp_syncer_histogram(syncer, 0, &histogram, &err), err);
    REQUIRE(strcmp(histogram.name, "cachepusher_settle_seconds") == 0);
    uint64_t counted = 0;
    for (size_t i = 0; i < histogram.buckets; i++) {
        counted += histogram.counts[i];
    }
    REQUIRE_INT(counted, ==, histogram.count);
    REQUIRE(histogram.sum >= 0 && (histogram.count > 0 || histogram.sum < 1e-9));
    return histogram.count;
}

START_TEST(it_is_well)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 100) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "2"));
    cp_health health = health_of(syncer);
    REQUIRE_INT(health.state, ==, CP_STATE_READY);
    REQUIRE(health.ready && health.alive && health.why[0] == '\0');
    REQUIRE_INT(settled_times(syncer), ==, 0); /* nobody has announced anything */

    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(settled_times(syncer) == 100);
    cp_entity_stats entity = {.size = sizeof entity};
    cp_error err;
    REQUIRE_OK(cp_syncer_entity(syncer, 0, &entity, &err), err);
    REQUIRE(strcmp(entity.entity, "customer") == 0);
    REQUIRE_INT(entity.events, ==, 100);
    REQUIRE_INT(entity.stored, ==, 200);
    REQUIRE_INT(entity.bytes, ==, stats_of(syncer).bytes);
    REQUIRE_INT(cp_syncer_entity(syncer, 1, &entity, &err), ==, CP_ERR_ARGUMENT);
    WAIT_UNTIL(health_of(syncer).lag_us == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(each_thread_is_seen)
{
    static const char *const names[] = {"cp-worker-0", "cp-worker-1", "cp-listener", "cp-resync",
                                        "cp-marker",   "cp-lease",    "cp-catalog",  "cp-audit"};
    struct fixture *f = fixture_open();
    cp_syncer *syncer =
        run_syncer(f, NULL, SETTINGS("threads", "2", "audit_per_second", "10", "catalog_check_ms", "1000"));
    cp_error err;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool is_found = false;
        cp_thread thread = {.size = sizeof thread};
        for (size_t t = 0; cp_syncer_thread(syncer, t, &thread, &err) == CP_OK; t++) {
            is_found = is_found || (strcmp(thread.name, names[i]) == 0 && thread.runs && !thread.stuck);
        }
        if (!is_found) {
            fail_at(__FILE__, __LINE__, "there is no %s that runs", names[i]);
        }
    }
    cp_lane lane = {.size = sizeof lane};
    REQUIRE_OK(cp_syncer_lane(syncer, 1, &lane, &err), err);
    REQUIRE_INT(cp_syncer_lane(syncer, 2, &lane, &err), ==, CP_ERR_ARGUMENT);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(its_life_has_states)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(health_of(syncer).state, ==, CP_STATE_CREATED);
    PGconn *holder = connect_again(f);
    sql(f, "insert into customer (id_customer, name) values (1, 'one')");
    hold_fetches(holder);
    start_syncer(syncer);
    WAIT_UNTIL(health_of(syncer).state == CP_STATE_WARMING);
    REQUIRE_CONTAINS(health_of(syncer).why, "filling Redis");
    release_fetches(holder);
    wait_ready(syncer);
    WAIT_UNTIL(health_of(syncer).state == CP_STATE_READY);
    REQUIRE_INT(stats_of(syncer).postgres_connections, >=, 3); /* the lease's, the listener's, the workers' */
    REQUIRE_INT(stats_of(syncer).redis_connections, >=, 2);    /* the marker's, the workers' */

    cp_syncer *second = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(second);
    WAIT_UNTIL(health_of(second).state == CP_STATE_STANDBY);
    REQUIRE(health_of(second).ready);
    cp_error err;
    REQUIRE_OK(cp_syncer_stop(syncer, timeout_ms(), &err), err);
    REQUIRE_INT(health_of(syncer).state, ==, CP_STATE_STOPPED);
    REQUIRE_INT(stats_of(syncer).postgres_connections, ==, 0);
    REQUIRE_INT(stats_of(syncer).redis_connections, ==, 0);
    WAIT_UNTIL(health_of(second).state == CP_STATE_READY);
    destroy_syncer(f, syncer);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

START_TEST(a_change_that_waits_is_a_lag)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    sql(f, "insert into customer (id_customer, name) values (1, 'one')");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("max_lag_ms", "500"));
    hold_fetches(holder);
    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(health_of(syncer).state == CP_STATE_LAGGING);
    REQUIRE_CONTAINS(health_of(syncer).why, "behind by");
    REQUIRE_INT(health_of(syncer).lag_us, >, 500000);
    release_fetches(holder);
    WAIT_UNTIL(health_of(syncer).ready);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what has been lost ---- */

START_TEST(an_emptied_redis_is_not_ready_until_it_is_full_again)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    int64_t took_ms;
    own_redis_start(f);
    sql(f, "insert into customer (id_customer, name) values (1, 'one')");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    hold_fetches(holder);
    redis_run(f, "FLUSHALL");
    cp_health health = wait_for_trouble(syncer, &took_ms);
    require_in_time(took_ms);
    REQUIRE_INT(health.state, ==, CP_STATE_WARMING);
    REQUIRE_CONTAINS(health.why, "Redis has lost data");
    release_fetches(holder);
    WAIT_UNTIL(health_of(syncer).ready);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What was announced meanwhile is not known. The wal source goes on where it was. */
START_TEST(missed_notifications_are_not_ready)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    sql(f, "insert into customer (id_customer, name) values (1, 'one')");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    hold_fetches(holder);
    REQUIRE_INT(terminate_backends(f, "cachepusher listener%"), >, 0);
    WAIT_UNTIL(strstr(health_of(syncer).why, "listener connected again") != NULL);
    REQUIRE(!health_of(syncer).ready);
    release_fetches(holder);
    WAIT_UNTIL(health_of(syncer).ready);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(documents_that_all_fail_are_not_ready)
{
    struct fixture *f = fixture_open();
    keep_customer_get(f);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 20) i;"
           "analyze customer");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    define_customer_get(f, "raise 'broken';");
    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(health_of(syncer).state == CP_STATE_DEGRADED);
    REQUIRE_CONTAINS(health_of(syncer).why, "fail by themselves");
    define_customer_get(f, "");
    WAIT_UNTIL(health_of(syncer).ready);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what is frozen ---- */

START_TEST(a_frozen_redis_is_named)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    int64_t took_ms;
    REQUIRE_INT(kill(f->own_redis, SIGSTOP), ==, 0);
    cp_health health = wait_for_trouble(syncer, &took_ms);
    kill(f->own_redis, SIGCONT);
    require_in_time(took_ms);
    REQUIRE_INT(health.state, ==, CP_STATE_DEGRADED);
    REQUIRE_CONTAINS(health.why, "Redis");
    REQUIRE(health.alive); /* another process would not help */
    WAIT_UNTIL(health_of(syncer).ready);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The server processes of sessions whose application_name is like this. */
static size_t freeze_backends(struct fixture *f, const char *name_like, pid_t *pids, size_t room)
{
    const char *parameters[] = {name_like};
    PGresult *result = PQexecParams(f->pg,
                                    "select pid from pg_stat_activity where datname = current_database()"
                                    " and application_name like $1",
                                    1, NULL, parameters, NULL, NULL, 0);
    size_t n = 0;
    for (int i = 0; i < PQntuples(result) && n < room; i++) {
        pids[n] = (pid_t)strtol(PQgetvalue(result, i, 0), NULL, 10);
        n += kill(pids[n], SIGSTOP) == 0;
    }
    PQclear(result);
    return n;
}

static void thaw(const pid_t *pids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kill(pids[i], SIGCONT);
    }
}

START_TEST(a_silent_postgres_is_named)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    pid_t pids[32];
    int64_t took_ms;
    size_t n = freeze_backends(f, "cachepusher%", pids, 32);
    cp_health health = wait_for_trouble(syncer, &took_ms);
    thaw(pids, n);
    REQUIRE_INT(n, >=, 2);
    require_in_time(took_ms);
    REQUIRE_CONTAINS(health.why, "Postgres");
    REQUIRE(health.alive);
    WAIT_UNTIL(health_of(syncer).ready);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Everything else goes on. */
START_TEST(a_deaf_listener_is_named)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    pid_t pids[4];
    int64_t took_ms;
    size_t n = freeze_backends(f, "cachepusher listener%", pids, 4);
    n += freeze_backends(f, "cachepusher wal%", pids + n, 4 - n);
    cp_health health = wait_for_trouble(syncer, &took_ms);
    thaw(pids, n);
    REQUIRE_INT(n, >, 0);
    require_in_time(took_ms);
    REQUIRE_CONTAINS(health.why, "heard nothing from Postgres");
    WAIT_UNTIL(health_of(syncer).ready);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_the_gate(void *context, const cp_document *document)
{
    (void)context;
    (void)document;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

START_TEST(a_worker_that_is_held_in_a_callback_is_stuck)
{
    struct fixture *f = fixture_open();
    f->settled = wait_at_the_gate;
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    int64_t took_ms;
    pthread_mutex_lock(&gate);
    sql(f, "insert into customer (id_customer, name) values (1, 'one')");
    cp_health health = wait_for_trouble(syncer, &took_ms);
    pthread_mutex_unlock(&gate);
    require_in_time(took_ms);
    REQUIRE(!health.alive);
    REQUIRE_CONTAINS(health.why, "cp-worker-0 is stuck");
    REQUIRE_CONTAINS(health.why, "telling the host");
    WAIT_UNTIL(health_of(syncer).ready && health_of(syncer).alive);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what fails ---- */

struct found {
    size_t count;
    char id[32];
    char why[256];
    uint64_t tries;
};

static void note_parked(void *context, const cp_parked *parked)
{
    struct found *found = context;
    found->count++;
    snprintf(found->id, sizeof found->id, "%s", parked->id);
    snprintf(found->why, sizeof found->why, "%s", parked->why);
    found->tries = parked->tries;
    REQUIRE(strcmp(parked->entity, "customer") == 0);
}

static struct found parked_of(const cp_syncer *syncer, uint64_t *more)
{
    struct found found = {0};
    cp_error err;
    REQUIRE_OK(cp_syncer_parked(syncer, note_parked, &found, more, &err), err);
    return found;
}

START_TEST(what_fails_tells_why)
{
    struct fixture *f = fixture_open();
    uint64_t more = 1;
    keep_customer_get(f);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 3) i");
    define_customer_get(f, "if id = 2 then raise 'two is broken'; end if;");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    WAIT_UNTIL(parked_of(syncer, &more).tries >= 2);
    struct found found = parked_of(syncer, &more);
    REQUIRE_INT(found.count, ==, 1);
    REQUIRE_INT(more, ==, 0);
    REQUIRE(strcmp(found.id, "2") == 0);
    REQUIRE_CONTAINS(found.why, "two is broken");
    REQUIRE(health_of(syncer).ready); /* one document is not all of them */
    define_customer_get(f, "");
    WAIT_UNTIL(parked_of(syncer, &more).count == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Text that is cut is cut between characters: what is not UTF-8 could not be shown. */
START_TEST(a_long_reason_is_cut_in_whole_characters)
{
    struct fixture *f = fixture_open();
    uint64_t more = 0;
    keep_customer_get(f);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 3) i");
    define_customer_get(f, "if id = 2 then raise '%', 'x' || repeat(chr(228), 400); end if;");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    WAIT_UNTIL(parked_of(syncer, &more).count == 1);
    struct found found = parked_of(syncer, &more);
    size_t length = strlen(found.why);
    REQUIRE_INT(length, >, 200);
    const char *first = strchr(found.why, '\xc3');
    REQUIRE(first != NULL);
    size_t pairs = 0;
    while (first[2 * pairs] == '\xc3' && first[2 * pairs + 1] == '\xa4') {
        pairs++;
    }
    REQUIRE(strchr(first + 2 * pairs, '\xc3') == NULL);
    define_customer_get(f, "");
    WAIT_UNTIL(parked_of(syncer, &more).count == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* More than are remembered. */
START_TEST(of_many_that_fail_the_rest_is_counted)
{
    struct fixture *f = fixture_open();
    uint64_t more = 0;
    keep_customer_get(f);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 150) i");
    define_customer_get(f, "raise 'broken';");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    WAIT_UNTIL(stats_of(syncer).failing == 150);
    WAIT_UNTIL(parked_of(syncer, &more).count == 100 && more == 50);
    define_customer_get(f, "");
    WAIT_UNTIL(parked_of(syncer, &more).count == 0 && more == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *health_suite(void)
{
    Suite *suite = suite_create("health");
    TCase *tcase = tcase_create("health");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, it_is_well);
    add_test(tcase, each_thread_is_seen);
    add_test(tcase, its_life_has_states);
    add_test(tcase, a_change_that_waits_is_a_lag);
    add_test(tcase, an_emptied_redis_is_not_ready_until_it_is_full_again);
    add_test(tcase, missed_notifications_are_not_ready);
    add_test(tcase, documents_that_all_fail_are_not_ready);
    add_test(tcase, a_frozen_redis_is_named);
    add_test(tcase, a_silent_postgres_is_named);
    add_test(tcase, a_deaf_listener_is_named);
    add_test(tcase, a_worker_that_is_held_in_a_callback_is_stuck);
    add_test(tcase, what_fails_tells_why);
    add_test(tcase, a_long_reason_is_cut_in_whole_characters);
    add_test(tcase, of_many_that_fail_the_rest_is_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}
