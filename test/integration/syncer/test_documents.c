/* The documents that the settled callback is handed: their bytes, where they come from, and when. */
#include "suites.h"

#include "equal.h"
#include "harness.h"
#include "mix.h"
#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IDS = 330, MIXED = 300, WRITES = 1000, RESYNC_AT = 400, STEP_US = 1000000 }; /* a write may name 20 ids beyond */

/* What a host has of a customer by its callbacks alone. */
struct row {
    char *document; /* NULL: there is none */
    unsigned told;
    pthread_t thread;
    cp_origin origin;
    int64_t event_us;
    int64_t settled_us;
};

struct table {
    pthread_mutex_t mutex;
    struct row rows[IDS + 1];
    unsigned of_resync;
    unsigned of_events;
    unsigned wrong; /* calls that break a promise of the header */
};

static bool is_as_promised(const struct fixture *f, const struct row *row, long long number,
                           const cp_document *document)
{
    char key[256];
    snprintf(key, sizeof key, "%s:%lld", f->prefix, number);
    bool is_named = strcmp(document->key, key) == 0 && strcmp(document->entity, "customer") == 0;
    bool is_whole = document->exists ? document->document != NULL && document->bytes > 0
                                     : document->document == NULL && document->bytes == 0;
    bool is_timed = (document->event_us == 0) == (document->origin == CP_ORIGIN_RESYNC) &&
                    document->event_us <= document->settled_us;
    /* A step, since the clock may be set back a little meanwhile. */
    bool is_in_order = row->told == 0 || (pthread_equal(row->thread, pthread_self()) &&
                                          document->settled_us + STEP_US >= row->settled_us);
    return document->size == sizeof *document && is_named && is_whole && is_timed && is_in_order;
}

static void fill(void *context, const cp_document *document)
{
    struct fixture *f = context;
    struct table *table = f->settled_context;
    long long number = strtoll(document->id, NULL, 10);
    pthread_mutex_lock(&table->mutex);
    if (number < 0 || number > IDS) {
        table->wrong++;
    } else {
        struct row *row = &table->rows[number];
        table->wrong += !is_as_promised(f, row, number, document);
        table->of_resync += document->origin == CP_ORIGIN_RESYNC;
        table->of_events += document->origin == CP_ORIGIN_EVENT;
        free(row->document);
        *row = (struct row){.document = document->exists ? strndup(document->document, document->bytes) : NULL,
                            .told = row->told + 1,
                            .thread = pthread_self(),
                            .origin = document->origin,
                            .event_us = document->event_us,
                            .settled_us = document->settled_us};
    }
    pthread_mutex_unlock(&table->mutex);
}

static void attach(struct fixture *f, struct table *table)
{
    *table = (struct table){.mutex = PTHREAD_MUTEX_INITIALIZER};
    f->settled = fill;
    f->settled_context = table;
}

/* The document is only to be compared with NULL. */
static struct row row_of(struct table *table, int id)
{
    pthread_mutex_lock(&table->mutex);
    struct row row = table->rows[id];
    pthread_mutex_unlock(&table->mutex);
    return row;
}

static void forget(struct table *table)
{
    for (size_t id = 0; id <= IDS; id++) {
        free(table->rows[id].document);
    }
}

/* After everything has settled. */
static void require_same_as_postgres(struct fixture *f, struct table *table)
{
    PGresult *result = PQexec(f->pg, "select id_customer, customer_get(id_customer) from customer");
    int found = PQntuples(result);
    int same = 0;
    for (int i = 0; i < found; i++) {
        const char *held = table->rows[strtol(PQgetvalue(result, i, 0), NULL, 10)].document;
        same += held != NULL && strcmp(held, PQgetvalue(result, i, 1)) == 0;
    }
    PQclear(result);
    int kept = 0;
    for (size_t id = 0; id <= IDS; id++) {
        kept += table->rows[id].document != NULL;
    }
    REQUIRE_INT(same, ==, found);
    REQUIRE_INT(kept, ==, found);
}

START_TEST(a_table_that_callbacks_fill)
{
    struct fixture *f = fixture_open();
    struct mix mix = {f->pg, choose_seed(), MIXED};
    struct table table;
    attach(f, &table);
    insert_rows(&mix);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int i = 0; i < WRITES; i++) {
        REQUIRE(write_once(&mix));
        if (i == RESYNC_AT) {
            cp_error err;
            REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
        }
    }
    WAIT_UNTIL(stats_of(syncer).resyncs >= 2);
    expect_customers(f);
    stop_syncer(f, syncer);
    require_same_as_postgres(f, &table);
    REQUIRE_INT(table.wrong, ==, 0);
    REQUIRE_INT(table.of_resync, >=, IDS / 2);
    REQUIRE_INT(table.of_events, >=, IDS / 2);
    forget(&table);
    fixture_close(f);
}
END_TEST

static int64_t real_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Waits until an id has been told once more than before, and requires where that came from. */
static void require_origin(struct table *table, int id, unsigned before, cp_origin origin)
{
    WAIT_UNTIL(row_of(table, id).told > before);
    REQUIRE_INT(row_of(table, id).told, ==, before + 1);
    REQUIRE_INT(row_of(table, id).origin, ==, origin);
}

static void enqueue(cp_syncer *syncer, const char *id)
{
    cp_error err;
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", id, &err), err);
}

START_TEST(origins_and_times)
{
    struct fixture *f = fixture_open();
    struct table table;
    attach(f, &table);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 9) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    for (int id = 1; id <= 9; id++) {
        require_origin(&table, id, 0, CP_ORIGIN_RESYNC);
        REQUIRE_INT(row_of(&table, id).event_us, ==, 0);
    }

    int64_t before_us = real_us();
    sql(f, "update customer set name = 'changed' where id_customer = 1");
    require_origin(&table, 1, 1, CP_ORIGIN_EVENT);
    struct row row = row_of(&table, 1);
    REQUIRE_INT(row.event_us, >=, before_us - STEP_US);
    REQUIRE_INT(row.settled_us, <=, real_us() + STEP_US);

    enqueue(syncer, "2");
    require_origin(&table, 2, 1, CP_ORIGIN_ENQUEUED);
    sql(f, "delete from customer where id_customer = 3");
    require_origin(&table, 3, 1, CP_ORIGIN_EVENT);
    REQUIRE(row_of(&table, 3).document == NULL);
    REQUIRE_INT(table.wrong, ==, 0);
    stop_syncer(f, syncer);
    forget(&table);
    fixture_close(f);
}
END_TEST

/* While a batch is under way two reasons gather for id 3. (With a resync: test/unit/worker/test_settled.c.) */
START_TEST(of_several_origins_one_is_told)
{
    struct fixture *f = fixture_open();
    struct table table;
    attach(f, &table);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 9) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    PGconn *holder = connect_again(f);
    hold_fetches(holder);
    cp_stats before = stats_of(syncer);
    sql(f, "update customer set name = 'first' where id_customer = 1");
    WAIT_UNTIL(stats_of(syncer).fetches == before.fetches + 1);
    enqueue(syncer, "2");
    enqueue(syncer, "3");
    WAIT_UNTIL(stats_of(syncer).events == before.events + 3);
    sql(f, "update customer set name = 'changed' where id_customer in (3, 4)");
    WAIT_UNTIL(stats_of(syncer).events == before.events + 5);
    int64_t released_us = real_us();
    release_fetches(holder);
    require_origin(&table, 2, 1, CP_ORIGIN_ENQUEUED);
    require_origin(&table, 3, 1, CP_ORIGIN_EVENT);
    require_origin(&table, 4, 1, CP_ORIGIN_EVENT);
    REQUIRE_INT(row_of(&table, 3).event_us, <, released_us + STEP_US);
    REQUIRE_INT(row_of(&table, 3).settled_us, >, released_us - STEP_US);
    stop_syncer(f, syncer);
    forget(&table);
    fixture_close(f);
}
END_TEST

START_TEST(what_the_auditor_repairs)
{
    struct fixture *f = fixture_open();
    struct table table;
    attach(f, &table);
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 9) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("audit_per_second", "1000"));
    redis_run(f, "SET %s:7 stale", f->prefix);
    require_origin(&table, 7, 1, CP_ORIGIN_REPAIR);
    REQUIRE_INT(row_of(&table, 7).event_us, !=, 0);
    stop_syncer(f, syncer);
    require_customers(f);
    forget(&table);
    fixture_close(f);
}
END_TEST

Suite *documents_suite(void)
{
    Suite *suite = suite_create("documents");
    TCase *tcase = tcase_create("documents");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_table_that_callbacks_fill);
    tcase_add_test(tcase, origins_and_times);
    tcase_add_test(tcase, of_several_origins_one_is_told);
    tcase_add_test(tcase, what_the_auditor_repairs);
    suite_add_tcase(suite, tcase);
    return suite;
}
