/* What a session of Postgres keeps, or gets from its role: none of it is for ever, and none of it loses a document. The
 * catalogue is not looked at here, which would make new sessions as well. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 50 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

/* A role that may read, and owns nothing. dsn: the database's, as that role. */
static void create_reader(struct fixture *f, char *dsn, size_t size)
{
    sqlf(f, "create role %s_reader login replication; grant select on customer, address to %s_reader", f->base,
         f->base);
    snprintf(dsn, size, "%s user=%s_reader", f->dsn, f->base);
}

static cp_syncer *make_reader(struct fixture *f, const char *entities)
{
    char dsn[700];
    create_reader(f, dsn, sizeof dsn);
    return make_syncer(f, entities, SETTINGS("postgres", dsn, "max_delete_percent", "100"));
}

static void drop_reader(struct fixture *f)
{
    sqlf(f, "drop owned by %s_reader; drop role %s_reader", f->base, f->base);
}

static long long sessions_of_reader(struct fixture *f)
{
    char query[256];
    snprintf(query, sizeof query, "select count(*) from pg_stat_activity where usename = '%s_reader'", f->base);
    return sql_number(f, query);
}

/* ---- prepared statements ---- */

static void define_get_many(struct fixture *f, const char *type, const char *language, const char *body)
{
    sqlf(f,
         "begin; drop function customer_get_many;"
         "create function customer_get_many(ids integer[]) returns table (id integer, document %s)"
         " language %s stable as $$ %s $$; commit",
         type, language, body);
}

/* No statement of the session has ever succeeded, so that nothing speaks for it: "cached plan must not change result
 * type" could as well be the function's own word. */
START_TEST(mended_with_another_type)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    define_get_many(f, "json", "plpgsql", "begin raise exception 'broken deploy'; end");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    REQUIRE_INT(stats_of(syncer).failing, ==, CUSTOMERS);
    REQUIRE_INT(count_logged(f, "broken deploy"), >, 0);
    define_get_many(f, "jsonb", "sql", "select u.id, customer_get(u.id)::jsonb from unnest(ids) as u(id)");
    static const struct kind as_jsonb = {":", "", "select id_customer, customer_get(id_customer)::jsonb from customer"};
    expect_equal(f, &as_jsonb, 1);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- settings of the role ---- */

static const char unqualified[] = "{\"entities\": [{\"name\": \"customer\", \"key\": \"{prefix}:{id}\","
                                  " \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS
                                  " \"fetch\": \"app_get\", \"list\": \"select id_customer from public.customer\"}]}";

START_TEST(search_path_was_wrong_for_a_while)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    sql(f, "create schema app; create function app.app_get(id integer) returns json language sql stable as"
           " $$ select public.customer_get(id) $$");
    cp_syncer *syncer = make_reader(f, unqualified);
    sqlf(f, "grant usage on schema app to %s_reader; alter role %s_reader set search_path = app, public", f->base,
         f->base);
    start_syncer(syncer);
    wait_ready(syncer);
    require_customers(f);

    sqlf(f, "alter role %s_reader set search_path = public", f->base);
    REQUIRE_INT(terminate_backends(f, "cachepusher%"), >, 0);
    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(stats_of(syncer).failing == CUSTOMERS);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS);

    sqlf(f, "alter role %s_reader set search_path = app, public", f->base);
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 0);
    stop_syncer(f, syncer);
    drop_reader(f);
    fixture_close(f);
}
END_TEST

static pid_t worker_session(struct fixture *f)
{
    return (pid_t)sql_number(f, "select pid from pg_stat_activity where datname = current_database() and "
                                "application_name = 'cachepusher worker'");
}

/* The way to Postgres goes silent over what fails, and both are over: others are read in a new session, and what failed
 * rests no longer than where the way was good. */
START_TEST(search_path_was_wrong_and_then_the_session_silent)
{
    char dsn[700];
    struct fixture *f = fixture_open();
    insert_customers(f);
    sql(f, "create schema app; create function app.app_get(id integer) returns json language sql stable as"
           " $$ select public.customer_get(id) $$");
    create_reader(f, dsn, sizeof dsn);
    cp_syncer *syncer =
        make_syncer(f, unqualified, SETTINGS("postgres", dsn, "threads", "1", "fetch_timeout_ms", "2000"));
    sqlf(f, "grant usage on schema app to %s_reader; alter role %s_reader set search_path = app, public", f->base,
         f->base);
    start_syncer(syncer);
    wait_ready(syncer);
    sqlf(f, "alter role %s_reader set search_path = public", f->base);
    REQUIRE_INT(terminate_backends(f, "cachepusher%"), >, 0);
    sql(f, "update customer set name = 'changed'");
    WAIT_UNTIL(stats_of(syncer).failing == CUSTOMERS);
    sqlf(f, "alter role %s_reader set search_path = app, public", f->base);
    unsigned long long retries = stats_of(syncer).retries;
    pid_t backend = worker_session(f);
    REQUIRE(kill(backend, SIGSTOP) == 0);

    /* No WAIT_UNTIL: the process has to go on whatever comes of it. */
    int64_t until_ms = now_ms() + timeout_ms();
    while (stats_of(syncer).retries == retries && now_ms() < until_ms) {
        poll(NULL, 0, 10);
    }
    int64_t lost_ms = now_ms();
    kill(backend, SIGCONT);
    REQUIRE_INT(stats_of(syncer).retries, >, retries);
    sql(f, "insert into customer (id_customer, name) values (1000, 'another')");
    expect_customers(f);
    REQUIRE_INT(now_ms() - lost_ms, <, 12000 * slowness());
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    drop_reader(f);
    fixture_close(f);
}
END_TEST

/* A read-only serializable transaction that is deferrable waits for each writer that is serializable: ours are not,
 * from the first one of a session on. */
START_TEST(serializable_and_deferrable_by_default)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *syncer = make_reader(f, NULL);
    sqlf(f,
         "alter role %s_reader set default_transaction_isolation = 'serializable';"
         "alter role %s_reader set default_transaction_read_only = on;"
         "alter role %s_reader set default_transaction_deferrable = on",
         f->base, f->base, f->base);
    PGconn *writer = connect_again(f);
    sql_on(writer, "begin isolation level serializable; select count(*) from customer;"
                   "insert into address (description, fk_customer) values ('not yet', 1)");
    start_syncer(syncer);
    wait_ready(syncer);
    sql(f, "update customer set name = 'changed'; delete from customer where id_customer = 7");
    expect_customers(f);

    /* In new sessions, too. */
    REQUIRE_INT(terminate_backends(f, "cachepusher%"), >, 0);
    WAIT_UNTIL(stats_of(syncer).listening && sessions_of_reader(f) > 0);
    sql(f, "update customer set name = 'changed again'");
    expect_customers(f);
    REQUIRE_INT(stats_of(syncer).failing, ==, 0);
    sql_on(writer, "rollback");
    stop_syncer(f, syncer);
    drop_reader(f);
    fixture_close(f);
}
END_TEST

/* ---- row-level security ---- */

/* A table that is filtered looks like one whose rows have been deleted. */
START_TEST(row_level_security_is_refused)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *syncer = make_reader(f, NULL);
    start_syncer(syncer);
    wait_ready(syncer);
    require_customers(f);

    sql(f, "alter table customer enable row level security; update customer set name = 'changed'");
    WAIT_UNTIL(stats_of(syncer).failing == CUSTOMERS);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS);
    REQUIRE_INT(count_logged(f, "row-level security policy for table \"customer\""), >, 0);

    size_t said = count_logged(f, "listing");
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    WAIT_UNTIL(count_logged(f, "listing") > said);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 0);

    sqlf(f, "alter role %s_reader bypassrls", f->base);
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    REQUIRE_INT(stats_of(syncer).deleted, ==, 0);
    stop_syncer(f, syncer);
    drop_reader(f);
    fixture_close(f);
}
END_TEST

/* ---- plans ---- */

/* The plan for two rows reads all of the table, and Postgres keeps it until the table is analysed. */
START_TEST(a_plan_from_when_a_table_was_small_is_given_up)
{
    enum { ROWS = 60000 };
    struct fixture *f = fixture_open();
    sql(f, "alter table customer set (autovacuum_enabled = off)");
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada'), (2, 'Ben')");
    sql(f, "vacuum analyze customer");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1"));
    for (int i = 0; i < 10; i++) {
        unsigned long long before = stats_of(syncer).stored;
        sql(f, "select announce('customer_updated', '1')");
        WAIT_UNTIL(stats_of(syncer).stored > before);
    }
    sql(f, "select pg_stat_reset_single_table_counters('customer_pkey'::regclass)");
    sqlf(f, "insert into customer (id_customer, name) select i, 'many' from generate_series(3, %d) i", ROWS);
    WAIT_UNTIL(count_keys(f) == ROWS);
    sql(f, "select announce('customer_updated', '1')");
    WAIT_UNTIL(sql_number(f, "select idx_scan from pg_stat_user_indexes where indexrelname = 'customer_pkey'") > 0);
    stop_syncer(f, syncer);
    sql(f, "alter table customer reset (autovacuum_enabled)");
    fixture_close(f);
}
END_TEST

Suite *sessions_suite(void)
{
    Suite *suite = suite_create("sessions");
    TCase *tcase = tcase_create("sessions");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, mended_with_another_type);
    tcase_add_test(tcase, search_path_was_wrong_for_a_while);
    tcase_add_test(tcase, search_path_was_wrong_and_then_the_session_silent);
    tcase_add_test(tcase, serializable_and_deferrable_by_default);
    tcase_add_test(tcase, row_level_security_is_refused);
    tcase_add_test(tcase, a_plan_from_when_a_table_was_small_is_given_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
