/* What is remembered of ids that fail, and what is said of those that are not. */
#include "suites.h"

#include "queue/parked.h"

enum { MORE = CPI_PARKED_REMEMBERED + 1 };

static const struct cpi_entity entities[] = {{.id_type = CPI_ID_BIGINT}};
static struct cpi_idset *set;
static struct cpi_parked parked;

static void create(void)
{
    set = cpi_idset_create(entities);
    ck_assert_ptr_nonnull(set);
    ck_assert(cpi_parked_init(&parked, entities));
}

static void destroy(void)
{
    cpi_parked_fini(&parked);
    cpi_idset_destroy(set);
}

static void begin_to_fail(int64_t number)
{
    const struct cpi_event event = {.id = {.number = number}};
    cpi_idset_add(set, &event, CPI_LIVE);
    cpi_idset_move(set, cpi_idset_find(set, 0, &event.id), CPI_PARKED);
    cpi_parked_note(&parked, &event, "because");
}

static void settle(int64_t number)
{
    const union cpi_id id = {.number = number};
    cpi_idset_remove(set, cpi_idset_find(set, 0, &id));
    cpi_parked_forget_settled(&parked, set);
}

static enum cpi_parked_answer ask(int64_t number)
{
    char why[32];
    enum cpi_parked_answer answer =
        cpi_parked_ask(&parked, &(struct cpi_event){.id = {.number = number}}, why, sizeof why);
    ck_assert_str_eq(why, answer == CPI_PARKED_IS ? "because" : "");
    return answer;
}

START_TEST(says_of_each_whether_it_fails)
{
    ck_assert_int_eq(ask(1), CPI_PARKED_NOT);
    begin_to_fail(1);
    begin_to_fail(2);
    ck_assert_int_eq(ask(1), CPI_PARKED_IS);
    ck_assert_int_eq(ask(3), CPI_PARKED_NOT);
    settle(1);
    ck_assert_int_eq(ask(1), CPI_PARKED_NOT);
    ck_assert_int_eq(ask(2), CPI_PARKED_IS);
}
END_TEST

START_TEST(of_more_than_are_remembered_it_is_not_sure)
{
    for (int64_t i = 1; i <= MORE; i++) {
        ck_assert_int_eq(ask(MORE), CPI_PARKED_NOT);
        begin_to_fail(i);
    }
    ck_assert_int_eq(ask(1), CPI_PARKED_IS);
    ck_assert_int_eq(ask(MORE), CPI_PARKED_PERHAPS);
    ck_assert_int_eq(ask(MORE + 1), CPI_PARKED_PERHAPS);
    settle(5);
    ck_assert_int_eq(ask(MORE), CPI_PARKED_PERHAPS);
    ck_assert_int_eq(ask(5), CPI_PARKED_PERHAPS);
    begin_to_fail(MORE); /* tried again, and there is room now */
    cpi_parked_forget_settled(&parked, set);
    ck_assert_int_eq(ask(MORE), CPI_PARKED_IS);
    ck_assert_int_eq(ask(5), CPI_PARKED_NOT);
}
END_TEST

Suite *parked_suite(void)
{
    Suite *suite = suite_create("parked");
    TCase *tcase = tcase_create("parked");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, says_of_each_whether_it_fails);
    tcase_add_test(tcase, of_more_than_are_remembered_it_is_not_sure);
    suite_add_tcase(suite, tcase);
    return suite;
}
