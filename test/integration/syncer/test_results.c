/* What a host takes of the queue of results on its own thread, and what it is told of states. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDS = 500, STATES = 64, SMALL_BYTES = 8192, DOCUMENT_BYTES = 2048, ALL_KINDS = 15 };

/* ---- a host: what its thread has taken ---- */

struct host {
    cp_results *results;
    char *documents[IDS + 1]; /* the newest; NULL: none */
    unsigned told[IDS + 1];
    uint64_t documents_taken;
    uint64_t documents_dropped;
    uint64_t messages;
    uint64_t others; /* of syncers that are not to be seen */
    cp_syncer *syncer;
    cp_state states[STATES];
    size_t state_count;
};

static struct host open_host(struct fixture *f, const cp_results_options *options)
{
    cp_error err = {0};
    struct host host = {.results = cp_results_create(options, &err)};
    REQUIRE(host.results != NULL);
    f->results = host.results;
    return host;
}

static void close_host(struct fixture *f, struct host *host)
{
    for (size_t id = 0; id <= IDS; id++) {
        free(host->documents[id]);
    }
    cp_results_destroy(host->results);
    f->results = NULL;
}

static void take_document(struct host *host, const cp_document *document)
{
    long id = strtol(document->id, NULL, 10);
    REQUIRE(id >= 1 && id <= IDS);
    REQUIRE(document->exists == (document->document != NULL));
    REQUIRE(!document->exists || strlen(document->document) == document->bytes);
    free(host->documents[id]);
    host->documents[id] = document->exists ? strdup(document->document) : NULL;
    host->told[id]++;
    host->documents_taken++;
}

/* Takes one. False: there is none. */
static bool take(struct host *host)
{
    const cp_result *result = cp_results_next(host->results);
    if (result == NULL) {
        return false;
    }
    host->others += host->syncer != NULL && result->syncer != NULL && result->syncer != host->syncer;
    switch (result->kind) {
    case CP_RESULT_DOCUMENT:
        take_document(host, result->document);
        break;
    case CP_RESULT_STATE:
        REQUIRE(host->state_count < STATES);
        host->states[host->state_count++] = result->health->state;
        break;
    case CP_RESULT_LOG:
        host->messages++;
        break;
    case CP_RESULT_DROPPED:
        host->documents_dropped += result->dropped->documents;
        break;
    case CP_RESULT_KINDS:
        fail_at(__FILE__, __LINE__, "no such result");
    }
    return true;
}

/* As an event loop does: sleeps until the descriptor is readable, and takes what is there. */
static void take_what_comes(struct host *host)
{
    struct pollfd polled = {.fd = cp_results_fd(host->results), .events = POLLIN};
    if (poll(&polled, 1, 100) == 1) {
        REQUIRE(take(host)); /* readable exactly if there is something */
        while (take(host)) {
        }
    }
}

/* The host's loop, until something holds. */
#define LOOP_UNTIL(host, condition) WAIT_UNTIL((take_what_comes(host), (condition)))

static cp_results_usage usage_of(const struct host *host)
{
    cp_results_usage usage = {.size = sizeof usage};
    cp_error err;
    REQUIRE_OK(cp_results_look(host->results, &usage, &err), err);
    return usage;
}

static bool has_state(const struct host *host, cp_state state)
{
    bool has = false;
    for (size_t i = 0; i < host->state_count; i++) {
        has = has || host->states[i] == state;
    }
    return has;
}

static bool holds(const struct host *host, int id, const char *part)
{
    return host->documents[id] != NULL && strstr(host->documents[id], part) != NULL;
}

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", IDS);
}

static cp_health health_of(const cp_syncer *syncer)
{
    cp_health health = {.size = sizeof health};
    cp_error err;
    REQUIRE_OK(cp_syncer_health(syncer, &health, &err), err);
    return health;
}

/* ---- the state callback ---- */

static struct {
    pthread_mutex_t mutex;
    cp_health seen[STATES];
    size_t count;
    size_t inside; /* calls under way */
    size_t wrong;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note_state(void *context, const cp_health *health)
{
    (void)context;
    pthread_mutex_lock(&told.mutex);
    told.wrong += told.inside++ != 0 || told.count == STATES || health->size != sizeof *health;
    const cp_health *last = told.count > 0 ? &told.seen[told.count - 1] : NULL;
    told.wrong += last != NULL && last->state == health->state && last->alive == health->alive &&
                  last->ready == health->ready; /* only changes are told */
    if (told.count < STATES) {
        told.seen[told.count++] = *health;
    }
    told.inside--;
    pthread_mutex_unlock(&told.mutex);
}

static void listen_to_states(struct fixture *f)
{
    told.count = 0;
    told.wrong = 0;
    f->state = note_state;
}

/* The first that is told of, from *at on; then *at is behind it. */
static bool is_told(size_t *at, cp_state state, cp_health *health)
{
    bool found = false;
    pthread_mutex_lock(&told.mutex);
    for (size_t i = *at; i < told.count && !found; i++) {
        found = told.seen[i].state == state;
        *health = told.seen[i];
        *at = found ? i + 1 : *at;
    }
    pthread_mutex_unlock(&told.mutex);
    return found;
}

static cp_health wait_told(size_t *at, cp_state state)
{
    cp_health health = {.size = sizeof health};
    WAIT_UNTIL(is_told(at, state, &health));
    return health;
}

static size_t count_told(void)
{
    pthread_mutex_lock(&told.mutex);
    size_t count = told.count;
    pthread_mutex_unlock(&told.mutex);
    return count;
}

/* ---- what arrives ---- */

START_TEST(all_kinds_arrive_on_the_hosts_thread)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    struct host host = open_host(f, &(cp_results_options){.size = sizeof(cp_results_options), .kinds = ALL_KINDS});
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    host.syncer = syncer;
    start_syncer(syncer);
    LOOP_UNTIL(&host, has_state(&host, CP_STATE_READY));
    REQUIRE_INT(host.documents_taken, ==, IDS);
    REQUIRE_INT(host.states[0], ==, CP_STATE_STARTING);
    REQUIRE_INT(host.messages, >, 0);

    sql(f, "update customer set name = 'Zoe' where id_customer = 3; delete from customer where id_customer = 4");
    LOOP_UNTIL(&host, holds(&host, 3, "Zoe") && host.told[4] == 2);
    REQUIRE(host.documents[4] == NULL);
    expect_document(f, 3, host.documents[3]);

    cp_error err;
    REQUIRE_OK(cp_syncer_stop(syncer, timeout_ms(), &err), err);
    destroy_syncer(f, syncer);
    while (take(&host)) { /* what was told last can still be taken */
    }
    REQUIRE_INT(host.states[host.state_count - 2], ==, CP_STATE_STOPPING);
    REQUIRE_INT(host.states[host.state_count - 1], ==, CP_STATE_STOPPED);
    REQUIRE_INT(host.others, ==, 0);
    REQUIRE_INT(host.documents_dropped, ==, 0);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

START_TEST(of_one_id_they_come_in_order)
{
    enum { WRITES = 300 };
    struct fixture *f = fixture_open();
    insert_customers(f);
    struct host host = open_host(f, NULL);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    long newest = 0;
    for (long n = 1; n <= WRITES; n++) {
        sqlf(f, "update customer set name = 'number %ld.' where id_customer = 7", n);
        for (const cp_result *result; (result = cp_results_next(host.results)) != NULL;) {
            const char *number =
                result->kind == CP_RESULT_DOCUMENT ? strstr(result->document->document, "number ") : NULL;
            long shown = number != NULL ? strtol(number + 7, NULL, 10) : newest;
            REQUIRE_INT(shown, >=, newest);
            newest = shown;
        }
    }
    REQUIRE_INT(newest, >, 0);
    char last[32];
    snprintf(last, sizeof last, "number %d.", (int)WRITES);
    if (newest < WRITES) {
        LOOP_UNTIL(&host, holds(&host, 7, last));
    }
    stop_syncer(f, syncer);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

START_TEST(one_queue_for_two_syncers)
{
    struct fixture *f = fixture_open();
    struct host host =
        open_host(f, &(cp_results_options){.size = sizeof(cp_results_options), .kinds = CP_RESULTS_STATES});
    cp_syncer *writer = run_syncer(f, NULL, NO_SETTINGS);
    cp_syncer *second = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(second);
    LOOP_UNTIL(&host, has_state(&host, CP_STATE_STANDBY));
    host.state_count = 0;
    host.syncer = second;
    stop_syncer(f, writer);
    LOOP_UNTIL(&host, has_state(&host, CP_STATE_READY));
    REQUIRE_INT(host.others, >=, 2); /* stopping, stopped */
    stop_syncer(f, second);
    LOOP_UNTIL(&host, has_state(&host, CP_STATE_STOPPED));
    REQUIRE_INT(host.documents_taken + host.messages, ==, 0);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

START_TEST(a_queue_that_is_destroyed_first)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    struct host host =
        open_host(f, &(cp_results_options){
                         .size = sizeof(cp_results_options), .max_bytes = SMALL_BYTES, .when_full = CP_RESULTS_HOLD});
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    start_syncer(syncer);
    WAIT_UNTIL(usage_of(&host).held > 0);
    close_host(f, &host);
    wait_ready(syncer); /* nobody is held any more */
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- more than there is room for ---- */

START_TEST(what_is_dropped_is_counted_and_told)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    struct host host =
        open_host(f, &(cp_results_options){.size = sizeof(cp_results_options), .max_bytes = SMALL_BYTES});
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    expect_customers(f);
    cp_results_usage usage = usage_of(&host);
    REQUIRE_INT(usage.dropped_documents, >, 0);
    while (take(&host)) {
    }
    REQUIRE_INT(host.documents_dropped, ==, usage.dropped_documents);
    REQUIRE_INT(host.documents_taken + host.documents_dropped, ==, IDS);

    /* All of them are told again, to a host that now takes them. */
    cp_error err;
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL((take_what_comes(&host), stats_of(syncer).resyncs >= 2));
    while (take(&host)) {
    }
    REQUIRE_INT(host.documents_taken + host.documents_dropped, ==, 2 * IDS);
    stop_syncer(f, syncer);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

/* Which are far more bytes than may wait. */
static cp_syncer *start_held(struct fixture *f, struct host *host)
{
    insert_customers(f);
    *host =
        open_host(f, &(cp_results_options){
                         .size = sizeof(cp_results_options), .max_bytes = SMALL_BYTES, .when_full = CP_RESULTS_HOLD});
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "2"));
    start_syncer(syncer);
    WAIT_UNTIL(usage_of(host).held == 2);
    return syncer;
}

static void require_bounded(const struct host *host)
{
    cp_results_usage usage = usage_of(host);
    REQUIRE_INT(usage.bytes, <=, SMALL_BYTES + DOCUMENT_BYTES + (64 << 10)); /* with states */
    REQUIRE_INT(usage.dropped_documents, ==, 0);
}

START_TEST(who_is_held_says_so_and_loses_nothing)
{
    struct fixture *f = fixture_open();
    struct host host;
    listen_to_states(f);
    cp_syncer *syncer = start_held(f, &host);
    size_t at = 0;
    cp_health health = wait_told(&at, CP_STATE_DEGRADED);
    REQUIRE(health.alive && !health.ready);
    REQUIRE_CONTAINS(health.why, "the host takes no results");
    cp_thread worker = {.size = sizeof worker};
    REQUIRE_OK(cp_syncer_thread(syncer, 0, &worker, NULL), (cp_error){0});
    REQUIRE_INT(worker.waits_for, ==, CP_WAIT_HOST);
    REQUIRE(!worker.stuck);
    require_bounded(&host);
    for (int i = 0; i < IDS / 2; i++) {
        take(&host);
        require_bounded(&host);
    }
    LOOP_UNTIL(&host, host.documents_taken == IDS);
    LOOP_UNTIL(&host, has_state(&host, CP_STATE_READY));
    REQUIRE(has_state(&host, CP_STATE_DEGRADED)); /* the queue has it as well */
    for (size_t id = 1; id <= IDS; id++) {
        REQUIRE_INT(host.told[id], ==, 1);
    }
    REQUIRE(health_of(syncer).ready);
    stop_syncer(f, syncer);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

START_TEST(a_stop_with_a_full_queue)
{
    struct fixture *f = fixture_open();
    struct host host;
    cp_syncer *syncer = start_held(f, &host);
    cp_error err;
    cp_syncer_stop(syncer, timeout_ms(), &err); /* OK, or a timeout of ids that the resync had put into the lanes */
    uint64_t settled = stats_of(syncer).stored;
    destroy_syncer(f, syncer);
    while (take(&host)) {
    }
    REQUIRE_INT(host.documents_dropped, >, 0);
    REQUIRE_INT(host.documents_taken + host.documents_dropped, ==, settled);
    REQUIRE_INT(host.states[host.state_count - 1], ==, CP_STATE_STOPPED);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

/* ---- followers, forks ---- */

START_TEST(a_follower_needs_nothing_else)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_customers(f);
    struct host host =
        open_host(f, &(cp_results_options){.size = sizeof(cp_results_options), .kinds = CP_RESULTS_STATES});
    cp_config *config = cp_config_create(&err);
    cp_callbacks callbacks = {.size = sizeof callbacks, .results = host.results};
    REQUIRE_OK(cp_config_set(config, "postgres", f->dsn, &err), err);
    REQUIRE_OK(cp_config_set(config, "role", "follow", &err), err);
    REQUIRE(cp_syncer_create(config, &callbacks, &err) == NULL); /* it wants no documents */
    REQUIRE_CONTAINS(err.message, "no results that want documents");
    cp_config_destroy(config);
    close_host(f, &host);

    host = open_host(f, NULL);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("role", "follow"));
    LOOP_UNTIL(&host, host.documents_taken == IDS);
    stop_syncer(f, syncer);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

static int child(cp_results *results)
{
    cp_results_usage usage = {.size = sizeof usage};
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    cp_callbacks callbacks = {.size = sizeof callbacks, .results = results};
    bool is_refused = cp_results_next(results) == NULL && cp_results_fd(results) == -1 &&
                      cp_results_look(results, &usage, &err) == CP_ERR_ARGUMENT &&
                      strstr(err.message, "after a fork they can only be destroyed") != NULL &&
                      cp_syncer_create(config, &callbacks, &err) == NULL && err.code == CP_ERR_ARGUMENT &&
                      strstr(err.message, "the results belong to process") != NULL;
    cp_config_destroy(config);
    cp_results_destroy(results);
    return is_refused ? 0 : 1;
}

START_TEST(a_child_can_only_destroy_it)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    struct host host = open_host(f, NULL);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm((unsigned)timeout_ms() / 1000);
        _exit(child(host.results));
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    REQUIRE_INT(status, ==, 0);
    LOOP_UNTIL(&host, host.documents_taken == IDS);
    sql(f, "update customer set name = 'Zoe' where id_customer = 3");
    LOOP_UNTIL(&host, holds(&host, 3, "Zoe"));
    stop_syncer(f, syncer);
    close_host(f, &host);
    fixture_close(f);
}
END_TEST

/* ---- states ---- */

START_TEST(each_state_of_a_life_is_told)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    insert_customers(f);
    PGconn *holder = connect_again(f);
    listen_to_states(f);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    size_t at = 0;
    hold_fetches(holder);
    start_syncer(syncer);
    wait_told(&at, CP_STATE_STARTING);
    REQUIRE_INT(at, ==, 1); /* first of all */
    REQUIRE_CONTAINS(wait_told(&at, CP_STATE_WARMING).why, "filling Redis");
    release_fetches(holder);
    REQUIRE(wait_told(&at, CP_STATE_READY).ready);

    REQUIRE_INT(kill(f->own_redis, SIGSTOP), ==, 0);
    cp_health health = wait_told(&at, CP_STATE_DEGRADED);
    kill(f->own_redis, SIGCONT);
    REQUIRE(health.alive && !health.ready);
    REQUIRE_CONTAINS(health.why, "Redis");
    REQUIRE(wait_told(&at, CP_STATE_READY).ready);

    stop_syncer(f, syncer);
    size_t count = count_told();
    REQUIRE_INT(told.seen[count - 2].state, ==, CP_STATE_STOPPING);
    REQUIRE_INT(told.seen[count - 1].state, ==, CP_STATE_STOPPED);
    REQUIRE_INT(told.wrong, ==, 0);
    fixture_close(f);
}
END_TEST

START_TEST(standing_by_and_taking_over_are_told)
{
    struct fixture *f = fixture_open();
    cp_syncer *writer = run_syncer(f, NULL, NO_SETTINGS);
    listen_to_states(f);
    cp_syncer *second = make_syncer(f, NULL, NO_SETTINGS);
    size_t at = 0;
    start_syncer(second);
    REQUIRE(wait_told(&at, CP_STATE_STANDBY).ready);
    stop_syncer(f, writer);
    REQUIRE_INT(wait_told(&at, CP_STATE_READY).term, >, 0);
    stop_syncer(f, second);
    REQUIRE_INT(told.wrong, ==, 0);
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

/* By a thread that is not stuck with it. */
START_TEST(a_worker_that_is_stuck_is_told_of)
{
    struct fixture *f = fixture_open();
    f->settled = wait_at_the_gate;
    listen_to_states(f);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    size_t at = 0;
    wait_told(&at, CP_STATE_READY);
    pthread_mutex_lock(&gate);
    sql(f, "insert into customer (id_customer, name) values (1, 'one')");
    cp_health health = {.size = sizeof health, .alive = true};
    WAIT_UNTIL(is_told(&at, CP_STATE_DEGRADED, &health) && !health.alive);
    pthread_mutex_unlock(&gate);
    REQUIRE_CONTAINS(health.why, "cp-worker-0 is stuck");
    REQUIRE(wait_told(&at, CP_STATE_READY).alive);
    stop_syncer(f, syncer);
    REQUIRE_INT(told.wrong, ==, 0);
    fixture_close(f);
}
END_TEST

/* Nor of a start that fails before there is a thread. */
START_TEST(nothing_is_told_of_what_never_ran)
{
    struct fixture *f = fixture_open();
    cp_error err;
    listen_to_states(f);
    sql(f, "drop table customer cascade");
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(cp_syncer_start(syncer, &err), !=, CP_OK);
    REQUIRE_OK(cp_syncer_stop(syncer, 0, &err), err);
    destroy_syncer(f, syncer);
    REQUIRE_INT(count_told(), ==, 0);
    fixture_close(f);
}
END_TEST

Suite *results_suite(void)
{
    Suite *suite = suite_create("results");
    TCase *tcase = tcase_create("results");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, all_kinds_arrive_on_the_hosts_thread);
    tcase_add_test(tcase, of_one_id_they_come_in_order);
    tcase_add_test(tcase, one_queue_for_two_syncers);
    tcase_add_test(tcase, a_queue_that_is_destroyed_first);
    tcase_add_test(tcase, what_is_dropped_is_counted_and_told);
    tcase_add_test(tcase, who_is_held_says_so_and_loses_nothing);
    tcase_add_test(tcase, a_stop_with_a_full_queue);
    add_test(tcase, a_follower_needs_nothing_else);
    tcase_add_test(tcase, a_child_can_only_destroy_it);
    tcase_add_test(tcase, each_state_of_a_life_is_told);
    tcase_add_test(tcase, standing_by_and_taking_over_are_told);
    tcase_add_test(tcase, a_worker_that_is_stuck_is_told_of);
    tcase_add_test(tcase, nothing_is_told_of_what_never_ran);
    suite_add_tcase(suite, tcase);
    return suite;
}
