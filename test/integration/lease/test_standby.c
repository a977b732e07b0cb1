/* Of several syncers of one name one writes, and what it writes is never overwritten by one that wrote before. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 500, TAKE_OVER_MS = 5000, LOCK = 4711 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

/* One that writes, and one that stands by. */
static void start_both(struct fixture *f, cp_syncer **first, cp_syncer **second)
{
    *first = run_syncer(f, NULL, NO_SETTINGS);
    *second = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(*second);
    WAIT_UNTIL(count_logged(f, "standing by") == 1);
    REQUIRE(stats_of(*first).writer);
    REQUIRE(!stats_of(*second).writer);
}

/* A program that waits would otherwise not know for what. */
static void require_reason(cp_syncer *standby)
{
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_wait_ready(standby, 1, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE(strstr(err.message, "standing by, since another syncer named \"") != NULL);
}

static void require_takeover(cp_syncer *syncer, int64_t since_ms)
{
    wait_ready(syncer);
    REQUIRE(stats_of(syncer).writer);
    REQUIRE_INT(now_ms() - since_ms, <, TAKE_OVER_MS * slowness());
}

/* ---- a turn that ends ---- */

START_TEST(takes_over_when_the_first_stops)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    insert_customers(f);
    start_both(f, &first, &second);
    require_reason(second);
    sql(f, "update customer set name = 'followed' where id_customer % 2 = 0");
    expect_customers(f);
    REQUIRE_INT(stats_of(second).stored, ==, 0);

    /* Missed by both. */
    sql(f, "set session_replication_role = replica; update customer set name = 'unheard' where id_customer < 100;"
           "delete from customer where id_customer = 500; reset session_replication_role");
    int64_t stopped_ms = now_ms();
    stop_syncer(f, first);
    require_takeover(second, stopped_ms);
    require_customers(f);
    sql(f, "update customer set name = 'followed again'");
    expect_customers(f);
    REQUIRE_INT(stats_of(second).causes[CP_CAUSE_START] + stats_of(second).causes[CP_CAUSE_RESUME], ==, 1);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Even one that warms nothing up finds what was missed before its turn. */
START_TEST(taking_over_means_a_resync)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *first = run_syncer(f, NULL, NO_SETTINGS);
    cp_syncer *second = make_syncer(f, NULL, SETTINGS("warmup", "none"));
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "standing by") == 1);
    sql(f, "set session_replication_role = replica; update customer set name = 'unheard' where id_customer < 100;"
           "delete from customer where id_customer = 500; reset session_replication_role");
    stop_syncer(f, first);
    wait_ready(second);
    require_customers(f);
    REQUIRE_INT(new_beginnings(second), ==, 1);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Whoever is asked: it is done by the one that writes. */
START_TEST(a_resync_asked_of_a_standby_is_made_by_the_writer)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    cp_error err = {0};
    insert_customers(f);
    start_both(f, &first, &second);
    sql(f, "set session_replication_role = replica; update customer set name = 'unheard'; delete from customer where"
           " id_customer = 500; reset session_replication_role");
    REQUIRE_OK(cp_syncer_resync(second, NULL, &err), err);
    expect_customers(f);
    REQUIRE_INT(stats_of(second).stored, ==, 0);
    stop_syncer(f, second);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

/* What the first has received it settles; the second waits for that. */
START_TEST(a_stop_keeps_the_lease_until_all_has_settled)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    insert_customers(f);
    start_both(f, &first, &second);
    PGconn *holder = connect_again(f);
    hold_fetches(holder);
    sql(f, "update customer set name = 'held'");
    WAIT_UNTIL(stats_of(first).pending == CUSTOMERS);
    cp_error err = {0};
    /* Its grace time passes, and then the second takes over. */
    REQUIRE_INT(cp_syncer_stop(first, 2000, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_INT(count_logged(f, "taking over"), ==, 0);
    int64_t stopped_ms = now_ms();
    release_fetches(holder);
    destroy_syncer(f, first);
    require_takeover(second, stopped_ms);
    require_customers(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

START_TEST(several_stand_by)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncers[FIXTURE_SYNCERS];
    insert_customers(f);
    syncers[0] = run_syncer(f, NULL, NO_SETTINGS);
    for (int i = 1; i < FIXTURE_SYNCERS; i++) {
        syncers[i] = make_syncer(f, NULL, NO_SETTINGS);
        start_syncer(syncers[i]);
    }
    for (int left = FIXTURE_SYNCERS; left > 0; left--) {
        int writer = -1;
        for (int i = 0; i < FIXTURE_SYNCERS; i++) {
            if (syncers[i] != NULL && stats_of(syncers[i]).writer) {
                REQUIRE_INT(writer, ==, -1);
                writer = i;
            }
        }
        REQUIRE_INT(writer, >=, 0);
        sqlf(f, "update customer set name = 'with %d left'", left);
        expect_customers(f);
        int64_t stopped_ms = now_ms();
        stop_syncer(f, syncers[writer]);
        syncers[writer] = NULL;
        if (left > 1) {
            int writers = 0;
            WAIT_UNTIL((writers = 0, syncers[0] != NULL && (writers += stats_of(syncers[0]).writer),
                        syncers[1] != NULL && (writers += stats_of(syncers[1]).writer),
                        syncers[2] != NULL && (writers += stats_of(syncers[2]).writer),
                        syncers[3] != NULL && (writers += stats_of(syncers[3]).writer), writers > 0));
            REQUIRE_INT(now_ms() - stopped_ms, <, TAKE_OVER_MS * slowness());
        }
    }
    fixture_close(f);
}
END_TEST

/* ---- a former owner that does not know yet ---- */

/* customer_get() of a document that is called 'old' has read it when it waits for the lock. */
static void hold_old_documents(struct fixture *f, PGconn *holder)
{
    keep_customer_get(f);
    sqlf(f,
         "create or replace function customer_get(id integer) returns json language plpgsql as $$"
         " declare document json := customer_good(id);"
         " begin"
         " if document->>'name' = 'old' then perform pg_advisory_xact_lock_shared(%d); end if;"
         " return document; end $$",
         LOCK);
    char statement[64];
    snprintf(statement, sizeof statement, "select pg_advisory_lock(%d)", LOCK);
    sql_on(holder, statement);
}

static void wait_for_fetch_of_old(struct fixture *f)
{
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_locks join pg_stat_activity using (pid) where locktype ="
                             " 'advisory' and not granted and application_name = 'cachepusher worker' and database ="
                             " (select oid from pg_database where datname = current_database())") > 0);
}

/* The session that holds the lease; the one that stands by is left alone. */
static void terminate_owner(struct fixture *f)
{
    REQUIRE_INT(sql_number(f, "select count(pg_terminate_backend(pid)) from pg_stat_activity a where application_name ="
                              " 'cachepusher lease' and datname = current_database() and exists (select from"
                              " pg_locks l where l.pid = a.pid and locktype = 'advisory' and granted)"),
                ==, 1);
}

/* The first has read an old document when it loses its session. The second takes over and stores the new one. Then the
 * first gets on: what it has in its hands must not be stored. */
START_TEST(a_read_from_before_is_not_written_after)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    insert_customers(f);
    PGconn *documents = connect_again(f);
    PGconn *leases = connect_again(f);
    hold_old_documents(f, documents);
    start_both(f, &first, &second);
    hold_connections(f, leases, "cachepusher lease");

    sql(f, "update customer set name = 'old' where id_customer = 17");
    wait_for_fetch_of_old(f);
    terminate_owner(f);
    sql(f, "update customer set name = 'new' where id_customer = 17");
    wait_ready(second);
    expect_customers(f);
    sql_on(documents, "select pg_advisory_unlock_all()");
    /* It tries, and fails for want of its connection or of the lease. */
    WAIT_UNTIL(stats_of(first).failures > 0);
    require_customers(f);
    release_connections(leases);
    WAIT_UNTIL(count_logged(f, "standing by") == 2);
    sql(f, "update customer set name = 'newer'");
    expect_customers(f);
    stop_syncer(f, first);
    require_customers(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* The same with an owner whose listener and keeper do not even know that the lease is gone, like those of a frozen
 * process: the worker finds its connection to Redis closed, makes another one, and is told by Postgres. */
static atomic_bool frozen;
static atomic_bool listener_heard;

/* The second owner's listener may hear the message, too, where it resumes from before it. */
static bool is_of_first_owner(const char *message)
{
    return (strstr(message, "freeze!") != NULL && !atomic_exchange(&listener_heard, true)) ||
           (strstr(message, "lease: ") != NULL && strstr(message, "taking over") == NULL);
}

static void freeze(struct fixture *f, const char *message)
{
    bool freezes = atomic_load(&frozen) && is_of_first_owner(message);
    while (freezes && atomic_load(&frozen) && !atomic_load(&f->abandoned)) {
        poll(NULL, 0, 10);
    }
}

START_TEST(a_frozen_owner_is_told_by_postgres)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    insert_customers(f);
    f->logged = freeze;
    PGconn *documents = connect_again(f);
    hold_old_documents(f, documents);
    start_both(f, &first, &second);

    sql(f, "update customer set name = 'old' where id_customer = 17");
    wait_for_fetch_of_old(f);
    atomic_store(&listener_heard, false);
    atomic_store(&frozen, true);
    sql(f, "select announce('customer_updated', 'freeze!')"); /* no id: the listener logs it */
    WAIT_UNTIL(atomic_load(&listener_heard));
    terminate_owner(f);
    sql(f, "update customer set name = 'new' where id_customer = 17");
    wait_ready(second);
    expect_customers(f);
    sql_on(documents, "select pg_advisory_unlock_all()");
    WAIT_UNTIL(count_logged(f, "the right to write has been lost") > 0);
    require_customers(f);
    atomic_store(&frozen, false);
    WAIT_UNTIL(count_logged(f, "standing by") == 2);
    sql(f, "update customer set name = 'newer'");
    expect_customers(f);
    stop_syncer(f, first);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* ---- while standing by ---- */

/* Writes that no trigger sees are told to the one that writes. */
START_TEST(what_is_enqueued_with_a_standby_reaches_the_writer)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    cp_error err = {0};
    insert_customers(f);
    start_both(f, &first, &second);
    sql(f, "set session_replication_role = replica; update customer set name = 'enqueued' where id_customer in (3, 4);"
           "delete from customer where id_customer = 5; reset session_replication_role");
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "3", &err), err);
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "4", &err), err);
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "5", &err), err);
    expect_customers(f);
    WAIT_UNTIL(stats_of(first).events == (is_over_wal() ? 6 : 3)); /* the log has the rows, too */
    REQUIRE_INT(stats_of(second).events, ==, 0);

    /* The very last moment counts, too. */
    sql(f, "set session_replication_role = replica; update customer set name = 'at last' where id_customer = 6;"
           "reset session_replication_role");
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "6", &err), err);
    stop_syncer(f, second);
    expect_customers(f);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

/* A standby that cannot reach Postgres for a while: what it was to announce is owed, and the writer reads everything.
 */
START_TEST(what_a_standby_cannot_announce_is_read_by_the_writer)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    cp_error err = {0};
    insert_customers(f);
    start_both(f, &first, &second);
    PGconn *relays = connect_again(f);
    hold_connections(f, relays, "cachepusher relay");
    sql(f, "set session_replication_role = replica; update customer set name = 'enqueued' where id_customer = 3;"
           "reset session_replication_role");
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "3", &err), err);
    WAIT_UNTIL(terminate_backends(f, "cachepusher relay") == 1);
    WAIT_UNTIL(count_logged(f, "relay: ") >= 1);
    release_connections(relays);
    expect_customers(f);
    REQUIRE_INT(stats_of(second).stored, ==, 0);
    WAIT_UNTIL(stats_of(first).causes[CP_CAUSE_REQUEST] > 0);
    stop_syncer(f, second);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

/* The same, and then it writes itself: whoever goes on where the other one was has not heard of what was enqueued. */
START_TEST(what_a_standby_could_not_announce_is_read_when_it_writes)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    cp_error err = {0};
    insert_customers(f);
    start_both(f, &first, &second);
    WAIT_UNTIL(!is_over_wal() || *source_checkpoint(f) != '\0');
    PGconn *relays = connect_again(f);
    hold_connections(f, relays, "cachepusher relay");
    redis_run(f, "DEL %s:3", f->prefix);
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "3", &err), err);
    WAIT_UNTIL(terminate_backends(f, "cachepusher relay") == 1);
    WAIT_UNTIL(count_logged(f, "relay: ") >= 1);
    stop_syncer(f, first);
    wait_ready(second);
    expect_customers(f);
    release_connections(relays);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* ---- one of the two sessions is lost ---- */

static long long session_of(struct fixture *f, const char *name)
{
    char statement[160];
    snprintf(statement, sizeof statement,
             "select coalesce(max(pid), 0) from pg_stat_activity where application_name = '%s' and datname ="
             " current_database()",
             name);
    return sql_number(f, statement);
}

/* The listener's: what it missed is read again, and the term goes on. The standby never has a chance. */
START_TEST(without_the_listeners_session_the_lease_stays)
{
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    insert_customers(f);
    start_both(f, &first, &second);
    for (uint64_t round = 1; round <= 3; round++) {
        REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
        sqlf(f, "update customer set name = 'round %d'", (int)round);
        WAIT_UNTIL(new_beginnings(first) == round);
        expect_customers(f);
        REQUIRE(stats_of(first).writer);
    }
    REQUIRE_INT(count_logged(f, "taking over"), ==, 0);
    REQUIRE_INT(count_logged(f, "lease: "), ==, 0);
    stop_syncer(f, second);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

/* The lease's: a new term begins, the listener listens anew, and everything is read again, for who knows who wrote in
 * between. */
START_TEST(without_the_leases_session_a_new_term_begins)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (uint64_t round = 1; round <= 3; round++) {
        REQUIRE_INT(terminate_backends(f, "cachepusher lease"), ==, 1);
        sqlf(f,
             "set session_replication_role = replica; update customer set name = 'unheard %d';"
             " reset session_replication_role",
             (int)round);
        WAIT_UNTIL(new_beginnings(syncer) == round);
        expect_customers(f);
        WAIT_UNTIL(stats_of(syncer).writer && stats_of(syncer).listening);
    }
    REQUIRE_INT(session_of(f, "cachepusher listener"), !=, 0);
    REQUIRE_INT(count_logged(f, "listener: "), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A session that listens and whose client is gone or frozen would fill Postgres' notification queue: whoever listens
 * next ends it. Here a connection of the test plays it. */
START_TEST(a_former_session_that_listens_is_ended)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    PGconn *former = connect_again(f);
    char statement[300];
    snprintf(statement, sizeof statement,
             "listen customer_updated; select pg_advisory_lock_shared(hashtextextended('cachepusher %s', 1))",
             f->prefix);
    sql_on(former, statement);
    int pid = PQbackendPID(former);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    snprintf(statement, sizeof statement, "select count(*) from pg_stat_activity where pid = %d", pid);
    WAIT_UNTIL(sql_number(f, statement) == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* An owner with nothing to do is not taken for a frozen one: its session is never idle for long. */
START_TEST(an_idle_owner_keeps_the_lease)
{
    enum { LONGER_THAN_SILENT_MS = 12000 };
    struct fixture *f = fixture_open();
    cp_syncer *first;
    cp_syncer *second;
    insert_customers(f);
    start_both(f, &first, &second);
    int64_t until_ms = now_ms() + LONGER_THAN_SILENT_MS;
    WAIT_UNTIL(now_ms() > until_ms);
    REQUIRE_INT(count_logged(f, "ending the session"), ==, 0);
    REQUIRE_INT(count_logged(f, "taking over"), ==, 0);
    REQUIRE(stats_of(first).writer && stats_of(first).listening);
    stop_syncer(f, second);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

/* A server process of the lease that is frozen: the next ping is not answered, another session is told by Postgres that
 * the former one still has the lock, has it ended, and gets the lock once that is gone. Writing goes on throughout. */
START_TEST(a_frozen_session_of_the_lease_is_inherited)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    pid_t backend = (pid_t)session_of(f, "cachepusher lease");
    REQUIRE(kill(backend, SIGSTOP) == 0);

    /* No WAIT_UNTIL: the process has to go on whatever comes of it. */
    int64_t began_ms = now_ms();
    while (count_logged(f, "a former connection of ours") == 0 && now_ms() - began_ms < timeout_ms()) {
        poll(NULL, 0, 10);
    }
    bool inherited = count_logged(f, "a former connection of ours") > 0 && stats_of(syncer).writer;
    sql(f, "update customer set name = 'meanwhile'");
    int64_t until_ms = now_ms() + timeout_ms();
    while (stats_of(syncer).stored < 2 * CUSTOMERS && now_ms() < until_ms) {
        poll(NULL, 0, 10);
    }
    kill(backend, SIGCONT);
    REQUIRE(inherited);
    expect_customers(f);
    WAIT_UNTIL(new_beginnings(syncer) >= 1);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Any role may take an advisory lock. That is no cachepusher, and is said; what waits is kept until it ends. */
START_TEST(a_stranger_that_holds_the_lock_is_named)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    sqlf(f, "drop role if exists %s_stranger; create role %s_stranger login", f->database, f->database);
    char statement[700];
    snprintf(statement, sizeof statement, "%s user=%s_stranger", f->dsn, f->database);
    PGconn *stranger = connect_postgres(statement);
    REQUIRE(PQstatus(stranger) == CONNECTION_OK);
    snprintf(statement, sizeof statement, "select pg_advisory_lock(hashtextextended('cachepusher %s', 0))", f->prefix);
    REQUIRE(PQsendQuery(stranger, statement) == 1);
    WAIT_UNTIL(sql_number(f, "select count(*) from pg_locks where locktype = 'advisory' and not granted") == 1);
    REQUIRE_INT(terminate_backends(f, "cachepusher lease"), ==, 1);
    WAIT_UNTIL(count_logged(f, "which is not our role") > 0);
    WAIT_UNTIL(stats_of(syncer).strangers > 0);
    REQUIRE_INT(count_logged(f, "standing by"), ==, 0);
    sql(f, "update customer set name = 'waits'");
    PQfinish(stranger);
    expect_customers(f);
    stop_syncer(f, syncer);
    sqlf(f, "drop role %s_stranger", f->database);
    fixture_close(f);
}
END_TEST

/* The daemon's role is an ordinary one, that may not end the stranger's session. */
START_TEST(a_stranger_that_holds_the_listeners_lock_makes_nobody_deaf)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    sqlf(f, "drop role if exists %s_stranger; create role %s_stranger login", f->database, f->database);
    sql(f, "grant select on customer, address to cp_password");
    char text[700];
    snprintf(text, sizeof text, "%s user=%s_stranger", f->dsn, f->database);
    PGconn *stranger = connect_postgres(text);
    REQUIRE(PQstatus(stranger) == CONNECTION_OK);
    snprintf(text, sizeof text, "select pg_advisory_lock(hashtextextended('cachepusher %s', 1))", f->prefix);
    sql_on(stranger, text);
    snprintf(text, sizeof text, "%s user=cp_password password=secret", f->dsn);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("postgres", text));
    REQUIRE_INT(count_logged(f, "listening without it"), >, 0);
    REQUIRE_INT(stats_of(syncer).strangers, >, 0);
    sql(f, "update customer set name = 'heard'");
    expect_customers(f);
    stop_syncer(f, syncer);
    PQfinish(stranger);
    sqlf(f, "drop role %s_stranger", f->database);
    fixture_close(f);
}
END_TEST

/* A session of a role that the daemon's could become, but whose rights it does not have by itself: to end it would be
 * refused, and that would fail the statement. */
START_TEST(a_session_that_may_not_be_ended_keeps_nobody_from_listening)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    sqlf(f,
         "drop role if exists %s_daemon, %s_group; create role %s_group login;"
         "create role %s_daemon login noinherit in role %s_group; grant select on customer, address to %s_daemon",
         f->database, f->database, f->database, f->database, f->database, f->database);
    char text[700];
    snprintf(text, sizeof text, "%s user=%s_group", f->dsn, f->database);
    PGconn *holder = connect_postgres(text);
    REQUIRE(PQstatus(holder) == CONNECTION_OK);
    snprintf(text, sizeof text, "select pg_advisory_lock_shared(hashtextextended('cachepusher %s', 1))", f->prefix);
    sql_on(holder, text);
    snprintf(text, sizeof text, "%s user=%s_daemon", f->dsn, f->database);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("postgres", text));
    sql(f, "update customer set name = 'heard'");
    expect_customers(f);
    stop_syncer(f, syncer);
    sql_on(holder, "select"); /* it has lived through it */
    PQfinish(holder);
    sqlf(f, "drop owned by %s_daemon; drop role %s_daemon, %s_group", f->database, f->database, f->database);
    fixture_close(f);
}
END_TEST

START_TEST(a_standby_can_be_refused)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_customers(f);
    cp_syncer *first = run_syncer(f, NULL, NO_SETTINGS);
    const char *const *settings[] = {SETTINGS("standby", "false"), SETTINGS("flush", "true")};
    for (int i = 0; i < 2; i++) {
        cp_syncer *other = make_syncer(f, NULL, settings[i]);
        REQUIRE_INT(cp_syncer_start(other, &err), ==, CP_ERR_POSTGRES);
        REQUIRE(err.retriable);
        REQUIRE_CONTAINS(err.message, "writes already");
        destroy_syncer(f, other);
    }
    require_customers(f);
    /* Of another name it is none of its business. */
    cp_syncer *other = make_syncer(f, NULL, SETTINGS("standby", "false", "name", "another"));
    start_syncer(other);
    wait_ready(other);
    stop_syncer(f, other);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

Suite *standby_suite(void)
{
    Suite *suite = suite_create("standby");
    TCase *tcase = tcase_create("standby");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, takes_over_when_the_first_stops);
    add_test(tcase, taking_over_means_a_resync);
    add_test(tcase, a_resync_asked_of_a_standby_is_made_by_the_writer);
    add_test(tcase, a_stop_keeps_the_lease_until_all_has_settled);
    add_test(tcase, several_stand_by);
    add_test(tcase, a_read_from_before_is_not_written_after);
    add_test(tcase, a_frozen_owner_is_told_by_postgres);
    add_test(tcase, what_is_enqueued_with_a_standby_reaches_the_writer);
    add_test(tcase, what_a_standby_cannot_announce_is_read_by_the_writer);
    add_test(tcase, what_a_standby_could_not_announce_is_read_when_it_writes);
    add_test(tcase, without_the_listeners_session_the_lease_stays);
    add_test(tcase, without_the_leases_session_a_new_term_begins);
    add_test(tcase, a_former_session_that_listens_is_ended);
    add_test(tcase, an_idle_owner_keeps_the_lease);
    add_test(tcase, a_frozen_session_of_the_lease_is_inherited);
    add_test(tcase, a_stranger_that_holds_the_lock_is_named);
    add_test(tcase, a_stranger_that_holds_the_listeners_lock_makes_nobody_deaf);
    add_test(tcase, a_session_that_may_not_be_ended_keeps_nobody_from_listening);
    add_test(tcase, a_standby_can_be_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
