#include "suites.h"

#include "queue/idset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cpi_entity entities[] = {
    {.id_type = CPI_ID_INTEGER},
    {.id_type = CPI_ID_BIGINT},
    {.id_type = CPI_ID_UUID},
    {.id_type = CPI_ID_TEXT},
};

enum { ENTITIES = 4, TEXTS = 3, BARRIERS = CPI_IDSET_BARRIERS };

static struct cpi_idset *set;

static void create(void)
{
    set = cpi_idset_create(entities);
    ck_assert_ptr_nonnull(set);
}

static void destroy(void)
{
    cpi_idset_destroy(set);
}

/* The event of (entity, number), with a text of its own where the type has one. */
static struct cpi_event make_event(uint32_t entity, uint32_t number)
{
    struct cpi_event event = {.id.number = (int64_t)number - 50, .entity = (uint16_t)entity};
    char text[48];
    if (entities[entity].id_type == CPI_ID_UUID) {
        snprintf(text, sizeof text, "%08x-9c0b-4ef8-bb6d-6bb9bd380a11", number);
        event.id.text = strdup(text);
    } else if (entities[entity].id_type == CPI_ID_TEXT) {
        snprintf(text, sizeof text, "text %u", number);
        event.id.text = strdup(text);
    }
    return event;
}

static enum cpi_added add(uint32_t entity, uint32_t number, enum cpi_queue queue)
{
    struct cpi_event event = make_event(entity, number);
    return cpi_idset_add(set, &event, queue);
}

static uint32_t find(uint32_t entity, uint32_t number)
{
    struct cpi_event event = make_event(entity, number);
    uint32_t handle = cpi_idset_find(set, entity, &event.id);
    cpi_id_fini(entities[entity].id_type, &event.id);
    return handle;
}

/* ck_assert() costs a system call each: too dear for what is looked at a million times. */
#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            ck_abort_msg("%s does not hold", #condition);                                                              \
        }                                                                                                              \
    } while (0)

/* The queue's ids, all of entity 0, as "1 2 3". */
static void assert_queue(enum cpi_queue queue, const char *want)
{
    uint32_t handles[16];
    char text[128] = "";
    size_t length = 0;
    uint32_t count = cpi_idset_peek(set, queue, handles, 16);
    for (uint32_t i = 0; i < count; i++) {
        struct cpi_event event = cpi_idset_get(set, handles[i]);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%lld", i > 0 ? " " : "",
                                   (long long)event.id.number + 50);
    }
    ck_assert_str_eq(text, want);
    ck_assert_uint_eq(cpi_idset_count(set, queue), count);
}

static void assert_queues(const char *live, const char *bulk, const char *parked)
{
    assert_queue(CPI_LIVE, live);
    assert_queue(CPI_BULK, bulk);
    assert_queue(CPI_PARKED, parked);
}

/* ---- coalescing ---- */

START_TEST(an_id_that_comes_again_keeps_its_place)
{
    ck_assert_int_eq(add(0, 1, CPI_LIVE), CPI_ADDED);
    ck_assert_int_eq(add(0, 2, CPI_LIVE), CPI_ADDED);
    ck_assert_int_eq(add(0, 3, CPI_BULK), CPI_ADDED);
    ck_assert_int_eq(add(0, 4, CPI_BULK), CPI_ADDED);
    ck_assert_int_eq(add(0, 1, CPI_LIVE), CPI_COALESCED);
    ck_assert_int_eq(add(0, 1, CPI_BULK), CPI_COALESCED);
    ck_assert_int_eq(add(0, 3, CPI_BULK), CPI_COALESCED);
    assert_queues("1 2", "3 4", "");
}
END_TEST

START_TEST(a_live_event_lifts_out_of_bulk)
{
    add(0, 1, CPI_LIVE);
    add(0, 2, CPI_BULK);
    add(0, 3, CPI_BULK);
    uint32_t handle = find(0, 2);
    ck_assert_int_eq(add(0, 2, CPI_LIVE), CPI_COALESCED);
    assert_queues("1 2", "3", "");
    ck_assert_uint_eq(find(0, 2), handle);
    ck_assert_int_eq(cpi_idset_queue(set, handle), CPI_LIVE);
}
END_TEST

/* What a resync has listed is not dropped with a crowd. */
START_TEST(a_listing_lifts_out_of_a_crowd)
{
    add(0, 1, CPI_CROWD);
    add(0, 2, CPI_CROWD);
    add(0, 3, CPI_BULK);
    ck_assert_int_eq(add(0, 1, CPI_BULK), CPI_COALESCED);
    assert_queue(CPI_CROWD, "2");
    assert_queues("", "3 1", "");
    ck_assert_int_eq(add(0, 1, CPI_CROWD), CPI_COALESCED);
    assert_queues("", "3 1", "");
}
END_TEST

START_TEST(a_live_event_lifts_out_of_parked)
{
    for (uint32_t i = 1; i <= 4; i++) {
        add(0, i, CPI_LIVE);
        cpi_idset_move(set, find(0, i), CPI_PARKED);
    }
    assert_queues("", "", "1 2 3 4");
    ck_assert_int_eq(add(0, 2, CPI_BULK), CPI_COALESCED);
    assert_queues("", "", "1 2 3 4");
    cpi_idset_hold_parked(set, true);
    ck_assert_int_eq(add(0, 3, CPI_LIVE), CPI_RECALLED);
    ck_assert_int_eq(add(0, 3, CPI_CROWD), CPI_RECALLED);
    assert_queues("", "", "1 2 3 4");
    cpi_idset_hold_parked(set, false);
    ck_assert_int_eq(add(0, 3, CPI_LIVE), CPI_COALESCED);
    assert_queues("3", "", "1 2 4");
    ck_assert_int_eq(add(0, 1, CPI_CROWD), CPI_COALESCED);
    assert_queue(CPI_CROWD, "1");
    assert_queues("3", "", "2 4");
}
END_TEST

START_TEST(one_that_is_held_stays_parked_until_it_is_moved)
{
    for (uint32_t i = 1; i <= 2; i++) {
        add(0, i, CPI_LIVE);
        cpi_idset_move(set, find(0, i), CPI_PARKED);
    }
    cpi_idset_hold(set, find(0, 1));
    ck_assert_int_eq(add(0, 1, CPI_LIVE), CPI_RECALLED);
    ck_assert_int_eq(add(0, 2, CPI_LIVE), CPI_COALESCED);
    assert_queues("2", "", "1");
    ck_assert(cpi_idset_is_held(set, find(0, 1)));
    cpi_idset_move(set, find(0, 1), CPI_PARKED);
    ck_assert(!cpi_idset_is_held(set, find(0, 1)));
    ck_assert_int_eq(add(0, 1, CPI_LIVE), CPI_COALESCED);
    assert_queues("2 1", "", "");
}
END_TEST

/* The ids of entity 0 that are failing, as "1 2"; "no": not all of them. */
static const char *failing(uint32_t most)
{
    static char text[64];
    struct cpi_events events = {0};
    bool is_all = cpi_idset_copy_failing(set, most, &events);
    int length = snprintf(text, sizeof text, "%s", is_all ? "" : "no");
    for (size_t i = 0; i < events.count && is_all; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%lld", i > 0 ? " " : "",
                           (long long)events.items[i].id.number + 50);
    }
    cpi_events_fini(&events, entities);
    return text;
}

START_TEST(what_has_failed_is_told_wherever_it_is_until_it_is_gone)
{
    for (uint32_t i = 1; i <= 4; i++) {
        add(0, i, CPI_BULK);
    }
    ck_assert_str_eq(failing(0), "");
    cpi_idset_move(set, find(0, 2), CPI_PARKED);
    cpi_idset_move(set, find(0, 3), CPI_PARKED);
    cpi_idset_move(set, find(0, 4), CPI_PARKED);
    cpi_idset_move(set, find(0, 3), CPI_LIVE); /* with others, to be tried */
    add(0, 4, CPI_LIVE);
    cpi_idset_move(set, find(0, 4), CPI_PARKED);
    ck_assert_str_eq(failing(3), "2 3 4");
    ck_assert_str_eq(failing(2), "no");
    cpi_idset_remove(set, find(0, 2));
    ck_assert_str_eq(failing(2), "3 4");
    add(0, 2, CPI_LIVE); /* another one in its place */
    ck_assert_str_eq(failing(2), "3 4");
}
END_TEST

START_TEST(a_failing_id_is_told_with_a_text_of_its_own)
{
    struct cpi_events events = {0};
    add(TEXTS, 7, CPI_LIVE);
    ck_assert_int_eq(entities[TEXTS].id_type, CPI_ID_TEXT);
    cpi_idset_move(set, find(TEXTS, 7), CPI_PARKED);
    ck_assert(cpi_idset_copy_failing(set, 1, &events));
    cpi_idset_remove(set, find(TEXTS, 7));
    ck_assert_uint_eq(events.count, 1);
    ck_assert_uint_eq(events.items[0].entity, TEXTS);
    ck_assert_str_eq(events.items[0].id.text, "text 7");
    cpi_events_fini(&events, entities);
}
END_TEST

START_TEST(a_move_goes_to_the_end)
{
    for (uint32_t i = 1; i <= 3; i++) {
        add(0, i, CPI_LIVE);
    }
    cpi_idset_move(set, find(0, 1), CPI_LIVE);
    assert_queues("2 3 1", "", "");
    cpi_idset_move(set, find(0, 3), CPI_PARKED);
    cpi_idset_move(set, find(0, 2), CPI_PARKED);
    assert_queues("1", "", "3 2");
    cpi_idset_move(set, find(0, 3), CPI_PARKED);
    assert_queues("1", "", "2 3");
    cpi_idset_move(set, find(0, 2), CPI_BULK);
    assert_queues("1", "2", "3");
}
END_TEST

START_TEST(entities_do_not_share_ids)
{
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        ck_assert_int_eq(add(entity, 7, CPI_LIVE), CPI_ADDED);
    }
    ck_assert_uint_eq(cpi_idset_total(set), ENTITIES);
    for (uint32_t entity = 0; entity < ENTITIES; entity++) {
        ck_assert_uint_eq(cpi_idset_get(set, find(entity, 7)).entity, entity);
        ck_assert_uint_eq(find(entity, 8), 0);
    }
}
END_TEST

START_TEST(the_first_and_the_last_entity_come_out_as_they_went_in)
{
    static const struct cpi_entity most[CPI_ENTITIES_MAX]; /* of integer ids */
    const uint32_t last = CPI_ENTITIES_MAX - 1;
    struct cpi_idset *wide = cpi_idset_create(most);
    ck_assert_ptr_nonnull(wide);
    const struct cpi_event events[] = {{.id.number = 17, .entity = 0}, {.id.number = 17, .entity = last}};
    ck_assert_int_eq(cpi_idset_add(wide, &events[0], CPI_LIVE), CPI_ADDED);
    ck_assert_int_eq(cpi_idset_add(wide, &events[1], CPI_LIVE), CPI_ADDED);
    ck_assert_int_eq(cpi_idset_add(wide, &events[1], CPI_LIVE), CPI_COALESCED);

    uint32_t handles[2];
    ck_assert_uint_eq(cpi_idset_peek(wide, CPI_LIVE, handles, 2), 2);
    ck_assert_uint_eq(cpi_idset_get(wide, handles[0]).entity, 0);
    ck_assert_uint_eq(cpi_idset_get(wide, handles[1]).entity, last);
    ck_assert_uint_eq(cpi_idset_find(wide, last, &events[1].id), handles[1]);
    cpi_idset_destroy(wide);
}
END_TEST

START_TEST(take_hands_over_and_remove_frees)
{
    add(TEXTS, 1, CPI_LIVE);
    add(TEXTS, 2, CPI_LIVE);
    struct cpi_event taken = cpi_idset_take(set, find(TEXTS, 1));
    ck_assert_str_eq(taken.id.text, "text 1");
    ck_assert_uint_eq(taken.entity, TEXTS);
    cpi_id_fini(CPI_ID_TEXT, &taken.id);
    cpi_idset_remove(set, find(TEXTS, 2));
    ck_assert_uint_eq(cpi_idset_total(set), 0);
    ck_assert_uint_eq(find(TEXTS, 1), 0);
    ck_assert_uint_eq(find(TEXTS, 2), 0);
}
END_TEST

/* ---- fences ---- */

static void assert_left(uint32_t first, uint32_t second)
{
    ck_assert_uint_eq(cpi_idset_barrier_left(set, 0), first);
    ck_assert_uint_eq(cpi_idset_barrier_left(set, 1), second);
}

START_TEST(a_fence_waits_for_live_and_bulk_of_its_moment)
{
    assert_left(0, 0);
    add(0, 1, CPI_LIVE);
    add(0, 2, CPI_LIVE);
    add(0, 3, CPI_BULK);
    add(0, 4, CPI_BULK);
    cpi_idset_move(set, find(0, 4), CPI_PARKED);
    cpi_idset_set_barrier(set, 0);
    assert_left(3, 0);
    add(0, 5, CPI_LIVE); /* later: of no interest */
    cpi_idset_set_barrier(set, 1);
    assert_left(3, 4);

    cpi_idset_remove(set, find(0, 1));
    assert_left(2, 3);
    cpi_idset_remove(set, find(0, 5));
    assert_left(2, 2);
    add(0, 3, CPI_LIVE); /* lifted, and waited for all the same */
    assert_left(2, 2);
    cpi_idset_move(set, find(0, 2), CPI_BULK);
    assert_left(2, 2);
    cpi_idset_move(set, find(0, 2), CPI_PARKED);
    assert_left(1, 1);
    cpi_idset_move(set, find(0, 2), CPI_LIVE); /* comes back as one of later */
    assert_left(1, 1);
    cpi_idset_remove(set, find(0, 2));
    cpi_idset_remove(set, find(0, 4));
    assert_left(1, 1);
    struct cpi_event taken = cpi_idset_take(set, find(0, 3));
    ck_assert_uint_eq(taken.entity, 0);
    assert_left(0, 0);
}
END_TEST

START_TEST(a_fence_set_again_starts_anew)
{
    add(0, 1, CPI_LIVE);
    cpi_idset_set_barrier(set, 1);
    add(0, 2, CPI_BULK);
    cpi_idset_set_barrier(set, 1);
    assert_left(0, 2);
    cpi_idset_remove(set, find(0, 1));
    assert_left(0, 1);
    cpi_idset_remove(set, find(0, 2));
    cpi_idset_set_barrier(set, 1);
    assert_left(0, 0);
}
END_TEST

/* ---- many ---- */

enum { MANY = 200000 };

static uint32_t handles[MANY];

static enum cpi_queue queue_of_many(uint32_t number)
{
    return number % 7 == 0 ? CPI_PARKED : (number % 3 == 0 ? CPI_LIVE : CPI_BULK);
}

static void add_many(void)
{
    for (uint32_t i = 0; i < MANY; i++) {
        enum cpi_queue queue = queue_of_many(i);
        EXPECT(add(i % ENTITIES, i, queue == CPI_PARKED ? CPI_LIVE : queue) == CPI_ADDED);
        if (queue == CPI_PARKED) {
            cpi_idset_move(set, find(i % ENTITIES, i), CPI_PARKED);
        }
    }
}

/* In the order of adding, each found by its id. */
static void check_order(enum cpi_queue queue)
{
    uint32_t count = cpi_idset_peek(set, queue, handles, MANY);
    uint32_t i = 0;
    for (uint32_t number = 0; number < MANY; number++) {
        if (queue_of_many(number) == queue) {
            EXPECT(i < count);
            EXPECT(find(number % ENTITIES, number) == handles[i++]);
        }
    }
    EXPECT(i == count);
}

START_TEST(grows_to_many_and_gives_back)
{
    add_many();
    cpi_idset_set_barrier(set, 0);
    EXPECT(cpi_idset_total(set) == MANY);
    EXPECT(cpi_idset_barrier_left(set, 0) == MANY - cpi_idset_count(set, CPI_PARKED));
    for (int queue = 0; queue < CPI_QUEUES; queue++) {
        check_order((enum cpi_queue)queue);
    }

    /* Every second one goes, then the rest, in a scattered order: 7919 is prime to MANY. */
    for (uint32_t parity = 0; parity < 2; parity++) {
        for (uint64_t i = 0; i < MANY; i++) {
            uint32_t number = (uint32_t)(i * 7919 % MANY);
            uint32_t handle = find(number % ENTITIES, number);
            EXPECT((handle != 0) == (number % 2 >= parity));
            if (number % 2 == parity) {
                cpi_idset_remove(set, handle);
            }
        }
        cpi_idset_compact(set);
        EXPECT(cpi_idset_total(set) == (parity == 0 ? MANY / 2 : 0));
    }
    EXPECT(cpi_idset_barrier_left(set, 0) == 0);

    add(0, 1, CPI_LIVE);
    EXPECT(find(0, 1) == 1); /* memory of the first size: handles start over */
    for (uint32_t i = 2; i < 5000; i++) {
        EXPECT(add(0, i, CPI_LIVE) == CPI_ADDED);
    }
    EXPECT(cpi_idset_count(set, CPI_LIVE) == 4999);
}
END_TEST

START_TEST(destroys_what_is_left)
{
    add_many();
    cpi_idset_destroy(NULL);
}
END_TEST

/* ---- against a model ---- */

enum { NUMBERS = 60, KEYS = ENTITIES * NUMBERS, OPERATIONS = UNDER_TSAN ? 40000 : 200000, ABSENT = -1 };

/* What is known of one id. */
struct known {
    int queue;    /* or ABSENT */
    int64_t rank; /* orders a queue */
    bool fenced[BARRIERS];
};

struct model {
    struct known keys[KEYS];
    int64_t last_rank; /* counts up */
    uint64_t random;
};

static uint32_t entity_of(int key)
{
    return (uint32_t)key / NUMBERS;
}

static uint32_t number_of(int key)
{
    return (uint32_t)key % NUMBERS;
}

static void model_add(struct model *model, int key, enum cpi_queue queue)
{
    struct known *known = &model->keys[key];
    enum cpi_added want = CPI_COALESCED;
    if (known->queue == ABSENT) {
        *known = (struct known){.queue = (int)queue, .rank = ++model->last_rank};
        want = CPI_ADDED;
    } else if ((queue == CPI_LIVE && known->queue != CPI_LIVE) || (queue == CPI_CROWD && known->queue == CPI_PARKED) ||
               (queue == CPI_BULK && known->queue == CPI_CROWD)) {
        known->queue = (int)queue;
        known->rank = ++model->last_rank;
    }
    EXPECT(add(entity_of(key), number_of(key), queue) == want);
}

static void model_remove(struct model *model, int key, uint32_t handle)
{
    if (draw_below(&model->random, 2) == 0) {
        cpi_idset_remove(set, handle);
    } else {
        struct cpi_event want = make_event(entity_of(key), number_of(key));
        struct cpi_event taken = cpi_idset_take(set, handle);
        EXPECT(taken.entity == want.entity);
        EXPECT(cpi_id_equal(entities[want.entity].id_type, &taken.id, &want.id));
        cpi_id_fini(entities[want.entity].id_type, &taken.id);
        cpi_id_fini(entities[want.entity].id_type, &want.id);
    }
    model->keys[key].queue = ABSENT;
}

static void model_move(struct model *model, int key, uint32_t handle)
{
    struct known *known = &model->keys[key];
    known->queue = (int)draw_below(&model->random, CPI_QUEUES);
    known->rank = ++model->last_rank;
    if (known->queue == CPI_PARKED) {
        memset(known->fenced, 0, sizeof known->fenced);
    }
    cpi_idset_move(set, handle, (enum cpi_queue)known->queue);
}

static void model_fence(struct model *model)
{
    unsigned fence = draw_below(&model->random, BARRIERS);
    for (int key = 0; key < KEYS; key++) {
        struct known *known = &model->keys[key];
        known->fenced[fence] = known->queue != ABSENT && known->queue != CPI_PARKED;
    }
    cpi_idset_set_barrier(set, fence);
}

/* One operation. Phases of growth take turns with phases of decline, so that the set is often nearly empty or full. */
static void step(struct model *model, int operation)
{
    int key = (int)draw_below(&model->random, KEYS);
    uint32_t handle = find(entity_of(key), number_of(key));
    bool present = model->keys[key].queue != ABSENT;
    bool growing = operation / 500 % 2 == 0;
    uint32_t choice = draw_below(&model->random, 100);
    EXPECT((handle != 0) == present);
    if (choice == 0) {
        model_fence(model);
    } else if (choice < (growing ? 60 : 20)) {
        model_add(model, key, (enum cpi_queue)(choice % 3)); /* live, crowd, bulk */
    } else if (present && choice < 75) {
        model_move(model, key, handle);
    } else if (present) {
        model_remove(model, key, handle);
    }
}

/* Makes the set large, so that there is something to give back. */
static void inflate_and_compact(void)
{
    enum { LARGE = 20000 };
    for (uint32_t i = 0; i < LARGE; i++) {
        EXPECT(add(0, 1000000 + i, i % 2 == 0 ? CPI_LIVE : CPI_BULK) == CPI_ADDED);
    }
    for (uint32_t i = 0; i < LARGE; i++) {
        cpi_idset_remove(set, find(0, 1000000 + i));
    }
    uint32_t highest = 0;
    cpi_idset_compact(set);
    for (int queue = 0; queue < CPI_QUEUES; queue++) {
        uint32_t count = cpi_idset_peek(set, (enum cpi_queue)queue, handles, KEYS);
        for (uint32_t i = 0; i < count; i++) {
            highest = handles[i] > highest ? handles[i] : highest;
        }
    }
    EXPECT(highest == cpi_idset_total(set));
}

static const struct model *sorting; /* qsort(3) passes nothing on */

static int by_rank(const void *a, const void *b)
{
    int64_t left = sorting->keys[*(const int *)a].rank;
    int64_t right = sorting->keys[*(const int *)b].rank;
    return (left > right) - (left < right);
}

static void check_queue(const struct model *model, enum cpi_queue queue)
{
    int keys[KEYS];
    uint32_t count = 0;
    for (int key = 0; key < KEYS; key++) {
        if (model->keys[key].queue == (int)queue) {
            keys[count++] = key;
        }
    }
    sorting = model;
    qsort(keys, count, sizeof *keys, by_rank);
    EXPECT(cpi_idset_count(set, queue) == count);
    EXPECT(cpi_idset_peek(set, queue, handles, KEYS) == count);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(find(entity_of(keys[i]), number_of(keys[i])) == handles[i]);
        EXPECT(cpi_idset_queue(set, handles[i]) == queue);
        struct cpi_event event = cpi_idset_get(set, handles[i]);
        EXPECT(event.entity == entity_of(keys[i]) && event.in_crowd == (queue == CPI_CROWD));
    }
    uint32_t some = cpi_idset_peek(set, queue, handles, 3);
    EXPECT(some == (count < 3 ? count : 3));
}

static void check_model(const struct model *model)
{
    uint32_t total = 0;
    uint32_t left[BARRIERS] = {0};
    for (int key = 0; key < KEYS; key++) {
        bool present = model->keys[key].queue != ABSENT;
        EXPECT((find(entity_of(key), number_of(key)) != 0) == present);
        total += present;
        for (int fence = 0; fence < BARRIERS; fence++) {
            left[fence] += present && model->keys[key].fenced[fence];
        }
    }
    EXPECT(cpi_idset_total(set) == total);
    assert_left(left[0], left[1]);
    for (int queue = 0; queue < CPI_QUEUES; queue++) {
        check_queue(model, (enum cpi_queue)queue);
    }
}

START_TEST(does_what_a_simple_model_does)
{
    struct model model = {.random = (uint64_t)_i};
    for (int key = 0; key < KEYS; key++) {
        model.keys[key].queue = ABSENT;
    }
    for (int operation = 0; operation < OPERATIONS; operation++) {
        step(&model, operation);
        if (operation % 2048 == 2047) {
            inflate_and_compact();
        }
        if (operation % 64 == 0) {
            check_model(&model);
        }
    }
    check_model(&model);
}
END_TEST

Suite *idset_suite(void)
{
    Suite *suite = suite_create("idset");
    TCase *tcase = tcase_create("idset");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_id_that_comes_again_keeps_its_place);
    tcase_add_test(tcase, a_live_event_lifts_out_of_bulk);
    tcase_add_test(tcase, a_listing_lifts_out_of_a_crowd);
    tcase_add_test(tcase, a_live_event_lifts_out_of_parked);
    tcase_add_test(tcase, one_that_is_held_stays_parked_until_it_is_moved);
    tcase_add_test(tcase, what_has_failed_is_told_wherever_it_is_until_it_is_gone);
    tcase_add_test(tcase, a_failing_id_is_told_with_a_text_of_its_own);
    tcase_add_test(tcase, a_move_goes_to_the_end);
    tcase_add_test(tcase, entities_do_not_share_ids);
    tcase_add_test(tcase, the_first_and_the_last_entity_come_out_as_they_went_in);
    tcase_add_test(tcase, take_hands_over_and_remove_frees);
    tcase_add_test(tcase, a_fence_waits_for_live_and_bulk_of_its_moment);
    tcase_add_test(tcase, a_fence_set_again_starts_anew);
    tcase_add_test(tcase, grows_to_many_and_gives_back);
    tcase_add_test(tcase, destroys_what_is_left);
    tcase_add_loop_test(tcase, does_what_a_simple_model_does, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
