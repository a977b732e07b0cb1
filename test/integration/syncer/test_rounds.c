/*
 * Syncers made and ended again and again, and calls in any order that the header allows, from several threads: no
 * crash, no hang, nothing left behind. With the sanitizers no leak and no race either.
 *
 * CP_TEST_ROUNDS and CP_TEST_SEEDS say how many (20 and 10); CP_TEST_SEED is the first seed.
 */
#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "syncer/census.h"
#include "table.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20, SEEDS = 10, CALLERS = 4, CALLS = 40, TAKES = 30, CUSTOMERS = 30 };

static int wanted(const char *variable, int usual)
{
    const char *given = getenv(variable);
    return given != NULL ? atoi(given) : usual;
}

struct census {
    size_t threads;
    size_t descriptors;
};

static struct census take_census(void)
{
    return (struct census){count_threads(""), count_descriptors()};
}

/* A thread that has been joined is in /proc for a moment more. */
static void expect_nothing_left(const struct census *before)
{
    WAIT_UNTIL(count_threads("") == before->threads);
    REQUIRE_INT(count_descriptors(), ==, before->descriptors);
}

static struct fixture *open_with_customers(void)
{
    struct fixture *f = fixture_open();
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    return f;
}

/* ---- rounds ---- */

static void run_round(struct fixture *f, const char *other)
{
    cp_syncer *first = make_syncer(f, NULL, SETTINGS("threads", "2"));
    cp_syncer *second = make_syncer(f, NULL, SETTINGS("threads", "1", "prefix", other, "audit_per_second", "1"));
    cp_error err = {0};
    start_syncer(first);
    start_syncer(second);
    wait_ready(second);
    wait_ready(first);
    REQUIRE_OK(cp_syncer_stop(first, timeout_ms(), &err), err);
    destroy_syncer(f, first);
    REQUIRE_OK(cp_syncer_stop(second, timeout_ms(), &err), err);
    destroy_syncer(f, second);
}

START_TEST(made_and_ended)
{
    struct fixture *f = open_with_customers();
    char other[sizeof f->prefix + 8];
    snprintf(other, sizeof other, "%s-other", f->base);
    run_round(f, other); /* what is opened once stays open */
    struct census before = take_census();
    int rounds = wanted("CP_TEST_ROUNDS", ROUNDS);
    for (int round = 0; round < rounds; round++) {
        run_round(f, other);
        expect_nothing_left(&before);
    }
    fixture_close(f);
}
END_TEST

/* ---- calls in any order ---- */

static struct table table; /* a store */

struct caller {
    struct fixture *f;
    cp_syncer *syncer;
    uint64_t state;         /* of its dice */
    _Atomic unsigned *left; /* callers of the syncer: the last of them destroys it; NULL: none does */
    bool follows;           /* the syncer: there is nothing to verify */
};

/* The call has returned what its comment in the header allows. */
static void expect_one_of(struct caller *caller, const char *call, cp_code code, const cp_error *err, unsigned allowed)
{
    bool fine = (allowed >> code & 1) != 0 && (code == CP_OK || (err->code == code && err->message[0] != '\0'));
    if (!fine) {
        fprintf(stderr, "%s: %s: %s\n", call, cp_code_name(code), err->message);
        atomic_fetch_add(&caller->f->thread_fault, 1);
    }
}

#define ONE_OF(caller, call, ...)                                                                                      \
    do {                                                                                                               \
        static const cp_code allowed_[] = {CP_OK, __VA_ARGS__};                                                        \
        cp_error err = {0};                                                                                            \
        cp_code code_ = call;                                                                                          \
        unsigned set_ = 0;                                                                                             \
        for (size_t i_ = 0; i_ < sizeof allowed_ / sizeof *allowed_; i_++) {                                           \
            set_ |= 1u << allowed_[i_];                                                                                \
        }                                                                                                              \
        expect_one_of(caller, #call, code_, &err, set_);                                                               \
    } while (0)

static void visit(void *context, const cp_parked *parked)
{
    (void)context;
    (void)parked;
}

static void look(struct caller *c)
{
    cp_stats stats = {.size = sizeof stats};
    cp_health health = {.size = sizeof health};
    cp_histogram histogram = {.size = sizeof histogram};
    cp_entity_stats entity = {.size = sizeof entity};
    cp_lane lane = {.size = sizeof lane};
    cp_thread thread = {.size = sizeof thread};
    cp_error newest = {0};
    uint64_t more = 0;
    ONE_OF(c, cp_syncer_stats(c->syncer, &stats, &err), CP_OK);
    ONE_OF(c, cp_syncer_health(c->syncer, &health, &err), CP_OK);
    ONE_OF(c, cp_syncer_histogram(c->syncer, roll(&c->state, 4), &histogram, &err), CP_ERR_ARGUMENT);
    ONE_OF(c, cp_syncer_entity(c->syncer, roll(&c->state, 2), &entity, &err), CP_ERR_ARGUMENT);
    ONE_OF(c, cp_syncer_lane(c->syncer, roll(&c->state, 3), &lane, &err), CP_ERR_ARGUMENT);
    ONE_OF(c, cp_syncer_thread(c->syncer, roll(&c->state, 12), &thread, &err), CP_ERR_ARGUMENT);
    ONE_OF(c, cp_syncer_parked(c->syncer, visit, NULL, &more, &err), CP_OK);
    ONE_OF(c, cp_syncer_last_error(c->syncer, &newest), CP_OK);
    cp_syncer_stat(c->syncer, roll(&c->state, 60));
}

static void verify(struct caller *c)
{
    cp_verify_options options = {.size = sizeof options, .sample = 5, .recheck_ms = 20, .repair = true};
    cp_verify_result result = {.size = sizeof result};
    options.repair = roll(&c->state, 3) == 0;
    if (!c->follows) {
        ONE_OF(c, cp_syncer_verify(c->syncer, &options, &result, &err), CP_ERR_STOPPED);
    }
}

static void take_and_wait(struct caller *c)
{
    cp_ticket ticket = 0;
    cp_error none = {0};
    if (cp_syncer_ticket(c->syncer, &ticket, &none) == CP_OK) {
        ONE_OF(c, cp_syncer_wait(c->syncer, ticket, (int)roll(&c->state, 20), &err), CP_ERR_TIMEOUT, CP_ERR_STOPPED,
               CP_ERR_STANDBY);
    } else {
        ONE_OF(c, cp_syncer_ticket(c->syncer, &ticket, &err), CP_ERR_STOPPED, CP_ERR_STANDBY);
    }
}

static void call_one(struct caller *c)
{
    char id[16];
    snprintf(id, sizeof id, "%u", 1 + roll(&c->state, CUSTOMERS));
    switch (roll(&c->state, 48)) {
    case 0:
        ONE_OF(c, cp_syncer_stop(c->syncer, 0, &err), CP_ERR_TIMEOUT);
        break;
    case 1:
        ONE_OF(c, cp_syncer_stop(c->syncer, (int)roll(&c->state, 200), &err), CP_ERR_TIMEOUT);
        break;
    case 2:
        verify(c);
        break;
    case 3:
    case 4:
    case 5: /* the checks are cut short by a stop */
        ONE_OF(c, cp_syncer_start(c->syncer, &err), CP_ERR_ARGUMENT, CP_ERR_STOPPED, CP_ERR_POSTGRES, CP_ERR_REDIS);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        ONE_OF(c, cp_syncer_wait_ready(c->syncer, (int)roll(&c->state, 40), &err), CP_ERR_TIMEOUT, CP_ERR_STOPPED);
        break;
    case 10:
    case 11:
        ONE_OF(c, cp_syncer_resync(c->syncer, roll(&c->state, 2) == 0 ? "customer" : NULL, &err), CP_ERR_STOPPED);
        break;
    case 12:
    case 13:
    case 14:
        take_and_wait(c);
        break;
    case 15:
    case 16:
        ONE_OF(c, cp_syncer_enqueue_wait(c->syncer, "customer", id, (int)roll(&c->state, 40), &err), CP_ERR_TIMEOUT,
               CP_ERR_STOPPED, CP_ERR_SYSTEM, CP_ERR_STANDBY);
        break;
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
        look(c);
        break;
    default:
        ONE_OF(c, cp_syncer_enqueue(c->syncer, "customer", id, &err), CP_ERR_STOPPED, CP_ERR_SYSTEM);
    }
}

static void *call(void *context)
{
    struct caller *caller = context;
    for (int i = 0; i < CALLS && !atomic_load(&caller->f->abandoned); i++) {
        call_one(caller);
    }
    if (caller->left != NULL && atomic_fetch_sub(caller->left, 1) == 1) {
        cp_syncer_destroy(caller->syncer);
    }
    return NULL;
}

/* What callbacks may call, they call. */
static void call_from_settled(void *context, const cp_document *document)
{
    struct fixture *f = context;
    cp_syncer *syncer = f->settled_context;
    cp_stats stats = {.size = sizeof stats};
    cp_syncer_stats(syncer, &stats, NULL);
    if (cp_syncer_stat(syncer, 0) % 7 == 0) {
        cp_syncer_enqueue(syncer, document->entity, document->id, NULL);
    }
    if (document->origin == CP_ORIGIN_ENQUEUED && stats.events % 50 == 0) {
        cp_syncer_resync(syncer, document->entity, NULL);
    }
}

/* Without fixture_join(), which fails of what threads have seen: the seed is to be told as well. */
static void join_all(struct fixture *f)
{
    while (f->thread_count > 0) {
        pthread_join(f->threads[--f->thread_count], NULL);
    }
}

static void run_seed(struct fixture *f, uint64_t seed)
{
    static struct caller callers[CALLERS];
    uint64_t state = seed * 2654435761u + 1;
    unsigned count = 3 + roll(&state, CALLERS - 2);
    f->store = roll(&state, 3) == 0 ? &table.store : NULL;
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "2", "audit_per_second", "20"));
    f->settled_context = syncer;
    if (roll(&state, 2) == 0) {
        start_syncer(syncer);
    }
    for (unsigned i = 0; i < count; i++) {
        callers[i] = (struct caller){f, syncer, (uint64_t)roll(&state, 1u << 30) + 1, NULL, false};
        fixture_thread(f, call, &callers[i]);
    }
    join_all(f);
    destroy_syncer(f, syncer);
}

static void run_seeds(struct fixture *f, void (*run)(struct fixture *f, uint64_t seed))
{
    uint64_t first = choose_seed();
    destroy_syncer(f, run_syncer(f, NULL, NO_SETTINGS)); /* what is opened once stays open */
    struct census before = take_census();
    int seeds = wanted("CP_TEST_SEEDS", SEEDS);
    for (int i = 0; i < seeds; i++) {
        run(f, first + (uint64_t)i);
        if (atomic_load(&f->thread_fault) > 0) {
            fail_at(__FILE__, __LINE__, "CP_TEST_SEED=%llu", (unsigned long long)first + (unsigned)i);
        }
        expect_nothing_left(&before);
    }
}

START_TEST(called_in_any_order)
{
    struct fixture *f = open_with_customers();
    table_init(&table);
    f->settled = call_from_settled;
    run_seeds(f, run_seed);
    fixture_close(f);
    table_fini(&table);
}
END_TEST

/* ---- a queue of results, and two syncers that end when they like ---- */

struct taker {
    struct fixture *f;
    cp_results *results;
    uint64_t state;
    bool destroys; /* the queue, when it has taken enough, whatever the syncers do then */
};

static bool is_whole(const cp_result *result)
{
    return (result->kind == CP_RESULT_DOCUMENT && result->document->id != NULL) ||
           (result->kind == CP_RESULT_STATE && result->health->state < CP_STATES) ||
           (result->kind == CP_RESULT_LOG && result->log->message[0] != '\0') ||
           (result->kind == CP_RESULT_DROPPED &&
            result->dropped->documents + result->dropped->states + result->dropped->log > 0);
}

static void look_at_queue(struct taker *taker)
{
    cp_results_usage usage = {.size = sizeof usage};
    atomic_fetch_add(&taker->f->thread_fault, cp_results_look(taker->results, &usage, NULL) != CP_OK);
    atomic_fetch_add(&taker->f->thread_fault, cp_results_fd(taker->results) < 0);
}

/* Takes some of what is there, now and then all. */
static void *take(void *context)
{
    struct taker *taker = context;
    struct pollfd polled = {.fd = cp_results_fd(taker->results), .events = POLLIN};
    for (int i = 0; i < TAKES && !atomic_load(&taker->f->abandoned); i++) {
        const cp_result *result = NULL;
        poll(&polled, 1, (int)roll(&taker->state, 20));
        for (unsigned most = roll(&taker->state, 60); most > 0; most--) {
            result = cp_results_next(taker->results);
            atomic_fetch_add(&taker->f->thread_fault, result != NULL && !is_whole(result));
        }
        look_at_queue(taker);
    }
    if (taker->destroys) {
        cp_results_destroy(taker->results);
    }
    return NULL;
}

static void *look_only(void *context)
{
    struct taker *taker = context;
    for (int i = 0; i < TAKES * 10 && !atomic_load(&taker->f->abandoned); i++) {
        look_at_queue(taker);
    }
    return NULL;
}

static cp_results *make_queue(uint64_t *state)
{
    cp_error err;
    cp_results *results = cp_results_create(&(cp_results_options){.size = sizeof(cp_results_options),
                                                                  .max_bytes = 1 + roll(state, 8192),
                                                                  .when_full = (cp_when_full)roll(state, 2),
                                                                  .kinds = CP_RESULTS_DOCUMENTS | roll(state, 16),
                                                                  .without_bytes = roll(state, 3) == 0},
                                            &err);
    REQUIRE(results != NULL);
    return results;
}

/* For two threads, the last of which destroys it. kind: 0 writes or stands by, 1 follows, 2 fills a store. */
static struct caller make_for_threads(struct fixture *f, unsigned kind, uint64_t *state, _Atomic unsigned *left)
{
    bool follows = kind == 1 && !is_over_wal();
    char other[sizeof f->prefix + 8];
    snprintf(other, sizeof other, "%s%s", f->prefix, kind == 2 ? "-other" : "");
    f->store = kind == 2 ? &table.store : NULL;
    cp_syncer *syncer =
        make_syncer(f, NULL, SETTINGS("threads", "2", "prefix", other, "role", follows ? "follow" : "write"));
    if (roll(state, 2) == 0) {
        start_syncer(syncer);
    }
    atomic_store(left, 2);
    return (struct caller){f, syncer, 0, left, follows};
}

/* After its syncers have ended: what is left can be taken, and the descriptor tells whether there is something. */
static void take_rest(cp_results *results)
{
    struct pollfd polled = {.fd = cp_results_fd(results), .events = POLLIN};
    bool is_something = poll(&polled, 1, 0) == 1;
    REQUIRE(is_something == (cp_results_next(results) != NULL));
    while (cp_results_next(results) != NULL) {
    }
    REQUIRE_INT(poll(&polled, 1, 0), ==, 0);
    cp_results_destroy(results);
}

static void run_with_queue(struct fixture *f, uint64_t seed)
{
    static struct caller callers[CALLERS];
    static _Atomic unsigned left[2];
    uint64_t state = seed * 2654435761u + 1;
    struct taker taker = {.f = f, .results = make_queue(&state), .destroys = roll(&state, 2) == 0};
    f->results = taker.results;
    for (unsigned i = 0; i < CALLERS; i += 2) {
        callers[i] = make_for_threads(f, i == 0 ? 0 : roll(&state, 3), &state, &left[i / 2]);
        callers[i + 1] = callers[i];
        callers[i].state = (uint64_t)roll(&state, 1u << 30) + 1;
        callers[i + 1].state = (uint64_t)roll(&state, 1u << 30) + 1;
    }
    memset(f->syncers, 0, sizeof f->syncers); /* their threads' from here on */
    taker.state = (uint64_t)roll(&state, 1u << 30) + 1;
    struct taker looker = taker;
    fixture_thread(f, take, &taker);
    if (!taker.destroys) {
        fixture_thread(f, look_only, &looker);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        fixture_thread(f, call, &callers[i]);
    }
    join_all(f);
    if (!taker.destroys) {
        take_rest(taker.results);
    }
    f->results = NULL;
    f->store = NULL;
}

START_TEST(results_of_syncers_that_end)
{
    struct fixture *f = open_with_customers();
    table_init(&table);
    run_seeds(f, run_with_queue);
    fixture_close(f);
    table_fini(&table);
}
END_TEST

Suite *rounds_suite(void)
{
    Suite *suite = suite_create("rounds");
    TCase *tcase = tcase_create("rounds");
    tcase_set_timeout(tcase, 240 + 10 * (wanted("CP_TEST_ROUNDS", ROUNDS) + wanted("CP_TEST_SEEDS", SEEDS)));
    tcase_add_test(tcase, made_and_ended);
    tcase_add_test(tcase, called_in_any_order);
    tcase_add_test(tcase, results_of_syncers_that_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
