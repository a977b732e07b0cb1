#include "suites.h"

#include "queue/ring.h"

#include <stdlib.h>

enum { MAX_CAPACITY = 1024, MAX_BATCH = 2 * MAX_CAPACITY };

/* A ring beside what is known of it: events are numbered, so that two counters tell all that it should hold. */
struct pair {
    struct cpi_ring *ring;
    uint32_t capacity;
    uint64_t put;
    uint64_t taken;
};

static struct cpi_event batch[MAX_BATCH + 1];

static struct pair create(uint32_t capacity)
{
    struct pair pair = {.ring = cpi_ring_create(capacity), .capacity = capacity};
    ck_assert_ptr_nonnull(pair.ring);
    return pair;
}

static struct cpi_event numbered(uint64_t number)
{
    return (struct cpi_event){.id.number = (int64_t)number, .entity = (uint16_t)(number * 7)};
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t fill(const struct pair *pair)
{
    return (uint32_t)(pair->put - pair->taken);
}

/* ck_assert() costs a system call each: too dear for every event. */
static void expect(bool holds, const struct pair *pair, const char *what)
{
    if (!holds) {
        ck_abort_msg("%s, with %llu put and %llu taken", what, (unsigned long long)pair->put,
                     (unsigned long long)pair->taken);
    }
}

/* Offers n events; as many as there is room for have to be taken. */
static void put(struct pair *pair, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        batch[i] = numbered(pair->put + i);
    }
    uint32_t fits = least(n, pair->capacity - fill(pair));
    expect(cpi_ring_enqueue(pair->ring, batch, n) == fits, pair, "the wrong number fitted");
    pair->put += fits;
    expect(cpi_ring_count(pair->ring) == fill(pair), pair, "the wrong fill");
}

/* Asks for n events; as many as there are have to come, in order, and no more may be written. */
static void take(struct pair *pair, uint32_t n)
{
    for (uint32_t i = 0; i <= n; i++) {
        batch[i].id.number = -1;
    }
    uint32_t there = least(n, fill(pair));
    expect(cpi_ring_dequeue(pair->ring, batch, n) == there, pair, "the wrong number came");
    for (uint32_t i = 0; i < there; i++) {
        struct cpi_event want = numbered(pair->taken + i);
        expect(batch[i].id.number == want.id.number && batch[i].entity == want.entity, pair, "the wrong event");
    }
    for (uint32_t i = there; i <= n; i++) {
        expect(batch[i].id.number == -1, pair, "more was written than came");
    }
    pair->taken += there;
    expect(cpi_ring_count(pair->ring) == fill(pair), pair, "the wrong fill");
}

static const uint32_t capacities[] = {1, 2, 4, 8, 64, MAX_CAPACITY};

START_TEST(starts_empty)
{
    struct pair pair = create(capacities[_i]);
    take(&pair, 1);
    take(&pair, pair.capacity);
    put(&pair, 0);
    take(&pair, 0);
    cpi_ring_destroy(pair.ring);
}
END_TEST

START_TEST(takes_up_to_its_capacity)
{
    struct pair pair = create(capacities[_i]);
    for (uint32_t i = 0; i < pair.capacity + 3; i++) {
        put(&pair, 1); /* the last three are refused */
    }
    take(&pair, 1);
    put(&pair, 1);
    put(&pair, 1);
    take(&pair, pair.capacity);
    take(&pair, 1);
    cpi_ring_destroy(pair.ring);
}
END_TEST

/* Every size of a batch at every place in the ring, the larger ones taken in part. */
START_TEST(batches_of_every_size_wrap_around)
{
    uint32_t capacity = capacities[_i] < 64 ? capacities[_i] : 64;
    struct pair pair = create(capacity);
    for (uint32_t at = 0; at < capacity; at++) {
        for (uint32_t n = 0; n <= capacity + 2; n++) {
            put(&pair, n);
            take(&pair, n / 2);
            put(&pair, n);
            take(&pair, capacity + 2);
            while (pair.put % capacity != at) {
                put(&pair, 1);
                take(&pair, 1);
            }
        }
    }
    cpi_ring_destroy(pair.ring);
}
END_TEST

/* Far beyond 2^16 events through each, at random fills. */
START_TEST(keeps_order_for_ever)
{
    struct pair pair = create(capacities[_i]);
    uint64_t random = (uint64_t)_i;
    while (pair.taken < 300000) {
        put(&pair, draw_below(&random, 2 * pair.capacity + 1));
        take(&pair, draw_below(&random, 2 * pair.capacity + 1));
    }
    take(&pair, pair.capacity);
    cpi_ring_destroy(pair.ring);
}
END_TEST

/* The counters wrap after 2^32 events. They cannot be set, but a ring that stays in the processor's cache gets there
 * within seconds. */
START_TEST(counters_wrap)
{
    struct pair pair = create(MAX_CAPACITY);
    uint64_t wrap = UINT64_C(1) << 32;
    while (pair.put < wrap - MAX_CAPACITY) {
        expect(cpi_ring_enqueue(pair.ring, batch, MAX_CAPACITY) == MAX_CAPACITY, &pair, "an empty ring is full");
        expect(cpi_ring_dequeue(pair.ring, batch, MAX_CAPACITY) == MAX_CAPACITY, &pair, "a full ring is empty");
        pair.put += MAX_CAPACITY;
        pair.taken += MAX_CAPACITY;
    }
    put(&pair, MAX_CAPACITY - 1); /* one before the wrap */
    put(&pair, 3);                /* full, but for the one that was free */
    take(&pair, 5);
    put(&pair, 5); /* tail is past the wrap, head is before it */
    ck_assert_uint_gt(pair.put, wrap);
    ck_assert_uint_lt(pair.taken, wrap);
    put(&pair, 1);
    take(&pair, MAX_CAPACITY);
    take(&pair, 1);
    uint64_t random = 1;
    while (pair.taken < wrap + 100000) {
        put(&pair, draw_below(&random, MAX_BATCH));
        take(&pair, draw_below(&random, MAX_BATCH));
    }
    cpi_ring_destroy(pair.ring);
}
END_TEST

START_TEST(nothing_may_be_destroyed)
{
    cpi_ring_destroy(NULL);
}
END_TEST

Suite *ring_suite(void)
{
    int count = (int)(sizeof capacities / sizeof *capacities);
    Suite *suite = suite_create("ring");
    TCase *tcase = tcase_create("ring");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, starts_empty, 0, count);
    tcase_add_loop_test(tcase, takes_up_to_its_capacity, 0, count);
    tcase_add_loop_test(tcase, batches_of_every_size_wrap_around, 0, count);
    tcase_add_loop_test(tcase, keeps_order_for_ever, 0, count);
    if (!UNDER_TSAN) { /* which would take minutes, and has one thread to look at */
        tcase_add_test(tcase, counters_wrap);
    }
    tcase_add_test(tcase, nothing_may_be_destroyed);
    suite_add_tcase(suite, tcase);
    return suite;
}
