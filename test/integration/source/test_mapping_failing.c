/* Rows that cannot be mapped, or not yet. */
#include "equal.h"
#include "films.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is parked, as text. */
struct seen {
    char text[2000];
};

static void see_parked(void *context, const cp_parked *parked)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof seen->text - length, "%s %s: %s; ",
             parked->table != NULL ? parked->table : parked->entity, parked->id, parked->why);
}

START_TEST(one_that_fails_is_set_aside)
{
    struct fixture *f = open_films(400);
    define_films_of(f, "if 13 = any (ids) then raise exception 'no 13'; end if;");
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    sql(f, "update actor set name = 'renamed'");
    WAIT_UNTIL(stats_of(syncer).failing == 1 && stats_of(syncer).stored >= 400 + 399);
    struct seen seen = {.text = ""};
    cp_error err;
    REQUIRE_OK(cp_syncer_parked(syncer, see_parked, &seen, NULL, &err), err);
    REQUIRE_CONTAINS(seen.text, "actor 13: rows of actor cannot be mapped: Postgres: no 13");
    REQUIRE_INT(count_logged(f, "rows of actor whose actor_id is \"13\" cannot be mapped"), ==, 1);
    REQUIRE_OK(cp_syncer_enqueue_wait(syncer, "film", "13", timeout_ms(), &err), err); /* it is the actor that fails */
    sql(f, "update film set title = 'served'");
    WAIT_UNTIL(stats_of(syncer).stored >= 400 + 399 + 400); /* 13 with it */
    sql(f, "update actor set name = 'again' where actor_id in (12, 13)");
    define_films_of(f, "");
    expect_films(f); /* it is tried again by itself */
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What no trigger has seen is enqueued by the row: film 8 is of actor 7 alone. A standby has the writer do it. */
START_TEST(rows_that_are_enqueued)
{
    struct fixture *f = open_films(20);
    sql(f,
        "update film_actor set film_id = 8 where actor_id = 7; update film_actor set film_id = 7 where actor_id = 8");
    cp_syncer *writer = run_syncer(f, films_entities, NO_SETTINGS);
    cp_syncer *standby = make_syncer(f, films_entities, NO_SETTINGS);
    start_syncer(standby);
    WAIT_UNTIL(count_logged(f, "standing by") == 1); /* else it has the writer read everything */
    cp_syncer *const asked[] = {writer, standby};
    cp_error err;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        uint64_t mapped = stats_of(writer).mapped;
        sqlf(f, "alter table actor disable trigger user; update actor set name = 'unheard, %zu' where actor_id = 7", i);
        REQUIRE_OK(cp_syncer_enqueue_rows(asked[i], "film", "actor", "7", &err), err);
        expect_films(f);
        WAIT_UNTIL(stats_of(writer).mapped > mapped); /* over wal, the log has the row, too */
    }
    REQUIRE_INT(stats_of(writer).resyncs, ==, 1);
    stop_syncer(f, standby);

    REQUIRE_INT(cp_syncer_enqueue_rows(writer, "film", "film_actor", "7", &err), ==, CP_ERR_ARGUMENT);
    REQUIRE_CONTAINS(err.message, "entity \"film\" maps no rows of \"film_actor\"; expected a table of its \"watch\"");
    REQUIRE_INT(cp_syncer_enqueue_rows(writer, "actor", "actor", "7", &err), ==, CP_ERR_ARGUMENT);
    REQUIRE_CONTAINS(err.message, "there is no entity \"actor\"");
    stop_syncer(f, writer);
    fixture_close(f);
}
END_TEST

/* A value that is none of the column's type takes nothing from those beside it. */
START_TEST(one_that_is_no_number)
{
    struct fixture *f = open_films(100);
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    if (!is_over_wal()) {
        sql(f, "alter table actor disable trigger user; update actor set name = 'unheard' where actor_id < 4;"
               "select announce('cachepusher:actor.actor_id', '[1, \"x\\\"y\", 2, 3]')");
        expect_films(f);
        WAIT_UNTIL(stats_of(syncer).failing == 1);
        REQUIRE_INT(count_logged(f, "invalid input syntax for type integer"), >=, 1);
    }
    cp_error err;
    cp_code code = cp_syncer_stop(syncer, timeout_ms(), &err);
    REQUIRE_INT(code, ==, is_over_wal() ? CP_OK : CP_ERR_TIMEOUT); /* it has not settled */
    fixture_close(f);
}
END_TEST

/* The mapping itself is broken: everything is read instead, until it is mended. */
START_TEST(a_mapping_that_cannot_be_made)
{
    struct fixture *f = open_films(200);
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    sql(f, "alter function films_of rename to films_for");
    terminate_backends(f, "cachepusher mapper");
    sql(f, "update actor set name = 'renamed' where actor_id < 20");
    expect_films(f);
    WAIT_UNTIL(stats_of(syncer).failing >= 19);
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_UNREADABLE] == 1);
    sql(f, "alter function films_for rename to films_of; update actor set name = 'mended' where actor_id = 5");
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    expect_films(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* The catalogue knows what a mapping calls, though no document does. */
START_TEST(a_mapping_that_changes)
{
    struct fixture *f = open_films(200);
    sql(f, "create table other_link (actor_id integer, film_id integer); insert into other_link values (1, 2)");
    cp_syncer *syncer = run_syncer(f, films_entities, SETTINGS("catalog_check_ms", "200"));
    int64_t until_ms = now_ms() + 1000; /* it has learned */
    WAIT_UNTIL(now_ms() > until_ms);
    define_films_of(f, "return query select film_id from other_link where actor_id = any (ids);");
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_CATALOG] >= 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- marks ---- */

/* Behind the commit of what was written: what has been confirmed up to here includes it. */
static void note_written(struct fixture *f)
{
    sql(f, "create table written as select pg_current_wal_insert_lsn() as at");
}

static long long confirmed_since(struct fixture *f)
{
    return is_over_wal()
               ? sql_number(f, "select count(*) from pg_replication_slots where slot_name like 'cachepusher_%'"
                               " and database = current_database() and confirmed_flush_lsn >= (select at from"
                               " written)")
               : 0;
}

/* What was announced before a position settles before it is confirmed, also where it has to be mapped first; after a
 * process that ended meanwhile it comes again. */
START_TEST(nothing_is_confirmed_before_it_is_mapped)
{
    struct fixture *f = open_films(200);
    cp_syncer *first = run_syncer(f, films_entities, NO_SETTINGS);
    if (is_over_wal()) {
        WAIT_UNTIL(*source_checkpoint(f) != '\0');
    }
    PGconn *holder = hold_mapping(f);
    sql(f, "update actor set name = 'waits' where actor_id = 7");
    note_written(f);
    sql(f, "update film set title = 'settled' where film_id = 8");
    char *document = NULL;
    do {
        free(document);
        document = redis_text(f, "GET %s:film:8", f->prefix);
    } while (strstr(document, "settled") == NULL);
    free(document);
    int64_t until_ms = now_ms() + 1500;
    while (now_ms() < until_ms) {
        REQUIRE_INT(confirmed_since(f), ==, 0);
    }
    cp_error err;
    REQUIRE_INT(cp_syncer_stop(first, 0, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_CONTAINS(err.message, "1 id had not settled");
    destroy_syncer(f, first);
    sql_on(holder, "commit");
    cp_syncer *second = run_syncer(f, films_entities, NO_SETTINGS);
    expect_films(f);
    REQUIRE_INT(stats_of(second).causes[CP_CAUSE_RESUME], ==, is_over_wal());
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* A checkpoint behind something that fails would have a restart go on without it. */
START_TEST(what_fails_is_not_resumed_without)
{
    struct fixture *f = open_films(200);
    cp_syncer *first = run_syncer(f, films_entities, NO_SETTINGS);
    define_films_of(f, "if 13 = any (ids) then raise exception 'no 13'; end if;");
    sql(f, "update actor set name = 'renamed' where actor_id = 13");
    note_written(f);
    sql(f, "update film set title = 'later'");
    WAIT_UNTIL(stats_of(first).failing == 1);
    if (is_over_wal()) {
        WAIT_UNTIL(confirmed_since(f) == 1);
    }
    cp_error err;
    REQUIRE_INT(cp_syncer_stop(first, timeout_ms(), &err), ==, CP_ERR_TIMEOUT);
    destroy_syncer(f, first);
    define_films_of(f, "");
    cp_syncer *second = run_syncer(f, films_entities, NO_SETTINGS);
    REQUIRE_INT(stats_of(second).causes[CP_CAUSE_RESUME], ==, 0);
    expect_films(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Ready means that what the procedure has touched is stored, also what has to be mapped. */
START_TEST(a_warm_up_that_touches_what_is_mapped)
{
    enum { FILMS = 3000 };
    struct fixture *f = open_films(FILMS);
    static const char procedure[] = ", \"warmup_procedure\": \"touch_actors\"}]}";
    char entities[sizeof procedure + 2000];
    snprintf(entities, sizeof entities, "%.*s%s", (int)strlen(films_entities) - 3, films_entities, procedure);
    sql(f, "create procedure touch_actors() language sql as $$ update actor set name = name $$");
    define_films_of(f, "perform pg_sleep(0.05);");
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("warmup", "touch"));
    REQUIRE_INT(count_keys(f), ==, FILMS);
    expect_films(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- bounds, and the end ---- */

START_TEST(more_than_may_wait_to_be_mapped)
{
    struct fixture *f = open_films(3000);
    cp_syncer *syncer = run_syncer(f, films_entities, SETTINGS("max_pending", "1000", "threads", "1"));
    PGconn *holder = hold_mapping(f);
    for (int i = 0; i < 20; i++) {
        sqlf(f, "update actor set name = 'many' where actor_id %% 20 = %d", i);
    }
    WAIT_UNTIL(is_over_wal() || stats_of(syncer).overflows > 0);
    sql_on(holder, "commit");
    expect_films(f);
    WAIT_UNTIL(is_over_wal() || stats_of(syncer).resyncs > 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(a_stop_brings_what_has_come_to_its_end)
{
    struct fixture *f = open_films(5000);
    sql(f, "insert into film_actor select 5001, i from generate_series(1, 5000) i; insert into actor values (5001, "
           "'all')");
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    PGconn *holder = hold_mapping(f);
    uint64_t before = stats_of(syncer).mapped;
    sql(f, "update actor set name = 'all, renamed' where actor_id = 5001");
    WAIT_UNTIL(stats_of(syncer).mapped > before);
    sql_on(holder, "commit");
    stop_syncer(f, syncer);
    expect_films(f);
    fixture_close(f);
}
END_TEST

/* ---- the start ---- */

static void expect_refused(struct fixture *f, const char *maps, const char *why)
{
    char entities[1000];
    snprintf(entities, sizeof entities,
             "{\"entities\": [{\"name\": \"film\", \"key\": \"{prefix}:film:{id}\", \"channels\": [\"film_changed\"],"
             " \"watch\": [{\"table\": \"actor\", \"column\": \"actor_id\", \"maps\": \"%s\"}],"
             " \"fetch_many\": \"film_get_many\", \"list\": \"select film_id from film\"}]}",
             maps);
    cp_syncer *syncer = make_syncer(f, entities, NO_SETTINGS);
    cp_error err = {0};
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "entity \"film\": the query that maps rows of actor: ");
    REQUIRE_CONTAINS(err.message, why);
    destroy_syncer(f, syncer);
}

START_TEST(queries_that_cannot_be_used)
{
    struct fixture *f = open_films(1);
    expect_refused(f, "select film_id, 1 from film_actor where actor_id = any ($1)", "it returns 2 columns");
    expect_refused(f, "select film_id from film_actor -- $1", "it has 0 parameters");
    expect_refused(f, "select film_id from film_actor where actor_id = any ($1) and film_id = $2",
                   "it has 2 parameters");
    expect_refused(f, "select film_id::text from film_actor where actor_id = any ($1)",
                   "its column is text; expected integer");
    expect_refused(f, "select film_id from film_actor where actor_id = $1",
                   "its $1 is of type integer; expected an array of values of the column: write \"= any ($1)\"");
    expect_refused(f, "select film_id from no_such where actor_id = any ($1)", "no_such");
    expect_refused(f, "select film_id from film_actor where actor_id = any ($1) for", "syntax error");
    fixture_close(f);
}
END_TEST

Suite *mapping_failing_suite(void)
{
    Suite *suite = suite_create("mapping_failing");
    TCase *tcase = tcase_create("mapping_failing");
    tcase_set_timeout(tcase, 120);
    add_test(tcase, one_that_fails_is_set_aside);
    add_test(tcase, rows_that_are_enqueued);
    add_test(tcase, one_that_is_no_number);
    add_test(tcase, a_mapping_that_cannot_be_made);
    add_test(tcase, a_mapping_that_changes);
    add_test(tcase, nothing_is_confirmed_before_it_is_mapped);
    add_test(tcase, what_fails_is_not_resumed_without);
    add_test(tcase, a_warm_up_that_touches_what_is_mapped);
    add_test(tcase, more_than_may_wait_to_be_mapped);
    add_test(tcase, a_stop_brings_what_has_come_to_its_end);
    add_test(tcase, queries_that_cannot_be_used);
    suite_add_tcase(suite, tcase);
    return suite;
}
