/* Ids of several columns, and updates of what no document reads, in rows of a stream. */
#include "suites.h"

#include "source/wal_fixture.h"

static struct wal_fixture wal;

/* line(tenant, number, title, touched_at), both columns of the id in its identity. */
static void setup(void)
{
    wal_fixture_init(&wal);
    wal_relation(&wal, LINE, "public.line", "*tenant 25,*number 23,title 25,touched_at 1184");
    wal_see(&wal, "1000:1000:");
    wal_begin(&wal, 10);
}

static void teardown(void)
{
    wal_fixture_fini(&wal);
}

static void assert_left_out(uint64_t n)
{
    ck_assert_uint_eq(cpi_stats_get(&wal.stats, CPI_STAT_UNREAD), n);
}

/* ---- ids of several columns ---- */

START_TEST(several_columns_are_one_text)
{
    wal_insert(&wal, LINE, "acme,7,x,t");
    wal_assert_arrived(&wal, "note acme:7");
    wal_update(&wal, LINE, NULL, "acme,7,y,t");
    wal_assert_arrived(&wal, "note acme:7");
    wal_update(&wal, LINE, "Kacme,7,-,-", "other,7,y,t");
    wal_assert_arrived(&wal, "note acme:7, note other:7");
    wal_delete(&wal, LINE, "Kother,7,-,-");
    wal_assert_arrived(&wal, "note other:7");
    ck_assert_uint_eq(wal.warnings, 0);
}
END_TEST

START_TEST(what_joins_them_is_escaped)
{
    wal_insert(&wal, LINE, "a:b%3A,7,x,t");
    wal_insert(&wal, LINE, ",7,x,t");
    wal_insert(&wal, LINE, "%,8,x,t");
    wal_assert_arrived(&wal, "note a%3Ab%253A:7, note :7, note %25:8");
}
END_TEST

START_TEST(a_null_among_them_names_nothing)
{
    wal_insert(&wal, LINE, "-,7,x,t");
    wal_insert(&wal, LINE, "acme,-,x,t");
    wal_update(&wal, LINE, "Oacme,-,x,t", "acme,7,x,t");
    wal_update(&wal, LINE, "Oacme,8,x,t", "-,8,x,t");
    wal_assert_arrived(&wal, "note acme:7, note acme:8");
    ck_assert_uint_eq(cpi_stats_get(&wal.stats, CPI_STAT_UNREADABLE), 0);
}
END_TEST

START_TEST(padding_is_taken_from_each)
{
    wal_relation(&wal, LINE, "public.line", "*tenant 1042,*number " PADDED_DOMAIN ",title 25");
    wal_insert(&wal, LINE, "acme  ,7  ,x");
    wal_assert_arrived(&wal, "note acme:7");
}
END_TEST

/* Only one of them is touched. */
START_TEST(an_unchanged_one_is_that_of_the_old_row)
{
    wal_update(&wal, LINE, "Oacme,7,x,t", "=,8,x,t");
    wal_assert_arrived(&wal, "note acme:7, note acme:8");
    wal_update(&wal, LINE, NULL, "=,8,x,t");
    wal_assert_arrived(&wal, "note unreadable");
}
END_TEST

START_TEST(all_have_to_be_in_the_identity)
{
    wal_relation(&wal, LINE, "public.line", "*tenant 25,number 23,title 25");
    wal_update(&wal, LINE, NULL, "acme,7,x");
    wal_assert_arrived(&wal, "note acme:7, note unreadable");
    wal_delete(&wal, LINE, "Kacme,-,-");
    wal_assert_arrived(&wal, "note unreadable");
    wal_update(&wal, LINE, "Oacme,6,x", "acme,7,x");
    wal_assert_arrived(&wal, "note acme:6, note acme:7");
}
END_TEST

START_TEST(without_one_of_them_a_row_may_name_any)
{
    wal_relation(&wal, LINE, "public.line", "*tenant 25,title 25");
    wal_insert(&wal, LINE, "acme,x");
    wal_assert_arrived(&wal, "note unreadable");
}
END_TEST

/* ---- what documents read ---- */

START_TEST(an_update_of_what_nobody_reads_is_left_out)
{
    wal_update(&wal, LINE, "Oacme,7,x,yesterday", "acme,7,x,today");
    wal_update(&wal, LINE, "Oacme,7,x,yesterday", "=,=,=,today");
    wal_assert_arrived(&wal, "");
    assert_left_out(2);
    wal_update(&wal, LINE, "Oacme,7,x,t", "acme,7,x ,t");
    wal_assert_arrived(&wal, "note acme:7");
    wal_update(&wal, LINE, "Oacme,7,-,t", "acme,7,,t");
    wal_assert_arrived(&wal, "note acme:7");
    wal_update(&wal, LINE, "Oacme,7,x,t", "acme,8,x,t");
    wal_assert_arrived(&wal, "note acme:7, note acme:8");
    assert_left_out(2);
}
END_TEST

/* Rows that were made or have gone, and updates of which the old row is not known. */
START_TEST(all_others_count)
{
    wal_insert(&wal, LINE, "acme,1,x,t");
    wal_update(&wal, LINE, NULL, "acme,2,x,t");
    wal_update(&wal, LINE, "Kacme,3,-,-", "acme,3,x,t");
    wal_delete(&wal, LINE, "Oacme,4,x,t");
    wal_assert_arrived(&wal, "note acme:1, note acme:2, note acme:3, note acme:4");
    assert_left_out(0);
}
END_TEST

/* Renamed or dropped, it may have been read all the same. */
START_TEST(without_a_column_that_is_read_all_count)
{
    wal_relation(&wal, LINE, "public.line", "*tenant 25,*number 23,name 25,touched_at 1184");
    wal_update(&wal, LINE, "Oacme,7,x,yesterday", "acme,7,x,today");
    wal_assert_arrived(&wal, "note acme:7");
    assert_left_out(0);
    wal_relation(&wal, LINE, "public.line", "*tenant 25,touched_at 1184,title 25,*number 23");
    wal_update(&wal, LINE, "Oacme,yesterday,x,7", "acme,today,x,7");
    wal_assert_arrived(&wal, "");
    assert_left_out(1);
}
END_TEST

/* Of a table that says nothing about what is read. */
START_TEST(where_nothing_is_said_all_count)
{
    wal_relations(&wal);
    wal_update(&wal, CUSTOMER, "O1,a", "1,a");
    wal_assert_arrived(&wal, "customer 1");
    assert_left_out(0);
}
END_TEST

Suite *wal_reads_suite(void)
{
    Suite *suite = suite_create("wal_reads");
    TCase *tcase = tcase_create("wal_reads");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, several_columns_are_one_text);
    tcase_add_test(tcase, what_joins_them_is_escaped);
    tcase_add_test(tcase, a_null_among_them_names_nothing);
    tcase_add_test(tcase, padding_is_taken_from_each);
    tcase_add_test(tcase, an_unchanged_one_is_that_of_the_old_row);
    tcase_add_test(tcase, all_have_to_be_in_the_identity);
    tcase_add_test(tcase, without_one_of_them_a_row_may_name_any);
    tcase_add_test(tcase, an_update_of_what_nobody_reads_is_left_out);
    tcase_add_test(tcase, all_others_count);
    tcase_add_test(tcase, without_a_column_that_is_read_all_count);
    tcase_add_test(tcase, where_nothing_is_said_all_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
