/* What a listener does with what is enqueued last, when the stop has begun already. */
#include "suites.h"

#include "source/listener.h"

enum { CAPACITY = 1000, RING = 8192, GRACE_MS = 50 };

static struct cp_config config;
static struct cpi_entity entity;
static struct cpi_stats stats;
static struct cpi_lease lease;
static struct cpi_requests requests;
static struct cpi_tickets tickets;
static struct cpi_stop stop;
static struct cpi_lane lane;
static struct cpi_env env;
static struct cpi_inbox inbox;
static struct cpi_listener *listener;

static void do_nothing(struct cpi_source *source)
{
    (void)source;
}

static void ignore_change(void *context)
{
    (void)context;
}

static void setup(void)
{
    static const struct cpi_source_ops ops = {.close = do_nothing, .destroy = do_nothing};
    static struct cpi_source source = {.ops = &ops};
    cp_error err;
    entity = (struct cpi_entity){.id_type = CPI_ID_BIGINT};
    config = (struct cp_config){.entities = &entity, .entity_count = 1};
    ck_assert(cpi_stats_init(&stats, 4));
    cpi_lease_init(&lease, "test", "token", ignore_change, NULL);
    ck_assert_int_eq(cpi_requests_init(&requests, 1, &err), CP_OK);
    ck_assert_int_eq(cpi_stop_init(&stop, &err), CP_OK);
    ck_assert_int_eq(cpi_lane_init(&lane, &err), CP_OK);
    cpi_inbox_init(&inbox, &entity, &requests.listener_bell);
    cpi_tickets_init(&tickets, &requests.listener_bell);
    env = (struct cpi_env){
        .config = &config,
        .stats = &stats,
        .lease = &lease,
        .requests = &requests,
        .tickets = &tickets,
        .stop = &stop,
        .lanes = {.items = &lane, .count = 1, .capacity = CAPACITY, .entities = &entity, .stats = &stats}};
    listener = cpi_listener_create(&env, &inbox, &source, NULL, &err);
    ck_assert_ptr_nonnull(listener);
}

static void teardown(void)
{
    cpi_listener_destroy(listener);
    cpi_inbox_fini(&inbox);
    cpi_tickets_fini(&tickets);
    cpi_lane_fini(&lane, &entity);
    cpi_stop_fini(&stop);
    cpi_requests_fini(&requests);
    cpi_lease_fini(&lease);
    cpi_stats_fini(&stats);
}

static void enqueue(int64_t first, int64_t n, bool in_crowd)
{
    for (int64_t id = first; id < first + n; id++) {
        const struct cpi_event event = {.id = {.number = id}, .in_crowd = in_crowd};
        ck_assert(cpi_inbox_put(&inbox, &event));
    }
}

static void run_until_the_end(void)
{
    cp_error err;
    cpi_stop_drain(&stop, GRACE_MS);
    ck_assert_int_eq(cpi_listener_start(listener, &err), CP_OK);
    cpi_listener_join(listener);
}

START_TEST(the_last_ids_reach_the_lane)
{
    enqueue(1, RING, false);
    run_until_the_end();
    ck_assert_uint_eq(cpi_ring_count(lane.rings[CPI_RING_LIVE]), RING);
    ck_assert_uint_eq(cpi_listener_unsettled(listener), 0);
    ck_assert(!cpi_requests_has_any(&requests));
    const struct cpi_event late = {.id = {.number = 1}};
    ck_assert(!cpi_inbox_put(&inbox, &late));
}
END_TEST

/* Behind a full ring. So the stop can tell that something has not been read again. */
START_TEST(what_the_last_ids_push_out_is_owed_a_resync)
{
    enqueue(1, RING, false);
    enqueue(100001, CAPACITY, true);
    enqueue(200001, _i == 1 ? 1 : 0, false);
    run_until_the_end();
    ck_assert_uint_eq(cpi_listener_unsettled(listener), CAPACITY);
    ck_assert_int_eq(cpi_requests_has(&requests, CP_CAUSE_OVERFLOW), _i == 1);
}
END_TEST

Suite *listener_suite(void)
{
    Suite *suite = suite_create("listener");
    TCase *tcase = tcase_create("listener");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, the_last_ids_reach_the_lane);
    tcase_add_loop_test(tcase, what_the_last_ids_push_out_is_owed_a_resync, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
