/* Every allocation of a part that holds ids fails in turn: it says so, and neither loses nor leaks one. */
#include "failing.h"
#include "tests.h"

#include "config/config.h"
#include "queue/bulk_feed.h"
#include "postgres/fetch.h"
#include "queue/idset.h"
#include "queue/inbox.h"
#include "redis/keyspace.h"
#include "queue/live_feed.h"
#include "results/results.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS, ENTITIES };
enum { IDS = 5000 }; /* more than twice what a set or an array of events first has room for */

static struct cpi_entity entities[ENTITIES] = {{.id_type = CPI_ID_TEXT}};

/* The nth id. From malloc. */
static struct cpi_event make_event(unsigned n)
{
    char text[32];
    snprintf(text, sizeof text, "id number %u", n);
    struct cpi_event event = {.id.text = strdup(text), .entity = TEXTS};
    ck_assert_ptr_nonnull(event.id.text);
    return event;
}

/* ---- ids and keys ---- */

START_TEST(an_id)
{
    union cpi_id id = {0};
    bool out_of_memory = false;
    fail_nth(1);
    ck_assert(!cpi_id_parse(CPI_ID_TEXT, "abc", 3, &id, &out_of_memory));
    ck_assert(out_of_memory);
    ck_assert_uint_eq(fail_none(), 1);
}
END_TEST

START_TEST(a_key)
{
    for (unsigned n = 1;; n++) {
        struct cpi_key key;
        cp_error err = {0};
        fail_nth(n);
        cp_code code = cpi_key_init(&key, "{prefix}:{id}:x", "shop", NULL, &err);
        char *pattern = code == CP_OK ? cpi_key_pattern(&key, false) : NULL;
        bool has_failed = fail_none() > 0;
        ck_assert(has_failed == (pattern == NULL));
        ck_assert(code == CP_OK || code == CP_ERR_SYSTEM);
        free(pattern);
        cpi_key_fini(&key);
        if (!has_failed) {
            ck_assert_uint_eq(n, 5);
            return;
        }
    }
}
END_TEST

/* A key that is a document's must not be taken for a stranger's, which a sweep leaves alone. */
START_TEST(the_id_in_a_key)
{
    struct cpi_entity entity = {.id_type = CPI_ID_TEXT};
    ck_assert_int_eq(cpi_key_init(&entity.key, "shop:{id}", "", NULL, NULL), CP_OK);
    char text[] = "shop:abc";
    union cpi_id id;
    bool out_of_memory = false;
    fail_nth(1);
    ck_assert(!cpi_keyspace_id(&entity, text, strlen(text), &id, &out_of_memory));
    ck_assert(out_of_memory);
    fail_none();
    ck_assert(cpi_keyspace_id(&entity, text, strlen(text), &id, &out_of_memory));
    cpi_id_fini(CPI_ID_TEXT, &id);
    cpi_key_fini(&entity.key);
}
END_TEST

/* ---- payloads ---- */

static char *payload_of(unsigned ids)
{
    size_t size = 32 * (size_t)ids + 3;
    char *payload = malloc(size);
    ck_assert_ptr_nonnull(payload);
    size_t length = 0;
    for (unsigned i = 0; i < ids; i++) {
        length += (size_t)snprintf(payload + length, size - length, "%c\"id number %u\"", i == 0 ? '[' : ',', i);
    }
    snprintf(payload + length, size - length, "]");
    return payload;
}

/* n: which allocation fails. False: there were not so many. */
static bool parse_failing(const char *payload, unsigned ids, unsigned n)
{
    struct cpi_events events = {0};
    struct cpi_event first = make_event(0);
    struct cpi_unread unread;
    ck_assert(cpi_events_add(&events, &first));
    fail_nth(n);
    enum cpi_payload result = cpi_event_parse(&entities[TEXTS], TEXTS, payload, &events, entities, &unread);
    bool has_failed = fail_none() > 0;
    ck_assert_int_eq(result, has_failed ? CPI_PAYLOAD_NO_MEMORY : CPI_PAYLOAD_IDS);
    ck_assert_uint_eq(events.count, has_failed ? 1 : 1 + ids);
    ck_assert_str_eq(events.items[0].id.text, "id number 0");
    cpi_events_fini(&events, entities);
    return has_failed;
}

START_TEST(a_payload)
{
    unsigned n = 1;
    char *payload = payload_of(20);
    while (parse_failing(payload, 20, n)) {
        n++;
    }
    ck_assert_uint_eq(n, 21);
    free(payload);

    /* The array of events grows twice, at the 1,024th and the 2,048th. */
    payload = payload_of(2100);
    for (n = 1020; n < 1030; n++) {
        ck_assert(parse_failing(payload, 2100, n));
    }
    for (n = 2095; n <= 2102; n++) {
        ck_assert(parse_failing(payload, 2100, n));
    }
    ck_assert(!parse_failing(payload, 2100, 2103));
    free(payload);
}
END_TEST

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

START_TEST(jansson_has_no_memory_at_all)
{
    struct cpi_events events = {0};
    struct cpi_unread unread;
    json_malloc_t before_malloc;
    json_free_t before_free;
    json_get_alloc_funcs(&before_malloc, &before_free);
    json_set_alloc_funcs(no_memory, before_free);
    enum cpi_payload result = cpi_event_parse(&entities[TEXTS], TEXTS, "[\"a\"]", &events, entities, &unread);
    json_set_alloc_funcs(before_malloc, before_free);
    ck_assert_int_eq(result, CPI_PAYLOAD_NO_MEMORY);
    cpi_events_fini(&events, entities);
}
END_TEST

/* ---- where ids wait ---- */

START_TEST(a_set)
{
    for (unsigned n = 1;; n++) {
        fail_nth(n);
        struct cpi_idset *set = cpi_idset_create(entities);
        if (set == NULL) {
            ck_assert_uint_eq(fail_none(), 1);
            continue;
        }
        for (unsigned i = 0; i < IDS; i++) {
            struct cpi_event event = make_event(i);
            enum cpi_added added = cpi_idset_add(set, &event, CPI_LIVE);
            if (added == CPI_NO_MEMORY) { /* the id is still ours, and the set still whole */
                ck_assert_uint_eq(cpi_idset_total(set), i);
                added = cpi_idset_add(set, &event, CPI_LIVE);
            }
            ck_assert_int_eq(added, CPI_ADDED);
        }
        bool has_failed = fail_none() > 0;
        for (unsigned i = 0; i < IDS; i++) {
            struct cpi_event event = make_event(i);
            uint32_t handle = 0;
            ck_assert_uint_eq(cpi_idset_peek(set, CPI_LIVE, &handle, 1), 1);
            ck_assert_uint_eq(cpi_idset_find(set, TEXTS, &event.id), handle);
            cpi_idset_remove(set, handle);
            cpi_id_fini(CPI_ID_TEXT, &event.id);
        }
        ck_assert_uint_eq(cpi_idset_total(set), 0);
        cpi_idset_destroy(set);
        if (!has_failed) {
            ck_assert_uint_gt(n, 8);
            return;
        }
    }
}
END_TEST

START_TEST(an_inbox)
{
    struct cpi_inbox inbox;
    struct cpi_bell bell;
    struct cpi_events taken = {0};
    ck_assert_int_eq(cpi_bell_init(&bell, NULL), CP_OK);
    cpi_inbox_init(&inbox, entities, &bell);
    fail_every(2);
    unsigned refused = 0;
    for (unsigned i = 0; i < IDS; i++) {
        struct cpi_event event = make_event(i);
        while (!cpi_inbox_put(&inbox, &event)) {
            refused++;
        }
    }
    ck_assert_uint_eq(fail_none(), refused);
    ck_assert_uint_gt(refused, 0);
    cpi_inbox_take(&inbox, &taken);
    ck_assert_uint_eq(taken.count, IDS);
    cpi_events_fini(&taken, entities);
    cpi_inbox_fini(&inbox);
    cpi_bell_fini(&bell);
}
END_TEST

/* A document is told later; that a message is missing is told at once, which takes no memory. */
START_TEST(a_queue_of_results)
{
    struct cpi_stop stop;
    cp_error err = {0};
    cp_document document = {.size = sizeof document, .entity = "e", .key = "k", .id = "1", .exists = true};
    document.document = "{}";
    document.bytes = 2;
    cp_log_entry entry = {.size = sizeof entry, .message = "hello"};
    ck_assert_int_eq(cpi_stop_init(&stop, NULL), CP_OK);
    fail_nth(1);
    ck_assert_ptr_null(cp_results_create(NULL, &err));
    ck_assert_int_eq(err.code, CP_ERR_SYSTEM);
    cp_results *results = cp_results_create(NULL, &err);
    ck_assert_ptr_nonnull(results);
    fail_every(1);
    ck_assert(!cpi_results_put_document(results, NULL, &stop, &document));
    ck_assert_ptr_null(cp_results_next(results));
    cpi_results_put_log(results, NULL, &entry);
    const cp_result *result = cp_results_next(results);
    ck_assert_uint_eq(fail_none(), 2);
    ck_assert_int_eq(result->kind, CP_RESULT_DROPPED);
    ck_assert(result->dropped->log == 1 && result->dropped->documents == 0);
    cp_results_usage usage = {.size = sizeof usage};
    ck_assert_int_eq(cp_results_look(results, &usage, &err), CP_OK);
    ck_assert_uint_eq(usage.bytes, 0);
    ck_assert(cpi_results_put_document(results, NULL, &stop, &document));
    ck_assert_str_eq(cp_results_next(results)->document->document, "{}");
    cp_results_destroy(results);
    cpi_stop_fini(&stop);
}
END_TEST

START_TEST(an_array_of_ids)
{
    struct cpi_id_array array = {0};
    fail_nth(1);
    ck_assert(!cpi_id_array_clear(&array, CPI_ID_TEXT));
    fail_every(2);
    while (!cpi_id_array_clear(&array, CPI_ID_TEXT)) {
    }
    for (unsigned i = 0; i < IDS; i++) {
        struct cpi_event event = make_event(i);
        while (!cpi_id_array_add(&array, &event.id)) {
            ck_assert_uint_eq(array.count, i);
        }
        cpi_id_fini(CPI_ID_TEXT, &event.id);
    }
    ck_assert_uint_gt(fail_none(), 3);
    ck_assert_uint_eq(array.count, IDS);
    cpi_id_array_fini(&array);
}
END_TEST

/* ---- on the way to the lanes ---- */

enum { LANES = 2 };

static struct {
    struct cpi_stats stats;
    struct cpi_lane items[LANES];
    struct cpi_lanes lanes;
} setup;

static void open_lanes(void)
{
    cp_error err = {0};
    ck_assert(cpi_stats_init(&setup.stats, 4));
    setup.lanes = (struct cpi_lanes){
        .items = setup.items, .count = LANES, .capacity = 100000 / LANES, .entities = entities, .stats = &setup.stats};
    for (unsigned i = 0; i < LANES; i++) {
        ck_assert_int_eq(cpi_lane_init(&setup.items[i], &err), CP_OK);
    }
}

static unsigned drain_lanes(enum cpi_ring_kind kind)
{
    unsigned count = 0;
    struct cpi_event event;
    for (unsigned i = 0; i < LANES; i++) {
        while (cpi_lane_get(&setup.items[i], kind, &event, 1) == 1) {
            cpi_id_fini(CPI_ID_TEXT, &event.id);
            count++;
        }
    }
    return count;
}

static void close_lanes(void)
{
    for (unsigned i = 0; i < LANES; i++) {
        cpi_lane_fini(&setup.items[i], entities);
    }
    cpi_stats_fini(&setup.stats);
}

START_TEST(a_lane)
{
    for (unsigned n = 1;; n++) {
        struct cpi_lane lane;
        cp_error err = {0};
        fail_nth(n);
        cp_code code = cpi_lane_init(&lane, &err);
        bool has_failed = fail_none() > 0;
        ck_assert_int_eq(code, has_failed ? CP_ERR_SYSTEM : CP_OK);
        cpi_lane_fini(&lane, entities);
        if (!has_failed) {
            ck_assert_uint_eq(n, 3); /* one for each ring; the third try has both */
            return;
        }
    }
}
END_TEST

/* Puts more ids than the rings hold, drains, and so on until all have come through or been given up, which it says. */
static bool feed_all(struct cpi_live_feed *feed, unsigned ids, unsigned *arrived)
{
    struct cpi_events events = {0};
    bool kept_all = true;
    *arrived = 0;
    for (unsigned i = 0; i < ids; i++) {
        struct cpi_event event = make_event(i);
        while (!cpi_events_add(&events, &event)) { /* failing may be its own allocation */
        }
        if (events.count == 1000) {
            kept_all = cpi_live_feed_put(feed, &events) == CPI_FED && kept_all;
            ck_assert_uint_eq(events.count, 0);
        }
    }
    kept_all = cpi_live_feed_put(feed, &events) == CPI_FED && kept_all;
    cpi_events_fini(&events, entities);
    bool empty;
    do {
        *arrived += drain_lanes(CPI_RING_LIVE);
        empty = cpi_live_feed_flush(feed);
    } while (!empty);
    *arrived += drain_lanes(CPI_RING_LIVE);
    return kept_all;
}

START_TEST(a_live_feed)
{
    enum { MANY = 25000 }; /* the rings hold 16,384 */
    open_lanes();
    for (unsigned n = 1;; n++) {
        unsigned arrived = 0;
        fail_nth(n);
        struct cpi_live_feed *feed = cpi_live_feed_create(&setup.lanes);
        if (feed == NULL) {
            ck_assert_uint_eq(fail_none(), 1);
            continue;
        }
        bool kept_all = feed_all(feed, MANY, &arrived);
        bool has_failed = fail_none() > 0;
        ck_assert(arrived == MANY || !kept_all);
        ck_assert(kept_all == (arrived == MANY));
        ck_assert(has_failed || kept_all);

        ck_assert(feed_all(feed, MANY, &arrived));
        ck_assert_uint_eq(arrived, MANY);
        cpi_live_feed_destroy(feed);
        if (!has_failed) {
            ck_assert_uint_gt(n, 10);
            break;
        }
    }
    ck_assert_uint_gt(cpi_stats_get(&setup.stats, CPI_STAT_OVERFLOWS), 0);
    close_lanes();
}
END_TEST

START_TEST(a_bulk_feed)
{
    struct cpi_bulk_feed feed = {0};
    cp_error err = {0};
    open_lanes();
    fail_nth(1);
    ck_assert_int_eq(cpi_bulk_feed_init(&feed, &setup.lanes, &err), CP_ERR_SYSTEM);
    cpi_bulk_feed_fini(&feed);
    ck_assert_int_eq(cpi_bulk_feed_init(&feed, &setup.lanes, &err), CP_OK);

    fail_every(2);
    for (unsigned i = 0; i < IDS; i++) {
        struct cpi_event event = make_event(i);
        while (!cpi_bulk_feed_stage(&feed, &event)) { /* the id is still ours */
        }
    }
    ck_assert_uint_gt(fail_none(), 0);
    ck_assert(cpi_bulk_feed_push(&feed));
    ck_assert_uint_eq(drain_lanes(CPI_RING_BULK), IDS);
    cpi_bulk_feed_fini(&feed);
    close_lanes();
}
END_TEST

Suite *parts_suite(void)
{
    Suite *suite = suite_create("parts");
    TCase *tcase = tcase_create("allocations that fail");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, an_id);
    tcase_add_test(tcase, a_key);
    tcase_add_test(tcase, the_id_in_a_key);
    tcase_add_test(tcase, a_payload);
    tcase_add_test(tcase, jansson_has_no_memory_at_all);
    tcase_add_test(tcase, a_set);
    tcase_add_test(tcase, an_inbox);
    tcase_add_test(tcase, a_queue_of_results);
    tcase_add_test(tcase, an_array_of_ids);
    tcase_add_test(tcase, a_lane);
    tcase_add_test(tcase, a_live_feed);
    tcase_add_test(tcase, a_bulk_feed);
    suite_add_tcase(suite, tcase);
    return suite;
}
