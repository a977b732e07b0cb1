/* The table of figures: each is described in full, once, and arrives in its member of cp_stats. */
#include "suites.h"

#include "base/stats.h"

#include <stddef.h>
#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

START_TEST(each_is_described)
{
    ck_assert_uint_eq(cp_stat_count(), CPI_STATS);
    for (size_t i = 0; i < cp_stat_count(); i++) {
        const cp_stat *stat = cp_stat_describe(i);
        ck_assert_ptr_nonnull(stat);
        ck_assert_uint_eq(stat->size, sizeof *stat);
        ck_assert_uint_eq(strspn(stat->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(stat->name));
        ck_assert_int_eq(strncmp(stat->name, "cachepusher_", 12), 0);
        ck_assert_int_eq(ends_with(stat->name, "_total"), stat->kind == CP_STAT_COUNTER);
        ck_assert_uint_gt(strlen(stat->help), 0);
        ck_assert(!ends_with(stat->help, ".") && strpbrk(stat->help, "\n\\") == NULL);
        ck_assert(stat->unit == NULL || strstr(stat->name, stat->unit) != NULL);
        ck_assert_int_eq(stat->label == NULL, stat->label_value == NULL);
    }
    ck_assert_ptr_null(cp_stat_describe(cp_stat_count()));
}
END_TEST

START_TEST(a_name_is_used_once_for_each_value_of_its_label)
{
    for (size_t i = 0; i < cp_stat_count(); i++) {
        const cp_stat *stat = cp_stat_describe(i);
        for (size_t j = 0; j < i; j++) {
            const cp_stat *other = cp_stat_describe(j);
            if (strcmp(stat->name, other->name) == 0) {
                ck_assert_str_eq(stat->help, other->help);
                ck_assert_str_eq(stat->label, other->label);
                ck_assert_str_ne(stat->label_value, other->label_value);
                ck_assert_str_eq(cp_stat_describe(i - 1)->name, stat->name); /* next to each other */
            }
        }
    }
}
END_TEST

/* The figure's member of cp_stats, and only that one, takes its value. */
START_TEST(each_has_a_member_of_its_own)
{
    static struct cpi_stats stats;
    for (size_t i = 0; i < CPI_STATS; i++) {
        cp_stats shown = {.size = sizeof shown};
        cp_error err;
        size_t changed = 0;
        ck_assert(cpi_stats_init(&stats, 4));
        cpi_stats_set(&stats, (enum cpi_stat)i, 1);
        ck_assert_int_eq(cpi_stats_read(&stats, &shown, &err), CP_OK);
        for (size_t at = sizeof shown.size; at < sizeof shown; at++) {
            changed += ((const unsigned char *)&shown)[at] != 0;
        }
        ck_assert_uint_eq(changed, 1);
        cpi_stats_fini(&stats);
    }
}
END_TEST

START_TEST(members_show_what_they_are_called)
{
    static struct cpi_stats stats;
    cp_stats shown = {.size = sizeof shown};
    cp_error err;
    ck_assert(cpi_stats_init(&stats, 4));
    for (size_t i = 0; i < CPI_STATS; i++) {
        cpi_stats_add(&stats, (enum cpi_stat)i, (int64_t)i + 1000);
    }
    cpi_stats_add(&stats, CPI_STAT_PENDING, -1);
    ck_assert_int_eq(cpi_stats_read(&stats, &shown, &err), CP_OK);
    ck_assert_uint_eq(shown.events, CPI_STAT_EVENTS + 1000);
    ck_assert_uint_eq(shown.stored, CPI_STAT_STORED + 1000);
    ck_assert_uint_eq(shown.bytes, CPI_STAT_BYTES + 1000);
    ck_assert_uint_eq(shown.pending, CPI_STAT_PENDING + 999);
    ck_assert_uint_eq(shown.resync_estimate, CPI_STAT_RESYNC_ESTIMATE + 1000);
    ck_assert_uint_eq(shown.causes[CP_CAUSES - 1], CPI_STAT_LAST_CAUSE + 1000);
    ck_assert(shown.ready);
    ck_assert(shown.writer);
    cpi_stats_fini(&stats);
}
END_TEST

START_TEST(a_syncer_gives_each_by_its_index)
{
    cp_error err;
    cp_syncer *syncer = cp_syncer_create(cp_config_create(&err), NULL, &err);
    ck_assert_ptr_nonnull(syncer);
    for (size_t i = 0; i <= cp_stat_count(); i++) {
        ck_assert_uint_eq(cp_syncer_stat(syncer, i), 0);
    }
    cp_syncer_destroy(syncer);
}
END_TEST

Suite *stats_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *tcase = tcase_create("stats");
    tcase_add_test(tcase, each_is_described);
    tcase_add_test(tcase, a_name_is_used_once_for_each_value_of_its_label);
    tcase_add_test(tcase, each_has_a_member_of_its_own);
    tcase_add_test(tcase, members_show_what_they_are_called);
    tcase_add_test(tcase, a_syncer_gives_each_by_its_index);
    suite_add_tcase(suite, tcase);
    return suite;
}
