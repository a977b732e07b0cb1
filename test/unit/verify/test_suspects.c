#include "suites.h"

#include "queue/recent.h"
#include "verify/suspects.h"

#include <stdio.h>
#include <string.h>

static char integer_name[] = "integer";
static char text_name[] = "text";
static const struct cpi_entity entities[] = {
    {.name = integer_name, .id_type = CPI_ID_INTEGER},
    {.name = text_name, .id_type = CPI_ID_TEXT},
    {.name = integer_name, .id_type = CPI_ID_INTEGER, .ttl_s = 10},
};

static const struct cpi_patience patience = {.for_ms = 1000, .looks = 4};

static enum cpi_outcome look(struct cpi_suspect *suspect, enum cpi_verdict verdict, uint64_t digest, int64_t now_ms)
{
    const struct cpi_compared compared = {.verdict = verdict, .digest = digest};
    cpi_suspect_look(suspect, &entities[suspect->event.entity], &compared, &patience, now_ms);
    return (enum cpi_outcome)suspect->outcome;
}

/* As often as it takes, and not sooner than it may be. */
START_TEST(what_stays_the_same_is_confirmed)
{
    struct cpi_suspect suspect = {0};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(look(&suspect, CPI_DIFFERENT, 7, 300 * i), CPI_LOOK_AGAIN);
    }
    ck_assert_int_eq(look(&suspect, CPI_DIFFERENT, 7, 1200), CPI_CONFIRMED);

    suspect = (struct cpi_suspect){0};
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(look(&suspect, CPI_MISSING, 0, 5000 + i), CPI_LOOK_AGAIN);
    }
    ck_assert_int_eq(look(&suspect, CPI_MISSING, 0, 6000), CPI_CONFIRMED);
}
END_TEST

START_TEST(what_is_equal_once_is_cleared)
{
    struct cpi_suspect suspect = {0};
    for (int i = 0; i < 4; i++) {
        look(&suspect, CPI_ORPHAN, 7, 1000 * i);
    }
    ck_assert_int_eq(look(&suspect, CPI_EQUAL, 0, 9000), CPI_CLEARED);
}
END_TEST

START_TEST(what_moves_starts_anew)
{
    struct cpi_suspect suspect = {0};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(look(&suspect, CPI_DIFFERENT, 7, 1000 * i), CPI_LOOK_AGAIN);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(look(&suspect, CPI_DIFFERENT, 8, 10000 + 1000 * i), CPI_LOOK_AGAIN);
    }
    ck_assert_int_eq(look(&suspect, CPI_DIFFERENT, 8, 20000), CPI_CONFIRMED);
}
END_TEST

START_TEST(what_never_rests_is_in_flight)
{
    struct cpi_suspect suspect = {0};
    int looks = 0;
    while (look(&suspect, CPI_DIFFERENT, (uint64_t)looks, 1000 * looks) == CPI_LOOK_AGAIN) {
        ck_assert_int_lt(++looks, 1000);
    }
    ck_assert_int_eq(suspect.outcome, CPI_IN_FLIGHT);
    ck_assert_int_gt(looks, 4 * 4);
}
END_TEST

START_TEST(what_expires_or_cannot_be_read)
{
    struct cpi_suspect suspect = {.event = {.entity = 2}};
    ck_assert_int_eq(look(&suspect, CPI_MISSING, 0, 0), CPI_EXPIRED);
    ck_assert_int_eq(look(&suspect, CPI_DIFFERENT, 7, 0), CPI_LOOK_AGAIN);
    ck_assert_int_eq(look(&suspect, CPI_UNREADABLE, 0, 0), CPI_NOT_READ);
}
END_TEST

static void add_number(struct cpi_suspects *suspects, uint32_t entity, int64_t number)
{
    ck_assert(cpi_suspects_add(suspects, entity, &(union cpi_id){.number = number}));
}

static void add_text(struct cpi_suspects *suspects, const char *text)
{
    char copy[32];
    snprintf(copy, sizeof copy, "%s", text);
    ck_assert(cpi_suspects_add(suspects, 1, &(union cpi_id){.text = copy}));
    memset(copy, 'x', sizeof copy - 1);
}

START_TEST(sorted_without_repetitions)
{
    struct cpi_suspects suspects = {.entities = entities};
    cpi_suspects_sort(&suspects);
    add_text(&suspects, "b");
    add_number(&suspects, 0, 9);
    add_number(&suspects, 0, -9);
    suspects.items[2].looks = 3;
    add_text(&suspects, "a");
    add_text(&suspects, "b");
    suspects.items[4].looks = 5;
    add_number(&suspects, 0, -9);
    cpi_suspects_sort(&suspects);
    ck_assert_uint_eq(suspects.count, 4);
    ck_assert_int_eq(suspects.items[0].event.id.number, -9);
    ck_assert_uint_eq(suspects.items[0].looks, 3);
    ck_assert_int_eq(suspects.items[1].event.id.number, 9);
    ck_assert_str_eq(suspects.items[2].event.id.text, "a");
    ck_assert_str_eq(suspects.items[3].event.id.text, "b");
    ck_assert_uint_eq(suspects.items[3].looks, 5);

    suspects.items[0].outcome = CPI_CONFIRMED;
    suspects.items[2].outcome = CPI_CONFIRMED;
    suspects.items[3].outcome = CPI_CLEARED;
    struct cpi_suspects confirmed = {.entities = entities};
    ck_assert(cpi_suspects_keep(&suspects, CPI_LOOK_AGAIN, &confirmed));
    ck_assert_uint_eq(suspects.count, 1);
    ck_assert_uint_eq(confirmed.count, 2);
    ck_assert_str_eq(confirmed.items[1].event.id.text, "a");
    cpi_suspects_fini(&suspects);
    cpi_suspects_fini(&confirmed);
}
END_TEST

START_TEST(put_takes_a_place)
{
    struct cpi_suspects suspects = {.entities = entities};
    char texts[][2] = {"a", "b", "c"};
    ck_assert(cpi_suspects_put(&suspects, 0, 1, &(union cpi_id){.text = texts[0]}));
    ck_assert(cpi_suspects_put(&suspects, 1, 1, &(union cpi_id){.text = texts[1]}));
    ck_assert(cpi_suspects_put(&suspects, 0, 1, &(union cpi_id){.text = texts[2]}));
    ck_assert_uint_eq(suspects.count, 2);
    ck_assert_str_eq(suspects.items[0].event.id.text, "c");
    ck_assert_str_eq(suspects.items[1].event.id.text, "b");
    cpi_suspects_fini(&suspects);
}
END_TEST

START_TEST(recent_keeps_the_newest)
{
    static struct cpi_recent recent;
    cpi_recent_init(&recent, entities);
    for (int i = 0; i < CPI_RECENT_CAPACITY + 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        cpi_recent_offer(&recent, &(struct cpi_event){.entity = 1, .id.text = text});
    }
    cpi_recent_offer(&recent, &(struct cpi_event){.entity = 0, .id.number = 17});
    struct cpi_event event;
    ck_assert(cpi_recent_take(&recent, &event));
    ck_assert_int_eq(event.id.number, 17);
    for (int i = CPI_RECENT_CAPACITY + 4; i >= 6; i--) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ck_assert(cpi_recent_take(&recent, &event));
        ck_assert_str_eq(event.id.text, text);
        cpi_id_fini(CPI_ID_TEXT, &event.id);
    }
    ck_assert(!cpi_recent_take(&recent, &event));
    cpi_recent_offer(&recent, &(struct cpi_event){.entity = 0, .id.number = 18});
    cpi_recent_fini(&recent);
}
END_TEST

Suite *suspects_suite(void)
{
    Suite *suite = suite_create("suspects");
    TCase *tcase = tcase_create("suspects");
    tcase_add_test(tcase, what_stays_the_same_is_confirmed);
    tcase_add_test(tcase, what_is_equal_once_is_cleared);
    tcase_add_test(tcase, what_moves_starts_anew);
    tcase_add_test(tcase, what_never_rests_is_in_flight);
    tcase_add_test(tcase, what_expires_or_cannot_be_read);
    tcase_add_test(tcase, sorted_without_repetitions);
    tcase_add_test(tcase, put_takes_a_place);
    tcase_add_test(tcase, recent_keeps_the_newest);
    suite_add_tcase(suite, tcase);
    return suite;
}
