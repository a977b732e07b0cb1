#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "suites.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 3000, WRITES = 400, FEW_CUSTOMERS = 40, WRITERS = 3 };

/* The documents that a generator does not come by. */
static void insert_extremes(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) values (0, ''), (-5, null), (%d, 'last'), (%d, 'first')", INT_MAX,
         INT_MIN);
    sql(f, "insert into customer (id_customer, name) values (1000000, repeat(E'1 MB \\\\ \" \\n\u00e9', 90000)),"
           " (1000001, 'many addresses')");
    sql(f, "insert into address (description, fk_customer) select repeat(i::text, 50), 1000001"
           " from generate_series(1, 5000) i");
    sql(f, "insert into customer (id_customer, name) select 2000000 + i, chr(i) from generate_series(1, 55000, 11) i");
}

static void write_some(struct mix *mix, int writes)
{
    for (int i = 0; i < writes; i++) {
        REQUIRE(write_once(mix));
    }
}

START_TEST(random_rows_and_writes)
{
    struct fixture *f = fixture_open();
    struct mix mix = {f->pg, choose_seed(), CUSTOMERS};
    insert_rows(&mix);
    insert_extremes(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    require_customers(f);
    REQUIRE_INT(sql_number(f, "select max(length(customer_get(id_customer)::text)) from customer"), >, 1000000);

    write_some(&mix, WRITES);
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Few ids, so that each changes often, comes and goes; and no warm-up that could mend what the events missed. */
START_TEST(few_rows_many_writes)
{
    struct fixture *f = fixture_open();
    struct mix mix = {f->pg, choose_seed(), FEW_CUSTOMERS};
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
    for (int round = 0; round < 5; round++) {
        write_some(&mix, WRITES / 2);
        expect_customers(f);
    }
    REQUIRE_INT(stats_of(syncer).resync_ids, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

struct writer {
    struct fixture *f;
    struct mix mix;
};

static void *write_along(void *context)
{
    struct writer *writer = context;
    for (int i = 0; i < WRITES && !atomic_load(&writer->f->abandoned); i++) {
        if (!write_once(&writer->mix)) {
            atomic_fetch_add(&writer->f->thread_fault, 1);
            break;
        }
    }
    return NULL;
}

START_TEST(several_writers_at_once)
{
    struct fixture *f = fixture_open();
    uint64_t seed = choose_seed();
    struct writer writers[WRITERS];
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("warmup", "none", "threads", "3", "batch", "7"));
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){f, {connect_again(f), seed + i, FEW_CUSTOMERS}};
        fixture_thread(f, write_along, &writers[i]);
    }
    fixture_join(f);
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resync_ids, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *parity_suite(void)
{
    Suite *suite = suite_create("parity");
    TCase *tcase = tcase_create("random");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, random_rows_and_writes);
    tcase_add_test(tcase, few_rows_many_writes);
    tcase_add_test(tcase, several_writers_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
