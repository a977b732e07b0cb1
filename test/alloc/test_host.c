/*
 * Hosts that take documents elsewhere than into Redis, or have them changed, while allocations fail in their syncers: a
 * store of the host's own, a queue of results that drops and one that holds, a transform beside a callback that is told
 * of states. What the host has becomes equal to Postgres.
 *
 * As in test_syncer.c the Nth allocation fails and no other, for N = 1, 2, 3 and so on: of a syncer from its start to
 * its stop, with changes before and meanwhile.
 */
#include "failing.h"
#include "tests.h"

#include "equal.h"
#include "harness.h"
#include "servers.h"
#include "table.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 500, CUSTOMERS = 4, IDS = 64 };

static struct fixture *open_with_customers(void)
{
    struct fixture *f = fixture_open();
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    return f;
}

/* A customer goes, and another one comes: ids from 20 to 29, in turn. */
static void change(struct fixture *f, unsigned n)
{
    sqlf(f,
         "update customer set name = 'round %u' where id_customer %% 4 = %u; delete from customer where id_customer = "
         "%u;"
         "insert into customer (id_customer, name) values (%u, 'new')",
         n, n % 4, 20 + (n + 9) % 10, 20 + n % 10);
}

/* ---- a syncer, from its start to its stop ---- */

typedef void expectation(struct fixture *f, cp_syncer *syncer);

static bool live_with_failing(struct fixture *f, unsigned n, const char *const *settings, expectation *expect_all)
{
    cp_error err = {0};
    cp_syncer *syncer = make_syncer(f, NULL, settings);
    fail_nth(n);
    start_at_last(syncer);
    expect_all(f, syncer);
    change(f, 2 * n);
    expect_all(f, syncer);
    cp_code code = cp_syncer_stop(syncer, timeout_ms(), &err);
    bool has_failed = fail_none() > 0;
    REQUIRE(code == CP_OK || code == CP_ERR_TIMEOUT); /* it may cut short a resync that a failure has called for */
    destroy_syncer(f, syncer);
    change(f, 2 * n + 1);
    return has_failed;
}

/* ---- a store ---- */

static struct table table;

static void expect_table(struct fixture *f, cp_syncer *syncer)
{
    wait_ready(syncer);
    WAIT_UNTIL(table_is_equal(f, &table, "", "", 0));
}

/* What has been stored is told. */
static void compare_told(void *context, const cp_document *document)
{
    struct fixture *f = context;
    char held[4096];
    bool is_there = table_read(&table, document->key, held, sizeof held);
    bool is_same =
        is_there == document->exists &&
        (!is_there || (strlen(held) == document->bytes && memcmp(held, document->document, document->bytes) == 0));
    atomic_fetch_add(&f->thread_fault, !is_same);
}

START_TEST(of_a_store)
{
    struct fixture *f = open_with_customers();
    table_init(&table);
    f->store = &table.store;
    f->settled = compare_told;
    unsigned n = 1;
    while (live_with_failing(f, n, SETTINGS("threads", "1"), expect_table)) {
        REQUIRE(++n < MOST);
    }
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
    REQUIRE_INT(n, >, 30);
    REQUIRE_INT(table.opened, ==, table.closed);
    fixture_close(f);
    table_fini(&table);
}
END_TEST

/* ---- results ---- */

static struct {
    cp_results *results;
    char *documents[IDS];
    uint64_t dropped;        /* documents, since it last had all */
    uint64_t dropped_before; /* and before that */
    bool may_have_ended;     /* that it has been stopped is the last that was told, or has been dropped */
} host;

static void forget_documents(void)
{
    for (size_t id = 0; id < IDS; id++) {
        free(host.documents[id]);
        host.documents[id] = NULL;
    }
}

static void keep(const cp_document *document)
{
    long id = strtol(document->id, NULL, 10);
    REQUIRE(id > 0 && id < IDS);
    free(host.documents[id]);
    host.documents[id] = document->exists ? strdup(document->document) : NULL;
}

static void take_results(void)
{
    for (const cp_result *result; (result = cp_results_next(host.results)) != NULL;) {
        if (result->kind == CP_RESULT_DOCUMENT) {
            keep(result->document);
        } else if (result->kind == CP_RESULT_DROPPED) {
            host.dropped += result->dropped->documents;
            host.may_have_ended = result->dropped->states > 0;
        } else if (result->kind == CP_RESULT_STATE) {
            host.may_have_ended = result->health->state == CP_STATE_STOPPED;
        }
    }
}

/* The first customer of whom the host has another document than Postgres; 0: it has all. */
static long find_wrong(struct fixture *f)
{
    long wrong = 0;
    PGresult *rows = PQexec(f->pg, "select i, customer_get(i) from generate_series(1, 63) i order by i");
    REQUIRE(PQresultStatus(rows) == PGRES_TUPLES_OK && PQntuples(rows) == IDS - 1);
    for (int row = 0; row < PQntuples(rows) && wrong == 0; row++) {
        const char *expected = PQgetisnull(rows, row, 1) ? NULL : PQgetvalue(rows, row, 1);
        const char *kept = host.documents[row + 1];
        bool is_equal = expected == NULL || kept == NULL ? expected == kept : strcmp(expected, kept) == 0;
        wrong = is_equal ? 0 : row + 1;
    }
    PQclear(rows);
    return wrong;
}

/* As a loop does: sleeps until there is something to take. True: nothing is missing any more. A document that has been
 * dropped is asked for again. */
static bool has_taken_all(struct fixture *f, cp_syncer *syncer)
{
    char id[16];
    cp_error err;
    cp_health health = {.size = sizeof health};
    struct pollfd polled = {.fd = cp_results_fd(host.results), .events = POLLIN};
    poll(&polled, 1, 1);
    take_results();
    REQUIRE_OK(cp_syncer_health(syncer, &health, &err), err);
    long wrong = health.ready ? find_wrong(f) : -1;
    if (wrong > 0 && host.dropped > 0) {
        snprintf(id, sizeof id, "%ld", wrong);
        cp_code code = cp_syncer_enqueue(syncer, "customer", id, &err);
        REQUIRE(code == CP_OK || code == CP_ERR_SYSTEM);
    }
    return wrong == 0;
}

static void expect_results(struct fixture *f, cp_syncer *syncer)
{
    WAIT_UNTIL(has_taken_all(f, syncer));
    host.dropped_before += host.dropped;
    host.dropped = 0;
}

/* It takes nothing before the warm-up is over. */
static void expect_dropped(struct fixture *f, cp_syncer *syncer)
{
    wait_ready(syncer);
    expect_results(f, syncer);
}

static void live_with_results(const cp_results_options *options, const char *role, expectation *expect_all)
{
    struct fixture *f = open_with_customers();
    host.dropped_before = 0;
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        host.results = cp_results_create(options, NULL);
        host.may_have_ended = false;
        f->results = host.results;
        has_failed = live_with_failing(f, n, SETTINGS("threads", "1", "role", role), expect_all);
        take_results();
        REQUIRE(host.may_have_ended);
        forget_documents();
        cp_results_destroy(host.results);
    }
    REQUIRE_INT(n, >, 30);
    REQUIRE(options->when_full == CP_RESULTS_HOLD || host.dropped_before > 0);
    f->results = NULL;
    fixture_close(f);
}

START_TEST(of_results_that_drop)
{
    live_with_results(&(cp_results_options){.size = sizeof(cp_results_options), .max_bytes = 1000}, "write",
                      expect_dropped);
}
END_TEST

START_TEST(of_results_that_hold)
{
    live_with_results(
        &(cp_results_options){
            .size = sizeof(cp_results_options), .max_bytes = 500, .when_full = CP_RESULTS_HOLD, .kinds = 15},
        "follow", expect_results);
}
END_TEST

/* ---- a transform, and states ---- */

static const struct kind wrapped = {":", "",
                                    "select id_customer, '<' || customer_get(id_customer) || '>' from customer"};

static _Atomic bool told_ready;
static _Atomic int newest_state;

static void hear_of_state(void *context, const cp_health *health)
{
    (void)context;
    atomic_store(&newest_state, (int)health->state);
    atomic_store(&told_ready, atomic_load(&told_ready) || health->state == CP_STATE_READY);
}

static cp_code wrap(void *context, const cp_document *document, cp_output *out, cp_error *err)
{
    char *made = NULL;
    (void)context;
    (void)err;
    out->length = (size_t)asprintf(&made, "<%.*s>", (int)document->bytes, document->document);
    out->bytes = made;
    out->held = made;
    out->release = free;
    return CP_OK;
}

static struct fixture *open_wrapping(void)
{
    struct fixture *f = open_with_customers();
    f->transform = wrap;
    f->state = hear_of_state;
    return f;
}

static void expect_wrapped(struct fixture *f, cp_syncer *syncer)
{
    wait_ready(syncer);
    expect_equal(f, &wrapped, 1);
    WAIT_UNTIL(atomic_load(&told_ready));
}

START_TEST(of_a_transform)
{
    struct fixture *f = open_wrapping();
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        atomic_store(&told_ready, false);
        has_failed = live_with_failing(f, n, SETTINGS("threads", "1"), expect_wrapped);
        REQUIRE_INT(atomic_load(&newest_state), ==, CP_STATE_STOPPED);
    }
    REQUIRE_INT(n, >, 30);
    fixture_close(f);
}
END_TEST

START_TEST(of_a_verification)
{
    struct fixture *f = open_wrapping();
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    unsigned n = 0;
    bool has_failed = true;
    while (has_failed) {
        REQUIRE(++n < MOST);
        cp_error err = {0};
        cp_verify_result result = {.size = sizeof result};
        fail_nth(n);
        cp_code code = cp_syncer_verify(syncer, NULL, &result, &err);
        has_failed = fail_none() > 0;
        REQUIRE(code == CP_OK || (has_failed && code == CP_ERR_SYSTEM));
        REQUIRE_INT(result.missing + result.different + result.orphans, ==, 0);
        REQUIRE(code != CP_OK || result.equal + result.unreadable == CUSTOMERS);
    }
    REQUIRE_INT(n, >, 5);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- suites: each takes up to a minute ---- */

static Suite *make_suite(const char *name, const TTest *first, const TTest *second)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create("allocations that fail");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, first);
    if (second != NULL) {
        tcase_add_test(tcase, second);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}

Suite *store_suite(void)
{
    return make_suite("store", of_a_store, NULL);
}

Suite *dropping_suite(void)
{
    return make_suite("dropping", of_results_that_drop, NULL);
}

Suite *holding_suite(void)
{
    return make_suite("holding", of_results_that_hold, NULL);
}

Suite *transform_suite(void)
{
    return make_suite("transform", of_a_transform, of_a_verification);
}
