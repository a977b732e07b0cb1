/* Which documents rows, TRUNCATEs and messages of a stream name. All is visible: what arrives, arrives at once. */
#include "suites.h"

#include "source/wal_fixture.h"

static struct wal_fixture wal;

static void setup(void)
{
    wal_fixture_init(&wal);
    wal_relations(&wal);
    wal_see(&wal, "1000:1000:");
    wal_begin(&wal, 10);
}

static void teardown(void)
{
    wal_fixture_fini(&wal);
}

static void assert_unreadable(uint64_t n)
{
    ck_assert_uint_eq(cpi_stats_get(&wal.stats, CPI_STAT_UNREADABLE), n);
}

/* ---- rows ---- */

START_TEST(rows_name_their_documents)
{
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_assert_arrived(&wal, "customer 1");
    wal_update(&wal, CUSTOMER, NULL, "1,b");
    wal_assert_arrived(&wal, "customer 1");
    wal_delete(&wal, CUSTOMER, "K1,-");
    wal_assert_arrived(&wal, "customer 1");
    assert_unreadable(0);
    ck_assert_uint_eq(wal.warnings, 0);
}
END_TEST

START_TEST(a_row_may_name_documents_of_several_entities)
{
    wal_insert(&wal, ADDRESS, "50,7,abc");
    wal_assert_arrived(&wal, "customer 7, note abc");
    wal_delete(&wal, ADDRESS, "K50,7,abc");
    wal_assert_arrived(&wal, "customer 7, note abc");
}
END_TEST

START_TEST(what_inherits_is_watched_as_well)
{
    wal_insert(&wal, CONTACT, "1");
    wal_insert(&wal, CHILD, "2");
    wal_assert_arrived(&wal, "customer 1, customer 2");
}
END_TEST

START_TEST(rows_of_other_relations_name_nothing)
{
    enum { OTHER = 999 };
    wal_relation(&wal, OTHER, "public.other", "*id 23");
    wal_insert(&wal, OTHER, "1");
    wal_insert(&wal, 998, "1"); /* not announced either */
    wal_assert_arrived(&wal, "");
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_assert_arrived(&wal, "customer 1");
}
END_TEST

/* The old values are told as soon as one of the identity has changed. */
START_TEST(a_child_that_moves_names_both_parents)
{
    wal_update(&wal, ADDRESS, "K50,7,abc", "50,8,abc");
    wal_assert_arrived(&wal, "customer 7, customer 8, note abc");
    wal_update(&wal, ADDRESS, "O50,8,abc", "50,8,xyz");
    wal_assert_arrived(&wal, "customer 8, note abc, note xyz");
    assert_unreadable(0);
}
END_TEST

START_TEST(nulls_name_nothing)
{
    wal_insert(&wal, ADDRESS, "50,-,-");
    wal_assert_arrived(&wal, "");
    wal_update(&wal, ADDRESS, "K50,-,-", "50,7,-");
    wal_assert_arrived(&wal, "customer 7");
    wal_update(&wal, ADDRESS, "K50,7,-", "50,-,-");
    wal_assert_arrived(&wal, "customer 7");
    wal_delete(&wal, ADDRESS, "K50,-,-");
    wal_assert_arrived(&wal, "");
    assert_unreadable(0);
}
END_TEST

/* A value that is stored outside of its row and was not touched is sent as unchanged. */
START_TEST(an_unchanged_value_is_the_old_one)
{
    wal_update(&wal, ADDRESS, "O50,7,abc", "50,8,=");
    wal_assert_arrived(&wal, "customer 7, customer 8, note abc");
    assert_unreadable(0);
}
END_TEST

START_TEST(an_unchanged_value_without_an_old_row_cannot_be_told)
{
    wal_update(&wal, NOTE, NULL, "=,text");
    wal_assert_arrived(&wal, "note unreadable");
    assert_unreadable(1);
    ck_assert_uint_eq(wal.warnings, 1);
    wal_update(&wal, NOTE, NULL, "abc,="); /* another column's */
    wal_assert_arrived(&wal, "note abc");
    assert_unreadable(1);
}
END_TEST

/* ---- identities ---- */

START_TEST(an_identity_without_the_column_does_not_tell)
{
    wal_relation(&wal, ADDRESS, "public.address", "*id 23,customer_id 23,*note 25");
    wal_insert(&wal, ADDRESS, "50,7,-");
    wal_assert_arrived(&wal, "customer 7"); /* there was no row before */
    assert_unreadable(0);

    wal_update(&wal, ADDRESS, NULL, "50,8,-");
    wal_assert_arrived(&wal, "customer 8, customer unreadable");
    wal_update(&wal, ADDRESS, "K50,-,abc", "50,9,abc");
    wal_assert_arrived(&wal, "customer 9, note abc, customer unreadable");
    wal_delete(&wal, ADDRESS, "K50,-,-");
    wal_assert_arrived(&wal, "customer unreadable");
    assert_unreadable(3);
    ck_assert_uint_eq(wal.warnings, 3);
}
END_TEST

START_TEST(a_full_row_tells_without_an_identity)
{
    wal_relation(&wal, ADDRESS, "public.address", "id 23,customer_id 23,note 25");
    wal_update(&wal, ADDRESS, "O50,7,-", "50,8,-");
    wal_assert_arrived(&wal, "customer 7, customer 8");
    wal_delete(&wal, ADDRESS, "O50,7,-");
    wal_assert_arrived(&wal, "customer 7");
    assert_unreadable(0);
}
END_TEST

/* ---- changed relations ---- */

START_TEST(columns_are_found_where_they_stand)
{
    wal_insert(&wal, CUSTOMER, "1,2");
    wal_relation(&wal, CUSTOMER, "public.customer", "name 25,more 25,*id 23");
    wal_insert(&wal, CUSTOMER, "4,5,6");
    wal_assert_arrived(&wal, "customer 1, customer 6");
}
END_TEST

START_TEST(without_its_column_a_row_may_name_any)
{
    wal_relation(&wal, ADDRESS, "public.address", "*id 23,*owner_id 23,*note 25");
    wal_insert(&wal, ADDRESS, "50,7,abc");
    wal_assert_arrived(&wal, "note abc, customer unreadable");
    wal_update(&wal, ADDRESS, "O50,7,abc", "50,8,abc");
    wal_assert_arrived(&wal, "note abc, customer unreadable");
    wal_delete(&wal, ADDRESS, "O50,8,abc");
    wal_assert_arrived(&wal, "note abc, customer unreadable");
    assert_unreadable(3);

    wal_relation(&wal, ADDRESS, "public.address", "*id 23,*customer_id 23,*note 25");
    wal_insert(&wal, ADDRESS, "50,7,abc");
    wal_assert_arrived(&wal, "customer 7, note abc");
    assert_unreadable(3);
}
END_TEST

START_TEST(a_row_with_too_few_values_may_name_any)
{
    wal_insert(&wal, ADDRESS, "50,7");
    wal_assert_arrived(&wal, "customer 7, note unreadable");
    assert_unreadable(1);
}
END_TEST

/* Known by its number, or, when it was made anew, by its name. */
START_TEST(a_relation_is_known_by_number_and_by_name)
{
    enum { ANOTHER = 555 };
    wal_relation(&wal, CUSTOMER, "public.renamed", "*id 23,name 25");
    wal_insert(&wal, CUSTOMER, "1,a");
    wal_relation(&wal, ANOTHER, "public.customer", "*id 23,name 25");
    wal_insert(&wal, ANOTHER, "2,a");
    wal_assert_arrived(&wal, "customer 1, customer 2");
    wal_relation(&wal, ANOTHER, "other.customer", "*id 23,name 25");
    wal_insert(&wal, ANOTHER, "3,a");
    wal_relation(&wal, ANOTHER + 1, "publ.customer", "*id 23,name 25");
    wal_insert(&wal, ANOTHER + 1, "4,a");
    wal_relation(&wal, ANOTHER + 2, "public.customers", "*id 23,name 25");
    wal_insert(&wal, ANOTHER + 2, "5,a");
    wal_assert_arrived(&wal, "");
}
END_TEST

START_TEST(a_relation_announced_again_counts_once)
{
    for (int i = 0; i < 3; i++) {
        wal_relations(&wal);
    }
    size_t count = 0;
    const struct cpi_wal_route *routes = cpi_wal_tables_find(&wal.changes.tables, ADDRESS, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert(routes[0].relid == ADDRESS && routes[1].relid == ADDRESS);
    ck_assert(routes[0].entity == 0 && routes[0].columns[0].place == 1 && routes[1].entity == 1 &&
              routes[1].columns[0].place == 2);
    ck_assert_ptr_null(cpi_wal_tables_find(&wal.changes.tables, 999, &count));
    ck_assert_uint_eq(count, 0);
    wal_insert(&wal, ADDRESS, "50,7,abc");
    wal_assert_arrived(&wal, "customer 7, note abc");
}
END_TEST

/* ---- values ---- */

START_TEST(what_cannot_be_an_id_costs_only_itself)
{
    wal_insert(&wal, ADDRESS, "50,2147483648,abc");
    wal_assert_arrived(&wal, "note abc");
    assert_unreadable(1);
    wal_update(&wal, ADDRESS, "K50,2147483647,abc", "50,-2147483649,abc");
    wal_assert_arrived(&wal, "customer 2147483647, note abc");
    wal_update(&wal, ADDRESS, "K50,x,abc", "50,8,abc");
    wal_assert_arrived(&wal, "customer 8, note abc");
    assert_unreadable(3);
    ck_assert_uint_eq(wal.warnings, 3);
}
END_TEST

/* As character(n) itself has it when it becomes text. Of other types blanks are part of the value. */
START_TEST(padding_is_no_part_of_a_value)
{
    wal_insert(&wal, NOTE, "abc     ,x");
    wal_insert(&wal, NOTE, " a b    ,x");
    wal_insert(&wal, NOTE, "        ,x");
    wal_insert(&wal, ADDRESS, "50,-,abc  ");
    wal_assert_arrived(&wal, "note abc, note  a b, note , note abc  ");
    wal_relation(&wal, NOTE, "public.note", "*code 25,body 25");
    wal_insert(&wal, NOTE, "abc ,x");
    wal_assert_arrived(&wal, "note abc ");
    wal_relation(&wal, NOTE, "public.note", "*code " PADDED_DOMAIN ",body 25");
    wal_insert(&wal, NOTE, "abc ,x");
    wal_assert_arrived(&wal, "note abc");
}
END_TEST

/* ---- other encodings ---- */

/* What looks like UTF-8 is none either: C3 A9 are two characters in WIN1252. */
START_TEST(foreign_ids_beyond_ascii_may_be_any)
{
    wal.changes.is_foreign = true;
    wal_insert(&wal, ADDRESS, "50,7,abc");
    wal_assert_arrived(&wal, "customer 7, note abc");
    assert_unreadable(0);
    wal_insert(&wal, ADDRESS, "50,7,a\xe9");
    wal_assert_arrived(&wal, "customer 7, note unreadable");
    wal_update(&wal, ADDRESS, "K50,7,a\xc3\xa9", "50,8,abc");
    wal_assert_arrived(&wal, "customer 7, customer 8, note abc, note unreadable");
    wal_insert(&wal, NOTE, "abc,\xe9"); /* of a column that nobody watches */
    wal_assert_arrived(&wal, "note abc");
    wal_insert(&wal, ADDRESS, "50,\xe9,-"); /* no number in any encoding */
    wal_assert_arrived(&wal, "");
    assert_unreadable(3);
    ck_assert_uint_eq(wal.warnings, 3);
    wal.changes.is_foreign = false;
    wal_insert(&wal, ADDRESS, "50,7,a\xc3\xa9");
    wal_assert_arrived(&wal, "customer 7, note a\xc3\xa9");
}
END_TEST

START_TEST(foreign_messages_beyond_ascii_may_be_any)
{
    wal.changes.is_foreign = true;
    wal_message(&wal, "cachepusher:both", "[\"17\",\"18\"]");
    wal_assert_arrived(&wal, "customer 17, customer 18, note 17, note 18");
    wal_message(&wal, "cachepusher:note", "[\"a\xe9\",\"b\"]");
    wal_assert_arrived(&wal, "note unreadable");
    wal_message(&wal, "cachepusher:b\xe9", "17"); /* none of our channels has such a name */
    wal_assert_arrived(&wal, "");
    assert_unreadable(1);
    static char named[] = "n\xc3\xa9";
    static char *channels[] = {named};
    wal.entities[1].channels = channels;
    wal.entities[1].channel_count = 1;
    wal_message(&wal, "cachepusher:n\xe9", "abc");
    wal_assert_arrived(&wal, "note unreadable");
    wal_message(&wal, "cachepusher:n", "abc");
    wal_assert_arrived(&wal, "");
    assert_unreadable(2);
    ck_assert_uint_eq(wal.warnings, 2);
}
END_TEST

/* ---- TRUNCATE ---- */

START_TEST(truncate_means_everything)
{
    wal_truncate(&wal, CUSTOMER, 999);
    wal_assert_arrived(&wal, "customer everything");
    wal_truncate(&wal, 999, ADDRESS);
    wal_assert_arrived(&wal, "customer everything, note everything");
    wal_truncate(&wal, NOTE, CHILD);
    wal_assert_arrived(&wal, "customer everything, note everything");
    wal_truncate(&wal, 998, 999);
    wal_assert_arrived(&wal, "");
}
END_TEST

/* ---- messages ---- */

static const struct {
    const char *prefix;
    const char *content;
    const char *arrived;
} messages[] = {
    {"cachepusher:customer", "17", "customer 17"},
    {"cachepusher:customer", "[17,\"18\"]", "customer 17, customer 18"},
    {"cachepusher:customer", "*", "customer everything"},
    {"cachepusher:customer", "**", "customer again"},
    {"cachepusher:note", "abc", "note abc"},
    {"cachepusher:note", "[\"*\"]", "note *"},
    {"cachepusher:both", "17", "customer 17, note 17"},
    {"cachepusher:both", "*", "customer everything, note everything"},
    {"cachepusher:", "17", ""},
    {"cachepusher", "17", ""},
    {"cachepusher:custome", "17", ""},
    {"cachepusher:customers", "17", ""},
    {"cachepusher:other", "17", ""},
    {"cachepushers:customer", "17", ""},
    {"Cachepusher:customer", "17", ""},
    {"customer", "17", ""},
    {"", "17", ""},
};

START_TEST(messages_are_notifications)
{
    wal_message(&wal, messages[_i].prefix, messages[_i].content);
    wal_assert_arrived(&wal, messages[_i].arrived);
    assert_unreadable(0);
    ck_assert_uint_eq(cpi_stats_get(&wal.stats, CPI_STAT_BAD_PAYLOADS), 0);
}
END_TEST

START_TEST(what_cannot_be_read_of_a_message_is_counted)
{
    wal_message(&wal, "cachepusher:customer", "[1,2147483648,2]");
    wal_assert_arrived(&wal, "customer 1, customer 2");
    assert_unreadable(1);
    wal_message(&wal, "cachepusher:customer", "[1,");
    wal_assert_arrived(&wal, "customer unreadable");
    wal_message(&wal, "cachepusher:customer", "");
    wal_assert_arrived(&wal, "customer unreadable");
    ck_assert_uint_eq(cpi_stats_get(&wal.stats, CPI_STAT_BAD_PAYLOADS), 3);
    ck_assert_uint_eq(wal.warnings, 3);
}
END_TEST

/* Sent without waiting for a commit: between transactions. */
START_TEST(messages_outside_of_transactions_are_taken_at_once)
{
    wal_commit(&wal, 100);
    wal_message(&wal, "cachepusher:customer", "17");
    wal_message(&wal, "cachepusher:own", "5"); /* says nothing about what is to come */
    wal_assert_arrived(&wal, "customer 17");
}
END_TEST

START_TEST(messages_are_held_back_like_rows)
{
    wal_commit(&wal, 100);
    wal_begin(&wal, 2000);
    wal_message(&wal, "cachepusher:both", "17");
    wal_message(&wal, "cachepusher:customer", "**");
    wal_message(&wal, "cachepusher:customer", "[");
    wal_insert(&wal, CUSTOMER, "x,-");
    wal_assert_arrived(&wal, "");
    assert_unreadable(2);
    wal_commit(&wal, 110);
    wal_see(&wal, "2001:2001:");
    wal_assert_arrived(&wal, "customer 17, note 17, customer again, customer unreadable");
}
END_TEST

Suite *wal_rows_suite(void)
{
    Suite *suite = suite_create("wal_rows");
    TCase *tcase = tcase_create("wal_rows");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rows_name_their_documents);
    tcase_add_test(tcase, a_row_may_name_documents_of_several_entities);
    tcase_add_test(tcase, what_inherits_is_watched_as_well);
    tcase_add_test(tcase, rows_of_other_relations_name_nothing);
    tcase_add_test(tcase, a_child_that_moves_names_both_parents);
    tcase_add_test(tcase, nulls_name_nothing);
    tcase_add_test(tcase, an_unchanged_value_is_the_old_one);
    tcase_add_test(tcase, an_unchanged_value_without_an_old_row_cannot_be_told);
    tcase_add_test(tcase, an_identity_without_the_column_does_not_tell);
    tcase_add_test(tcase, a_full_row_tells_without_an_identity);
    tcase_add_test(tcase, columns_are_found_where_they_stand);
    tcase_add_test(tcase, without_its_column_a_row_may_name_any);
    tcase_add_test(tcase, a_row_with_too_few_values_may_name_any);
    tcase_add_test(tcase, a_relation_is_known_by_number_and_by_name);
    tcase_add_test(tcase, a_relation_announced_again_counts_once);
    tcase_add_test(tcase, what_cannot_be_an_id_costs_only_itself);
    tcase_add_test(tcase, padding_is_no_part_of_a_value);
    tcase_add_test(tcase, foreign_ids_beyond_ascii_may_be_any);
    tcase_add_test(tcase, foreign_messages_beyond_ascii_may_be_any);
    tcase_add_test(tcase, truncate_means_everything);
    tcase_add_loop_test(tcase, messages_are_notifications, 0, (int)(sizeof messages / sizeof *messages));
    tcase_add_test(tcase, what_cannot_be_read_of_a_message_is_counted);
    tcase_add_test(tcase, messages_outside_of_transactions_are_taken_at_once);
    tcase_add_test(tcase, messages_are_held_back_like_rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
