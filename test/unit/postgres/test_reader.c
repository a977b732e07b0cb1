/* The reader, on a Postgres in memory. */
#include "suites.h"

#include "base/clock.h"
#include "base/error.h"
#include "postgres/fake_postgres.h"

#include <stdio.h>
#include <string.h>

enum { IDS = 256, PORTION_BYTES = 1024 * 1024, FIRST = 32 };

/* What the sink was told of each position. */
struct told {
    enum { NOTHING, DOCUMENT, NO_DOCUMENT, FAILED, UNTRIED } what;
    char text[32];
};

struct fixture {
    struct cpi_entity entity;
    struct fake_postgres postgres;
    struct cpi_reader *reader;
    union cpi_id ids[IDS];
    struct told told[IDS];
    unsigned statements;
    unsigned portions;
    unsigned doubled;
    bool refuses; /* the sink does */
    cp_error err;
};

static struct fixture fixture;

static struct told *tell(uint32_t position)
{
    ck_assert_uint_lt(position, IDS);
    ck_assert_int_eq(fixture.told[position].what, NOTHING);
    return &fixture.told[position];
}

static void take_statement(void *context)
{
    (void)context;
    ck_assert_uint_eq(fixture.postgres.runs, fixture.statements);
    fixture.statements++;
}

static bool take_documents(void *context, const uint32_t *positions, const struct cpi_document *documents, uint32_t n,
                           cp_error *err)
{
    (void)context;
    fixture.portions++;
    if (fixture.refuses) {
        cpi_error(err, CP_ERR_REDIS, true, "Redis: full");
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct told *told = tell(positions[i]);
        told->what = documents[i].bytes != NULL ? DOCUMENT : NO_DOCUMENT;
        if (documents[i].bytes != NULL) {
            memcpy(told->text, documents[i].bytes, sizeof told->text);
        }
    }
    return true;
}

static void take_failed(void *context, uint32_t position, const cp_error *why)
{
    (void)context;
    ck_assert_str_eq(why->message, "Postgres: division by zero");
    tell(position)->what = FAILED;
}

static void take_untried(void *context, const uint32_t *positions, uint32_t n)
{
    (void)context;
    for (uint32_t i = 0; i < n; i++) {
        tell(positions[i])->what = UNTRIED;
    }
}

static void take_doubled(void *context, uint32_t position)
{
    (void)context;
    ck_assert_uint_lt(position, IDS);
    fixture.doubled++;
}

static void setup(void)
{
    fixture = (struct fixture){.entity = {.id_type = CPI_ID_BIGINT}};
    fixture.reader = cpi_reader_create(&fake_postgres_ops, &fixture.postgres, &fixture.entity, 1, IDS, PORTION_BYTES);
    ck_assert_ptr_nonnull(fixture.reader);
    ck_assert_int_eq(cpi_reader_open(fixture.reader, &fixture.err), CPI_FAILURE_NONE);
    for (uint32_t i = 0; i < IDS; i++) {
        fixture.ids[i].number = 1000 + i;
    }
}

static void teardown(void)
{
    cpi_reader_destroy(fixture.reader);
}

static enum cpi_failure read_for(uint32_t n, int64_t search_ms)
{
    static const struct cpi_reader_sink sink = {.statement = take_statement,
                                                .documents = take_documents,
                                                .doubled = take_doubled,
                                                .failed = take_failed,
                                                .untried = take_untried};
    return cpi_reader_read(fixture.reader, 0, fixture.ids, n, &sink, search_ms, &fixture.err);
}

static enum cpi_failure read_ids(uint32_t n)
{
    return read_for(n, CPI_READER_NO_LIMIT);
}

static void check_document(uint32_t position)
{
    char expected[32];
    snprintf(expected, sizeof expected, "{\"id\":%lld}", (long long)fixture.ids[position].number);
    ck_assert_int_eq(fixture.told[position].what, DOCUMENT);
    ck_assert_str_eq(fixture.told[position].text, expected);
}

static void check_all_documents(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        check_document(i);
    }
}

/* ---- rows and ids ---- */

START_TEST(one_statement_reads_them_all)
{
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    check_all_documents(IDS);
    ck_assert_uint_eq(fixture.postgres.runs, 1);
    ck_assert_uint_eq(fixture.statements, 1);
    ck_assert_uint_eq(fixture.portions, 1);
    ck_assert_uint_eq(fixture.postgres.released, 1);
}
END_TEST

START_TEST(no_ids_no_statement)
{
    ck_assert_int_eq(read_ids(0), CPI_FAILURE_NONE);
    ck_assert_uint_eq(fixture.postgres.runs, 0);
}
END_TEST

static void reverse(struct fake_postgres *postgres)
{
    for (uint32_t i = 0; i < postgres->count / 2; i++) {
        struct cpi_fetched_row row = postgres->rows[i];
        postgres->rows[i] = postgres->rows[postgres->count - 1 - i];
        postgres->rows[postgres->count - 1 - i] = row;
    }
}

START_TEST(rows_may_come_in_any_order)
{
    fixture.postgres.arrange = reverse;
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    check_all_documents(IDS);
}
END_TEST

/* Which reverse() is asked for decides: rows in order with gaps, and rows in another order. */
START_TEST(an_id_without_a_row_has_no_document)
{
    fixture.postgres.arrange = _i == 1 ? reverse : NULL;
    fixture.postgres.absent = (struct fake_ids){.numbers = {1000, 1100, 1101, 1255}, .count = 4};
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    for (uint32_t i = 0; i < IDS; i++) {
        if (i == 0 || i == 100 || i == 101 || i == 255) {
            ck_assert_int_eq(fixture.told[i].what, NO_DOCUMENT);
        } else {
            check_document(i);
        }
    }
}
END_TEST

START_TEST(no_rows_at_all)
{
    fixture.postgres.absent = (struct fake_ids){.numbers = {1000, 1001, 1002}, .count = 3};
    ck_assert_int_eq(read_ids(3), CPI_FAILURE_NONE);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(fixture.told[i].what, NO_DOCUMENT);
    }
}
END_TEST

static void make_null(struct fake_postgres *postgres)
{
    postgres->rows[1].document = (struct cpi_document){0};
}

START_TEST(a_null_is_no_document)
{
    fixture.postgres.arrange = make_null;
    ck_assert_int_eq(read_ids(3), CPI_FAILURE_NONE);
    check_document(0);
    ck_assert_int_eq(fixture.told[1].what, NO_DOCUMENT);
    check_document(2);
}
END_TEST

static void add_strange_rows(struct fake_postgres *postgres)
{
    static const char wrong[32] = "wrong";
    const struct cpi_fetched_row not_asked_for = {.id = {.number = 5}, .document = {.bytes = wrong, .length = 5}};
    struct cpi_fetched_row second = postgres->rows[0];
    second.document = not_asked_for.document;
    for (uint32_t i = postgres->count; i > 1; i--) {
        postgres->rows[i + 1] = postgres->rows[i - 1];
    }
    postgres->rows[1] = not_asked_for;
    postgres->rows[2] = second;
    postgres->count += 2;
    postgres->rows[postgres->count++] = second;
}

START_TEST(rows_that_were_not_asked_for_and_second_ones_are_ignored)
{
    fixture.postgres.arrange = add_strange_rows;
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    check_all_documents(IDS);
    ck_assert_uint_eq(fixture.doubled, 2); /* and told */
}
END_TEST

/* A function that takes an array returns one row for an id, however often it is named. */
static void keep_first_rows(struct fake_postgres *postgres)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < postgres->count; i++) {
        bool is_second = false;
        for (uint32_t j = 0; j < kept; j++) {
            is_second = is_second || postgres->rows[j].id.number == postgres->rows[i].id.number;
        }
        if (!is_second) {
            postgres->rows[kept++] = postgres->rows[i];
        }
    }
    postgres->count = kept;
}

static void keep_first_rows_and_reverse(struct fake_postgres *postgres)
{
    keep_first_rows(postgres);
    reverse(postgres);
}

START_TEST(equal_ids_all_get_the_document)
{
    static void (*const arrangements[])(struct fake_postgres *) = {NULL, reverse, keep_first_rows,
                                                                   keep_first_rows_and_reverse};
    static const int64_t numbers[] = {5, 7, 5, 5, 9, 7};
    for (uint32_t i = 0; i < 6; i++) {
        fixture.ids[i].number = numbers[i];
    }
    fixture.postgres.arrange = arrangements[_i];
    ck_assert_int_eq(read_ids(6), CPI_FAILURE_NONE);
    check_all_documents(6);
}
END_TEST

static void add_texts(struct fake_postgres *postgres)
{
    static char a[] = "a";
    static char b[] = "b";
    static char c[] = "c";
    static const char document[32] = "of b";
    postgres->rows[0] = (struct cpi_fetched_row){.id = {.text = c}, .document = {.bytes = document, .length = 4}};
    postgres->rows[1] = (struct cpi_fetched_row){.id = {.text = b}, .document = {.bytes = document, .length = 4}};
    postgres->rows[2] = (struct cpi_fetched_row){.id = {.text = a}};
    postgres->count = 3;
}

START_TEST(text_ids_are_matched_by_their_text)
{
    char a[] = "a";
    char b[] = "b";
    fixture.entity.id_type = CPI_ID_TEXT;
    fixture.ids[0].text = a;
    fixture.ids[1].text = b;
    fixture.postgres.arrange = add_texts;
    ck_assert_int_eq(read_ids(2), CPI_FAILURE_NONE);
    ck_assert_int_eq(fixture.told[0].what, NO_DOCUMENT);
    ck_assert_str_eq(fixture.told[1].text, "of b");
}
END_TEST

/* ---- statements that fail ---- */

START_TEST(each_culprit_is_found_and_the_others_are_served)
{
    fixture.postgres.broken = (struct fake_ids){.numbers = {1000, 1001, 1077, 1255}, .count = 4};
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    for (uint32_t i = 0; i < IDS; i++) {
        if (i == 0 || i == 1 || i == 77 || i == 255) {
            ck_assert_int_eq(fixture.told[i].what, FAILED);
        } else {
            check_document(i);
        }
    }
    ck_assert_uint_lt(fixture.postgres.runs, 64);
    ck_assert_uint_eq(fixture.postgres.prepared, 1);
}
END_TEST

START_TEST(when_time_is_up_one_culprit_is_found_and_the_rest_reported)
{
    fixture.postgres.broken = (struct fake_ids){.numbers = {1000, 1200}, .count = 2};
    ck_assert_int_eq(read_for(IDS, 0), CPI_FAILURE_NONE);
    ck_assert_int_eq(fixture.told[0].what, FAILED);
    for (uint32_t i = 1; i < IDS; i++) {
        ck_assert_int_eq(fixture.told[i].what, UNTRIED);
    }
    ck_assert_uint_eq(fixture.postgres.runs, 9); /* 256, 128, … 1 */
}
END_TEST

START_TEST(time_does_not_matter_while_nothing_fails)
{
    ck_assert_int_eq(read_for(IDS, 0), CPI_FAILURE_NONE);
    check_all_documents(IDS);
}
END_TEST

START_TEST(a_statement_that_cannot_be_prepared_blames_no_id)
{
    fixture.postgres.prepare_failure = CPI_FAILURE_STATEMENT;
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_STATEMENT);
    ck_assert_uint_eq(fixture.postgres.runs, 0);
    ck_assert_int_eq(fixture.told[0].what, NOTHING);

    fixture.postgres.prepare_failure = CPI_FAILURE_NONE;
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    check_all_documents(IDS);
}
END_TEST

START_TEST(what_is_not_the_statements_own_fault_ends_the_reading)
{
    static const enum cpi_failure failures[] = {CPI_FAILURE_CONNECTION, CPI_FAILURE_MEMORY, CPI_FAILURE_REFUSED};
    fixture.postgres.run_failure = failures[_i];
    ck_assert_int_eq(read_ids(IDS), failures[_i]);
    ck_assert_uint_eq(fixture.postgres.runs, 1);
    ck_assert_int_eq(fixture.told[0].what, NOTHING);
    ck_assert_int_eq(cpi_reader_is_open(fixture.reader), failures[_i] == CPI_FAILURE_MEMORY);
}
END_TEST

START_TEST(a_connection_lost_during_the_search_ends_it)
{
    fixture.postgres.broken = (struct fake_ids){.numbers = {1000}, .count = 1};
    fixture.postgres.lethal = (struct fake_ids){.numbers = {1003}, .count = 1};
    ck_assert_int_eq(read_ids(2), CPI_FAILURE_NONE);
    memset(fixture.told, 0, sizeof fixture.told);
    ck_assert_int_eq(read_ids(4), CPI_FAILURE_CONNECTION);
    ck_assert(!cpi_reader_is_open(fixture.reader));
}
END_TEST

START_TEST(the_sink_can_end_it)
{
    fixture.refuses = true;
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_SINK);
    ck_assert_str_eq(fixture.err.message, "Redis: full");
    ck_assert_uint_eq(fixture.portions, 1);
    ck_assert_uint_eq(fixture.postgres.released, 1);
}
END_TEST

/* ---- connections ---- */

START_TEST(a_new_connection_prepares_again)
{
    ck_assert_int_eq(read_ids(1), CPI_FAILURE_NONE);
    cpi_reader_close(fixture.reader);
    ck_assert(!cpi_reader_is_open(fixture.reader));
    ck_assert_int_eq(cpi_reader_open(fixture.reader, &fixture.err), CPI_FAILURE_NONE);
    memset(fixture.told, 0, sizeof fixture.told);
    ck_assert_int_eq(read_ids(1), CPI_FAILURE_NONE);
    ck_assert_uint_eq(fixture.postgres.prepared, 2);
}
END_TEST

START_TEST(why_a_connection_fails_is_handed_up)
{
    fixture.postgres.open_failure = CPI_FAILURE_REFUSED;
    ck_assert_int_eq(cpi_reader_open(fixture.reader, &fixture.err), CPI_FAILURE_REFUSED);
    ck_assert(!cpi_reader_is_open(fixture.reader));
}
END_TEST

/* Large ones are not held all at once, and are stored while the others are under way. */
START_TEST(documents_are_handed_on_in_portions)
{
    fixture.postgres.document_bytes = PORTION_BYTES / 4;
    ck_assert_int_eq(read_ids(10), CPI_FAILURE_NONE);
    check_all_documents(10);
    ck_assert_uint_eq(fixture.portions, 3);
    ck_assert_uint_eq(fixture.postgres.runs, 1);
}
END_TEST

/* What came before the failure counts, and is not read again. */
START_TEST(rows_before_a_failure_are_served)
{
    fixture.postgres.breaks_late = true;
    fixture.postgres.broken = (struct fake_ids){.numbers = {1100, 1255}, .count = 2};
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    for (uint32_t i = 0; i < IDS; i++) {
        if (i == 100 || i == 255) {
            ck_assert_int_eq(fixture.told[i].what, FAILED);
        } else {
            check_document(i);
        }
    }
}
END_TEST

START_TEST(large_documents_make_batches_smaller)
{
    ck_assert_uint_eq(cpi_reader_limit(fixture.reader, IDS), FIRST); /* nothing is known yet */
    fixture.postgres.document_bytes = 1024 * 1024;
    ck_assert_int_eq(read_ids(4), CPI_FAILURE_NONE);
    ck_assert_uint_eq(cpi_reader_limit(fixture.reader, IDS), 7);
    ck_assert_uint_eq(cpi_reader_limit(fixture.reader, 3), 3);

    fixture.postgres.document_bytes = 1024 * 1024 * 1024;
    memset(fixture.told, 0, sizeof fixture.told);
    ck_assert_int_eq(read_ids(1), CPI_FAILURE_NONE);
    ck_assert_uint_eq(cpi_reader_limit(fixture.reader, IDS), 1);

    fixture.postgres.document_bytes = 0;
    for (int i = 0; i < 64; i++) {
        memset(fixture.told, 0, sizeof fixture.told);
        ck_assert_int_eq(read_ids(4), CPI_FAILURE_NONE);
    }
    ck_assert_uint_eq(cpi_reader_limit(fixture.reader, IDS), IDS);
}
END_TEST

/* Whatever becomes of the statement. */
START_TEST(slow_statements_make_batches_smaller)
{
    ck_assert_int_eq(read_ids(IDS), CPI_FAILURE_NONE);
    ck_assert_uint_ge(cpi_reader_entity_limit(fixture.reader, 0), IDS);
    cpi_reader_set_timeout(fixture.reader, 500);
    memset(fixture.told, 0, sizeof fixture.told);
    fixture.postgres.run_ms = 400; /* four times what is aimed at */
    fixture.postgres.run_failure = _i == 1 ? CPI_FAILURE_STATEMENT : CPI_FAILURE_NONE;
    ck_assert_int_eq(read_for(IDS, 0), CPI_FAILURE_NONE);
    ck_assert_uint_le(cpi_reader_entity_limit(fixture.reader, 0), IDS / 2);

    memset(fixture.told, 0, sizeof fixture.told);
    fixture.postgres.run_ms = 0;
    fixture.postgres.run_failure = CPI_FAILURE_NONE;
    ck_assert_int_eq(read_ids(IDS / 2), CPI_FAILURE_NONE);
    ck_assert_uint_eq(cpi_reader_entity_limit(fixture.reader, 0), IDS);
}
END_TEST

Suite *reader_suite(void)
{
    Suite *suite = suite_create("reader");
    TCase *tcase = tcase_create("reader");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_statement_reads_them_all);
    tcase_add_test(tcase, no_ids_no_statement);
    tcase_add_test(tcase, rows_may_come_in_any_order);
    tcase_add_loop_test(tcase, an_id_without_a_row_has_no_document, 0, 2);
    tcase_add_test(tcase, no_rows_at_all);
    tcase_add_test(tcase, a_null_is_no_document);
    tcase_add_test(tcase, rows_that_were_not_asked_for_and_second_ones_are_ignored);
    tcase_add_loop_test(tcase, equal_ids_all_get_the_document, 0, 4);
    tcase_add_test(tcase, text_ids_are_matched_by_their_text);
    tcase_add_test(tcase, each_culprit_is_found_and_the_others_are_served);
    tcase_add_test(tcase, when_time_is_up_one_culprit_is_found_and_the_rest_reported);
    tcase_add_test(tcase, time_does_not_matter_while_nothing_fails);
    tcase_add_test(tcase, a_statement_that_cannot_be_prepared_blames_no_id);
    tcase_add_loop_test(tcase, what_is_not_the_statements_own_fault_ends_the_reading, 0, 3);
    tcase_add_test(tcase, a_connection_lost_during_the_search_ends_it);
    tcase_add_test(tcase, the_sink_can_end_it);
    tcase_add_test(tcase, a_new_connection_prepares_again);
    tcase_add_test(tcase, why_a_connection_fails_is_handed_up);
    tcase_add_test(tcase, documents_are_handed_on_in_portions);
    tcase_add_test(tcase, rows_before_a_failure_are_served);
    tcase_add_test(tcase, large_documents_make_batches_smaller);
    tcase_add_loop_test(tcase, slow_statements_make_batches_smaller, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
