/* What keeps a ticket waiting, and for how long: what others do meanwhile, and what is held up in Postgres. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CUSTOMERS = 100, WRITERS = 3, TICKETS = 40, HELD_UP_MS = 4000 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

struct writer {
    struct fixture *f;
    int id;
    atomic_bool *enough;
    PGconn *pg;
};

/* Several statements in one go are several transactions, with no round trip in between. */
static void *write_until_enough(void *context)
{
    struct writer *writer = context;
    char statement[4096] = "";
    for (int i = 0; i < 20; i++) {
        size_t length = strlen(statement);
        snprintf(statement + length, sizeof statement - length,
                 "begin; update customer set name = name || '.' where id_customer = %d; commit;", writer->id + i);
    }
    while (!atomic_load(writer->enough) && !atomic_load(&writer->f->abandoned)) {
        PGresult *result = PQexec(writer->pg, statement);
        atomic_fetch_add(&writer->f->thread_fault, PQresultStatus(result) != PGRES_COMMAND_OK);
        PQclear(result);
    }
    return NULL;
}

START_TEST(while_others_write_all_the_time)
{
    struct fixture *f = fixture_open();
    struct writer writers[WRITERS];
    atomic_bool enough = false;
    cp_error err = {0};
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.f = f, .id = 1 + 20 * i, .enough = &enough, .pg = connect_again(f)};
        fixture_thread(f, write_until_enough, &writers[i]);
    }
    for (int i = 0; i < TICKETS; i++) {
        cp_ticket ticket;
        REQUIRE_OK(cp_syncer_ticket(syncer, &ticket, &err), err);
        REQUIRE_OK(cp_syncer_wait(syncer, ticket, timeout_ms(), &err), err);
    }
    atomic_store(&enough, true);
    fixture_join(f);
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static int64_t cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Postgres' processes take notice of a changed setting one by one: commits until one hangs. */
static bool hangs(struct fixture *f, PGconn *hanging)
{
    REQUIRE(PQconsumeInput(hanging) == 1);
    if (PQisBusy(hanging) == 0) {
        PGresult *result;
        while ((result = PQgetResult(hanging)) != NULL) {
            PQclear(result);
        }
        REQUIRE(PQsendQuery(hanging, "update customer set name = name || '+' where id_customer = 7") == 1);
    }
    return sql_number(f, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
                         " and datname = current_database()") == 1;
}

/* A commit that notifies and waits for a standby holds up all others that notify, the ticket's too. Nothing is to be
 * done about it meanwhile, and nothing is. */
START_TEST(while_notifications_are_held_up)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    cp_ticket ticket;
    PGconn *hanging = connect_again(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    sql(f, "alter system set synchronous_standby_names = 'nobody'");
    sql(f, "select pg_reload_conf()");
    sql_on(hanging, "set synchronous_commit = on");
    WAIT_UNTIL(hangs(f, hanging));
    REQUIRE_OK(cp_syncer_ticket(syncer, &ticket, &err), err);
    int64_t before_ms = cpu_ms();
    REQUIRE_INT(cp_syncer_wait(syncer, ticket, HELD_UP_MS, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_INT(cpu_ms() - before_ms, <, HELD_UP_MS / 100 * slowness());
    sql(f, "alter system reset synchronous_standby_names");
    sql(f, "select pg_reload_conf()");
    REQUIRE_OK(cp_syncer_wait(syncer, ticket, timeout_ms(), &err), err);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *ticket_waits_suite(void)
{
    Suite *suite = suite_create("ticket_waits");
    TCase *tcase = tcase_create("ticket_waits");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, while_others_write_all_the_time);
    add_test(tcase, while_notifications_are_held_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
