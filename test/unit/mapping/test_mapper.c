/* The mapper between a listener, which is the test, and a Postgres in memory. Its cycles are run without a thread. */
#include "suites.h"

#include "mapping/fake_mapping.h"
#include "mapping/mapper.h"
#include "queue/parked.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 20000, MAX_PENDING = 8000, CAPACITY = MAX_PENDING / 8, BATCH = 64 };

static char maps[] = "the query";
static char actor_id[] = "actor_id";
static char actor[] = "actor";
static char film[] = "film";
static char *columns[] = {actor_id};
static struct cpi_watch watch;
static struct cpi_entity entities[2]; /* films, and actors that are mapped to them */
static struct cp_config config;
static struct cpi_stats stats;
static struct cpi_lease lease;
static struct cpi_requests requests;
static struct cpi_stop stop;
static struct cpi_env env;
static struct fake_mapping fake;
static struct cpi_mapper *mapper;
static struct cpi_mail *mail;
static struct cpi_events back; /* taken, and not looked at yet */
static struct cpi_mail_marks marks;
static unsigned dropped;

static void ignore(void *context)
{
    (void)context;
}

static void setup(void)
{
    cp_error err;
    watch = (struct cpi_watch){.table = actor, .columns = {.items = columns, .count = 1}, .maps = maps};
    entities[0] = (struct cpi_entity){.name = film, .id_type = CPI_ID_BIGINT, .watch = &watch, .watch_count = 1};
    entities[1] = (struct cpi_entity){.name = film, .id_type = CPI_ID_TEXT, .maps = maps, .target = 0};
    config = (struct cp_config){.entities = entities,
                                .entity_count = 1,
                                .mapping_count = 1,
                                .batch = BATCH,
                                .max_pending = MAX_PENDING,
                                .fetch_timeout_ms = 10000};
    ck_assert(cpi_stats_init(&stats, 1));
    cpi_lease_init(&lease, "test", "token", ignore, NULL);
    ck_assert_int_eq(cpi_requests_init(&requests, 1, &err), CP_OK);
    ck_assert_int_eq(cpi_stop_init(&stop, &err), CP_OK);
    env = (struct cpi_env){.config = &config, .stats = &stats, .lease = &lease, .requests = &requests, .stop = &stop};
    fake = (struct fake_mapping){.documents = 2, .many = -1, .broken = -1, .lethal = -1, .odd = -1};
    const struct cpi_mapper_session session = {.ops = &fake_mapping_ops, .connection = &fake, .destroy = ignore};
    mapper = cpi_mapper_create(&env, &session, &requests.listener_bell, &err);
    ck_assert_ptr_nonnull(mapper);
    mail = cpi_mapper_mail(mapper);
    marks = (struct cpi_mail_marks){0};
    dropped = 0;
}

static void teardown(void)
{
    cpi_events_fini(&back, entities);
    cpi_mapper_destroy(mapper);
    cpi_stop_fini(&stop);
    cpi_requests_fini(&requests);
    cpi_lease_fini(&lease);
    cpi_stats_fini(&stats);
}

static void note_dropped(void *context, uint32_t target)
{
    (void)context;
    ck_assert_uint_eq(target, 0);
    dropped++;
}

static void put_as(int64_t value, bool in_crowd)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    struct cpi_events events = {0};
    const struct cpi_event event = {.entity = 1, .id = {.text = strdup(text)}, .in_crowd = in_crowd};
    ck_assert(cpi_events_add(&events, &event));
    ck_assert_uint_eq(cpi_mail_put(mail, &events, note_dropped, NULL), 1);
    ck_assert_uint_eq(events.count, 0);
    cpi_events_fini(&events, entities);
}

static void put(int64_t value)
{
    put_as(value, false);
}

static void put_position(int64_t number)
{
    ck_assert(cpi_mail_mark(mail, CPI_POSITION, number));
}

/* Everything that has come back; marks keep what came last. */
static void take(void)
{
    struct cpi_mail_marks now;
    cpi_mail_take(mail, UINT32_MAX, &back, &now);
    marks.barrier = now.barrier != 0 ? now.barrier : marks.barrier;
    marks = now.position != 0 ? (struct cpi_mail_marks){marks.barrier, now.position, now.is_partial} : marks;
}

/* How often the n-th document of a value has come back. */
static unsigned count_back(int64_t value, int64_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i < back.count; i++) {
        ck_assert_uint_eq(back.items[i].entity, 0);
        count += back.items[i].id.number == value * FAKE_FIRST + n;
    }
    return count;
}

#define CYCLE_UNTIL(condition)                                                                                         \
    for (int64_t until_ms = cpi_now_ms() + DEADLINE_MS; !(condition); poll(NULL, 0, 1)) {                              \
        ck_assert_msg(cpi_now_ms() < until_ms, "not in time: %s", #condition);                                         \
        cpi_mapper_cycle(mapper);                                                                                      \
        take();                                                                                                        \
    }

static uint64_t failing(void)
{
    return cpi_stats_get(&stats, CPI_STAT_FAILING);
}

START_TEST(values_come_back_as_ids_before_marks)
{
    put(7);
    put(7);
    put(8);
    put_position(1);
    ck_assert(cpi_mail_mark(mail, CPI_BARRIER, 2));
    ck_assert(!cpi_mail_is_idle(mail));
    CYCLE_UNTIL(marks.position == 1);
    ck_assert(!marks.is_partial);
    ck_assert_int_eq(marks.barrier, 2);
    ck_assert_uint_eq(back.count, 4);
    ck_assert_uint_eq(count_back(7, 0) + count_back(7, 1) + count_back(8, 0) + count_back(8, 1), 4);
    ck_assert_uint_eq(fake.runs, 1);
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_COALESCED), 1);
    ck_assert(cpi_mail_is_idle(mail));
    ck_assert_uint_eq(cpi_mapper_unsettled(mapper), 0);
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_PENDING), 0);
}
END_TEST

START_TEST(events_of_documents_stay)
{
    struct cpi_events events = {0};
    const struct cpi_event direct = {.id = {.number = 5}};
    ck_assert(cpi_events_add(&events, &direct));
    ck_assert_uint_eq(cpi_mail_put(mail, &events, note_dropped, NULL), 0);
    ck_assert_uint_eq(events.count, 1);
    ck_assert(cpi_mail_is_idle(mail));
    cpi_events_fini(&events, entities);
}
END_TEST

/* A mark waits for all of its pages, others of the same moment do not, and what is brought is bounded. */
START_TEST(one_with_many_pages)
{
    enum { MANY = 3 * CPI_MAPPING_PAGE + 10 };
    fake.many = 1;
    fake.many_documents = MANY;
    put(1);
    cpi_mapper_cycle(mapper);
    put(2);
    put_position(1);
    for (int i = 0; i < 10; i++) { /* nobody takes anything */
        cpi_mapper_cycle(mapper);
        ck_assert_uint_le(cpi_mapper_unsettled(mapper), 2 * CPI_MAPPING_PAGE + 4);
    }
    take();
    ck_assert_uint_eq(count_back(2, 1), 1);
    ck_assert_uint_le(back.count, 2 * CPI_MAPPING_PAGE + 2);
    ck_assert_int_eq(marks.position, 0);
    ck_assert(!back.items[0].in_crowd && back.items[CPI_MAPPING_PAGE - 1].in_crowd);
    CYCLE_UNTIL(marks.position == 1);
    ck_assert_uint_eq(back.count, MANY + 2);
    ck_assert_uint_eq(count_back(1, 0), 1);
    ck_assert_uint_eq(count_back(1, MANY - 1), 1);
}
END_TEST

START_TEST(one_that_comes_again_between_its_pages)
{
    fake.many = 1;
    fake.many_documents = 2 * CPI_MAPPING_PAGE;
    put(1);
    cpi_mapper_cycle(mapper);
    put(1);
    put_position(1);
    CYCLE_UNTIL(marks.position == 1);
    ck_assert_uint_eq(count_back(1, 0), 2);
    ck_assert_uint_eq(count_back(1, 2 * CPI_MAPPING_PAGE - 1), 2);
}
END_TEST

START_TEST(one_that_fails_takes_no_other_along)
{
    fake.broken = 13;
    for (int64_t value = 1; value <= 40; value++) {
        put(value);
    }
    put_position(1);
    CYCLE_UNTIL(marks.position == 1);
    ck_assert(marks.is_partial);
    ck_assert_uint_eq(failing(), 1);
    for (int64_t value = 1; value <= 40; value++) {
        ck_assert_uint_eq(count_back(value, 0) > 0, value != 13);
    }
    ck_assert_uint_eq(cpi_mapper_unsettled(mapper), 1);
    fake.broken = -1;
    put_position(2);
    CYCLE_UNTIL(marks.position == 2);
    ck_assert(marks.is_partial);
    put(13); /* at once */
    put_position(3);
    cpi_mapper_cycle(mapper);
    take();
    ck_assert_int_eq(marks.position, 3);
    ck_assert(!marks.is_partial);
    ck_assert_uint_eq(count_back(13, 1), 1);
    ck_assert_uint_eq(failing(), 0);
}
END_TEST

START_TEST(one_that_failed_is_tried_again)
{
    fake.broken = 13;
    put(13);
    CYCLE_UNTIL(failing() == 1);
    unsigned runs = fake.runs;
    CYCLE_UNTIL(fake.runs > runs); /* after a second or so */
    ck_assert_uint_eq(failing(), 1);
    fake.broken = -1;
    CYCLE_UNTIL(failing() == 0);
    ck_assert_uint_eq(count_back(13, 0), 1);
    ck_assert_uint_eq(cpi_mapper_unsettled(mapper), 0);
}
END_TEST

/* The server's time is not the value's: nine times as long would be a rest of 18 seconds. */
START_TEST(one_that_failed_over_an_outage_rests_no_longer)
{
    fake.broken = 13;
    put(13);
    CYCLE_UNTIL(failing() == 1);
    fake.open_failure = CPI_FAILURE_CONNECTION;
    fake.open = false;
    unsigned opened = fake.opened;
    CYCLE_UNTIL(fake.opened > opened);
    poll(NULL, 0, 2000); /* the outage */
    fake.open_failure = CPI_FAILURE_NONE;
    unsigned runs = fake.runs;
    CYCLE_UNTIL(fake.runs > runs);
    int64_t began_ms = cpi_now_ms();
    fake.broken = -1;
    CYCLE_UNTIL(failing() == 0);
    ck_assert_int_lt(cpi_now_ms() - began_ms, 12000);
}
END_TEST

START_TEST(one_that_crashes_the_server)
{
    fake.lethal = 13;
    for (int64_t value = 1; value <= 20; value++) {
        put(value);
    }
    CYCLE_UNTIL(failing() == 1);
    CYCLE_UNTIL(count_back(12, 0) > 0 && count_back(14, 0) > 0 && count_back(20, 1) > 0);
    ck_assert_uint_eq(failing(), 1);
}
END_TEST

START_TEST(a_statement_that_cannot_be_made)
{
    fake.prepare_failure = CPI_FAILURE_STATEMENT;
    put(1);
    put(2);
    put_position(1);
    CYCLE_UNTIL(marks.position == 1);
    ck_assert(marks.is_partial);
    ck_assert_uint_eq(failing(), 2);
    ck_assert_uint_eq(fake.runs, 0);
    ck_assert(cpi_requests_has(&requests, CP_CAUSE_UNREADABLE));
    bool wanted[1] = {false};
    cpi_requests_take(&requests, wanted);
    ck_assert(wanted[0]);
    fake.prepare_failure = CPI_FAILURE_NONE;
    CYCLE_UNTIL(failing() == 0);
    ck_assert_uint_eq(count_back(1, 0), 1);
    ck_assert_uint_eq(count_back(2, 0), 1);
    ck_assert(!cpi_requests_has_any(&requests));
}
END_TEST

START_TEST(nothing_is_lost_while_the_server_is_away)
{
    fake.open_failure = CPI_FAILURE_CONNECTION;
    put(1);
    put_position(1);
    CYCLE_UNTIL(fake.opened > 2);
    ck_assert_int_eq(marks.position, 0);
    fake.open_failure = CPI_FAILURE_NONE;
    CYCLE_UNTIL(marks.position == 1);
    ck_assert_uint_eq(count_back(1, 0), 1);
    ck_assert(!marks.is_partial);
}
END_TEST

START_TEST(more_than_may_wait)
{
    fake.open_failure = CPI_FAILURE_CONNECTION;
    for (int64_t value = 0; value < CAPACITY; value++) {
        put_as(value, true);
    }
    ck_assert_uint_eq(dropped, CAPACITY / 4);
    ck_assert_uint_eq(cpi_mail_room(mail), 0);
    for (int64_t value = 0; value < CAPACITY; value++) {
        put(CAPACITY + value);
        cpi_mapper_cycle(mapper);
    }
    ck_assert_uint_eq(dropped, CAPACITY);
    ck_assert_uint_eq(cpi_mapper_unsettled(mapper), CAPACITY);
    fake.open_failure = CPI_FAILURE_NONE;
    CYCLE_UNTIL(cpi_mail_is_idle(mail));
    ck_assert_uint_eq(count_back(CAPACITY, 0), 1);
    ck_assert_uint_gt(cpi_mail_room(mail), 0);
}
END_TEST

/* Beyond half of the capacity they are dropped, and no position passes before a resync is requested for them. */
START_TEST(more_than_may_fail)
{
    fake.prepare_failure = CPI_FAILURE_STATEMENT;
    for (int64_t value = 0; value < CAPACITY; value++) {
        put(value);
    }
    put_position(1);
    CYCLE_UNTIL(marks.position == 1);
    ck_assert_uint_eq(dropped, 0);
    ck_assert(marks.is_partial);
    ck_assert(cpi_requests_has_any(&requests));
    ck_assert_uint_eq(failing(), CAPACITY / 2);
    ck_assert_uint_ge(cpi_stats_get(&stats, CPI_STAT_OVERFLOWS), 1);
}
END_TEST

START_TEST(what_is_no_id_is_left_out)
{
    entities[0].id_type = CPI_ID_INTEGER;
    fake.odd = 3;
    put(2);
    put(3);
    put_position(1);
    CYCLE_UNTIL(marks.position == 1);
    ck_assert_uint_eq(back.count, 2);
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_UNREADABLE), 2);
    ck_assert(!marks.is_partial);
}
END_TEST

START_TEST(all_is_forgotten)
{
    fake.many = 1;
    fake.many_documents = 2 * CPI_MAPPING_PAGE;
    fake.broken = 2;
    put(2);
    CYCLE_UNTIL(failing() == 1);
    put(1);
    put_position(1);
    cpi_mapper_cycle(mapper);
    put(3);
    cpi_mail_forget(mail);
    cpi_mapper_cycle(mapper);
    take();
    ck_assert_uint_eq(back.count, 0);
    ck_assert_int_eq(marks.position, 0);
    ck_assert(cpi_mail_is_idle(mail));
    ck_assert_uint_eq(cpi_mapper_unsettled(mapper), 0);
    ck_assert_uint_eq(cpi_stats_get(&stats, CPI_STAT_PENDING), 0);
    ck_assert_uint_eq(failing(), 0);
}
END_TEST

Suite *mapper_suite(void)
{
    Suite *suite = suite_create("mapper");
    TCase *tcase = tcase_create("mapper");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, values_come_back_as_ids_before_marks);
    tcase_add_test(tcase, events_of_documents_stay);
    tcase_add_test(tcase, one_with_many_pages);
    tcase_add_test(tcase, one_that_comes_again_between_its_pages);
    tcase_add_test(tcase, one_that_fails_takes_no_other_along);
    tcase_add_test(tcase, one_that_failed_is_tried_again);
    tcase_add_test(tcase, one_that_failed_over_an_outage_rests_no_longer);
    tcase_add_test(tcase, one_that_crashes_the_server);
    tcase_add_test(tcase, a_statement_that_cannot_be_made);
    tcase_add_test(tcase, nothing_is_lost_while_the_server_is_away);
    tcase_add_test(tcase, more_than_may_wait);
    tcase_add_test(tcase, more_than_may_fail);
    tcase_add_test(tcase, what_is_no_id_is_left_out);
    tcase_add_test(tcase, all_is_forgotten);
    suite_add_tcase(suite, tcase);
    return suite;
}
