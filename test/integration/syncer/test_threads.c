#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

enum { CALLERS = 6, CALLS = 400, CUSTOMERS = 500 };

/* How many ids the syncer has said that it takes. */
static _Atomic unsigned long long accepted;

struct caller {
    struct fixture *f;
    cp_syncer *syncer;
    unsigned number;
    bool until_stopped; /* calls until the syncer refuses, rather than CALLS times */
};

static void fault(struct caller *caller, const char *what)
{
    fprintf(stderr, "caller %u: %s\n", caller->number, what);
    atomic_fetch_add(&caller->f->thread_fault, 1);
}

/* Every function that may be called from any thread. False: the syncer is stopping. */
static bool call_everything(struct caller *caller, uint64_t *state)
{
    cp_error err = {0};
    cp_stats stats = {.size = sizeof stats};
    char id[16];
    snprintf(id, sizeof id, "%u", 1 + roll(state, CUSTOMERS));
    cp_code code = cp_syncer_enqueue(caller->syncer, "customer", id, &err);
    if (code == CP_ERR_STOPPED) {
        return false;
    }
    accepted += code == CP_OK;
    if (code != CP_OK && !err.retriable) {
        fault(caller, err.message);
    }
    cp_syncer_stats(caller->syncer, &stats, NULL);
    if (stats.stored > stats.events + stats.resync_ids) {
        fault(caller, "more documents than events");
    }
    if (roll(state, 50) == 0) {
        code = cp_syncer_resync(caller->syncer, roll(state, 2) == 0 ? "customer" : NULL, &err);
    }
    if (code == CP_OK && roll(state, 20) == 0) {
        code = cp_syncer_wait_ready(caller->syncer, (int)roll(state, 3), &err);
        code = code == CP_ERR_TIMEOUT ? CP_OK : code;
    }
    return code == CP_OK || (code != CP_ERR_STOPPED && err.retriable);
}

static void *call(void *context)
{
    struct caller *caller = context;
    uint64_t state = caller->number + 1;
    for (int i = 0; caller->until_stopped || i < CALLS; i++) {
        if (atomic_load(&caller->f->abandoned)) {
            break;
        }
        if (!call_everything(caller, &state)) {
            atomic_fetch_add(&caller->f->thread_fault, caller->until_stopped ? 0 : 1);
            break;
        }
    }
    return NULL;
}

static void start_callers(struct fixture *f, cp_syncer *syncer, struct caller *callers, bool until_stopped)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){f, syncer, i, until_stopped};
        fixture_thread(f, call, &callers[i]);
    }
}

START_TEST(many_threads_call)
{
    struct fixture *f = fixture_open();
    struct caller callers[CALLERS];
    struct mix mix = {f->pg, choose_seed(), CUSTOMERS};
    insert_rows(&mix);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("batch", "32"));
    start_syncer(syncer);
    start_callers(f, syncer, callers, false);
    for (int i = 0; i < 100; i++) {
        REQUIRE(write_once(&mix));
    }
    fixture_join(f);
    wait_ready(syncer);
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).events, >=, accepted);
    REQUIRE_INT(accepted, >, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* An id is refused, or settled, or counted among those that had not. */
START_TEST(stopped_while_many_threads_call)
{
    struct fixture *f = fixture_open();
    struct mix mix = {f->pg, choose_seed(), CUSTOMERS};
    insert_rows(&mix);
    for (int round = 0; round < 10; round++) {
        struct caller callers[CALLERS];
        accepted = 0;
        cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
        start_syncer(syncer);
        start_callers(f, syncer, callers, true);
        WAIT_UNTIL(stats_of(syncer).events > 100);
        cp_error err = {0};
        cp_code code = cp_syncer_stop(syncer, timeout_ms(), &err);
        fixture_join(f);
        if (code == CP_OK) {
            REQUIRE_INT(stats_of(syncer).events, ==, accepted);
        } else {
            REQUIRE_CONTAINS(err.message, "ids had not settled");
        }
        destroy_syncer(f, syncer);
    }
    fixture_close(f);
}
END_TEST

Suite *threads_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tcase = tcase_create("callers");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, many_threads_call);
    tcase_add_test(tcase, stopped_while_many_threads_call);
    suite_add_tcase(suite, tcase);
    return suite;
}
