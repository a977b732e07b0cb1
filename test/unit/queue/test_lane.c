#include "suites.h"

#include "queue/lane.h"

#include <stdlib.h>
#include <string.h>

static const struct cpi_entity entities[] = {
    {.id_type = CPI_ID_INTEGER},
    {.id_type = CPI_ID_BIGINT},
    {.id_type = CPI_ID_UUID},
    {.id_type = CPI_ID_TEXT},
};

enum { INTEGERS, BIGINTS, UUIDS, TEXTS, LANES_MAX = 64 };

static struct cpi_lane lane;

static void create(void)
{
    cp_error err = {0};
    ck_assert_msg(cpi_lane_init(&lane, &err) == CP_OK, "%s", err.message);
}

static void destroy(void)
{
    cpi_lane_fini(&lane, entities);
}

static struct cpi_event make_event(uint32_t entity, const char *text)
{
    struct cpi_event event = {.entity = (uint16_t)entity};
    bool out_of_memory = false;
    ck_assert(cpi_id_parse(entities[entity].id_type, text, strlen(text), &event.id, &out_of_memory));
    return event;
}

/* ---- which lane ---- */

START_TEST(spellings_of_one_id_share_a_lane)
{
    static const struct {
        uint32_t entity;
        const char *a;
        const char *b;
    } pairs[] = {
        {INTEGERS, "7", "007"},
        {BIGINTS, "-0", "0"},
        {UUIDS, "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {TEXTS, "abc", "abc"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct cpi_event a = make_event(pairs[i].entity, pairs[i].a);
        struct cpi_event b = make_event(pairs[i].entity, pairs[i].b);
        for (uint32_t count = 1; count <= LANES_MAX; count++) {
            struct cpi_lanes lanes = {.count = count, .entities = entities};
            ck_assert_uint_eq(cpi_lane_of(&lanes, &a), cpi_lane_of(&lanes, &b));
        }
        cpi_id_fini(entities[pairs[i].entity].id_type, &a.id);
        cpi_id_fini(entities[pairs[i].entity].id_type, &b.id);
    }
}
END_TEST

/* Within a fifth of an even share: more than six standard deviations of a random spread. */
START_TEST(sequential_ids_spread_evenly)
{
    enum { SHARE = 1000 };
    uint32_t count = (uint32_t)_i;
    struct cpi_lanes lanes = {.count = count, .entities = entities};
    uint32_t hits[LANES_MAX] = {0};
    for (uint32_t i = 0; i < count * SHARE; i++) {
        struct cpi_event event = {.id.number = i, .entity = INTEGERS};
        uint32_t at = cpi_lane_of(&lanes, &event);
        if (at >= count) {
            ck_abort_msg("lane %u of %u", at, count);
        }
        hits[at]++;
    }
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(hits[i] > SHARE * 4 / 5 && hits[i] < SHARE * 6 / 5, "%u of %u: %u", i, count, hits[i]);
    }
}
END_TEST

/* ---- the rings ---- */

START_TEST(rings_are_apart_and_in_order)
{
    struct cpi_event out[4];
    ck_assert(cpi_lane_is_empty(&lane));
    for (int64_t i = 0; i < 3; i++) {
        struct cpi_event live = {.id.number = i, .entity = INTEGERS};
        struct cpi_event bulk = {.id.number = 100 + i, .entity = BIGINTS};
        ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_LIVE, &live, 1), 1);
        ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_BULK, &bulk, 1), 1);
    }
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_BULK, out, 4), 3);
    ck_assert(!cpi_lane_is_empty(&lane));
    for (int64_t i = 0; i < 3; i++) {
        ck_assert_int_eq(out[i].id.number, 100 + i);
        ck_assert_uint_eq(out[i].entity, BIGINTS);
    }
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, out, 2), 2);
    ck_assert(!cpi_lane_is_empty(&lane));
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, out, 2), 1);
    ck_assert_int_eq(out[0].id.number, 2);
    ck_assert(cpi_lane_is_empty(&lane));
}
END_TEST

/* has_room says what the next put will do, at every fill. */
START_TEST(room_is_told_truly)
{
    enum cpi_ring_kind kind = (enum cpi_ring_kind)_i;
    enum cpi_ring_kind other = kind == CPI_RING_LIVE ? CPI_RING_BULK : CPI_RING_LIVE;
    struct cpi_event event = {.id.number = 1, .entity = INTEGERS};
    uint32_t capacity = 0;
    for (bool fits = true; fits; capacity += fits) {
        bool has_room = cpi_lane_has_room(&lane, kind);
        fits = cpi_lane_put(&lane, kind, &event, 1) == 1;
        ck_assert(fits == has_room);
    }
    ck_assert_uint_ge(capacity, 1024);
    ck_assert(!cpi_lane_put_barrier(&lane, kind, 1));
    ck_assert(cpi_lane_has_room(&lane, other));
    ck_assert_uint_eq(cpi_lane_get(&lane, kind, &event, 1), 1);
    ck_assert(cpi_lane_has_room(&lane, kind));
    ck_assert(cpi_lane_put_barrier(&lane, kind, 1));
    ck_assert(!cpi_lane_has_room(&lane, kind));
}
END_TEST

START_TEST(frees_what_is_left)
{
    for (int i = 0; i < 3; i++) {
        struct cpi_event text = make_event(TEXTS, "left behind");
        struct cpi_event uuid = make_event(UUIDS, "a0eebc999c0b4ef8bb6d6bb9bd380a11");
        ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_LIVE, &text, 1), 1);
        ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_BULK, &uuid, 1), 1);
        ck_assert(cpi_lane_put_barrier(&lane, CPI_RING_LIVE, 1));
        ck_assert(cpi_lane_put_barrier(&lane, CPI_RING_BULK, 1));
    }
}
END_TEST

/* ---- fences ---- */

START_TEST(a_fence_travels_in_its_place)
{
    struct cpi_event event = {.id.number = 5, .entity = INTEGERS};
    struct cpi_event out[3];
    int64_t number = INT64_C(1) << 40;
    ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_BULK, &event, 1), 1);
    ck_assert(cpi_lane_put_barrier(&lane, CPI_RING_BULK, number));
    ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_BULK, &event, 1), 1);
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_BULK, out, 3), 3);
    ck_assert_uint_eq(out[0].entity, INTEGERS);
    ck_assert_uint_eq(out[1].entity, CPI_BARRIER);
    ck_assert_int_eq(out[1].id.number, number);
    ck_assert_uint_eq(out[2].entity, INTEGERS);
}
END_TEST

START_TEST(a_newer_fence_answers_for_older_ones)
{
    for (int kind = 0; kind < CPI_RINGS; kind++) {
        ck_assert(!cpi_lane_has_passed(&lane, (enum cpi_ring_kind)kind, 1));
    }
    cpi_lane_acknowledge(&lane, CPI_RING_BULK, 3);
    for (int64_t number = 1; number <= 5; number++) {
        ck_assert(cpi_lane_has_passed(&lane, CPI_RING_BULK, number) == (number <= 3));
        ck_assert(!cpi_lane_has_passed(&lane, CPI_RING_LIVE, number));
    }
    cpi_lane_acknowledge(&lane, CPI_RING_LIVE, 4);
    ck_assert(cpi_lane_has_passed(&lane, CPI_RING_LIVE, 4));
    ck_assert(!cpi_lane_has_passed(&lane, CPI_RING_BULK, 4));
}
END_TEST

/* Where a fence asks whether all before it has settled, a turn asks whether it has been reached. */
START_TEST(a_turn_is_no_id_and_no_fence)
{
    struct cpi_event out;
    ck_assert(cpi_lane_put_quiesce(&lane, CPI_RING_BULK, 9));
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_BULK, &out, 1), 1);
    ck_assert(!cpi_event_is_id(&out));
    ck_assert_uint_eq(out.entity, CPI_QUIESCE);
    ck_assert_int_eq(out.id.number, 9);
    ck_assert(cpi_lane_put_quiesce(&lane, CPI_RING_BULK, 10)); /* to be left behind */
}
END_TEST

/* ---- positions ---- */

START_TEST(a_position_is_put_behind_live_ids)
{
    struct cpi_event event = {.id.number = 5, .entity = INTEGERS};
    struct cpi_event out[3];
    int64_t number = INT64_C(1) << 40;
    ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_LIVE, &event, 1), 1);
    ck_assert(cpi_lane_put_position(&lane, number));
    ck_assert(cpi_lane_put_barrier(&lane, CPI_RING_LIVE, 1));
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_BULK, out, 3), 0);
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, out, 3), 3);
    ck_assert(cpi_event_is_id(&out[0]) && !cpi_event_is_id(&out[1]));
    ck_assert_uint_eq(out[1].entity, CPI_POSITION);
    ck_assert_int_eq(out[1].id.number, number);
    ck_assert_uint_eq(out[2].entity, CPI_BARRIER);
    ck_assert(cpi_lane_put_position(&lane, number + 1)); /* to be left behind */
}
END_TEST

/* They are not what a stop leaves unsettled. */
START_TEST(marks_are_not_counted_among_ids)
{
    struct cpi_event id = {.id.number = 7, .entity = INTEGERS};
    ck_assert(cpi_lane_put_position(&lane, 1));
    ck_assert_uint_eq(cpi_ring_count_ids(lane.rings[CPI_RING_LIVE]), 0);
    ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_LIVE, &id, 1), 1);
    ck_assert(cpi_lane_put_barrier(&lane, CPI_RING_LIVE, 2));
    ck_assert_uint_eq(cpi_lane_put(&lane, CPI_RING_LIVE, &id, 1), 1);
    ck_assert_uint_eq(cpi_ring_count_ids(lane.rings[CPI_RING_LIVE]), 2);
    ck_assert_uint_eq(cpi_ring_count_ids(lane.rings[CPI_RING_BULK]), 0);
}
END_TEST

START_TEST(a_full_ring_takes_no_position)
{
    struct cpi_event event = {.id.number = 1, .entity = INTEGERS};
    while (cpi_lane_put(&lane, CPI_RING_LIVE, &event, 1) == 1) {
    }
    ck_assert(!cpi_lane_put_position(&lane, 1));
    ck_assert_uint_eq(cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1), 1);
    ck_assert(cpi_lane_put_position(&lane, 1));
}
END_TEST

START_TEST(positions_are_passed_apart_from_fences)
{
    ck_assert(!cpi_lane_has_passed_position(&lane, 1));
    cpi_lane_acknowledge(&lane, CPI_RING_LIVE, 9);
    cpi_lane_acknowledge(&lane, CPI_RING_BULK, 9);
    ck_assert(!cpi_lane_has_passed_position(&lane, 1));
    struct cpi_events none = {0};
    cpi_lane_pass_position(&lane, 12, &none, true);
    for (int64_t number = 1; number <= 14; number++) {
        ck_assert(cpi_lane_has_passed_position(&lane, number) == (number <= 12));
    }
    ck_assert(!cpi_lane_has_passed(&lane, CPI_RING_LIVE, 10));
    ck_assert(!cpi_lane_has_passed(&lane, CPI_RING_BULK, 10));
}
END_TEST

START_TEST(what_fails_is_exchanged)
{
    struct cpi_event events[] = {{.id.number = 1}, {.id.number = 2}};
    struct cpi_events failing = {.items = events, .count = 2};
    ck_assert_ptr_null(cpi_lane_failing(&lane));
    cpi_lane_pass_position(&lane, 1, &failing, true);
    ck_assert_uint_eq(failing.count, 0);
    ck_assert_uint_eq(cpi_lane_failing(&lane)->count, 2);
    cpi_lane_pass_position(&lane, 2, &failing, false);
    ck_assert_ptr_eq(failing.items, events);
    ck_assert_ptr_null(cpi_lane_failing(&lane));
}
END_TEST

/* ---- what waits, and for how long ---- */

static struct cpi_event arrived(const char *text, int64_t ago_us)
{
    struct cpi_event event = make_event(INTEGERS, text);
    event.arrived = cpi_now_ticks() - (cpi_ticks)(ago_us / 250);
    return event;
}

START_TEST(the_age_of_what_nobody_has_taken)
{
    struct cpi_event first = arrived("1", 5000000);
    struct cpi_event second = arrived("2", 0);
    ck_assert_int_eq(cpi_lane_age_us(&lane), 0);
    cpi_lane_put(&lane, CPI_RING_LIVE, &first, 1);
    cpi_lane_put(&lane, CPI_RING_LIVE, &second, 1);
    ck_assert_int_ge(cpi_lane_untaken_us(&lane), 4999000);
    ck_assert_int_ge(cpi_lane_age_us(&lane), 4999000);
    struct cpi_event event;
    cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1); /* the worker moves: the other one came later */
    ck_assert_int_lt(cpi_lane_untaken_us(&lane), 4000000);
    cpi_lane_get(&lane, CPI_RING_LIVE, &event, 1);
    ck_assert_int_eq(cpi_lane_age_us(&lane), 0);
}
END_TEST

START_TEST(the_age_of_what_has_not_settled)
{
    struct cpi_idset *set = cpi_idset_create(entities);
    struct cpi_event crowd = arrived("1", 7000000);
    struct cpi_event live = arrived("2", 3000000);
    struct cpi_event listed = make_event(INTEGERS, "3");
    cp_lane shown = {.size = sizeof shown};
    cpi_idset_add(set, &live, CPI_LIVE);
    cpi_idset_add(set, &listed, CPI_BULK);
    cpi_lane_show(&lane, set);
    ck_assert_int_ge(cpi_lane_age_us(&lane), 2999000);
    ck_assert_int_lt(cpi_lane_age_us(&lane), 6000000);
    cpi_idset_add(set, &crowd, CPI_CROWD);
    cpi_lane_show(&lane, set);
    cpi_lane_look(&lane, &shown);
    ck_assert_uint_ge(shown.oldest_us, 6999000);
    ck_assert_uint_eq(shown.live, 1);
    ck_assert_uint_eq(shown.crowd, 1);
    ck_assert_uint_eq(shown.bulk, 1);
    /* Those that fail do not count. */
    cpi_idset_move(set, cpi_idset_find(set, INTEGERS, &crowd.id), CPI_PARKED);
    cpi_idset_move(set, cpi_idset_find(set, INTEGERS, &live.id), CPI_PARKED);
    cpi_lane_show(&lane, set);
    ck_assert_int_eq(cpi_lane_age_us(&lane), 0);
    cpi_idset_destroy(set);
}
END_TEST

START_TEST(the_oldest_event_of_an_id_counts)
{
    struct cpi_idset *set = cpi_idset_create(entities);
    struct cpi_event listed = make_event(INTEGERS, "1");
    struct cpi_event first = arrived("1", 5000000);
    struct cpi_event second = arrived("1", 1000000);
    cpi_idset_add(set, &listed, CPI_BULK);
    cpi_idset_add(set, &first, CPI_LIVE);
    cpi_idset_add(set, &second, CPI_LIVE);
    ck_assert_uint_eq(cpi_idset_oldest(set, CPI_LIVE), first.arrived);
    ck_assert_uint_eq(cpi_idset_take(set, cpi_idset_find(set, INTEGERS, &first.id)).arrived, first.arrived);
    cpi_idset_destroy(set);
}
END_TEST

Suite *lane_suite(void)
{
    Suite *suite = suite_create("lane");
    TCase *tcase = tcase_create("lane");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, spellings_of_one_id_share_a_lane);
    tcase_add_loop_test(tcase, sequential_ids_spread_evenly, 1, LANES_MAX + 1);
    tcase_add_test(tcase, rings_are_apart_and_in_order);
    tcase_add_loop_test(tcase, room_is_told_truly, 0, CPI_RINGS);
    tcase_add_test(tcase, frees_what_is_left);
    tcase_add_test(tcase, a_fence_travels_in_its_place);
    tcase_add_test(tcase, a_newer_fence_answers_for_older_ones);
    tcase_add_test(tcase, a_turn_is_no_id_and_no_fence);
    tcase_add_test(tcase, a_position_is_put_behind_live_ids);
    tcase_add_test(tcase, marks_are_not_counted_among_ids);
    tcase_add_test(tcase, a_full_ring_takes_no_position);
    tcase_add_test(tcase, positions_are_passed_apart_from_fences);
    tcase_add_test(tcase, what_fails_is_exchanged);
    tcase_add_test(tcase, the_age_of_what_nobody_has_taken);
    tcase_add_test(tcase, the_age_of_what_has_not_settled);
    tcase_add_test(tcase, the_oldest_event_of_an_id_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
