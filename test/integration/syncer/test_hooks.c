/* What a host is told of the library's threads, and what it has of their stacks. */
#include "equal.h"
#include "servers.h"
#include "suites.h"
#include "syncer/census.h"

#include <alloca.h>
#include <stdio.h>
#include <string.h>

enum { TOLD_MAX = 64, CALLBACKS_BYTES = 768 << 10 };

/* Threads that have told their start, and those of them that have not told their end. */
static struct {
    pthread_mutex_t mutex;
    char names[TOLD_MAX][16];
    size_t started;
    size_t running;
    int wrong;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* As a runtime that a thread has to be attached to keeps it. */
static _Thread_local bool is_attached;

/* This thread was started after its name was set, by the library, and no other start is open in it. */
static void attach(void *context, const char *name)
{
    char own[16] = "";
    (void)context;
    pthread_getname_np(pthread_self(), own, sizeof own);
    pthread_mutex_lock(&told.mutex);
    told.wrong += is_attached || strcmp(own, name) != 0 || told.started == TOLD_MAX;
    snprintf(told.names[told.started % TOLD_MAX], sizeof told.names[0], "%s", name);
    told.started++;
    told.running++;
    pthread_mutex_unlock(&told.mutex);
    is_attached = true;
}

static void detach(void *context, const char *name)
{
    (void)context;
    pthread_mutex_lock(&told.mutex);
    told.wrong += !is_attached || strncmp(name, "cp-", 3) != 0;
    told.running--;
    pthread_mutex_unlock(&told.mutex);
    is_attached = false;
}

static void settle_attached(void *context, const cp_document *document)
{
    (void)context;
    (void)document;
    pthread_mutex_lock(&told.mutex);
    told.wrong += !is_attached;
    pthread_mutex_unlock(&told.mutex);
}

static size_t count_running(void)
{
    pthread_mutex_lock(&told.mutex);
    size_t running = told.running;
    pthread_mutex_unlock(&told.mutex);
    return running;
}

static size_t count_told(const char *name)
{
    size_t count = 0;
    pthread_mutex_lock(&told.mutex);
    for (size_t i = 0; i < told.started && i < TOLD_MAX; i++) {
        count += strcmp(told.names[i], name) == 0;
    }
    pthread_mutex_unlock(&told.mutex);
    return count;
}

static struct fixture *open_attached(void (*settled)(void *context, const cp_document *document))
{
    struct fixture *f = fixture_open();
    f->thread_start = attach;
    f->thread_end = detach;
    f->settled = settled;
    told.started = 0;
    told.running = 0;
    told.wrong = 0;
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 200) i");
    return f;
}

START_TEST(every_thread_tells)
{
    struct fixture *f = open_attached(settle_attached);
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "3", "audit_per_second", "10"));
    REQUIRE_INT(count_running(), ==, 0);
    start_syncer(syncer);
    wait_ready(syncer);
    REQUIRE_INT(count_told("cp-start"), ==, 1);
    REQUIRE_INT(count_told("cp-worker-2"), ==, 1);
    REQUIRE_INT(count_told("cp-listener"), ==, 1);
    WAIT_UNTIL(count_running() == count_threads("cp-"));
    REQUIRE_INT(count_running(), >=, 8);
    REQUIRE_OK(cp_syncer_verify(syncer, NULL, &result, &err), err);
    REQUIRE_INT(count_told("cp-verify"), >=, 3);
    WAIT_UNTIL(count_running() == count_threads("cp-"));
    REQUIRE_OK(cp_syncer_stop(syncer, timeout_ms(), &err), err);
    REQUIRE_INT(count_running(), ==, 0);
    REQUIRE_INT(told.wrong, ==, 0);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Looking up a name takes a thread, which says nothing. */
START_TEST(lookups_tell_nothing)
{
    struct fixture *f = open_attached(NULL);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("postgres", "host=name.invalid dbname=x"));
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "name.invalid");
    REQUIRE_INT(count_told("cp-start"), ==, 1);
    REQUIRE_INT(told.started, ==, 1);
    REQUIRE_INT(count_running(), ==, 0);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- the stack ---- */

static atomic_int used;

/* Beside what the sanitizers and the library have put there before. */
static void use_the_stack(void *context, const cp_document *document)
{
    (void)context;
    (void)document;
    volatile char *bytes = alloca(CALLBACKS_BYTES);
    for (int i = CALLBACKS_BYTES - 1; i >= 0; i -= 512) {
        bytes[i] = 1;
    }
    used++;
}

START_TEST(callbacks_have_most_of_the_stack)
{
    struct fixture *f = open_attached(use_the_stack);
    used = 0;
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "2"));
    REQUIRE_INT(used, ==, 200);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *hooks_suite(void)
{
    Suite *suite = suite_create("hooks");
    TCase *tcase = tcase_create("hooks");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, every_thread_tells);
    tcase_add_test(tcase, lookups_tell_nothing);
    tcase_add_test(tcase, callbacks_have_most_of_the_stack);
    suite_add_tcase(suite, tcase);
    return suite;
}
