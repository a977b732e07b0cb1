/* What an embedder is told of documents that have settled, between a Postgres and a Redis in memory. */
#include "suites.h"

#include "queue/idset.h"
#include "worker/applier.h"
#include "worker/fakes.h"

#include <stdlib.h>
#include <string.h>

enum { TOLD = 16 };

struct told {
    char key[600];
    char id[600];
    char document[FAKE_TEXT + 1];
    cp_document as; /* without the strings */
};

static struct fakes fakes;
static struct cpi_servers *servers;
static struct cpi_idset *set;
static struct cpi_applier *applier;
static cp_error err;
static struct told told[TOLD];
static unsigned told_count;

static bool note(void *context, const cp_document *document)
{
    ck_assert_ptr_eq(context, &fakes);
    ck_assert_uint_lt(told_count, TOLD);
    struct told *to = &told[told_count++];
    *to = (struct told){.as = *document};
    ck_assert_str_eq(document->entity, fakes.entity.name);
    ck_assert_uint_eq(document->size, sizeof *document);
    snprintf(to->key, sizeof to->key, "%s", document->key);
    snprintf(to->id, sizeof to->id, "%s", document->id);
    ck_assert_int_eq(document->document != NULL, document->exists);
    if (document->exists) {
        ck_assert_uint_le(document->bytes, FAKE_TEXT);
        memcpy(to->document, document->document, document->bytes);
    }
    return true;
}

static void setup(void)
{
    fakes_init(&fakes);
    fakes.env.settled = note;
    fakes.env.settled_context = &fakes;
    servers = fakes_servers(&fakes);
    set = cpi_idset_create(&fakes.entity);
    ck_assert_ptr_nonnull(set);
    applier = cpi_applier_create(&fakes.env, servers, set);
    ck_assert_ptr_nonnull(applier);
    told_count = 0;
}

static void teardown(void)
{
    ck_assert(!fakes.target.lent);
    cpi_applier_destroy(applier);
    cpi_idset_destroy(set);
    cpi_servers_destroy(servers);
    fakes_fini(&fakes);
}

static void add(int64_t id, enum cpi_queue queue, cp_origin origin, cpi_ticks arrived)
{
    const struct cpi_event event = {.id = {.number = id}, .origin = (uint8_t)origin, .arrived = arrived};
    ck_assert_int_ne(cpi_idset_add(set, &event, queue), CPI_NO_MEMORY);
}

static bool work(enum cpi_queue queue)
{
    uint32_t handles[FAKE_BATCH];
    uint32_t n = cpi_idset_peek(set, queue, handles, cpi_applier_batch(applier));
    ck_assert_uint_gt(n, 0);
    return cpi_applier_work(applier, handles, n, 1000, &err);
}

static void check_told(unsigned i, int64_t id, bool exists)
{
    char text[32];
    char key[64];
    ck_assert_uint_lt(i, told_count);
    snprintf(text, sizeof text, "%d", (int)id);
    ck_assert_str_eq(told[i].id, text);
    snprintf(key, sizeof key, "%s%d%s", fakes.entity.key.before, (int)id, fakes.entity.key.after);
    ck_assert_str_eq(told[i].key, key);
    snprintf(text, sizeof text, "{\"id\":%d}", (int)id);
    ck_assert_int_eq(told[i].as.exists, exists);
    ck_assert_str_eq(told[i].document, exists ? text : "");
    ck_assert_uint_eq(told[i].as.bytes, exists ? strlen(text) : 0);
}

START_TEST(a_document_and_that_there_is_none)
{
    fakes.postgres.absent = (struct fake_ids){.numbers = {2}, .count = 1};
    for (int64_t id = 1; id <= 3; id++) {
        add(id, CPI_LIVE, CP_ORIGIN_EVENT, cpi_now_ticks());
    }
    ck_assert(work(CPI_LIVE));
    ck_assert_uint_eq(told_count, 3);
    for (unsigned i = 0; i < told_count; i++) {
        int64_t id = strtoll(told[i].id, NULL, 10);
        check_told(i, id, id != 2);
    }
}
END_TEST

/* Where a round is pushed early each has its own bytes. */
START_TEST(each_of_several_rounds)
{
    fakes.config.batch_bytes = 20;
    for (int64_t id = 1; id <= FAKE_BATCH; id++) {
        add(id, CPI_LIVE, CP_ORIGIN_EVENT, cpi_now_ticks());
    }
    ck_assert(work(CPI_LIVE));
    ck_assert_uint_ge(fakes.target.flushed, FAKE_BATCH / 2);
    ck_assert_uint_eq(told_count, FAKE_BATCH);
    for (unsigned i = 0; i < told_count; i++) {
        check_told(i, i + 1, true);
    }
}
END_TEST

/* What becomes of ids 1 to 3 when 2 gets an answer: those that Redis has acknowledged are told, also where the
 * connection is lost right after. */
START_TEST(nothing_that_was_not_acknowledged)
{
    fakes.target.answer = (enum cpi_answer)_i;
    fakes.target.odd = (struct fake_ids){.numbers = {2}, .count = 1};
    for (int64_t id = 1; id <= 3; id++) {
        add(id, CPI_LIVE, CP_ORIGIN_EVENT, cpi_now_ticks());
    }
    work(CPI_LIVE);
    ck_assert_uint_eq(told_count, 3 - cpi_idset_total(set));
    check_told(0, 1, true);
    for (unsigned i = 1; i < told_count; i++) {
        check_told(i, _i == CPI_ANSWER_DONE ? i + 1 : 3, true);
    }
}
END_TEST

/* Of a resync's deletions one may be made, of 1, and the other one is withheld; 3 has no key. */
START_TEST(deletions_that_nobody_announced)
{
    fakes.postgres.absent = (struct fake_ids){.numbers = {1, 2, 3}, .count = 3};
    fakes.target.keys = (struct fake_ids){.numbers = {1, 2}, .count = 2};
    cpi_allowance_begin(&fakes.allowance, 0, false);
    for (uint32_t i = 0; i < CPI_ALLOWANCE_FREE - 1; i++) {
        ck_assert_int_eq(cpi_allowance_take(&fakes.allowance, 0), CPI_ALLOWED);
    }
    for (int64_t id = 1; id <= 3; id++) {
        add(id, CPI_BULK, CP_ORIGIN_RESYNC, 0);
    }
    ck_assert(work(CPI_BULK));
    ck_assert_uint_eq(told_count, 2);
    check_told(0, 3, false);
    check_told(1, 1, false);
    ck_assert_int_eq(told[1].as.origin, CP_ORIGIN_RESYNC);
    ck_assert(fakes_has_key(&fakes, 2));
}
END_TEST

/* In whatever order they come, the first of cp_origin is told, and the arrival of the first that was announced. */
START_TEST(the_first_of_several_origins)
{
    const cp_origin origins[] = {CP_ORIGIN_EVENT, CP_ORIGIN_ENQUEUED, CP_ORIGIN_REPAIR, CP_ORIGIN_RESYNC};
    cp_origin one = origins[_i / 4];
    cp_origin other = origins[_i % 4];
    cpi_ticks now = cpi_now_ticks();
    add(1, one == CP_ORIGIN_RESYNC ? CPI_BULK : CPI_LIVE, one, one == CP_ORIGIN_RESYNC ? 0 : now);
    add(1, other == CP_ORIGIN_RESYNC ? CPI_BULK : CPI_LIVE, other, other == CP_ORIGIN_RESYNC ? 0 : now);
    ck_assert(work(one == CP_ORIGIN_RESYNC && other == CP_ORIGIN_RESYNC ? CPI_BULK : CPI_LIVE));
    ck_assert_uint_eq(told_count, 1);
    ck_assert_int_eq(told[0].as.origin, one < other ? one : other);
    ck_assert_int_eq(told[0].as.event_us == 0, one == CP_ORIGIN_RESYNC && other == CP_ORIGIN_RESYNC);
}
END_TEST

static int64_t real_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The lag is what the monotonic clock says, or up to a quarter of a millisecond more. */
START_TEST(when_it_came_and_when_it_settled)
{
    int64_t arrived_us = cpi_now_us();
    fakes.postgres.run_ms = 3;
    add(1, CPI_LIVE, CP_ORIGIN_EVENT, cpi_now_ticks());
    int64_t before_us = real_us();
    ck_assert(work(CPI_LIVE));
    int64_t lag_us = told[0].as.settled_us - told[0].as.event_us;
    ck_assert_int_ge(lag_us, 3000);
    ck_assert_int_le(lag_us, cpi_now_us() - arrived_us + 250);
    ck_assert_int_ge(told[0].as.settled_us, before_us);
    ck_assert_int_le(told[0].as.settled_us, real_us());
}
END_TEST

/* Longer than there is room for on the stack. */
START_TEST(a_long_key)
{
    static char before[520];
    memset(before, 'k', sizeof before - 1);
    fakes.entity.key.before = before;
    fakes.entity.key.before_length = sizeof before - 1;
    add(7, CPI_LIVE, CP_ORIGIN_EVENT, cpi_now_ticks());
    ck_assert(work(CPI_LIVE));
    ck_assert_uint_eq(strlen(told[0].key), sizeof before - 1 + 1 + fakes.entity.key.after_length);
    ck_assert_str_eq(told[0].key + sizeof before - 1 + 1, fakes.entity.key.after);
}
END_TEST

START_TEST(nothing_is_lent_where_nobody_listens)
{
    fakes.env.settled = NULL;
    add(1, CPI_LIVE, CP_ORIGIN_EVENT, cpi_now_ticks());
    ck_assert(work(CPI_LIVE));
    ck_assert_uint_eq(fakes.target.lendings, 0);
    ck_assert_uint_eq(cpi_idset_total(set), 0);
}
END_TEST

Suite *settled_suite(void)
{
    Suite *suite = suite_create("settled");
    TCase *tcase = tcase_create("settled");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_document_and_that_there_is_none);
    tcase_add_test(tcase, each_of_several_rounds);
    tcase_add_loop_test(tcase, nothing_that_was_not_acknowledged, 0, CPI_ANSWER_NONSENSE + 1);
    tcase_add_test(tcase, deletions_that_nobody_announced);
    tcase_add_loop_test(tcase, the_first_of_several_origins, 0, 16);
    tcase_add_test(tcase, when_it_came_and_when_it_settled);
    tcase_add_test(tcase, a_long_key);
    tcase_add_test(tcase, nothing_is_lent_where_nobody_listens);
    suite_add_tcase(suite, tcase);
    return suite;
}
