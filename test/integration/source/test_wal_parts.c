/* The wal source: a transaction that Postgres has not enough memory for comes in parts, while it is open. */
#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "wal.h"

#include <stdio.h>
#include <stdlib.h>

/* Postgres has the least memory that can be set. */
static struct fixture *open_parts(void)
{
    struct fixture *f = open_wal();
    sqlf(f, "alter database %s set logical_decoding_work_mem = '64kB'", f->database);
    return f;
}

/* How many parts have come, as the server counts them. */
static long long parts(struct fixture *f)
{
    char query[256];
    snprintf(query, sizeof query,
             "select coalesce(sum(stream_count), 0) from pg_stat_replication_slots where slot_name = 'cachepusher_%s'",
             f->prefix);
    return sql_number(f, query);
}

/* Begins a transaction that changes every customer, and waits until some of it has come. */
static PGconn *begin_large(struct fixture *f)
{
    long long before = parts(f);
    PGconn *writer = connect_again(f);
    sql_on(writer, "begin; update customer set name = repeat('x', 100) || id_customer");
    WAIT_UNTIL(parts(f) > before);
    return writer;
}

/* Whatever comes behind has come by now. */
static void pass_a_change(struct fixture *f, cp_syncer *syncer)
{
    long long events = (long long)stats_of(syncer).events;
    sql(f, "insert into customer (id_customer, name) select 1 + max(id_customer), 'behind' from customer");
    WAIT_UNTIL((long long)stats_of(syncer).events > events);
    REQUIRE_INT(stats_of(syncer).events, ==, events + 1);
}

START_TEST(parts_wait_for_the_commit)
{
    struct fixture *f = open_parts();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    PGconn *writer = begin_large(f);
    pass_a_change(f, syncer);
    sql_on(writer,
           "update address set description = 'more of it'; update customer set name = 'last' where id_customer = 3");
    pass_a_change(f, syncer);
    sql_on(writer, "commit");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).events, >=, CUSTOMERS);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    wait_moved_on(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(what_is_rolled_back_is_not_read)
{
    struct fixture *f = open_parts();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    PGconn *writer = begin_large(f);
    sql_on(writer, "truncate address; rollback");
    pass_a_change(f, syncer);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_TRUNCATE], ==, 0);
    writer = begin_large(f);
    sql_on(writer, "savepoint a; delete from customer where id_customer > 10; rollback to a; insert into customer "
                   "values (9000, 'kept'); commit");
    expect_customers(f);
    wait_moved_on(f); /* nothing is waited for that never comes */
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What a part says of a table's columns is true until the transaction is rolled back. */
START_TEST(tables_that_change_in_parts)
{
    struct fixture *f = open_parts();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    static const char *const ends[] = {"rollback", "commit"};
    for (size_t i = 0; i < 2; i++) {
        long long before = parts(f);
        PGconn *writer = connect_again(f);
        sql_on(writer, "begin; alter table address drop column description; alter table address add column description "
                       "text; alter table address alter column fk_customer type bigint");
        sql_on(writer, "update address set description = repeat('y', 200)");
        sql_on(writer, "update customer set name = repeat('z', 200)");
        WAIT_UNTIL(parts(f) > before);
        sql_on(writer, ends[i]);
        sql(f, "update address set fk_customer = fk_customer + 1 where fk_customer < 20");
        expect_customers(f);
    }
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Parts in which the columns stand elsewhere, and the id's is another one, are rolled back; what follows in the same
 * transaction has them as they were. Large values cannot be sent before their row, nor what is said at once later. */
START_TEST(tables_that_change_up_to_a_savepoint)
{
    struct fixture *f = open_parts();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    PGconn *writer = begin_large(f);
    long long before = parts(f);
    sql_on(writer, "savepoint a; alter table address add column other integer; update address set other = 1;"
                   "alter table address drop column fk_customer; alter table address rename other to fk_customer;"
                   "update address set description = repeat('9', 300)");
    WAIT_UNTIL(parts(f) > before);
    sql_on(writer, "rollback to a; update address set fk_customer = fk_customer + 1 where fk_customer < 300");
    before = parts(f);
    sql_on(writer, "insert into customer select 5000 + i, (select string_agg(md5(concat(i, j)), '') from "
                   "generate_series(1, 300) as j) from generate_series(1, 50) as i");
    WAIT_UNTIL(parts(f) > before);
    long long events = (long long)stats_of(syncer).events;
    sql(f, "select pg_logical_emit_message(false, 'cachepusher:customer_updated', '7')");
    WAIT_UNTIL((long long)stats_of(syncer).events == events + 1);
    sql_on(writer, "update customer set name = name || '!' where id_customer > 5000; commit");
    expect_customers(f);
    wait_moved_on(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    REQUIRE_INT(stats_of(syncer).unreadable, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The stream is left while nothing settles, and part of what came with it has not gone on. */
START_TEST(what_is_left_when_the_stream_is_left)
{
    enum { MANY = 3900 };
    struct fixture *f = open_parts();
    PGconn *holder = connect_again(f);
    sqlf(f, "insert into customer select i, 'c' from generate_series(1001, %d) i", 1000 + MANY - CUSTOMERS);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS(WAL, "max_pending", "4000", "threads", "2"));
    wait_confirmed(f);
    PGconn *writer = begin_large(f);
    hold_fetches(holder);
    sql_on(writer, "commit");
    WAIT_UNTIL(count_logged(f, "leaving slot") == 1);
    sql(f, "update customer set name = 'meanwhile' where id_customer < 10");
    release_fetches(holder);
    expect_customers(f);
    wait_moved_on(f);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A restart has not confirmed it, and gets it whole. */
START_TEST(a_restart_between_the_parts)
{
    struct fixture *f = open_parts();
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    PGconn *writer = begin_large(f);
    pass_a_change(f, first);
    wait_confirmed(f); /* behind some of it, and before its end */
    stop_syncer(f, first);
    sql_on(writer, "update customer set name = name || '+'");
    cp_syncer *second = run_wal(f);
    require_resumed(second);
    sql_on(writer, "commit");
    expect_customers(f);
    require_resumed(second);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

START_TEST(more_than_may_be_kept)
{
    enum { MORE = 5000 };
    struct fixture *f = open_parts();
    sqlf(f, "insert into customer select i, 'c' from generate_series(1001, %d) i", 1000 + MORE);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS(WAL, "max_pending", "1000", "threads", "2"));
    wait_confirmed(f);
    PGconn *writer = begin_large(f);
    WAIT_UNTIL(count_logged(f, "replication: resumed") == 1);
    pass_a_change(f, syncer);
    sql_on(writer, "commit");
    expect_customers(f);
    sql(f, "update customer set name = 'once more'");
    expect_customers(f);
    REQUIRE_INT(count_logged(f, "more than max_pending"), ==, 1);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A commit that waits for a standby (see commits_that_hang in test_wal.c), of more than may be kept until it is seen:
 * the rest of it stays in the server. */
START_TEST(more_hangs_than_may_be_kept)
{
    enum { MORE = 5000 };
    struct fixture *f = open_wal();
    sqlf(f, "insert into customer select i, 'c' from generate_series(1001, %d) i", 1000 + MORE);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS(WAL, "max_pending", "1000", "threads", "2"));
    wait_confirmed(f);
    PGconn *hanging = connect_again(f);
    sql(f, "alter system set synchronous_standby_names = 'nobody'");
    sql(f, "select pg_reload_conf()");
    sql_on(hanging, "set synchronous_commit = on; begin; update customer set name = 'hangs'");
    WAIT_UNTIL(sql_number(f, "select (current_setting('synchronous_standby_names') = 'nobody')::int") == 1);
    REQUIRE(PQsendQuery(hanging, "commit") == 1);
    WAIT_UNTIL(count_logged(f, "leaving slot") == 1);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    REQUIRE_INT(count_logged(f, "replication: resumed"), ==, 0); /* nor begun again before it can be seen */
    sql(f, "alter system reset synchronous_standby_names");
    sql(f, "select pg_reload_conf()");
    WAIT_UNTIL(sql_number(f, "select count(*) from customer where name = 'hangs'") == CUSTOMERS + MORE);
    expect_customers(f);
    wait_moved_on(f);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- in any order ---- */

enum { WRITERS = 3, STEPS = 120, DEPTH = 3 };

struct writer {
    PGconn *pg;
    int depth; /* of its savepoints; -1: no transaction is open */
};

/* Of the customers that are a writer's own, so that none waits for another; mine() is which. */
static const char *const changes[] = {
    "update customer set name = repeat('n', 150) || random() where id_customer % 3 = pg_temp.mine()",
    "update address set description = repeat('d', 150) || random() where fk_customer % 3 = pg_temp.mine()",
    "update address set fk_customer = (select id_customer from customer where id_customer % 3 = pg_temp.mine() order "
    "by random()"
    " limit 1) where fk_customer % 3 = pg_temp.mine() and random() < 0.5",
    "delete from customer where id_customer % 3 = pg_temp.mine() and random() < 0.2",
    "insert into customer select i, 'new' || random() from generate_series(1, 600) as i where i % 3 = pg_temp.mine()"
    " on conflict do nothing",
    "insert into customer select i, (select string_agg(md5(concat(i, j, random())), '') from generate_series(1, 150) j)"
    " from generate_series(1, 600, 10) as i where i % 3 = pg_temp.mine() on conflict (id_customer) do update set name "
    "= excluded.name",
};

static void write_some(struct writer *writer, uint64_t *state)
{
    unsigned dice = roll(state, 10);
    if (writer->depth < 0) {
        sql_on(writer->pg, "begin");
        writer->depth = 0;
    } else if (dice == 0) {
        sql_on(writer->pg, roll(state, 3) == 0 ? "rollback" : "commit");
        writer->depth = -1;
    } else if (dice == 1 && writer->depth < DEPTH) {
        sql_on(writer->pg, "savepoint a");
        writer->depth++;
    } else if (dice == 2 && writer->depth > 0) {
        sql_on(writer->pg, roll(state, 2) == 0 ? "rollback to a; release a" : "release a");
        writer->depth--;
    } else {
        sql_on(writer->pg, changes[roll(state, sizeof changes / sizeof *changes)]);
    }
}

START_TEST(parts_in_any_order)
{
    struct fixture *f = open_parts();
    uint64_t state = choose_seed();
    struct writer writers[WRITERS];
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    for (int i = 0; i < WRITERS; i++) {
        char mine[128];
        snprintf(mine, sizeof mine, "create function pg_temp.mine() returns int language sql immutable as 'select %d'",
                 i);
        writers[i] = (struct writer){.pg = connect_again(f), .depth = -1};
        sql_on(writers[i].pg, mine);
    }
    for (int step = 0; step < STEPS; step++) {
        write_some(&writers[roll(&state, WRITERS)], &state);
        if (step == STEPS / 3) {
            terminate_backends(f, "cachepusher wal%");
        } else if (step == STEPS / 3 * 2) {
            stop_syncer(f, syncer);
            syncer = run_wal(f);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        sql_on(writers[i].pg, writers[i].depth < 0 ? "select" : i == 0 ? "rollback" : "commit");
    }
    REQUIRE_INT(parts(f), >, 0);
    expect_customers(f);
    wait_moved_on(f);
    require_resumed(syncer);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *wal_parts_suite(void)
{
    Suite *suite = suite_create("wal_parts");
    TCase *tcase = tcase_create("wal_parts");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, parts_wait_for_the_commit);
    tcase_add_test(tcase, what_is_rolled_back_is_not_read);
    tcase_add_test(tcase, tables_that_change_in_parts);
    tcase_add_test(tcase, tables_that_change_up_to_a_savepoint);
    tcase_add_test(tcase, what_is_left_when_the_stream_is_left);
    tcase_add_test(tcase, a_restart_between_the_parts);
    tcase_add_test(tcase, more_than_may_be_kept);
    tcase_add_test(tcase, more_hangs_than_may_be_kept);
    tcase_add_test(tcase, parts_in_any_order);
    suite_add_tcase(suite, tcase);
    return suite;
}
