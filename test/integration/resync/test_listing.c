#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define WATCHED_THING WATCHED("thing", "id")

/* An entity "thing" over a table thing (id, x). */
static cp_syncer *make_things(struct fixture *f, const char *id_type, const char *list, const char *dsn)
{
    char entities[512];
    snprintf(
        entities, sizeof entities,
        "{\"entities\": [{\"name\": \"thing\", \"key\": \"{prefix}:{id}\", \"channels\": [\"thing\"]," WATCHED_THING
        " \"id_type\": \"%s\", \"fetch\": \"thing_get\", \"list\": \"%s\"}]}",
        id_type, list);
    return make_syncer(f, entities, SETTINGS("postgres", dsn));
}

static void create_things(struct fixture *f, const char *column_type, const char *id_type)
{
    sqlf(f,
         "create table thing (id %s primary key, x int); create index on thing ((id::text));"
         "create function thing_get(%s) returns json language sql stable as"
         " $$ select row_to_json(t) from thing t where t.id::text = $1::text $$;"
         "select cachepusher.watch('thing', 'id', 'thing')",
         column_type, id_type);
}

static void drop_things(struct fixture *f, const char *id_type)
{
    sqlf(f, "drop table thing; drop function thing_get(%s)", id_type);
}

static const struct kind things = {":", "", "select id::text, row_to_json(thing) from thing"};

/* A column is taken only if its own order is the one that pages are continued in. */
START_TEST(column_types)
{
    static const struct {
        const char *column;
        const char *id_type;
        const char *list;
        const char *refusal; /* NULL: taken */
    } cases[] = {
        {"citext", "text", "select id from thing", "its column is citext; expected text or varchar (cast it)"},
        {"char(9)", "text", "select id from thing", "its column is character; expected text or varchar (cast it)"},
        {"uuid", "text", "select id from thing", "its column is uuid; expected text or varchar (cast it)"},
        {"numeric", "integer", "select id from thing",
         "its column is numeric; expected integer, bigint or smallint (cast it)"},
        {"text", "bigint", "select id from thing",
         "its column is text; expected bigint, integer or smallint (cast it)"},
        {"text", "uuid", "select id from thing", "its column is text; expected uuid (cast it)"},
        {"citext", "text", "select id::text from thing", NULL},
        {"char(9)", "text", "select id::varchar from thing -- cast", NULL},
        {"name", "text", "select id from thing;", NULL},
        {"label", "text", "select id from thing", NULL},
        {"bigint", "integer", "select id from thing", NULL},
        {"smallint", "bigint", "select id from thing", NULL},
        {"uuid", "uuid", "select id from thing", NULL},
        {"int", "integer", "select from thing", "entity \"thing\": listing query: "},
        {"int", "integer", "selec", "entity \"thing\": listing query: "},
        {"int", "integer", "delete from thing returning id", "entity \"thing\": listing query: "},
    };
    struct fixture *f = fixture_open();
    sql(f, "create extension citext; create domain label as varchar(20)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cp_error err = {0};
        create_things(f, cases[i].column, cases[i].id_type);
        cp_syncer *syncer = make_things(f, cases[i].id_type, cases[i].list, f->dsn);
        if (cases[i].refusal == NULL) {
            REQUIRE_OK(cp_syncer_start(syncer, &err), err);
            stop_syncer(f, syncer);
        } else {
            REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
            REQUIRE_CONTAINS(err.message, cases[i].refusal);
            REQUIRE_INT(err.retriable, ==, false);
            destroy_syncer(f, syncer);
        }
        drop_things(f, cases[i].id_type);
    }
    fixture_close(f);
}
END_TEST

START_TEST(permission_to_read)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    char dsn[600];
    snprintf(dsn, sizeof dsn, "%s user=cp_password password=secret", f->dsn);
    create_things(f, "integer", "integer");
    cp_syncer *syncer = make_things(f, "integer", "select id from thing", dsn);
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_POSTGRES);
    REQUIRE_CONTAINS(err.message, "entity \"thing\": listing query: Postgres: permission denied for table thing");
    sql(f, "grant select on thing to cp_password; insert into thing values (1)");
    REQUIRE_OK(cp_syncer_start(syncer, &err), err);
    wait_ready(syncer);
    expect_equal(f, &things, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* From the listing and from the triggers the same ids come, whatever Postgres holds for equal. */
START_TEST(texts_that_are_not_text)
{
    static const char *const types[] = {"citext", "char(12)", "varchar(12)", "name"};
    struct fixture *f = fixture_open();
    sql(f, "create extension citext");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        create_things(f, types[i], "text");
        sql(f, "insert into thing select chr(65 + i % 2 * 32 + i % 26) || i, i from generate_series(1, 30000) i");
        cp_syncer *syncer = make_things(f, "text", "select id::text from thing", f->dsn);
        start_syncer(syncer);
        wait_ready(syncer);
        expect_equal(f, &things, 1);
        sql(f,
            "update thing set id = case when id < 'm' then upper(id::text) else lower(id::text) end"
            " where x between 100 and 2000; delete from thing where x > 29000; update thing set x = -x where x < 50");
        expect_equal(f, &things, 1);
        sql(f, "delete from thing");
        expect_equal(f, &things, 1);
        REQUIRE_INT(stats_of(syncer).bad_payloads, ==, 0);
        stop_syncer(f, syncer);
        drop_things(f, "text");
    }
    fixture_close(f);
}
END_TEST

/* ---- a collation that takes different texts for equal ---- */

enum { PAGE = 8192 };

static void note_difference(void *context, const cp_difference *difference)
{
    struct fixture *f = context;
    char key[160];
    snprintf(key, sizeof key, "%s:TZ", f->prefix);
    f->thread_fault += difference->kind != CP_ORPHAN || strcmp(difference->key, key) != 0;
}

/* A page of the listing ends within texts that the collation takes for equal; each has a document of its own, and a key
 * whose text is gone is left over, even while there is another spelling. */
START_TEST(equal_but_not_the_same)
{
    struct fixture *f = fixture_open();
    if (sql_number(f, "select count(*) from pg_collation where collprovider = 'i'") == 0) {
        fixture_close(f); /* Postgres was built without ICU */
        return;
    }
    sqlf(f,
         "create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
         "create table thing (id text collate any_case, x int); create index on thing (id collate \"C\");"
         "create function thing_get(text) returns json language sql stable as"
         " $$ select row_to_json(t) from thing t where t.id = $1 collate \"C\" $$;"
         "select cachepusher.watch('thing', 'id', 'thing');"
         "insert into thing select 't' || lpad(i::text, 6, '0'), i from generate_series(1, %d) i;"
         "insert into thing values ('tz', 1), ('TZ', 2), ('Tz', 3), ('tZ', 4), ('u', 5)",
         PAGE - 1);
    cp_syncer *syncer = make_things(f, "text", "select id from thing", f->dsn);
    start_syncer(syncer);
    wait_ready(syncer);
    expect_equal(f, &things, 1);
    REQUIRE_INT(count_keys(f), ==, PAGE - 1 + 5);
    sql(f, "update thing set x = -x where id = 'tz' collate any_case");
    expect_equal(f, &things, 1);

    sql(f, "alter table thing disable trigger user; delete from thing where id = 'TZ' collate \"C\"");
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    const cp_verify_options options = {
        .size = sizeof options, .recheck_ms = 200, .difference = note_difference, .context = f};
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    REQUIRE_INT(result.orphans, ==, 1);
    REQUIRE_INT(result.missing + result.different, ==, 0);
    REQUIRE_INT(f->thread_fault, ==, 0);
    REQUIRE_OK(cp_syncer_resync(syncer, NULL, &err), err);
    expect_equal(f, &things, 1);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *listing_suite(void)
{
    Suite *suite = suite_create("listing");
    TCase *tcase = tcase_create("listing");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, column_types);
    add_test(tcase, permission_to_read);
    add_test(tcase, texts_that_are_not_text);
    add_test(tcase, equal_but_not_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}
