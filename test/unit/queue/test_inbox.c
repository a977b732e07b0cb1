#include "suites.h"

#include "queue/inbox.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const struct cpi_entity entities[] = {{.id_type = CPI_ID_BIGINT}, {.id_type = CPI_ID_TEXT}};

enum { BIGINTS, TEXTS };

static struct cpi_inbox inbox;
static struct cpi_bell bell;

static void create(void)
{
    ck_assert_int_eq(cpi_bell_init(&bell, NULL), CP_OK);
    cpi_inbox_init(&inbox, entities, &bell);
}

static void destroy(void)
{
    cpi_inbox_fini(&inbox);
    cpi_bell_fini(&bell);
}

static bool put_number(int64_t number)
{
    return cpi_inbox_put(&inbox, &(struct cpi_event){.id.number = number, .entity = BIGINTS});
}

START_TEST(holds_its_capacity_and_no_more)
{
    ck_assert(cpi_inbox_is_empty(&inbox));
    int count = 0;
    while (count <= CPI_INBOX_CAPACITY && put_number(count)) {
        count++;
    }
    ck_assert_int_eq(count, CPI_INBOX_CAPACITY);
    ck_assert(!put_number(0));

    /* What is refused stays the caller's. */
    struct cpi_event text = {.id.text = strdup("mine"), .entity = TEXTS};
    ck_assert(!cpi_inbox_put(&inbox, &text));
    ck_assert_str_eq(text.id.text, "mine");
    free(text.id.text);

    struct cpi_events events = {0};
    cpi_inbox_take(&inbox, &events);
    ck_assert_uint_eq(events.count, CPI_INBOX_CAPACITY);
    ck_assert(put_number(0));
    cpi_events_fini(&events, entities);
}
END_TEST

START_TEST(take_swaps)
{
    struct cpi_events events = {0};
    cpi_inbox_take(&inbox, &events);
    ck_assert_uint_eq(events.count, 0);

    const struct cpi_event *before = NULL;
    for (int64_t round = 0; round < 4; round++) {
        ck_assert(put_number(10 * round));
        ck_assert(put_number(10 * round + 1));
        ck_assert(!cpi_inbox_is_empty(&inbox));
        cpi_inbox_take(&inbox, &events);
        ck_assert(cpi_inbox_is_empty(&inbox));
        ck_assert_uint_eq(events.count, 2);
        ck_assert_int_eq(events.items[0].id.number, 10 * round);
        ck_assert_int_eq(events.items[1].id.number, 10 * round + 1);
        if (round >= 2) { /* two arrays go back and forth */
            ck_assert_ptr_eq(inbox.events.items, before);
        }
        before = events.items;
        events.count = 0;
    }
    cpi_events_fini(&events, entities);
}
END_TEST

START_TEST(frees_what_is_left)
{
    for (int i = 0; i < 3; i++) {
        struct cpi_event text = {.id.text = strdup("left behind"), .entity = TEXTS};
        ck_assert(cpi_inbox_put(&inbox, &text));
        ck_assert(put_number(i));
    }
}
END_TEST

/* ---- several callers ---- */

enum { CALLERS = 4, EACH = UNDER_TSAN ? 20000 : 200000 };

static void *put_many(void *context)
{
    int64_t first = *(int64_t *)context;
    for (int64_t number = first; number < first + EACH;) {
        if (put_number(number)) {
            number++;
        } else {
            sched_yield(); /* full */
        }
    }
    return NULL;
}

START_TEST(takes_from_several_callers)
{
    int64_t firsts[CALLERS];
    int64_t next[CALLERS];
    pthread_t callers[CALLERS];
    for (int64_t i = 0; i < CALLERS; i++) {
        next[i] = firsts[i] = i * EACH;
        ck_assert_int_eq(pthread_create(&callers[i], NULL, put_many, &firsts[i]), 0);
    }
    struct cpi_events events = {0};
    for (int64_t taken = 0; taken < (int64_t)CALLERS * EACH; events.count = 0) {
        cpi_inbox_take(&inbox, &events);
        ck_assert_uint_le(events.count, CPI_INBOX_CAPACITY);
        for (size_t i = 0; i < events.count; i++, taken++) {
            int64_t number = events.items[i].id.number;
            if (number != next[number / EACH]++) {
                ck_abort_msg("%lld came out of turn", (long long)number);
            }
        }
        if (events.count == 0) {
            sched_yield();
        }
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
    }
    ck_assert(cpi_inbox_is_empty(&inbox));
    cpi_events_fini(&events, entities);
}
END_TEST

/* Puts until it is refused, which here means that the inbox has been closed; tells how many were accepted. */
static void *put_until_closed(void *context)
{
    int64_t *accepted = context;
    while (*accepted < CPI_INBOX_CAPACITY / CALLERS && put_number(*accepted)) {
        ++*accepted;
    }
    return NULL;
}

START_TEST(what_is_accepted_comes_out_of_close)
{
    int64_t accepted[CALLERS] = {0};
    pthread_t callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(pthread_create(&callers[i], NULL, put_until_closed, &accepted[i]), 0);
    }
    struct cpi_events events = {0};
    cpi_inbox_close(&inbox, &events);
    int64_t sum = 0;
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i], NULL);
        sum += accepted[i];
    }
    ck_assert_int_eq(sum, (int64_t)events.count);
    ck_assert(cpi_inbox_is_empty(&inbox));
    ck_assert(!put_number(0));
    cpi_events_fini(&events, entities);
}
END_TEST

Suite *inbox_suite(void)
{
    Suite *suite = suite_create("inbox");
    TCase *tcase = tcase_create("inbox");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, holds_its_capacity_and_no_more);
    tcase_add_test(tcase, take_swaps);
    tcase_add_test(tcase, frees_what_is_left);
    tcase_add_test(tcase, takes_from_several_callers);
    tcase_add_loop_test(tcase, what_is_accepted_comes_out_of_close, 0, 50);
    suite_add_tcase(suite, tcase);
    return suite;
}
