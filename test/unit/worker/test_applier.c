/* The applier between a Postgres and a Redis in memory. */
#include "suites.h"

#include "queue/idset.h"
#include "worker/applier.h"
#include "worker/fakes.h"

static struct fakes fakes;
static struct cpi_servers *servers;
static struct cpi_idset *set;
static struct cpi_applier *applier;
static cp_error err;

static void setup(void)
{
    fakes_init(&fakes);
    servers = fakes_servers(&fakes);
    set = cpi_idset_create(&fakes.entity);
    ck_assert_ptr_nonnull(set);
    applier = cpi_applier_create(&fakes.env, servers, set);
    ck_assert_ptr_nonnull(applier);
    err = (cp_error){0};
}

static void teardown(void)
{
    cpi_applier_destroy(applier);
    cpi_idset_destroy(set);
    cpi_servers_destroy(servers);
    fakes_fini(&fakes);
}

/* Ids 1 to n, live. */
static void add(int64_t n)
{
    for (int64_t id = 1; id <= n; id++) {
        const struct cpi_event event = {.id = {.number = id}};
        ck_assert_int_eq(cpi_idset_add(set, &event, CPI_LIVE), CPI_ADDED);
    }
}

static bool work_on(enum cpi_queue queue)
{
    uint32_t handles[FAKE_BATCH];
    uint32_t n = cpi_idset_peek(set, queue, handles, cpi_applier_batch(applier));
    ck_assert_uint_gt(n, 0);
    return cpi_applier_work(applier, handles, n, 1000, &err);
}

static bool work(void)
{
    return work_on(CPI_LIVE);
}

static bool is_in(int64_t id, enum cpi_queue queue)
{
    const union cpi_id wanted = {.number = id};
    uint32_t handle = cpi_idset_find(set, 0, &wanted);
    return handle != 0 && cpi_idset_queue(set, handle) == queue;
}

static bool is_settled(int64_t id)
{
    const union cpi_id wanted = {.number = id};
    return cpi_idset_find(set, 0, &wanted) == 0;
}

static void check_counts(uint32_t live, uint32_t parked)
{
    ck_assert_uint_eq(cpi_idset_count(set, CPI_LIVE), live);
    ck_assert_uint_eq(cpi_idset_count(set, CPI_PARKED), parked);
}

/* ---- what Redis answers ---- */

START_TEST(a_document_is_set_and_a_missing_one_deleted)
{
    fakes.postgres.absent = (struct fake_ids){.numbers = {2}, .count = 1};
    add(3);
    ck_assert(work());
    check_counts(0, 0);
    ck_assert_uint_eq(fakes_stored(&fakes, 1), 1);
    ck_assert_uint_eq(fakes_stored(&fakes, 2), 0);
    ck_assert_uint_eq(fakes_deleted(&fakes, 2), 1);
    ck_assert_uint_eq(fakes_stored(&fakes, 3), 1);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_STORED), 2);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_DELETED), 1);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_FETCHES), 1);
}
END_TEST

/* What becomes of ids 1 to 4 when 2 gets an answer. */
static const struct expected {
    bool goes_on;
    bool open;       /* the connection to Redis, afterwards */
    bool is_parked;  /* 2; otherwise it stays live, unless acknowledged */
    bool others_too; /* 3 and 4 are acknowledged like 1 */
} answers[] = {
    [CPI_ANSWER_DONE] = {.goes_on = true, .open = true, .others_too = true},
    [CPI_ANSWER_WAIT] = {.goes_on = false, .open = true, .others_too = true},
    [CPI_ANSWER_RECONNECT] = {.goes_on = false, .open = false, .others_too = false},
    [CPI_ANSWER_REFUSED] = {.goes_on = true, .open = true, .is_parked = true, .others_too = true},
    [CPI_ANSWER_NONSENSE] = {.goes_on = false, .open = false, .others_too = false},
    [CPI_ANSWER_NONE] = {.goes_on = false, .open = false, .others_too = false},
};

START_TEST(each_answer_is_for_its_own_id)
{
    const struct expected *expected = &answers[_i];
    fakes.target.answer = (enum cpi_answer)_i;
    fakes.target.odd = (struct fake_ids){.numbers = {2}, .count = 1};
    add(4);
    ck_assert_int_eq(work(), expected->goes_on);
    ck_assert_int_eq(fakes.target.open, expected->open);
    ck_assert(is_settled(1));
    ck_assert_int_eq(is_settled(2), _i == CPI_ANSWER_DONE);
    ck_assert_int_eq(is_in(2, CPI_PARKED), expected->is_parked);
    ck_assert_int_eq(is_settled(3), expected->others_too);
    ck_assert_int_eq(is_settled(4), expected->others_too);
    ck_assert_int_eq(is_in(4, CPI_LIVE), !expected->others_too);
    ck_assert_int_eq(err.message[0] == '\0', expected->goes_on);
}
END_TEST

START_TEST(what_was_not_acknowledged_is_read_and_stored_again)
{
    static const enum cpi_answer not_done[] = {CPI_ANSWER_NONE, CPI_ANSWER_WAIT, CPI_ANSWER_RECONNECT,
                                               CPI_ANSWER_NONSENSE};
    fakes.target.answer = not_done[_i];
    add(4);
    ck_assert(!work());
    check_counts(4, 0);
    ck_assert_uint_eq(fakes.target.count, 0);
    fakes.target.answer = CPI_ANSWER_DONE;
    while (cpi_idset_total(set) > 0) {
        ck_assert(work());
    }
    for (int64_t id = 1; id <= 4; id++) {
        ck_assert_uint_eq(fakes_stored(&fakes, id), 1);
    }
}
END_TEST

START_TEST(a_full_output_buffer_settles_nothing)
{
    fakes.target.full = true;
    add(4);
    ck_assert(!work());
    check_counts(4, 0);
    fakes.target.full = false;
    while (cpi_idset_total(set) > 0) {
        ck_assert(work());
    }
}
END_TEST

/* ---- what nobody has announced ---- */

static void add_to(int64_t id, enum cpi_queue queue)
{
    const struct cpi_event event = {.id = {.number = id}};
    ck_assert_int_ne(cpi_idset_add(set, &event, queue), CPI_NO_MEMORY);
}

/* Ids 1 to n, which a resync has listed, have no document, and 1 to keys have a key. */
static void list_without_documents(int64_t n, int64_t keys)
{
    for (int64_t id = 1; id <= n; id++) {
        add_to(id, CPI_BULK);
        fakes.postgres.absent.numbers[id - 1] = id;
        fakes.target.keys.numbers[id - 1] = id;
    }
    fakes.postgres.absent.count = (uint32_t)n;
    fakes.target.keys.count = (uint32_t)keys;
}

static void use_up(unsigned left)
{
    for (unsigned i = left; i < CPI_ALLOWANCE_FREE; i++) {
        ck_assert_int_eq(cpi_allowance_take(&fakes.allowance, 0), CPI_ALLOWED);
    }
}

static uint64_t withheld(void)
{
    return cpi_stats_get(&fakes.stats, CPI_STAT_WITHHELD);
}

START_TEST(a_key_that_nobody_asked_to_delete_takes_from_the_allowance)
{
    cpi_allowance_begin(&fakes.allowance, 0, false);
    use_up(2);
    list_without_documents(4, 3);
    ck_assert(work_on(CPI_BULK));
    ck_assert_uint_eq(cpi_idset_total(set), 0);
    ck_assert(!fakes_has_key(&fakes, 1) && !fakes_has_key(&fakes, 2));
    ck_assert(fakes_has_key(&fakes, 3));
    ck_assert_uint_eq(fakes_deleted(&fakes, 3) + fakes_deleted(&fakes, 4), 0);
    ck_assert_uint_eq(cpi_stats_get(&fakes.stats, CPI_STAT_DELETED), 3); /* 4, too, is settled: it has no key */
    ck_assert_uint_eq(withheld(), 1);
    ck_assert(!cpi_requests_has(&fakes.requests, CP_CAUSE_RETRY)); /* the run says it */
}
END_TEST

START_TEST(an_id_without_a_key_takes_nothing)
{
    for (int i = 0; i < CPI_ALLOWANCE_FREE; i++) {
        list_without_documents(FAKE_BATCH, 0);
        ck_assert(work_on(CPI_BULK));
    }
    list_without_documents(FAKE_BATCH, FAKE_BATCH);
    ck_assert(work_on(CPI_BULK));
    ck_assert_uint_eq(fakes.target.keys.count, 0);
    ck_assert_uint_eq(withheld(), 0);
}
END_TEST

/* Wherever it waits, and whether the event came before or after the resync. */
START_TEST(what_is_announced_goes_without_an_allowance)
{
    use_up(0);
    fakes.postgres.broken = (struct fake_ids){.numbers = {4}, .count = 1};
    add_to(1, CPI_LIVE);
    add_to(2, CPI_CROWD); /* goes among the bulk when it is listed */
    list_without_documents(4, 4);
    add_to(3, CPI_CROWD); /* stays among the bulk */
    ck_assert(work_on(CPI_BULK));
    ck_assert(is_in(4, CPI_PARKED));
    fakes.postgres.broken.count = 0;
    cpi_idset_hold_parked(set, true);
    add_to(4, CPI_LIVE); /* stays parked */
    ck_assert(work_on(CPI_LIVE));
    ck_assert(work_on(CPI_PARKED));
    ck_assert_uint_eq(fakes.target.keys.count, 0);
    ck_assert_uint_eq(withheld(), 0);
}
END_TEST

/* A function that raises and then gives nothing: nobody has announced that either, and the run is over. */
START_TEST(a_parked_id_of_a_resync_is_kept_and_another_run_requested)
{
    use_up(0);
    list_without_documents(2, 2);
    fakes.postgres.broken = fakes.postgres.absent;
    ck_assert(work_on(CPI_BULK));
    check_counts(0, 2);
    fakes.postgres.broken.count = 0;
    ck_assert(work_on(CPI_PARKED));
    check_counts(0, 0);
    ck_assert_uint_eq(fakes.target.keys.count, 2);
    ck_assert_uint_eq(withheld(), 2);
    ck_assert(cpi_requests_has(&fakes.requests, CP_CAUSE_RETRY));
}
END_TEST

START_TEST(a_deletion_that_is_tried_again_is_counted_once)
{
    static const enum cpi_answer not_done[] = {CPI_ANSWER_NONE, CPI_ANSWER_WAIT, CPI_ANSWER_RECONNECT,
                                               CPI_ANSWER_REFUSED};
    static const enum fake_kind kinds[] = {FAKE_EXISTS, FAKE_DEL};
    use_up(1);
    list_without_documents(1, 1);
    fakes.target.odd_any = false;
    fakes.target.odd_kind = kinds[_i / 4];
    fakes.target.answer = not_done[_i % 4];
    bool is_refused = fakes.target.answer == CPI_ANSWER_REFUSED;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(work_on(i > 0 && is_refused ? CPI_PARKED : CPI_BULK), is_refused);
        ck_assert(!is_settled(1));
        ck_assert(fakes_has_key(&fakes, 1));
    }
    fakes.target.answer = CPI_ANSWER_DONE;
    ck_assert(work_on(is_refused ? CPI_PARKED : CPI_BULK));
    ck_assert(is_settled(1));
    ck_assert(!fakes_has_key(&fakes, 1));
    ck_assert_uint_eq(withheld(), 0);
}
END_TEST

/* ---- what Postgres does ---- */

START_TEST(an_id_that_fails_is_parked_and_the_others_are_served)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1, 6}, .count = 2};
    add(8);
    ck_assert(work());
    check_counts(0, 2);
    for (int64_t id = 1; id <= 8; id++) {
        bool is_broken = id == 1 || id == 6;
        ck_assert_int_eq(is_in(id, CPI_PARKED), is_broken);
        ck_assert_uint_eq(fakes_stored(&fakes, id), !is_broken);
    }
    ck_assert_uint_eq(cpi_applier_batch(applier), FAKE_BATCH);
}
END_TEST

START_TEST(a_parked_id_that_works_again_is_stored)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1}, .count = 1};
    add(1);
    ck_assert(work());
    check_counts(0, 1);
    ck_assert(work_on(CPI_PARKED));
    check_counts(0, 1);
    fakes.postgres.broken.count = 0;
    ck_assert(work_on(CPI_PARKED));
    check_counts(0, 0);
    ck_assert_uint_eq(fakes_stored(&fakes, 1), 1);
}
END_TEST

START_TEST(an_entity_whose_statement_is_broken_parks_its_ids_without_a_search)
{
    fakes.postgres.prepare_failure = CPI_FAILURE_STATEMENT;
    add(8);
    ck_assert(work());
    check_counts(0, 8);
    ck_assert_uint_eq(fakes.postgres.prepared, 1);
    ck_assert_uint_eq(fakes.postgres.runs, 0);
    ck_assert_uint_eq(fakes.target.count, 0);
}
END_TEST

/* Two statements of 1.6 s each, after the one that failed, take longer than the search may: what it has not tried goes
 * to the end. */
START_TEST(a_search_that_takes_long_puts_the_rest_off)
{
    fakes.postgres.broken = (struct fake_ids){.numbers = {1}, .count = 1};
    fakes.postgres.run_ms = 1600;
    add(4);
    ck_assert(work());
    check_counts(3, 1);
    ck_assert(is_in(1, CPI_PARKED));
    ck_assert_uint_eq(cpi_applier_batch(applier), 2);

    fakes.postgres.run_ms = 0;
    ck_assert(work());
    ck_assert(work());
    check_counts(0, 1);
    ck_assert_uint_eq(cpi_applier_batch(applier), FAKE_BATCH);
}
END_TEST

START_TEST(memory_that_runs_out_is_no_ids_fault)
{
    fakes.postgres.run_failure = CPI_FAILURE_MEMORY;
    add(8);
    ck_assert(!work());
    check_counts(8, 0);
    ck_assert(fakes.postgres.open);
    ck_assert_uint_eq(cpi_applier_batch(applier), FAKE_BATCH);
}
END_TEST

/* ---- connections ---- */

static void check_loss(void)
{
    static const uint32_t batches[] = {4, 2, 1, 1, 1};
    for (int i = 0; i < 5; i++) {
        check_counts(8, 0);
        ck_assert(!work());
        ck_assert_uint_eq(cpi_applier_batch(applier), batches[i]);
    }
    ck_assert(!work()); /* the third connection that is lost over the one id */
    check_counts(7, 1);
    ck_assert(is_in(1, CPI_PARKED));
    while (cpi_idset_count(set, CPI_LIVE) > 0) {
        ck_assert(work());
    }
    ck_assert_uint_eq(cpi_applier_batch(applier), FAKE_BATCH);
}

START_TEST(a_lost_postgres_halves_the_batch_until_the_culprit_is_parked)
{
    fakes.postgres.lethal = (struct fake_ids){.numbers = {1}, .count = 1};
    add(8);
    check_loss();
}
END_TEST

START_TEST(a_lost_redis_does_too)
{
    fakes.target.answer = CPI_ANSWER_NONE;
    fakes.target.odd = (struct fake_ids){.numbers = {1}, .count = 1};
    add(8);
    check_loss();
}
END_TEST

START_TEST(a_document_that_cannot_be_stored_is_not_read)
{
    fakes.target.away = true;
    add(1);
    ck_assert(!work());
    ck_assert_uint_eq(fakes.postgres.opened, 0);
    check_counts(1, 0);
}
END_TEST

START_TEST(nothing_is_read_or_written_without_admission)
{
    fakes.target.not_admitted = true;
    add(1);
    ck_assert(!work());
    ck_assert_uint_eq(fakes.postgres.runs, 0);
    ck_assert_uint_eq(fakes.target.flushed, 0);
    check_counts(1, 0);

    fakes.target.not_admitted = false;
    ck_assert(work());
    check_counts(0, 0);
}
END_TEST

START_TEST(a_postgres_that_refuses_parks_nothing)
{
    fakes.postgres.open_failure = CPI_FAILURE_REFUSED;
    add(2);
    for (int i = 0; i < 8; i++) {
        fakes.postgres.open = false;
        ck_assert(!work());
    }
    ck_assert_str_eq(err.message, "Postgres: the server is a standby");
    ck_assert_uint_eq(cpi_idset_total(set), 2);
    ck_assert_uint_eq(cpi_idset_count(set, CPI_PARKED), 0);
}
END_TEST

START_TEST(a_new_term_means_a_new_connection)
{
    add(1);
    ck_assert(work());
    ck_assert_uint_eq(fakes.postgres.opened, 1);
    add(1);
    ck_assert(work());
    ck_assert_uint_eq(fakes.postgres.opened, 1);
    fakes_begin_term(&fakes);
    add(1);
    ck_assert(work());
    ck_assert_uint_eq(fakes.postgres.opened, 2);
    ck_assert_uint_eq(fakes.postgres.prepared, 2);
    ck_assert_uint_eq(fakes_stored(&fakes, 1), 3);
}
END_TEST

/* An id that takes long to fail would make those that are read with it wait. */
START_TEST(one_that_hangs_is_held_and_one_that_fails_at_once_is_not)
{
    const union cpi_id wanted = {.number = 1};
    fakes.postgres.broken = (struct fake_ids){.numbers = {1}, .count = 1};
    fakes.postgres.run_ms = _i == 1 ? 150 : 0;
    add(1);
    ck_assert(work());
    check_counts(0, 1);
    ck_assert_int_eq(cpi_idset_is_held(set, cpi_idset_find(set, 0, &wanted)), _i == 1);

    fakes.postgres.run_ms = 0; /* what fails later is what counts */
    ck_assert(work_on(CPI_PARKED));
    ck_assert(!cpi_idset_is_held(set, cpi_idset_find(set, 0, &wanted)));
}
END_TEST

/* The others stay, in their order. */
START_TEST(of_slow_documents_no_more_are_read_than_there_is_time_for)
{
    fakes.postgres.run_ms = 400; /* of 1000, where 200 are aimed at */
    add(2 * FAKE_BATCH);
    ck_assert(work());
    check_counts(FAKE_BATCH, 0);
    fakes.postgres.run_ms = 0;
    ck_assert(work());
    ck_assert_uint_le(fakes.postgres.last_n, FAKE_BATCH / 2);
    ck_assert_uint_ge(fakes.postgres.last_n, 1);
    check_counts(FAKE_BATCH - fakes.postgres.last_n, 0);
    ck_assert(is_settled(FAKE_BATCH + 1));
    while (cpi_idset_count(set, CPI_LIVE) > 0) {
        ck_assert(work());
    }
    add(FAKE_BATCH);
    ck_assert(work());
    ck_assert_uint_eq(fakes.postgres.last_n, FAKE_BATCH); /* fast again */
}
END_TEST

Suite *applier_suite(void)
{
    Suite *suite = suite_create("applier");
    TCase *tcase = tcase_create("applier");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_document_is_set_and_a_missing_one_deleted);
    tcase_add_loop_test(tcase, each_answer_is_for_its_own_id, 0, (int)(sizeof answers / sizeof *answers));
    tcase_add_loop_test(tcase, what_was_not_acknowledged_is_read_and_stored_again, 0, 4);
    tcase_add_test(tcase, a_full_output_buffer_settles_nothing);
    tcase_add_test(tcase, a_key_that_nobody_asked_to_delete_takes_from_the_allowance);
    tcase_add_test(tcase, an_id_without_a_key_takes_nothing);
    tcase_add_test(tcase, what_is_announced_goes_without_an_allowance);
    tcase_add_test(tcase, a_parked_id_of_a_resync_is_kept_and_another_run_requested);
    tcase_add_loop_test(tcase, a_deletion_that_is_tried_again_is_counted_once, 0, 8);
    tcase_add_test(tcase, an_id_that_fails_is_parked_and_the_others_are_served);
    tcase_add_test(tcase, a_parked_id_that_works_again_is_stored);
    tcase_add_test(tcase, an_entity_whose_statement_is_broken_parks_its_ids_without_a_search);
    tcase_add_test(tcase, a_search_that_takes_long_puts_the_rest_off);
    tcase_add_test(tcase, memory_that_runs_out_is_no_ids_fault);
    tcase_add_test(tcase, a_lost_postgres_halves_the_batch_until_the_culprit_is_parked);
    tcase_add_test(tcase, a_lost_redis_does_too);
    tcase_add_test(tcase, a_document_that_cannot_be_stored_is_not_read);
    tcase_add_test(tcase, nothing_is_read_or_written_without_admission);
    tcase_add_test(tcase, a_postgres_that_refuses_parks_nothing);
    tcase_add_test(tcase, a_new_term_means_a_new_connection);
    tcase_add_loop_test(tcase, one_that_hangs_is_held_and_one_that_fails_at_once_is_not, 0, 2);
    tcase_add_test(tcase, of_slow_documents_no_more_are_read_than_there_is_time_for);
    suite_add_tcase(suite, tcase);
    return suite;
}
