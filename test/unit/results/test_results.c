/* The queue of results by itself: what it hands out, what it drops, whom it holds, and when it says so. */
#include "suites.h"

#include "base/clock.h"
#include "results/results.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WITHIN_MS = 30000, SOME_BYTES = 100, PRODUCERS = 4, EACH = 5000, REPEATS = 100 };

static char fake; /* whose address stands for a syncer */
static cp_syncer *syncer = (cp_syncer *)(void *)&fake;
static struct cpi_stop stop;
static cp_results *results;
static cp_error err;

static void create(void)
{
    ck_assert_int_eq(cpi_stop_init(&stop, NULL), CP_OK);
    results = NULL;
}

static void destroy(void)
{
    cp_results_destroy(results);
    cpi_stop_fini(&stop);
}

static void open_with(const cp_results_options *options)
{
    results = cp_results_create(options, &err);
    ck_assert_msg(results != NULL, "%s", err.message);
}

/* Room for so many of put()'s documents. */
static void open_for(size_t documents, cp_when_full when_full)
{
    const cp_document document = {.entity = "e", .key = "k:00000", .id = "00000", .document = "", .bytes = SOME_BYTES};
    size_t bytes = cpi_item_document_bytes(&document, true);
    open_with(&(cp_results_options){.size = sizeof(cp_results_options),
                                    .max_bytes = documents * bytes,
                                    .when_full = when_full,
                                    .kinds = CP_RESULTS_DOCUMENTS | CP_RESULTS_STATES | CP_RESULTS_LOG});
}

static void put(unsigned id)
{
    char key[16];
    static const char bytes[SOME_BYTES];
    snprintf(key, sizeof key, "k:%05u", id);
    cp_document document = {.size = sizeof document,
                            .entity = "e",
                            .key = key,
                            .id = key + 2,
                            .exists = true,
                            .document = bytes,
                            .bytes = sizeof bytes};
    if (!cpi_results_put_document(results, syncer, &stop, &document)) {
        abort();
    }
}

static void put_log(const char *message)
{
    cpi_results_put_log(results, syncer,
                        &(cp_log_entry){.size = sizeof(cp_log_entry), .level = CP_LOG_WARN, .message = message});
}

static void put_state(cp_state state)
{
    cpi_results_put_state(results, syncer, &(cp_health){.size = sizeof(cp_health), .state = state, .why = "because"});
}

static cp_results_usage usage(void)
{
    cp_results_usage own = {.size = sizeof own};
    ck_assert_int_eq(cp_results_look(results, &own, &err), CP_OK);
    return own;
}

static bool is_readable(int timeout_ms)
{
    struct pollfd polled = {.fd = cp_results_fd(results), .events = POLLIN};
    return poll(&polled, 1, timeout_ms) == 1;
}

static void expect_document(unsigned id)
{
    const cp_result *result = cp_results_next(results);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(result->kind, CP_RESULT_DOCUMENT);
    ck_assert_uint_eq(strtoul(result->document->id, NULL, 10), id);
}

static void expect_dropped(uint64_t documents, uint64_t states, uint64_t log)
{
    const cp_result *result = cp_results_next(results);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(result->kind, CP_RESULT_DROPPED);
    ck_assert_ptr_null(result->syncer);
    ck_assert_uint_eq(result->dropped->size, sizeof *result->dropped);
    ck_assert_uint_eq(result->dropped->documents, documents);
    ck_assert_uint_eq(result->dropped->states, states);
    ck_assert_uint_eq(result->dropped->log, log);
}

static void expect_nothing(void)
{
    ck_assert(!is_readable(0));
    ck_assert_ptr_null(cp_results_next(results));
    ck_assert_uint_eq(usage().waiting, 0);
    ck_assert_uint_eq(usage().bytes, 0);
}

/* ---- what is handed out ---- */

START_TEST(everything_is_a_copy)
{
    char entity[] = "customer";
    char key[] = "shop:customer:7";
    char id[] = "7";
    char bytes[] = "{\"a\": 1}, and what is behind";
    char message[] = "Redis is away";
    open_for(10, CP_RESULTS_DROP);
    cp_document document = {.size = sizeof document,
                            .entity = entity,
                            .key = key,
                            .id = id,
                            .exists = true,
                            .document = bytes,
                            .bytes = 8,
                            .origin = CP_ORIGIN_RESYNC,
                            .settled_us = 5};
    cp_log_entry entry = {
        .size = sizeof entry, .level = CP_LOG_ERROR, .message = message, .key = key, .count = 3, .duration_ms = 9};
    ck_assert(cpi_results_put_document(results, syncer, &stop, &document));
    cpi_results_put_log(results, syncer, &entry);
    put_state(CP_STATE_LAGGING);
    memset(entity, 'x', sizeof entity - 1);
    memset(key, 'x', sizeof key - 1);
    memset(id, 'x', sizeof id - 1);
    memset(bytes, 'x', sizeof bytes - 1);
    memset(message, 'x', sizeof message - 1);

    const cp_result *result = cp_results_next(results);
    ck_assert_uint_eq(result->size, sizeof *result);
    ck_assert_ptr_eq(result->syncer, syncer);
    ck_assert(result->health == NULL && result->log == NULL && result->dropped == NULL);
    ck_assert_str_eq(result->document->entity, "customer");
    ck_assert_str_eq(result->document->key, "shop:customer:7");
    ck_assert_str_eq(result->document->id, "7");
    ck_assert_str_eq(result->document->document, "{\"a\": 1}"); /* a NUL follows */
    ck_assert_int_eq(result->document->settled_us, 5);
    result = cp_results_next(results);
    ck_assert_int_eq(result->kind, CP_RESULT_LOG);
    ck_assert(result->document == NULL && result->health == NULL && result->dropped == NULL);
    ck_assert_str_eq(result->log->message, "Redis is away");
    ck_assert_str_eq(result->log->key, "shop:customer:7");
    ck_assert_ptr_null(result->log->entity);
    ck_assert_uint_eq(result->log->count, 3);
    result = cp_results_next(results);
    ck_assert_int_eq(result->kind, CP_RESULT_STATE);
    ck_assert_int_eq(result->health->state, CP_STATE_LAGGING);
    ck_assert_str_eq(result->health->why, "because");
    expect_nothing();
}
END_TEST

START_TEST(a_document_that_is_gone_or_is_not_wanted)
{
    open_with(&(cp_results_options){.size = sizeof(cp_results_options), .without_bytes = true});
    put(1);
    cp_document gone = {.size = sizeof gone, .entity = "e", .key = "k:2", .id = "2"};
    ck_assert(cpi_results_put_document(results, syncer, &stop, &gone));
    const cp_result *result = cp_results_next(results);
    ck_assert(result->document->exists && result->document->bytes == SOME_BYTES && result->document->document == NULL);
    result = cp_results_next(results);
    ck_assert(!result->document->exists && result->document->document == NULL);
    expect_nothing();
}
END_TEST

START_TEST(what_is_wanted)
{
    open_with(NULL);
    ck_assert(cpi_results_wants(results, CP_RESULT_DOCUMENT) && cpi_results_wants(results, CP_RESULT_STATE));
    ck_assert(cpi_results_wants_log(results, CP_LOG_ERROR) && cpi_results_wants_log(results, CP_LOG_WARN));
    ck_assert(!cpi_results_wants_log(results, CP_LOG_INFO));
    cp_results_destroy(results);
    open_with(&(cp_results_options){.size = sizeof(cp_results_options), .kinds = CP_RESULTS_LOG});
    ck_assert(!cpi_results_wants(results, CP_RESULT_DOCUMENT) && !cpi_results_wants(results, CP_RESULT_STATE));
    ck_assert(cpi_results_wants_log(results, CP_LOG_WARN) && cpi_results_wants_log(results, CP_LOG_DEBUG));
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        cp_results_options options;
        const char *message;
    } bad[] = {{{.size = sizeof(cp_results_options), .kinds = 16},
                "cp_results_options.kinds is 0x10; known are the bits of 0xf"},
               {{.size = sizeof(cp_results_options), .when_full = (cp_when_full)7},
                "cp_results_options.when_full is 7; it is CP_RESULTS_DROP or CP_RESULTS_HOLD"},
               {{.size = 3}, "cp_results_options.size is 3; set it to sizeof(cp_results_options)"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_ptr_null(cp_results_create(&bad[i].options, &err));
        ck_assert_int_eq(err.code, CP_ERR_ARGUMENT);
        ck_assert_str_eq(err.message, bad[i].message);
    }
    cp_results_usage own = {.size = 1};
    ck_assert_int_eq(cp_results_look(NULL, &own, &err), CP_ERR_ARGUMENT);
    ck_assert_ptr_null(cp_results_next(NULL));
    ck_assert_int_eq(cp_results_fd(NULL), -1);
    cp_results_destroy(NULL);
    open_with(NULL);
    ck_assert_int_eq(cp_results_look(results, &own, &err), CP_ERR_ARGUMENT);
}
END_TEST

START_TEST(readable_exactly_while_there_is_something)
{
    open_for(2, CP_RESULTS_DROP);
    ck_assert_int_ne(fcntl(cp_results_fd(results), F_GETFD) & FD_CLOEXEC, 0);
    for (unsigned round = 0; round < 3; round++) {
        expect_nothing();
        put(1);
        ck_assert(is_readable(0));
        put(2);
        put(3); /* is dropped */
        expect_document(1);
        ck_assert(is_readable(0));
        expect_document(2);
        ck_assert(is_readable(0));
        expect_dropped(1, 0, 0);
        expect_nothing();
    }
}
END_TEST

/* ---- too much ---- */

START_TEST(what_is_dropped_is_told_where_it_would_have_been)
{
    open_for(2, CP_RESULTS_DROP);
    for (unsigned id = 1; id <= 5; id++) {
        put(id);
    }
    put_log("in between"); /* for which there is room */
    put(6);
    expect_document(1);
    put(7); /* for which there is some again */
    put(8);
    expect_document(2);
    expect_dropped(3, 0, 0);
    ck_assert_str_eq(cp_results_next(results)->log->message, "in between");
    expect_dropped(1, 0, 0);
    expect_document(7);
    expect_dropped(1, 0, 0);
    expect_nothing();
    ck_assert_uint_eq(usage().dropped_documents, 5);
    ck_assert_uint_eq(usage().dropped_states + usage().dropped_log, 0);
}
END_TEST

START_TEST(messages_and_states_have_room_of_their_own)
{
    enum { MANY = 20000 };
    open_for(1, CP_RESULTS_HOLD);
    for (unsigned i = 0; i < MANY; i++) {
        put_log("a message that comes again and again");
        put_state(CP_STATE_READY);
    }
    put(1);
    ck_assert_uint_lt(usage().bytes, (1 << 20) + (64 << 10) + 4096);
    uint64_t states = 0;
    uint64_t messages = 0;
    uint64_t dropped = 0;
    bool has_document = false;
    for (const cp_result *result; (result = cp_results_next(results)) != NULL;) {
        states += result->kind == CP_RESULT_STATE;
        messages += result->kind == CP_RESULT_LOG;
        dropped += result->kind == CP_RESULT_DROPPED ? result->dropped->states + result->dropped->log : 0;
        has_document = has_document || result->kind == CP_RESULT_DOCUMENT;
    }
    ck_assert(has_document);
    ck_assert_uint_ge(states, 50);
    ck_assert_uint_ge(messages, 1000);
    ck_assert_uint_eq(states + messages + dropped, 2 * MANY);
    ck_assert_uint_eq(usage().dropped_states, MANY - states);
    ck_assert_uint_eq(usage().dropped_log, MANY - messages);
    expect_nothing();
}
END_TEST

START_TEST(one_document_always_has_room)
{
    enum { LARGE = 1 << 20 };
    char *bytes = calloc(1, LARGE);
    cp_document large = {.size = sizeof large, .entity = "e", .key = "k:1", .id = "1", .exists = true};
    large.document = bytes;
    large.bytes = LARGE;
    open_for(1, CP_RESULTS_HOLD);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(cpi_results_put_document(results, syncer, &stop, &large));
        expect_document(1);
    }
    free(bytes);
    ck_assert_uint_eq(usage().dropped_documents, 0);
}
END_TEST

/* ---- holding ---- */

static void *put_ten(void *context)
{
    (void)context;
    for (unsigned id = 1; id <= 10; id++) {
        put(id);
    }
    return NULL;
}

static void wait_until_held(unsigned threads)
{
    int64_t until_ms = cpi_now_ms() + WITHIN_MS;
    while (usage().held != threads) {
        ck_assert_int_lt(cpi_now_ms(), until_ms);
        sched_yield();
    }
}

START_TEST(whoever_is_held_goes_on_at_half_of_the_room)
{
    pthread_t producer;
    open_for(4, CP_RESULTS_HOLD);
    ck_assert_int_eq(pthread_create(&producer, NULL, put_ten, NULL), 0);
    wait_until_held(1);
    ck_assert_uint_eq(usage().waiting, 4);
    expect_document(1);
    ck_assert_uint_eq(usage().held, 1);
    expect_document(2);
    for (unsigned id = 3; id <= 10; id++) {
        ck_assert(is_readable(WITHIN_MS));
        ck_assert_uint_le(usage().waiting, 4);
        expect_document(id);
    }
    pthread_join(producer, NULL);
    expect_nothing();
    ck_assert_uint_eq(usage().dropped_documents, 0);
}
END_TEST

START_TEST(a_stop_ends_all_holding)
{
    pthread_t producer;
    open_for(4, CP_RESULTS_HOLD);
    ck_assert_int_eq(pthread_create(&producer, NULL, put_ten, NULL), 0);
    wait_until_held(1);
    cpi_stop_drain(&stop, 0);
    cpi_results_wake(results);
    pthread_join(producer, NULL);
    for (unsigned id = 1; id <= 4; id++) {
        expect_document(id);
    }
    expect_dropped(6, 0, 0);
    expect_nothing();
}
END_TEST

START_TEST(so_does_the_end_of_the_queue)
{
    pthread_t producer;
    open_for(4, CP_RESULTS_HOLD);
    ck_assert_int_eq(cpi_results_join(results, &err), CP_OK);
    ck_assert_int_eq(cpi_results_join(results, &err), CP_OK);
    ck_assert_int_eq(pthread_create(&producer, NULL, put_ten, NULL), 0);
    wait_until_held(1);
    cp_results *closed = results;
    cp_results_destroy(closed);
    pthread_join(producer, NULL);
    put_log("nobody takes it");
    cpi_results_leave(closed);
    put(11);
    cpi_results_leave(closed); /* which frees it */
    results = NULL;
}
END_TEST

/* ---- many threads ---- */

struct producer {
    pthread_t thread;
    unsigned first;
};

static void *put_each(void *context)
{
    const struct producer *producer = context;
    for (unsigned i = 0; i < EACH; i++) {
        put(producer->first + i);
    }
    return NULL;
}

/* Whoever is told to sleep is woken, and finds something each time that he is. */
static void take_all(unsigned each, cp_when_full when_full)
{
    unsigned next[PRODUCERS] = {0};
    uint64_t taken = 0;
    uint64_t dropped = 0;
    while (taken + dropped < (uint64_t)PRODUCERS * each) {
        ck_assert(is_readable(WITHIN_MS));
        const cp_result *result = cp_results_next(results);
        ck_assert_ptr_nonnull(result);
        if (result->kind == CP_RESULT_DROPPED) {
            dropped += result->dropped->documents;
            continue;
        }
        unsigned id = (unsigned)strtoul(result->document->id, NULL, 10);
        unsigned producer = id / EACH;
        ck_assert_uint_ge(id % EACH, next[producer]);                           /* in order, and */
        ck_assert(when_full == CP_RESULTS_DROP || id % EACH == next[producer]); /* none is missing */
        next[producer] = id % EACH + 1;
        taken++;
    }
    ck_assert(when_full == CP_RESULTS_DROP || dropped == 0);
    ck_assert_uint_eq(usage().dropped_documents, dropped);
}

static void run_producers(cp_when_full when_full)
{
    struct producer producers[PRODUCERS];
    open_for(50, when_full);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        producers[p].first = p * EACH;
        ck_assert_int_eq(pthread_create(&producers[p].thread, NULL, put_each, &producers[p]), 0);
    }
    take_all(EACH, when_full);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        pthread_join(producers[p].thread, NULL);
    }
    expect_nothing();
}

START_TEST(nothing_is_lost_between_threads)
{
    run_producers(_i % 2 == 0 ? CP_RESULTS_HOLD : CP_RESULTS_DROP);
}
END_TEST

static void *put_now_and_then(void *context)
{
    const struct producer *producer = context;
    for (unsigned i = 0; i < 20; i++) {
        put(producer->first + i);
        sched_yield();
    }
    return NULL;
}

/* The queue becomes empty all the time. */
START_TEST(no_wake_up_is_lost)
{
    struct producer producers[PRODUCERS];
    open_for(1000, CP_RESULTS_HOLD);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        producers[p].first = p * EACH;
        ck_assert_int_eq(pthread_create(&producers[p].thread, NULL, put_now_and_then, &producers[p]), 0);
    }
    take_all(20, CP_RESULTS_HOLD);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        pthread_join(producers[p].thread, NULL);
    }
    expect_nothing();
}
END_TEST

Suite *results_suite(void)
{
    Suite *suite = suite_create("results");
    TCase *tcase = tcase_create("results");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, everything_is_a_copy);
    tcase_add_test(tcase, a_document_that_is_gone_or_is_not_wanted);
    tcase_add_test(tcase, what_is_wanted);
    tcase_add_test(tcase, refusals);
    tcase_add_test(tcase, readable_exactly_while_there_is_something);
    tcase_add_test(tcase, what_is_dropped_is_told_where_it_would_have_been);
    tcase_add_test(tcase, messages_and_states_have_room_of_their_own);
    tcase_add_test(tcase, one_document_always_has_room);
    tcase_add_test(tcase, whoever_is_held_goes_on_at_half_of_the_room);
    tcase_add_test(tcase, a_stop_ends_all_holding);
    tcase_add_test(tcase, so_does_the_end_of_the_queue);
    tcase_add_loop_test(tcase, nothing_is_lost_between_threads, 0, 4);
    tcase_add_loop_test(tcase, no_wake_up_is_lost, 0, REPEATS);
    suite_add_tcase(suite, tcase);
    return suite;
}
