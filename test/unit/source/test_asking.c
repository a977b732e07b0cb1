/* Resyncs that events ask for. due_ms() says what is left of an interval, so that hardly any has to pass. */
#include "suites.h"

#include "base/clock.h"
#include "source/asking.h"

#include <poll.h>

enum { ENTITIES = 2, AT_ONCE = 10 };

static struct cp_config config;
static struct cpi_requests requests;
static struct cpi_env env;
static struct cpi_asking asking;

static void create(void)
{
    config = (struct cp_config){.entity_count = ENTITIES};
    ck_assert_int_eq(cpi_requests_init(&requests, ENTITIES, NULL), CP_OK);
    env = (struct cpi_env){.config = &config, .requests = &requests};
    ck_assert(cpi_asking_init(&asking, &env));
}

static void destroy(void)
{
    cpi_asking_fini(&asking);
    cpi_requests_fini(&requests);
}

/* Whether asking led to a request for just this cause and entity; the request is taken. */
static bool is_requested(cp_cause cause, uint32_t entity)
{
    bool wanted[ENTITIES] = {false};
    unsigned causes = cpi_requests_take(&requests, wanted);
    cpi_requests_end_run(&requests, false);
    ck_assert(causes == 0 || (causes == 1u << cause && wanted[entity] && !wanted[1 - entity]));
    return causes != 0;
}

static bool ask(uint32_t entity, enum cpi_asked kind, cp_cause cause)
{
    cpi_asking_note(&asking, entity, kind);
    cpi_asking_request(&asking, false);
    return is_requested(cause, entity);
}

static void assert_due_within(int least_ms, int most_ms)
{
    int due_ms = cpi_asking_due_ms(&asking);
    ck_assert_int_gt(due_ms, least_ms);
    ck_assert_int_le(due_ms, most_ms);
}

START_TEST(nothing_is_due_before_anything_is_asked)
{
    cpi_asking_request(&asking, false);
    cpi_asking_request(&asking, true);
    ck_assert(!cpi_requests_has_any(&requests));
    ck_assert_int_eq(cpi_asking_due_ms(&asking), -1);
    cpi_asking_note(&asking, 1, CPI_ASKED_UNREADABLE);
    ck_assert_int_eq(cpi_asking_due_ms(&asking), 0);
}
END_TEST

static const struct {
    enum cpi_asked kind;
    cp_cause cause;
    int at_once;
    int every_ms;
} kinds[] = {{CPI_ASKED_EVERYTHING, CP_CAUSE_TRUNCATE, AT_ONCE, 1000},
             {CPI_ASKED_AGAIN, CP_CAUSE_REQUEST, AT_ONCE, 1000},
             {CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE, 1, 10000},
             {CPI_ASKED_CROWDED, CP_CAUSE_OVERFLOW, 1, 5000}};

START_TEST(some_are_requested_at_once_and_the_next_waits)
{
    for (int i = 0; i < kinds[_i].at_once; i++) {
        ck_assert_msg(ask(1, kinds[_i].kind, kinds[_i].cause), "%d", i);
        ck_assert_int_eq(cpi_asking_due_ms(&asking), -1);
    }
    ck_assert(!ask(1, kinds[_i].kind, kinds[_i].cause));
    assert_due_within(0, kinds[_i].every_ms);

    /* More of them make neither more requests nor a longer wait. */
    ck_assert(!ask(1, kinds[_i].kind, kinds[_i].cause));
    assert_due_within(0, kinds[_i].every_ms);
}
END_TEST

START_TEST(now_requests_what_waits_once)
{
    for (int i = 0; i < kinds[_i].at_once; i++) {
        ask(1, kinds[_i].kind, kinds[_i].cause);
    }
    cpi_asking_note(&asking, 1, kinds[_i].kind);
    cpi_asking_request(&asking, true);
    ck_assert(cpi_requests_has(&requests, kinds[_i].cause));
    ck_assert(is_requested(kinds[_i].cause, 1));
    cpi_asking_request(&asking, true);
    ck_assert(!cpi_requests_has_any(&requests));

    /* It has used up an interval all the same. */
    ck_assert(!ask(1, kinds[_i].kind, kinds[_i].cause));
    assert_due_within(kinds[_i].every_ms, 2 * kinds[_i].every_ms);
}
END_TEST

START_TEST(what_waits_is_requested_when_it_is_due)
{
    ask(0, CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE);
    for (int i = 0; i < AT_ONCE; i++) {
        ask(1, CPI_ASKED_EVERYTHING, CP_CAUSE_TRUNCATE);
    }
    cpi_asking_note(&asking, 0, CPI_ASKED_UNREADABLE);
    cpi_asking_note(&asking, 1, CPI_ASKED_EVERYTHING);
    assert_due_within(0, 1000); /* the sooner of the two */
    int64_t until_ms = cpi_now_ms() + 20000;
    do {
        poll(NULL, 0, cpi_asking_due_ms(&asking));
        cpi_asking_request(&asking, false);
    } while (!cpi_requests_has_any(&requests) && cpi_now_ms() < until_ms);
    ck_assert(is_requested(CP_CAUSE_TRUNCATE, 1));
    assert_due_within(0, 10000); /* the other goes on waiting */
}
END_TEST

START_TEST(entities_and_kinds_do_not_wait_for_each_other)
{
    ck_assert(ask(0, CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE));
    ck_assert(!ask(0, CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE));
    ck_assert(ask(1, CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE));
    ck_assert(ask(0, CPI_ASKED_CROWDED, CP_CAUSE_OVERFLOW));
    ck_assert(ask(0, CPI_ASKED_EVERYTHING, CP_CAUSE_TRUNCATE));
}
END_TEST

/* Events that come all the time ask all the time, for each entity at other times. */
START_TEST(a_mark_waits_for_what_was_asked_before_it_alone)
{
    for (int i = 0; i <= AT_ONCE; i++) {
        ask(0, CPI_ASKED_EVERYTHING, CP_CAUSE_TRUNCATE);
    }
    ck_assert(!cpi_asking_holds(&asking, CPI_ASKING_BARRIER));
    cpi_asking_put(&asking, CPI_ASKING_BARRIER);
    ask(1, CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE);
    cpi_asking_note(&asking, 1, CPI_ASKED_UNREADABLE); /* which waits for seconds */
    ck_assert(cpi_asking_holds(&asking, CPI_ASKING_BARRIER));
    ck_assert(!cpi_asking_holds(&asking, CPI_ASKING_POSITION));
    int64_t until_ms = cpi_now_ms() + 20000;
    while (cpi_asking_holds(&asking, CPI_ASKING_BARRIER) && cpi_now_ms() < until_ms) {
        ck_assert(!cpi_requests_has_any(&requests));
        poll(NULL, 0, cpi_asking_due_ms(&asking));
        cpi_asking_request(&asking, false);
        cpi_asking_note(&asking, 0, CPI_ASKED_EVERYTHING);
    }
    ck_assert(is_requested(CP_CAUSE_TRUNCATE, 0));
    ck_assert_int_ge(cpi_asking_due_ms(&asking), 0);
    cpi_asking_put(&asking, CPI_ASKING_POSITION);
    ck_assert(cpi_asking_holds(&asking, CPI_ASKING_POSITION));
    cpi_asking_forget(&asking);
    ck_assert(!cpi_asking_holds(&asking, CPI_ASKING_POSITION));
}
END_TEST

START_TEST(forget_drops_what_waits)
{
    ask(0, CPI_ASKED_UNREADABLE, CP_CAUSE_UNREADABLE);
    for (int kind = 0; kind < CPI_ASKED; kind++) {
        cpi_asking_note(&asking, 0, (enum cpi_asked)kind);
        cpi_asking_note(&asking, 1, (enum cpi_asked)kind);
    }
    cpi_asking_forget(&asking);
    ck_assert_int_eq(cpi_asking_due_ms(&asking), -1);
    cpi_asking_request(&asking, true);
    ck_assert(!cpi_requests_has_any(&requests));
}
END_TEST

Suite *asking_suite(void)
{
    Suite *suite = suite_create("asking");
    TCase *tcase = tcase_create("asking");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, nothing_is_due_before_anything_is_asked);
    tcase_add_loop_test(tcase, some_are_requested_at_once_and_the_next_waits, 0, CPI_ASKED);
    tcase_add_loop_test(tcase, now_requests_what_waits_once, 0, CPI_ASKED);
    tcase_add_test(tcase, what_waits_is_requested_when_it_is_due);
    tcase_add_test(tcase, entities_and_kinds_do_not_wait_for_each_other);
    tcase_add_test(tcase, a_mark_waits_for_what_was_asked_before_it_alone);
    tcase_add_test(tcase, forget_drops_what_waits);
    suite_add_tcase(suite, tcase);
    return suite;
}
