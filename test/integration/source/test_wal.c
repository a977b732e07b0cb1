/* The wal source: every way to write, going on after a restart, and when that will not do. */
#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- following ---- */

START_TEST(every_way_to_write)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    sql(f, "update customer set name = 'updated' where id_customer = 1");
    sql(f, "update address set fk_customer = 3 where fk_customer = 2"); /* both */
    sql(f, "delete from customer where id_customer between 4 and 10");  /* with their addresses, by cascade */
    sql(f,
        "update customer set id_customer = 9000 where id_customer = 11 and false; insert into customer values (9001)");
    sql(f, "begin; update customer set name = 'never' where id_customer = 12; rollback");
    sql(f, "begin; delete from customer where id_customer = 13; insert into customer values (13, 'again'); commit");
    sql(f, "set session_replication_role = replica; update customer set name = 'no trigger' where id_customer = 14;"
           "reset session_replication_role");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    sql(f, "truncate address");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(random_writes)
{
    struct fixture *f = open_wal();
    struct mix mix = {.pg = f->pg, .state = choose_seed(), .ids = CUSTOMERS};
    cp_syncer *syncer = run_wal(f);
    for (int i = 0; i < 300; i++) {
        REQUIRE(write_once(&mix));
    }
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Postgres keeps what the lanes have no room for. */
START_TEST(more_rows_than_may_wait)
{
    struct fixture *f = open_wal();
    sql(f, "insert into customer select i, 'c' from generate_series(1001, 31000) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS(WAL, "max_pending", "4000", "threads", "2"));
    sql(f, "update customer set name = 'all of them'");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static bool is_streaming(struct fixture *f)
{
    char statement[256];
    snprintf(statement, sizeof statement,
             "select count(*) from pg_replication_slots where active and slot_name = 'cachepusher_%s'", f->prefix);
    return sql_number(f, statement) == 1;
}

/* A walsender whose words nobody reads cannot be ended, and Postgres' checkpoints may have to: it is let go. */
START_TEST(leaves_a_stream_that_it_cannot_read)
{
    struct fixture *f = open_wal();
    PGconn *holder = connect_again(f);
    sql(f, "insert into customer select i, 'c' from generate_series(1001, 31000) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS(WAL, "max_pending", "4000", "threads", "2"));
    REQUIRE(is_streaming(f));
    WAIT_UNTIL(*source_checkpoint(f) != '\0');
    hold_fetches(holder);
    sql(f, "update customer set name = 'all of them'");
    WAIT_UNTIL(!is_streaming(f));
    REQUIRE_INT(count_logged(f, "leaving slot"), ==, 1);
    REQUIRE_INT(stats_of(syncer).listening, ==, 1); /* nothing is lost */
    release_fetches(holder);
    expect_customers(f);
    REQUIRE_INT(count_logged(f, "replication: resumed"), ==, 1);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    REQUIRE_INT(stats_of(syncer).overflows, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(messages)
{
    struct fixture *f = open_wal();
    sqlf(f, "drop publication cachepusher_%s; create publication cachepusher_%s", f->prefix, f->prefix);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS(WAL, "source_announce", "messages"));
    sql(f, "begin; update customer set name = 'said' where id_customer in (1, 2);"
           "select pg_logical_emit_message(true, 'cachepusher:customer_updated', '[1,2]'); commit");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    sql(f, "begin; update customer set name = 'all';"
           "select pg_logical_emit_message(true, 'cachepusher:customer_updated', '*'); commit");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A column that goes away or changes its type while it streams. */
START_TEST(tables_that_change)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    sql(f, "alter table address add column note text; alter table address alter column fk_customer type bigint;"
           "update address set note = 'x', description = 'retyped' where fk_customer < 20");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    sql(f, "alter table address replica identity default; update address set fk_customer = 30 where fk_customer = 29");
    expect_customers(f);
    REQUIRE_INT(count_logged(f, "does not tell which document"), >=, 1);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_UNREADABLE], >=, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- visibility ---- */

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

/* The commit is on disk, and streamed, and nobody can see it yet: it waits for a standby that there is not. Other
 * databases' sessions do not wait: theirs is synchronous_commit = local, see scripts/with-servers. */
START_TEST(commits_that_hang)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    PGconn *hanging = connect_again(f);
    wait_confirmed(f);
    sql(f, "alter system set synchronous_standby_names = 'nobody'");
    sql(f, "select pg_reload_conf()");
    sql_on(hanging, "set synchronous_commit = on");
    WAIT_UNTIL(hangs(f, hanging));
    long long before = sql_number(f, "select pg_current_wal_lsn() - '0/0'");
    sql(f, "update customer set name = 'others go on' where id_customer between 8 and 20");
    expect_customers(f); /* 7 is to everybody what it was */
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    char query[512];
    snprintf(query, sizeof query,
             "select confirmed_flush_lsn - '0/0' from pg_replication_slots where slot_name = 'cachepusher_%s'",
             f->prefix);
    REQUIRE_INT(sql_number(f, query), <, before);
    sql(f, "alter system reset synchronous_standby_names");
    sql(f, "select pg_reload_conf()");
    WAIT_UNTIL(sql_number(f, query) >= before);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- going on ---- */

START_TEST(resumes)
{
    struct fixture *f = open_wal();
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, first);
    sql(f, "update customer set name = 'while nobody listened' where id_customer < 50;"
           "delete from customer where id_customer = 60; delete from address where fk_customer = 61");
    cp_syncer *second = run_wal(f);
    require_customers(f); /* ready means that it has caught up */
    require_resumed(second);
    REQUIRE_INT(stats_of(second).stored + stats_of(second).deleted, <, 100);
    REQUIRE_INT(count_logged(f, "resumed: going on"), ==, 1);
    sql(f, "update customer set name = 'followed' where id_customer > 390");
    expect_customers(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

struct told {
    pthread_mutex_t mutex;
    long count;
};

static void count_told(void *context, const cp_document *document)
{
    struct told *told = ((struct fixture *)context)->settled_context;
    pthread_mutex_lock(&told->mutex);
    told->count += document->exists;
    pthread_mutex_unlock(&told->mutex);
}

static long told_so_far(struct told *told)
{
    pthread_mutex_lock(&told->mutex);
    long count = told->count;
    pthread_mutex_unlock(&told->mutex);
    return count;
}

/* The cause by which a host that keeps documents knows that it has to ask for them. */
START_TEST(what_has_settled_before_is_told_when_asked_for)
{
    struct fixture *f = open_wal();
    struct told told = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, first);
    f->settled = count_told;
    f->settled_context = &told;
    cp_syncer *second = run_wal(f);
    require_resumed(second);
    REQUIRE_INT(stats_of(second).causes[CP_CAUSE_RESUME], ==, 1);
    long all = (long)sql_number(f, "select count(*) from customer");
    REQUIRE_INT(told_so_far(&told), <, all / 4);
    cp_error err;
    REQUIRE_OK(cp_syncer_resync(second, NULL, &err), err);
    WAIT_UNTIL(told_so_far(&told) >= all);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

START_TEST(resumes_after_the_stream_is_cut)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    sql(f, "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database()");
    sql(f, "update customer set name = 'meanwhile' where id_customer < 50");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_RESUME] == 1);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Standbys keep a copy of the slot, where Postgres knows how to. */
START_TEST(the_slot_outlives_a_failover)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    char query[512];
    snprintf(query, sizeof query,
             "select count(*) from pg_replication_slots as s where slot_name = 'cachepusher_%s' and plugin = 'pgoutput'"
             " and not temporary and not two_phase and coalesce((to_jsonb(s) ->> 'failover')::boolean, false) ="
             " (current_setting('server_version_num')::integer >= 170000)",
             f->prefix);
    REQUIRE_INT(sql_number(f, query), ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(the_next_writer_goes_on)
{
    struct fixture *f = open_wal();
    cp_syncer *first = run_wal(f);
    cp_syncer *second = make_syncer(f, NULL, SETTINGS(WAL));
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "standing by") == 1);
    wait_confirmed(f);
    stop_syncer(f, first);
    sql(f, "update customer set name = 'between' where id_customer < 50");
    wait_ready(second);
    require_customers(f);
    require_resumed(second);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* What failed is tried again although nothing tells of it, and everything else is left alone. */
START_TEST(resumes_with_what_failed)
{
    struct fixture *f = open_wal();
    sql(f, "create table bad (id integer); insert into bad values (5), (6), (7)");
    keep_customer_get(f);
    define_customer_get(
        f, "if exists (select from bad b where b.id = customer_get.id) then raise exception 'bad row'; end if;");
    cp_syncer *first = run_wal(f); /* those that a warm-up has listed */
    sql(f, "insert into bad values (8); update customer set name = 'bad' where id_customer = 8");
    WAIT_UNTIL(stats_of(first).failing == 4);
    wait_confirmed(f);
    destroy_syncer(f, first);
    sql(f, "delete from bad where id <> 6");
    cp_syncer *second = run_wal(f);
    require_resumed(second);
    WAIT_UNTIL(stats_of(second).failing == 1);
    REQUIRE_INT(stats_of(second).stored, <=, 4);
    sql(f, "delete from bad");
    expect_customers(f);
    REQUIRE_INT(stats_of(second).resyncs, ==, 0);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* ---- when that will not do ---- */

enum disagreement { EMPTIED, ROLLED_BACK, MADE_ANEW, ADVANCED, CONFIGURED, CRASHED, DISAGREEMENTS };

static void disagree(struct fixture *f, enum disagreement kind, char *older)
{
    char name[160];
    snprintf(name, sizeof name, "cachepusher_%s", f->prefix);
    WAIT_UNTIL(
        sql_number(f, "select count(*) from pg_replication_slots where active and database = current_database()") == 0);
    switch (kind) {
    case EMPTIED:
        redis_run(f, "DEL %s", source_checkpoint(f));
        break;
    case ROLLED_BACK:
        redis_run(f, "SET %s %b", source_checkpoint(f), older, strlen(older));
        break;
    case MADE_ANEW:
        sqlf(f, "select pg_drop_replication_slot('%s')", name);
        sqlf(f, "select pg_create_logical_replication_slot('%s', 'pgoutput')", name);
        break;
    case ADVANCED:
        sql(f, "update customer set name = 'advanced over' where id_customer = 1");
        sqlf(f, "select pg_replication_slot_advance('%s', pg_current_wal_lsn())", name);
        break;
    case CONFIGURED:
        sql(f, "create publication other for table customer, address");
        break;
    case CRASHED: /* that is what is left to see of it */
        sql(f, "select pg_stat_reset_shared('archiver')");
        break;
    case DISAGREEMENTS:
        break;
    }
}

START_TEST(reads_everything_when_they_do_not_agree)
{
    struct fixture *f = open_wal();
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    char *older = redis_text(f, "GET %s", source_checkpoint(f));
    sql(f, "update customer set name = 'newer' where id_customer < 50");
    expect_customers(f);
    wait_confirmed(f);
    stop_syncer(f, first);
    disagree(f, (enum disagreement)_i, older);
    free(older);
    cp_syncer *second =
        run_syncer(f, NULL, _i == CONFIGURED ? SETTINGS(WAL, "source_publication", "other") : SETTINGS(WAL));
    require_customers(f);
    require_warmed(second);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Nobody has looked whether Redis is complete. */
START_TEST(without_a_warm_up_there_is_no_checkpoint)
{
    struct fixture *f = open_wal();
    cp_syncer *first = run_syncer(f, NULL, SETTINGS(WAL, "warmup", "none"));
    wait_moved_on(f);
    REQUIRE_INT(*source_checkpoint(f), ==, '\0');
    stop_syncer(f, first);
    cp_syncer *second = run_wal(f);
    require_warmed(second);
    require_customers(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Whoever writes documents without a checkpoint of its own, made with this configuration or another one. */
START_TEST(another_source_may_make_other_documents)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    syncer = run_syncer(f, NULL, SETTINGS("source", "notify"));
    stop_syncer(f, syncer);
    syncer = run_wal(f);
    require_resumed(syncer);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    syncer = run_syncer(f, NULL, SETTINGS("source", "notify", "source_publication", "another"));
    REQUIRE_INT(*source_checkpoint(f), ==, '\0');
    stop_syncer(f, syncer);
    syncer = run_wal(f);
    require_warmed(syncer);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* No source brings it again. */
START_TEST(what_is_enqueued_by_hand_is_in_no_checkpoint)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    cp_error err;
    wait_confirmed(f);
    hold_fetches(f->pg);
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "5", &err), err);
    WAIT_UNTIL(*source_checkpoint(f) == '\0');
    release_fetches(f->pg);
    WAIT_UNTIL(*source_checkpoint(f) != '\0');
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(another_name_with_the_same_slot_is_kept_out)
{
    struct fixture *f = open_wal();
    char slot[160];
    snprintf(slot, sizeof slot, "cachepusher_%s", f->prefix);
    cp_syncer *first = run_wal(f);
    cp_syncer *second = make_syncer(
        f, NULL, SETTINGS(WAL, "name", "another", "source_slot", slot, "source_publication", slot, "warmup", "none"));
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "none of ours: give each name a slot of its own") > 0);
    sql(f, "update customer set name = 'followed' where id_customer = 9");
    expect_customers(f);
    REQUIRE_INT(stats_of(first).reconnects, ==, 0);
    destroy_syncer(f, second);
    stop_syncer(f, first);
    fixture_close(f);
}
END_TEST

/* The daemon may be quicker, and read it again. */
static bool drop_slot(struct fixture *f)
{
    char statements[512];
    snprintf(
        statements, sizeof statements,
        "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = 'cachepusher_%s';"
        "select pg_drop_replication_slot('cachepusher_%s')",
        f->prefix, f->prefix);
    PGresult *result = PQexec(f->pg, statements);
    bool dropped = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return dropped;
}

START_TEST(a_slot_that_is_dropped_is_made_anew)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    WAIT_UNTIL(drop_slot(f));
    sql(f, "update customer set name = 'missed' where id_customer < 50");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).listening);
    sql(f, "update customer set name = 'followed' where id_customer = 9");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Each time everything is read again, so it is not made without end. */
START_TEST(a_slot_that_is_lost_again_has_to_wait)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    WAIT_UNTIL(drop_slot(f) && count_logged(f, "is lost again; making another in ") > 0);
    WAIT_UNTIL(stats_of(syncer).listening);
    sql(f, "update customer set name = 'followed' where id_customer = 9");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(making_a_slot_names_who_is_waited_for)
{
    struct fixture *f = open_wal();
    PGconn *open = connect_again(f);
    sql_on(open, "begin; update customer set name = 'open' where id_customer = 7");
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS(WAL));
    start_syncer(syncer);
    WAIT_UNTIL(count_logged(f, "the oldest is of process ") == 1);
    sql_on(open, "commit");
    disconnect(f, open);
    wait_ready(syncer);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What is not published for a while is missed, though the slot goes on. */
START_TEST(a_publication_that_changes)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    sqlf(f,
         "alter publication cachepusher_%s drop table address; delete from address where fk_customer = 9;"
         "alter publication cachepusher_%s add table address",
         f->prefix, f->prefix);
    expect_customers(f);
    REQUIRE_INT(count_logged(f, "has changed; connecting again"), ==, 1);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    sqlf(f,
         "alter publication cachepusher_%s drop table address; delete from address where fk_customer = 10;"
         "alter publication cachepusher_%s add table address",
         f->prefix, f->prefix);
    syncer = run_wal(f);
    require_customers(f);
    require_warmed(syncer);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Those that come later are followed; one that is truncated says nothing, and is noticed all the same. */
START_TEST(partitions)
{
    struct fixture *f = open_wal();
    sqlf(f,
         "drop table address; create table address (id_address integer generated always as identity,"
         " description text not null, fk_customer integer not null) partition by range (fk_customer);"
         "create table address_1 partition of address for values from (0) to (100);"
         "alter table address_1 replica identity full;"
         "alter publication cachepusher_%s add table address;"
         "grant all on address to public;"
         "insert into address (description, fk_customer) select 'a', i from generate_series(1, 99) i",
         f->prefix);
    cp_syncer *syncer = run_wal(f);
    expect_customers(f);
    sql(f,
        "create table address_2 partition of address for values from (100) to (1000);"
        "alter table address_2 replica identity full;"
        "insert into address (description, fk_customer) values ('b', 150); delete from address where fk_customer = 3;"
        "update address set fk_customer = 160 where fk_customer = 4");
    expect_customers(f);
    WAIT_UNTIL(count_logged(f, "what watched tables tell of old rows, has changed") == 1);
    WAIT_UNTIL(stats_of(syncer).listening);
    REQUIRE_INT(count_logged(f, "a watched table was truncated or written anew"), ==, 0);
    sql(f, "truncate address_1");
    expect_customers(f);
    WAIT_UNTIL(count_logged(f, "a watched table was truncated or written anew") == 1);
    WAIT_UNTIL(stats_of(syncer).listening);

    sql(f, "create table address_3 partition of address for values from (1000) to (2000)"); /* no identity at all */
    WAIT_UNTIL(count_logged(f, "address_3 has a replica identity that does not tell the old fk_customer") == 1);
    sql(f, "insert into customer (id_customer, name) values (1001, 'a'), (1002, 'b');"
           "insert into address (description, fk_customer) values ('c', 1001)");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).listening, ==, 1);
    sql(f, "alter table address_3 replica identity full");
    WAIT_UNTIL(count_logged(f, "what watched tables tell of old rows, has changed") == 3);
    expect_customers(f);
    sql(f, "update address set fk_customer = 1002 where fk_customer = 1001");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Its rows never come, whatever is published. */
START_TEST(a_partition_that_is_in_no_log)
{
    struct fixture *f = open_wal();
    sqlf(f,
         "drop table address; create table address (id_address integer generated always as identity,"
         " description text not null, fk_customer integer not null) partition by range (fk_customer);"
         "alter publication cachepusher_%s add table address; grant all on address to public",
         f->prefix);
    cp_syncer *syncer = run_wal(f);
    sql(f, "create unlogged table address_1 partition of address for values from (0) to (1000);"
           "alter table address_1 replica identity full");
    WAIT_UNTIL(count_logged(f, "table address_1 is unlogged: its changes are in no log") >= 1);
    sql(f, "update customer set name = 'followed' where id_customer = 5");
    expect_customers(f);
    sql(f, "insert into address (description, fk_customer) select 'a', i from generate_series(1, 99) i;"
           "alter table address_1 set logged");
    WAIT_UNTIL(stats_of(syncer).listening);
    expect_customers(f);
    sql(f, "update address set description = 'followed' where fk_customer = 7");
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A publication of many tables is none of ours but for those that are watched. */
START_TEST(tables_that_nobody_watches)
{
    struct fixture *f = open_wal();
    sqlf(f, "drop publication cachepusher_%s; create publication cachepusher_%s for all tables", f->prefix, f->prefix);
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    sql(f, "create table unrelated (id integer primary key); create table related (id integer primary key)");
    syncer = run_wal(f);
    require_resumed(syncer);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    sql(f, "drop table unrelated; alter table related add id_address integer, add description text,"
           " add fk_customer integer; alter table related alter id_address set not null;"
           "alter table related replica identity full; alter table related inherit address");
    syncer = run_wal(f);
    require_warmed(syncer);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static bool is_older(struct fixture *f, int version)
{
    return sql_number(f, "select current_setting('server_version_num')::integer / 10000") < version;
}

/* Postgres 15 and later publish whole schemas. */
START_TEST(a_schema_that_is_published)
{
    struct fixture *f = open_wal();
    if (is_older(f, 15)) {
        fixture_close(f);
        return;
    }
    sqlf(f, "drop publication cachepusher_%s; create publication cachepusher_%s for tables in schema public", f->prefix,
         f->prefix);
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    sqlf(f,
         "create schema other; create table other.unrelated (id integer primary key);"
         "alter publication cachepusher_%s add tables in schema other",
         f->prefix);
    syncer = run_wal(f);
    require_resumed(syncer);
    wait_confirmed(f);
    stop_syncer(f, syncer);
    sqlf(f,
         "alter publication cachepusher_%s drop tables in schema public; delete from address where fk_customer = 9;"
         "alter publication cachepusher_%s add tables in schema public",
         f->prefix, f->prefix);
    syncer = run_wal(f);
    require_customers(f);
    require_warmed(syncer);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what Postgres cannot send ---- */

/* A row filter that fails on a row of somebody else's table: at every try, in the same place. */
START_TEST(a_slot_that_cannot_be_read_on)
{
    struct fixture *f = open_wal();
    if (is_older(f, 15)) {
        fixture_close(f);
        return;
    }
    sqlf(f,
         "create table other (n integer primary key); alter publication cachepusher_%s add table other"
         " where (1 / n > 0)",
         f->prefix);
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    sql(f, "update customer set name = 'before' where id_customer = 4; insert into other values (0);"
           "update customer set name = 'behind' where id_customer = 5");
    WAIT_UNTIL(count_logged(f, "Postgres has failed 10 times to read on from where slot") == 1);
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).listening);
    wait_confirmed(f);
    sql(f, "update customer set name = 'followed' where id_customer = 6");
    expect_customers(f);
    REQUIRE_INT(count_logged(f, "Postgres has failed 10 times"), ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static const char words[] =
    "{ \"entities\": [ { \"name\": \"word\", \"key\": \"{prefix}:word:{id}\", \"id_type\": \"text\","
    "  \"channels\": [\"words\"]," WATCHED("wörter", "schlüssel") " \"fetch\": \"word_get\","
                                                                  "  \"list\": \"select schlüssel from wörter\" } ] }";

/* Texts come as they are stored, also those that UTF-8 has no equivalent of; names are those that were looked up. */
START_TEST(other_encodings)
{
    static const struct kind kind = {":word:", "", "select schlüssel, word_get(schlüssel) from wörter"};
    struct fixture *f = fixture_open_as("template template0 encoding 'WIN1252' locale 'C'");
    sql(f, "set client_encoding = 'UTF8'");
    sql(f, "create table wörter (schlüssel text primary key, n integer default 0, unused text);"
           "create function word_get(id text) returns json language sql stable as"
           " $$ select json_build_object('n', n, 'id', schlüssel) from wörter where schlüssel = id $$;"
           "create publication \"veröffentlicht\" for table wörter;"
           "insert into wörter values ('süß'), ('plain'), ('wide')");
    cp_syncer *syncer = run_syncer(f, words, SETTINGS(WAL, "source_publication", "veröffentlicht"));
    sql(f, "update wörter set n = 1 where schlüssel = 'plain'; delete from wörter where schlüssel = 'wide'");
    expect_equal(f, &kind, 1);
    sql(f, "update wörter set n = 2, unused = chr(129) where schlüssel = 'plain'; insert into wörter values ('next')");
    expect_equal(f, &kind, 1);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    sql(f, "update wörter set n = 3 where schlüssel = 'süß'");
    expect_equal(f, &kind, 1);
    REQUIRE_INT(stats_of(syncer).causes[CP_CAUSE_UNREADABLE], ==, 1);
    REQUIRE_INT(count_logged(f, "an id beyond ASCII cannot be read"), ==, 1);
    REQUIRE_INT(count_logged(f, "connecting again"), ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(a_slot_that_is_left_behind_is_told_of)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    REQUIRE_INT(count_logged(f, "nobody reads"), ==, 0);
    stop_syncer(f, syncer);
    syncer = run_wal(f); /* it goes on with it */
    stop_syncer(f, syncer);
    REQUIRE_INT(count_logged(f, "nobody reads"), ==, 0);
    syncer = run_syncer(f, NULL, SETTINGS("source", "notify"));
    char message[200];
    snprintf(message, sizeof message, "start: nobody reads replication slot \"cachepusher_%s\"", f->prefix);
    REQUIRE_INT(count_logged(f, message), ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(a_flush_forgets_the_checkpoint)
{
    struct fixture *f = open_wal();
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, first);
    cp_syncer *second = run_syncer(f, NULL, SETTINGS(WAL, "flush", "true"));
    require_customers(f);
    require_warmed(second);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Then nothing is written down, and Postgres need not keep its log for that. */
START_TEST(a_checkpoint_that_is_forbidden)
{
    struct fixture *f = open_wal();
    own_redis_start(f);
    become_admin(f);
    redis_run(f, "ACL SETUSER default resetkeys ~%s:*", f->base);
    for (int round = 0; round < 2; round++) {
        cp_syncer *syncer = run_wal(f);
        require_warmed(syncer);
        wait_moved_on(f);
        REQUIRE(*source_checkpoint(f) == '\0');
        REQUIRE_INT(count_logged(f, "each start reads everything"), ==, round + 1);
        expect_customers(f);
        stop_syncer(f, syncer);
    }
    fixture_close(f);
}
END_TEST

/* ---- what is missing is said ---- */

START_TEST(refusals)
{
    static const struct {
        const char *statements; /* with the publication's name where %s stands */
        const char *expected;
    } cases[] = {
        {"drop publication %s", "there is no publication"},
        {"alter publication %s drop table address", "is not in publication"},
        {"alter publication %s set (publish = 'insert, delete, truncate')", "there is no publication"},
        {"alter table address replica identity default; select '%s'", "replica identity"},
        {"alter table address replica identity nothing; select '%s'", "replica identity"},
        {"alter table address rename column fk_customer to fk; select '%s'", "has no column fk_customer"},
        {"alter table address rename to addresses; select '%s'", "does not exist"},
        {"alter publication %s drop table address; alter table address set unlogged", "is unlogged: its changes"},
        {"create foreign data wrapper nowhere; create server nowhere foreign data wrapper nowhere;"
         "create foreign table far () inherits (address) server nowhere; select '%s'",
         "is foreign: its changes"},
    };
    struct fixture *f = open_wal();
    char name[160];
    snprintf(name, sizeof name, "cachepusher_%s", f->prefix);
    sqlf(f, cases[_i].statements, name);
    cp_error err = {0};
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS(WAL));
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE(!err.retriable);
    REQUIRE_CONTAINS(err.message, cases[_i].expected);
    fixture_close(f);
}
END_TEST

START_TEST(a_role_that_may_not_replicate)
{
    struct fixture *f = open_wal();
    cp_error err = {0};
    sqlf(f, "create role weak_%s login; grant select on customer, address to weak_%s", f->base, f->base);
    snprintf(f->dsn, sizeof f->dsn, "%.300s dbname=%.60s user=weak_%.60s", getenv("CP_DSN"), f->database, f->base);
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS(WAL));
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "may not replicate");
    sqlf(f, "drop owned by weak_%s; drop role weak_%s", f->base, f->base);
    fixture_close(f);
}
END_TEST

static TCase *published_tcase(void)
{
    TCase *tcase = tcase_create("published");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_publication_that_changes);
    tcase_add_test(tcase, partitions);
    tcase_add_test(tcase, a_partition_that_is_in_no_log);
    tcase_add_test(tcase, tables_that_nobody_watches);
    tcase_add_test(tcase, a_schema_that_is_published);
    tcase_add_test(tcase, a_slot_that_cannot_be_read_on);
    tcase_add_test(tcase, other_encodings);
    tcase_add_loop_test(tcase, refusals, 0, 9);
    tcase_add_test(tcase, a_role_that_may_not_replicate);
    return tcase;
}

Suite *wal_suite(void)
{
    Suite *suite = suite_create("wal");
    TCase *tcase = tcase_create("wal");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, every_way_to_write);
    tcase_add_test(tcase, random_writes);
    tcase_add_test(tcase, more_rows_than_may_wait);
    tcase_add_test(tcase, leaves_a_stream_that_it_cannot_read);
    tcase_add_test(tcase, messages);
    tcase_add_test(tcase, tables_that_change);
    tcase_add_test(tcase, commits_that_hang);
    tcase_add_test(tcase, resumes);
    tcase_add_test(tcase, what_has_settled_before_is_told_when_asked_for);
    tcase_add_test(tcase, resumes_with_what_failed);
    tcase_add_test(tcase, resumes_after_the_stream_is_cut);
    tcase_add_test(tcase, the_slot_outlives_a_failover);
    tcase_add_test(tcase, the_next_writer_goes_on);
    tcase_add_loop_test(tcase, reads_everything_when_they_do_not_agree, 0, DISAGREEMENTS);
    tcase_add_test(tcase, without_a_warm_up_there_is_no_checkpoint);
    tcase_add_test(tcase, another_source_may_make_other_documents);
    tcase_add_test(tcase, what_is_enqueued_by_hand_is_in_no_checkpoint);
    tcase_add_test(tcase, another_name_with_the_same_slot_is_kept_out);
    tcase_add_test(tcase, a_slot_that_is_dropped_is_made_anew);
    tcase_add_test(tcase, a_slot_that_is_lost_again_has_to_wait);
    tcase_add_test(tcase, making_a_slot_names_who_is_waited_for);
    tcase_add_test(tcase, a_slot_that_is_left_behind_is_told_of);
    tcase_add_test(tcase, a_flush_forgets_the_checkpoint);
    tcase_add_test(tcase, a_checkpoint_that_is_forbidden);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, published_tcase());
    return suite;
}
