/* Rows without a document's id, which announce themselves and are mapped after the commit. */
#include "films.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(what_is_joined_follows)
{
    struct fixture *f = open_films(300);
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    expect_films(f);
    sql(f, "update film set title = 'direct' where film_id = 1");
    sql(f, "update actor set name = 'renamed' where actor_id = 2");
    sql(f, "update actor set actor_id = 1000 where actor_id = 3; insert into film_actor values (1000, 4)");
    sql(f, "delete from actor where actor_id = 5");
    sql(f, "update agency set name = 'renamed' where agency_id = 7");
    sql(f, "update actor set agency_id = 3 where actor_id between 30 and 60");
    sql(f, "begin; update actor set name = 'never'; rollback");
    expect_films(f);
    REQUIRE_INT(stats_of(syncer).mapped, >=, 4);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1); /* the warm-up */
    sql(f, "truncate actor");
    expect_films(f);
    sql(f, "insert into actor select i, 'again ' || i from generate_series(1, 300) i");
    expect_films(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- the race of two transactions ---- */

enum { STEPS = 3, ORDERS = 20 }; /* begin and statement and commit, of either; 6 over 3 */

/* # is a number of the run, by which everything in it is named: film, actor and agency; @ another film, and agency. */
static const struct {
    const char *one;
    const char *other;
} pairs[] = {
    {"update actor set name = 'new' where actor_id = #", "insert into film_actor values (#, @)"},
    {"update actor set name = 'new' where actor_id = #", "delete from film_actor where actor_id = #"},
    {"update actor set name = 'new' where actor_id = #", "update film_actor set film_id = @ where actor_id = #"},
    {"update actor set name = 'new' where actor_id = #",
     "insert into film values (# + 500000, 'new'); insert into film_actor values (#, # + 500000)"},
    {"delete from actor where actor_id = #", "insert into film_actor values (#, @)"},
    {"delete from actor where actor_id = #; delete from film_actor where actor_id = #",
     "insert into film_actor values (#, @)"},
    {"insert into actor values (# + 500000, 'new', #)", "insert into film_actor values (# + 500000, @)"},
    {"update agency set name = 'new' where agency_id = #", "insert into film_actor values (#, @)"},
    {"update agency set name = 'new' where agency_id = #", "update actor set agency_id = @ where actor_id = #"},
    {"update agency set name = 'new' where agency_id = @", "update actor set agency_id = @ where actor_id = #"},
    {"update agency set name = 'new' where agency_id = #", "delete from actor where actor_id = #"},
};

enum { PAIRS = sizeof pairs / sizeof *pairs };

/* Long enough for what has been committed to be mapped and read, mostly: the other transaction is open meanwhile. */
static void step(PGconn *pg, int at, const char *statement, int number)
{
    char text[512];
    size_t length = 0;
    for (; *statement != '\0' && length + 16 < sizeof text; statement++) {
        bool is_number = *statement == '#' || *statement == '@';
        length += (size_t)(is_number ? sprintf(text + length, "%d", number + (*statement == '@'))
                                     : sprintf(text + length, "%c", *statement));
    }
    sql_on(pg, at == 0 ? "begin" : at == 1 ? text : "commit");
    if (at == 2) {
        usleep(8000);
    }
}

/* The steps of one are the bits of order that are set. */
static void run_in_order(PGconn *one, PGconn *other, size_t pair, unsigned order, int number)
{
    int at_one = 0;
    int at_other = 0;
    for (int i = 0; i < 2 * STEPS; i++) {
        if ((order & (1u << i)) != 0) {
            step(one, at_one++, pairs[pair].one, number);
        } else {
            step(other, at_other++, pairs[pair].other, number);
        }
    }
}

START_TEST(no_order_of_two_transactions_leaves_a_document_stale)
{
    struct fixture *f = open_films(0);
    const int last = 10 + 2 * ORDERS * PAIRS;
    sqlf(f,
         "insert into film select i, 'film' from generate_series(1, %d) i;"
         "insert into agency select i, 'old' from generate_series(10, %d) i;"
         "insert into actor select i, 'old', i from generate_series(1, %d) i;"
         "insert into film_actor select i, i from generate_series(1, %d) i",
         last, last, last, last);
    PGconn *one = connect_again(f);
    PGconn *other = connect_again(f);
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    int number = 10;
    for (size_t pair = 0; pair < PAIRS; pair++) {
        for (unsigned order = 0; order < 1u << 2 * STEPS; order++) {
            if (__builtin_popcount(order) == STEPS) {
                run_in_order(one, other, pair, order, number);
                number += 2;
            }
        }
    }
    REQUIRE_INT(number, ==, last);
    expect_films(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

enum { WRITERS = 4, STARS = 5, SHOWN = 40, WRITING_MS = 4000 };

struct writer {
    struct fixture *f;
    PGconn *pg;
    uint64_t state;
    bool links;
};

/* Transactions that stay open for a while after they have written. */
static void *write_for_a_while(void *context)
{
    struct writer *writer = context;
    int64_t until_ms = now_ms() + WRITING_MS;
    while (now_ms() < until_ms && !atomic_load(&writer->f->abandoned)) {
        char write[200];
        char text[300];
        unsigned actor = 1 + roll(&writer->state, STARS);
        unsigned film = 1 + roll(&writer->state, SHOWN);
        if (!writer->links) {
            snprintf(write, sizeof write, "update actor set name = clock_timestamp()::text where actor_id = %u", actor);
        } else if (roll(&writer->state, 2) == 0) {
            snprintf(write, sizeof write, "delete from film_actor where actor_id = %u and film_id = %u", actor, film);
        } else {
            snprintf(write, sizeof write, "insert into film_actor values (%u, %u) on conflict do nothing", actor, film);
        }
        snprintf(text, sizeof text, "begin; %s; select pg_sleep(0.02); commit", write);
        PGresult *result = PQexec(writer->pg, text);
        atomic_fetch_add(&writer->f->thread_fault, PQresultStatus(result) != PGRES_COMMAND_OK);
        PQclear(result);
    }
    return NULL;
}

START_TEST(writers_that_meet)
{
    struct fixture *f = open_films(SHOWN);
    struct writer writers[WRITERS];
    uint64_t seed = choose_seed();
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.f = f, .pg = connect_again(f), .state = seed + i, .links = i % 2 == 0};
        fixture_thread(f, write_for_a_while, &writers[i]);
    }
    fixture_join(f);
    expect_films(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- many documents ---- */

/* More than a page (postgres/mapping.h), and a few of others, which do not wait for all of it. */
START_TEST(a_row_of_many_documents_holds_up_nobody)
{
    enum { FILMS = 40000 };
    struct fixture *f = open_films(FILMS);
    sqlf(f,
         "insert into film_actor select 1000000, i from generate_series(3, %d) i;"
         "insert into actor values (1000000, 'in all of them', 9)",
         FILMS);
    sql(f, "analyze");
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    uint64_t before = stats_of(syncer).stored;
    sql(f, "update actor set name = 'everywhere' where actor_id = 1000000");
    WAIT_UNTIL(stats_of(syncer).stored > before);
    sql(f, "update film set title = 'direct' where film_id = 1; update actor set name = 'mapped' where actor_id = 2");
    char key[160];
    snprintf(key, sizeof key, "%s:film:", f->prefix);
    for (int film = 1; film <= 2; film++) {
        bool has_come = false;
        while (!has_come) {
            char *document = redis_text(f, "GET %s%d", key, film);
            has_come = strstr(document, film == 1 ? "direct" : "mapped") != NULL;
            free(document);
        }
    }
    REQUIRE_INT(stats_of(syncer).stored - before, <, FILMS / 2);
    expect_films(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- sessions ---- */

START_TEST(a_session_that_is_lost_loses_nothing)
{
    struct fixture *f = open_films(2000);
    cp_syncer *syncer = run_syncer(f, films_entities, NO_SETTINGS);
    for (int i = 0; i < 20; i++) {
        sqlf(f, "update actor set name = 'turn %d' where actor_id %% 20 = %d", i, i);
        terminate_backends(f, "cachepusher mapper");
    }
    expect_films(f);
    REQUIRE_INT(stats_of(syncer).resyncs, ==, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(messages_are_mapped)
{
    struct fixture *f = open_films(200);
    if (is_over_wal()) {
        sql(f, "select cachepusher.watch(t, c, ch, announce => 'message') from (values"
               " ('film', 'film_id', 'film_changed'), ('film_actor', 'film_id', 'film_changed'),"
               " ('actor', 'actor_id', 'cachepusher:actor.actor_id'), ('agency', 'agency_id', 'agency_changed'))"
               " as w(t, c, ch)");
    }
    cp_syncer *syncer =
        run_syncer(f, films_entities, is_over_wal() ? SETTINGS("source_announce", "messages") : NO_SETTINGS);
    sql(f, "update actor set name = 'renamed' where actor_id < 50; update agency set name = 'new' where agency_id = 1");
    sql(f, "select announce('cachepusher:actor.actor_id', '60'), announce('agency_changed', '[null, 2, \"3\"]')");
    expect_films(f);
    REQUIRE_INT(stats_of(syncer).mapped, >=, 50);
    sql(f, "truncate actor");
    expect_films(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *mapping_suite(void)
{
    Suite *suite = suite_create("mapping");
    TCase *tcase = tcase_create("mapping");
    tcase_set_timeout(tcase, 120);
    add_test(tcase, what_is_joined_follows);
    add_test(tcase, no_order_of_two_transactions_leaves_a_document_stale);
    add_test(tcase, writers_that_meet);
    add_test(tcase, a_row_of_many_documents_holds_up_nobody);
    add_test(tcase, a_session_that_is_lost_loses_nothing);
    add_test(tcase, messages_are_mapped);
    suite_add_tcase(suite, tcase);
    return suite;
}
