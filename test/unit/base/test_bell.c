#include "suites.h"

#include "base/bell.h"
#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct cpi_bell bell;

static void create(void)
{
    cp_error err = {0};
    ck_assert_msg(cpi_bell_init(&bell, &err) == CP_OK, "%s", err.message);
}

static void destroy(void)
{
    cpi_bell_fini(&bell);
}

static bool is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

START_TEST(ringing_an_awake_owner_writes_nothing)
{
    cpi_bell_ring(&bell);
    cpi_bell_ring(&bell);
    ck_assert(!is_readable(bell.fd));

    cpi_bell_arm(&bell);
    cpi_bell_disarm(&bell);
    cpi_bell_ring(&bell);
    ck_assert(!is_readable(bell.fd));
}
END_TEST

START_TEST(ringing_a_sleeper_writes_once)
{
    for (int round = 0; round < 3; round++) {
        cpi_bell_arm(&bell);
        cpi_bell_ring(&bell);
        cpi_bell_ring(&bell);
        eventfd_t rings = 0;
        ck_assert_int_eq(eventfd_read(bell.fd, &rings), 0);
        ck_assert_uint_eq(rings, 1);
        cpi_bell_disarm(&bell);
    }
}
END_TEST

START_TEST(a_ring_after_arm_ends_the_sleep)
{
    for (int round = 0; round < 3; round++) {
        cpi_bell_arm(&bell);
        cpi_bell_ring(&bell);
        cpi_bell_sleep(&bell, -1, -1); /* returns at once, or never */
        ck_assert(!is_readable(bell.fd));
        cpi_bell_disarm(&bell);
    }
}
END_TEST

START_TEST(a_ring_before_arm_is_not_remembered)
{
    cpi_bell_ring(&bell);
    cpi_bell_arm(&bell);
    cpi_bell_sleep(&bell, -1, 1);
    ck_assert(atomic_load(&bell.sleeping)); /* nobody has woken it: the time has passed */
    cpi_bell_disarm(&bell);
}
END_TEST

/* The other descriptor ends it too, and is left unread. */
START_TEST(sleep_heeds_another_descriptor)
{
    int other = eventfd(1, EFD_CLOEXEC);
    ck_assert_int_ge(other, 0);
    cpi_bell_arm(&bell);
    cpi_bell_sleep(&bell, other, -1);
    ck_assert(is_readable(other));
    cpi_bell_ring(&bell);
    ck_assert(is_readable(bell.fd));
    cpi_bell_sleep(&bell, other, -1);
    ck_assert(!is_readable(bell.fd));
    cpi_bell_disarm(&bell);
    close(other);
}
END_TEST

/* ---- two threads ---- */

enum { ROUNDS = UNDER_TSAN ? 20000 : 100000 };

/* The number of the last ball played to this side. Relaxed: that it arrives at all is the bell's doing. */
struct side {
    struct cpi_bell bell;
    _Atomic int ball;
};

struct table {
    struct side left;
    struct side right;
};

static void play(struct side *to, int ball)
{
    atomic_store_explicit(&to->ball, ball, memory_order_relaxed);
    cpi_bell_ring(&to->bell);
}

static void await(struct side *side, int ball)
{
    while (atomic_load_explicit(&side->ball, memory_order_relaxed) < ball) {
        cpi_bell_arm(&side->bell);
        if (atomic_load_explicit(&side->ball, memory_order_relaxed) < ball) {
            cpi_bell_sleep(&side->bell, -1, -1);
        }
        cpi_bell_disarm(&side->bell);
    }
}

static void *return_balls(void *context)
{
    struct table *table = context;
    for (int ball = 1; ball <= ROUNDS; ball++) {
        await(&table->right, ball);
        play(&table->left, ball);
    }
    return NULL;
}

START_TEST(no_wake_up_is_lost_between_two)
{
    struct table table = {0};
    ck_assert_int_eq(cpi_bell_init(&table.left.bell, NULL), CP_OK);
    ck_assert_int_eq(cpi_bell_init(&table.right.bell, NULL), CP_OK);
    pthread_t partner;
    ck_assert_int_eq(pthread_create(&partner, NULL, return_balls, &table), 0);
    for (int ball = 1; ball <= ROUNDS; ball++) {
        play(&table.right, ball);
        await(&table.left, ball);
    }
    pthread_join(partner, NULL);
    cpi_bell_fini(&table.left.bell);
    cpi_bell_fini(&table.right.bell);
}
END_TEST

/* ---- at the same instant ---- */

/* Two threads that go through each round side by side. */
struct duel {
    _Atomic int arrived[2];
    int last; /* round; written by the owner, between meetings */
    /* The number of the last round that left some. Alone on its cache line, so that a store to it takes its time. */
    alignas(64) _Atomic int work;
};

/* On a machine with other work to do the two hardly ever run at once, and every meeting takes long. */
enum { RINGER, OWNER, DUEL_ROUNDS = 1000000, DUEL_MS = 3000 };

static void meet(struct duel *duel, int me, int at)
{
    atomic_store_explicit(&duel->arrived[me], at, memory_order_release);
    for (int looks = 0; atomic_load_explicit(&duel->arrived[1 - me], memory_order_acquire) < at; looks++) {
        if (looks > 1000) {
            sched_yield();
        }
    }
}

/* Looking at the flag meanwhile: who has it in its cache looks again before its own store is through, if it may. */
static void dawdle(uint64_t *random)
{
    for (uint32_t left = draw_below(random, 16); left > 0; left--) {
        atomic_load_explicit(&bell.sleeping, memory_order_relaxed);
    }
}

static void *ring_each_round(void *context)
{
    struct duel *duel = context;
    uint64_t random = RINGER;
    for (int round = 1; round <= duel->last; round++) {
        meet(duel, RINGER, 2 * round);
        dawdle(&random);
        atomic_store_explicit(&duel->work, round, memory_order_relaxed);
        cpi_bell_ring(&bell);
        meet(duel, RINGER, 2 * round + 1);
    }
    return NULL;
}

/* What sleeping rests on: either the owner sees the work when it looks, or it finds the bell rung. */
START_TEST(one_of_two_sees_the_other)
{
    struct duel duel = {.last = DUEL_ROUNDS};
    int64_t end_ms = cpi_now_ms() + DUEL_MS;
    uint64_t random = OWNER;
    int missed = 0;
    pthread_t ringer;
    ck_assert_int_eq(pthread_create(&ringer, NULL, ring_each_round, &duel), 0);
    for (int round = 1; round <= duel.last; round++) {
        meet(&duel, OWNER, 2 * round);
        dawdle(&random);
        cpi_bell_arm(&bell);
        bool seen = atomic_load_explicit(&duel.work, memory_order_relaxed) == round;
        duel.last = cpi_now_ms() < end_ms ? duel.last : round;
        meet(&duel, OWNER, 2 * round + 1);
        eventfd_t rings;
        bool rung = eventfd_read(bell.fd, &rings) == 0;
        missed += !seen && !rung;
        cpi_bell_disarm(&bell);
    }
    pthread_join(ringer, NULL);
    ck_assert_int_eq(missed, 0);
}
END_TEST

/* Several ring at the same time, as listener, resync and caller do. */
enum { RINGERS = 3 };

struct ringer {
    struct cpi_bell *bell;
    _Atomic int *work;
    int left;
};

static void *ring_often(void *context)
{
    struct ringer *ringer = context;
    for (; ringer->left > 0; ringer->left--) {
        atomic_fetch_add_explicit(ringer->work, 1, memory_order_relaxed);
        cpi_bell_ring(ringer->bell);
    }
    return NULL;
}

START_TEST(no_wake_up_is_lost_among_several)
{
    _Atomic int work = 0;
    struct ringer ringers[RINGERS];
    pthread_t threads[RINGERS];
    for (int i = 0; i < RINGERS; i++) {
        ringers[i] = (struct ringer){.bell = &bell, .work = &work, .left = ROUNDS};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ring_often, &ringers[i]), 0);
    }
    /* Whatever is there is taken; so the last ring of all, if it were lost, would be slept through. */
    for (int taken = 0; taken < RINGERS * ROUNDS;) {
        cpi_bell_arm(&bell);
        if (atomic_load_explicit(&work, memory_order_relaxed) == 0) {
            cpi_bell_sleep(&bell, -1, -1);
        }
        cpi_bell_disarm(&bell);
        taken += atomic_exchange_explicit(&work, 0, memory_order_relaxed);
    }
    for (int i = 0; i < RINGERS; i++) {
        pthread_join(threads[i], NULL);
    }
}
END_TEST

Suite *bell_suite(void)
{
    Suite *suite = suite_create("bell");
    TCase *tcase = tcase_create("bell");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, ringing_an_awake_owner_writes_nothing);
    tcase_add_test(tcase, ringing_a_sleeper_writes_once);
    tcase_add_test(tcase, a_ring_after_arm_ends_the_sleep);
    tcase_add_test(tcase, a_ring_before_arm_is_not_remembered);
    tcase_add_test(tcase, sleep_heeds_another_descriptor);
    suite_add_tcase(suite, tcase);

    TCase *threads = tcase_create("threads");
    tcase_add_checked_fixture(threads, create, destroy);
    tcase_set_timeout(threads, 120);
    tcase_add_test(threads, no_wake_up_is_lost_between_two);
    tcase_add_test(threads, one_of_two_sees_the_other);
    tcase_add_test(threads, no_wake_up_is_lost_among_several);
    suite_add_tcase(suite, threads);
    return suite;
}
