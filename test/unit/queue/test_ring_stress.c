/*
 * The ring between two threads: every event arrives once, whole and in order, and with bells nobody sleeps through one.
 * A lost wake-up shows as a test that does not end.
 */
#include "suites.h"

#include "base/bell.h"
#include "base/clock.h"
#include "queue/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    MAX_BATCH = 512,
    COURSE_MS = 8000, /* for as many of its events as a busy machine manages, but at least: */
    LEAST = 2000
};

struct course {
    uint32_t capacity;
    uint32_t put_max; /* events to a batch, at random */
    uint32_t take_max;
    int64_t events; /* at most */
    bool sleep;     /* with bells on both sides; otherwise they yield and look again */
};

static const struct course courses[] = {
    {2, 1, 1, 100000, false},
    {2, 3, 3, 100000, false},
    {4, 1, 6, 100000, false},
    {4, 6, 1, 100000, false},
    {64, 100, 100, 2000000, false},
    {8192, 256, 256, 4000000, false},
    {8192, 1, MAX_BATCH, 2000000, false},
    {2, 1, 1, 50000, true},
    {2, 3, 3, 50000, true},
    {4, 6, 6, 100000, true},
    {4, 1, 6, 100000, true},
    {64, 100, 100, 1000000, true},
    {8192, 256, 256, 2000000, true},
};

struct race {
    struct course course;
    struct cpi_ring *ring;
    struct cpi_bell consumer_bell;
    struct cpi_bell producer_bell;
    atomic_bool done;   /* the producer has put its last */
    bool count_too_big; /* seen by the producer; read after join, as is: */
    int64_t produced;
};

static struct cpi_event numbered(int64_t number)
{
    return (struct cpi_event){.id.number = number, .entity = (uint16_t)((uint32_t)number * 2654435761u >> 16)};
}

static int64_t events_of(const struct course *course)
{
    return UNDER_TSAN ? course->events / 10 : course->events;
}

/* ---- the producer ---- */

static void await_room(struct race *race)
{
    if (!race->course.sleep) {
        sched_yield();
        return;
    }
    cpi_bell_arm(&race->producer_bell);
    if (cpi_ring_count(race->ring) == race->course.capacity) {
        cpi_bell_sleep(&race->producer_bell, -1, -1);
    }
    cpi_bell_disarm(&race->producer_bell);
}

static void *produce(void *context)
{
    struct race *race = context;
    struct cpi_event batch[MAX_BATCH];
    uint64_t random = 1;
    int64_t next = 0;
    int64_t until_ms = cpi_now_ms() + COURSE_MS;
    while (next < events_of(&race->course) && (next < LEAST || cpi_now_ms() < until_ms)) {
        int64_t left = events_of(&race->course) - next;
        uint32_t n = 1 + draw_below(&random, race->course.put_max);
        n = n < left ? n : (uint32_t)left;
        for (uint32_t i = 0; i < n; i++) {
            batch[i] = numbered(next + i);
        }
        uint32_t put = cpi_ring_enqueue(race->ring, batch, n);
        next += put;
        race->count_too_big |= cpi_ring_count(race->ring) > race->course.capacity;
        if (put > 0) {
            cpi_bell_ring(&race->consumer_bell);
        }
        if (put < n) {
            await_room(race);
        }
    }
    race->produced = next;
    atomic_store_explicit(&race->done, true, memory_order_release);
    cpi_bell_ring(&race->consumer_bell);
    return NULL;
}

/* ---- the consumer ---- */

/* False: the producer has said that it is done, and the ring, looked at after that, is empty. */
static bool await_events(struct race *race)
{
    if (!race->course.sleep) {
        sched_yield();
        return !atomic_load_explicit(&race->done, memory_order_acquire) || cpi_ring_count(race->ring) > 0;
    }
    cpi_bell_arm(&race->consumer_bell);
    bool done = atomic_load_explicit(&race->done, memory_order_acquire);
    bool empty = cpi_ring_count(race->ring) == 0;
    if (empty && !done) {
        cpi_bell_sleep(&race->consumer_bell, -1, -1);
    }
    cpi_bell_disarm(&race->consumer_bell);
    return !(done && empty);
}

static int64_t consume(struct race *race)
{
    struct cpi_event batch[MAX_BATCH];
    uint64_t random = 2;
    int64_t next = 0;
    for (bool more = true; more;) {
        uint32_t n = 1 + draw_below(&random, race->course.take_max);
        uint32_t taken = cpi_ring_dequeue(race->ring, batch, n);
        for (uint32_t i = 0; i < taken; i++, next++) {
            struct cpi_event want = numbered(next);
            if (batch[i].id.number != want.id.number || batch[i].entity != want.entity) {
                ck_abort_msg("event %lld is %lld", (long long)next, (long long)batch[i].id.number);
            }
        }
        if (cpi_ring_count(race->ring) > race->course.capacity) {
            ck_abort_msg("more in the ring than it holds");
        }
        if (taken > 0) {
            cpi_bell_ring(&race->producer_bell);
        } else {
            more = await_events(race);
        }
    }
    return next;
}

START_TEST(every_event_arrives_once_and_in_order)
{
    struct race race = {.course = courses[_i], .ring = cpi_ring_create(courses[_i].capacity)};
    ck_assert_ptr_nonnull(race.ring);
    ck_assert_int_eq(cpi_bell_init(&race.consumer_bell, NULL), CP_OK);
    ck_assert_int_eq(cpi_bell_init(&race.producer_bell, NULL), CP_OK);
    atomic_init(&race.done, false);

    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &race), 0);
    int64_t arrived = consume(&race);
    pthread_join(producer, NULL);
    ck_assert_int_eq(arrived, race.produced);
    ck_assert_int_ge(arrived, LEAST);
    ck_assert(!race.count_too_big);

    cpi_bell_fini(&race.consumer_bell);
    cpi_bell_fini(&race.producer_bell);
    cpi_ring_destroy(race.ring);
}
END_TEST

Suite *ring_stress_suite(void)
{
    Suite *suite = suite_create("ring_stress");
    TCase *tcase = tcase_create("ring_stress");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_event_arrives_once_and_in_order, 0, (int)(sizeof courses / sizeof *courses));
    suite_add_tcase(suite, tcase);
    return suite;
}
