/* Code that somebody else has put where names are looked up is never run: not as the daemon, not as whoever calls
 * cachepusher.watch(), not as whoever writes to a watched table. */
#include "equal.h"
#include "heard.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_PLACE WATCHED("place", "name")
#define WATCHED_THING WATCHED("thing", "id")

/* Twins of every function, aggregate, operator, type and relation of Postgres, in a schema that the search_path of
 * every new session names before pg_catalog. So even an operator that fits exactly, or a name that only pg_catalog
 * should have, is the twin's unless its schema is given; sessions whose path has pg_catalog first, as it is by default,
 * can only find less. This holds in all versions. What was called is in table loot, or, where a twin cannot tell
 * because it takes "any", the statement fails. */
static const char make_twins[] =
    "create schema evil; grant usage on schema evil to public;"
    "create table public.loot (what pg_catalog.text); grant insert on public.loot to public;"
    "create function public.spy(pg_catalog.text) returns pg_catalog.bool language plpgsql as"
    " 'begin insert into public.loot values ($1); return true; end';"
    "set check_function_bodies = off;"
    "do $do$ declare o record; begin"
    " for o in select p.oid, proname as name, pg_get_function_identity_arguments(p.oid) as arguments,"
    "   coalesce(pg_get_function_result(p.oid), 'void') as result, p.oid::regprocedure as title,"
    "   2276 = any (proargtypes) as takes_any"
    "  from pg_proc p where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a', 'w')"
    "  and not 2281 = any (proargtypes) and prorettype not in (2281, 2279, 3838)"
    " loop begin"
    "  if o.takes_any then"
    "   execute format('create function evil.%I(%s) returns %s language internal as ''anyarray_in''',"
    "    o.name, case when o.arguments = '' then '\"any\"' else replace(o.arguments, 'ORDER BY', ',') end, o.result);"
    "  else"
    "   execute format('create function evil.%I(%s) returns %s language plpgsql as"
    "    $f$ begin insert into public.loot values (%L); %s end $f$',"
    "    o.name, replace(o.arguments, 'ORDER BY', ','), o.result, o.title,"
    "    case when o.result ~ '^(void|SETOF|TABLE)' then '' else 'return null;' end);"
    "  end if;"
    " exception when others then null; end; end loop;"
    " for o in select oprname, oprcode, oprleft, oprright from pg_operator where oprnamespace = "
    "'pg_catalog'::regnamespace"
    " loop begin"
    "  execute format('create operator evil.%s (function = evil.%s %s %s)', o.oprname, o.oprcode,"
    "   ', leftarg = ' || nullif(o.oprleft, 0)::regtype, ', rightarg = ' || nullif(o.oprright, 0)::regtype);"
    " exception when others then null; end; end loop;"
    " for o in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')"
    " loop begin"
    "  execute format('create view evil.%I as select * from pg_catalog.%I where public.spy(%L)',"
    "   o.relname, o.relname, o.relname);"
    " exception when others then null; end; end loop;"
    /* At last, as those before would be made with them. */
    " for o in select typname from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b'"
    "  and typname not like '\\_%'"
    " loop begin"
    "  execute format('create domain evil.%I as pg_catalog.%I check (public.spy(%L))',"
    "   o.typname, o.typname, 'type ' || o.typname);"
    " exception when others then null; end; end loop;"
    "end $do$;"
    "reset check_function_bodies";

/* Types are looked up in pg_temp first of all: who may make temporary objects can have them there. */
static const char make_temporary_twins[] =
    "do $$ declare t pg_catalog.text; begin"
    " for t in select typname from pg_catalog.pg_type where typnamespace operator(pg_catalog.=) 11::pg_catalog.oid"
    "  and typname operator(pg_catalog.=) any ('{text,name,bool,int2,int4,int8,oid,json,jsonb,uuid,regclass,regrole,"
    "regproc,regprocedure,regnamespace,regtype,record,char}')"
    " loop begin execute pg_catalog.format('create domain pg_temp.%I as pg_catalog.%I check (public.spy(%L))', t, t,"
    "  pg_catalog.concat('pg_temp.', t));"
    " exception when others then null; end; end loop; end $$";

static void make_all_twins(struct fixture *f)
{
    sql(f, make_twins);
    sqlf(f, "alter database %s set search_path = evil, pg_catalog, public", f->database);
    REQUIRE_INT(sql_number(f, "select count(*) from pg_proc where pronamespace = 'evil'::regnamespace"), >, 2000);
    REQUIRE_INT(sql_number(f, "select count(*) from pg_operator where oprnamespace = 'evil'::regnamespace"), >, 600);
    REQUIRE_INT(sql_number(f, "select count(*) from pg_class where relnamespace = 'evil'::regnamespace"), >, 80);
    REQUIRE_INT(
        sql_number(f, "select count(*) from pg_type where typnamespace = 'evil'::regnamespace and typtype = 'd'"), >,
        40);
}

static void require_no_loot(struct fixture *f, const char *when)
{
    PGresult *result = PQexec(f->pg, "select left(string_agg(distinct what, ', '), 400) from public.loot");
    char loot[512];
    snprintf(loot, sizeof loot, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    if (loot[0] != '\0') {
        fail_at(__FILE__, __LINE__, "called %s: %s", when, loot);
    }
}

/* The twins work: what does not name a schema calls them. */
static void require_loot(struct fixture *f, PGconn *victim)
{
    static const char *const traps[] = {
        "select pg_notify('a', 'b')",
        "select 1 = 1",
        "select 'a'::text",
        "select 'a' || 'b'",
        "select from pg_locks limit 1",
        "select 1 where 1 in (1, 2)",
    };
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        PQclear(PQexec(victim, traps[i])); /* some fail, for want of a result */
        if (sql_number(f, "select count(*) from public.loot") == 0) {
            fail_at(__FILE__, __LINE__, "no twin was called by %s", traps[i]);
        }
        sql(f, "truncate public.loot");
    }
}

/* ---- whoever loads, watches, writes ---- */

static const char *const writes[] = {
    "insert into public.customer (id_customer) values (1)",
    "insert into public.customer (id_customer) values (2), (3)",
    "insert into public.customer (id_customer) select pg_catalog.generate_series(4, 1000)",
    "update public.customer set name = 'x' where id_customer operator(pg_catalog.=) 1",
    "update public.customer set name = 'y'",
    "update public.customer set touched_at = pg_catalog.clock_timestamp()",
    "update public.customer set touched_at = pg_catalog.clock_timestamp() where id_customer operator(pg_catalog.<) 3",
    "update public.customer set touched_at = pg_catalog.clock_timestamp() where id_customer operator(pg_catalog.=) 1",
    "insert into public.address (fk_customer) values (1)",
    "delete from public.customer where id_customer operator(pg_catalog.<) 3",
    "delete from public.customer",
    "truncate public.customer, public.address",
};

static void write_everything(PGconn *victim)
{
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        sql_on(victim, writes[i]);
    }
}

static void load_again(PGconn *victim)
{
    char *statements = read_file(DB_DIR "/cachepusher.sql");
    sql_on(victim, statements);
    free(statements);
}

START_TEST(those_who_write)
{
    static const char *const watching[] = {
        "select cachepusher.watch('public.customer', 'id_customer', 'customer_updated', 'customer_deleted')",
        "select cachepusher.watch('public.customer', 'id_customer', 'elsewhere', for_subscriber => true)",
        "select cachepusher.watch('public.customer', 'id_customer', 'elsewhere', announce => 'message')",
        "select cachepusher.watch('public.customer', 'id_customer', 'customer_updated', reads => '{name}')",
        "select cachepusher.watch('customer', array['id_customer', 'name'], 'elsewhere', reads => '{touched_at}')",
        "select cachepusher.watch('public.customer', 'id_customer', 'customer_updated', for_subscriber => false)",
        "select cachepusher.watch('public.customer', 'id_customer', 'customer_updated', announce => 'notify')",
    };
    struct fixture *f = fixture_open();
    make_all_twins(f);
    PGconn *victim = connect_again(f);
    require_loot(f, victim);
    write_everything(victim);
    require_no_loot(f, "by a write");
    sql_on(victim, make_temporary_twins);
    load_again(victim);
    require_no_loot(f, "by loading cachepusher.sql");
    for (size_t i = 0; i < sizeof watching / sizeof *watching; i++) {
        sql_on(victim, watching[i]);
        require_no_loot(f, "by watch()");
        write_everything(victim);
        require_no_loot(f, "by a write after watch()");
    }

    /* Who may only make temporary objects, and calls a function that writes with somebody else's rights. */
    sql(f,
        "reset search_path; create function public.add(id pg_catalog.int4) returns void language sql security definer"
        " as 'insert into public.customer (id_customer) values (id)'");
    PGconn *caller = connect_again(f);
    sql_on(caller, make_temporary_twins);
    sql_on(caller, "select public.add(7)");
    require_no_loot(f, "by a security definer");
    REQUIRE_INT(sql_number(f, "select count(*) from public.customer"), ==, 1);
    fixture_close(f);
}
END_TEST

/* ---- the daemon ---- */

static const char by_one[] =
    "{\"entities\": [{\"name\": \"customer\", \"key\": \"{prefix}:{id}\","
    " \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS
    " \"fetch\": \"public.customer_get\","
    " \"list\": \"select id_customer from public.customer\", \"warmup_procedure\": \"public.customer_warmup\"}]}";

static void verify(cp_syncer *syncer, bool repair)
{
    cp_error err = {0};
    cp_verify_options options = {.size = sizeof options, .repair = repair};
    cp_verify_result result = {.size = sizeof result};
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    REQUIRE_INT(result.missing + result.different + result.orphans, ==, 0);
}

/* A whole life: warm-up, events, deletions, a resync, a standby that announces and takes over, verification, auditing.
 */
static void live(struct fixture *f, const char *entities, const char *warmup)
{
    cp_error err = {0};
    sql(f, "insert into customer (id_customer) select generate_series(1, 8500)"); /* more than a page of the listing */
    cp_syncer *first = run_syncer(f, entities, SETTINGS("warmup", warmup, "audit_per_second", "1000"));
    cp_syncer *second = make_syncer(f, entities, SETTINGS("warmup", warmup));
    size_t standing_by = count_logged(f, "standing by");
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "standing by") > standing_by);
    sql(f, "update customer set name = 'x'; delete from customer where id_customer < 10");
    expect_customers(f);
    uint64_t events = stats_of(first).events;
    REQUIRE_OK(cp_syncer_enqueue(second, "customer", "20", &err), err);
    WAIT_UNTIL(stats_of(first).events > events);
    REQUIRE_OK(cp_syncer_resync(first, NULL, &err), err);
    WAIT_UNTIL(stats_of(first).resyncs >= 2);
    verify(first, false);
    WAIT_UNTIL(stats_of(first).audited > 100);
    stop_syncer(f, first);
    wait_ready(second);
    sql(f, "update customer set name = 'z'");
    expect_customers(f);
    verify(second, true);
    stop_syncer(f, second);
    REQUIRE_INT(count_logged(f, "ERROR"), ==, 0);
    sql(f, "truncate customer, address");
}

START_TEST(the_daemon)
{
    struct fixture *f = fixture_open();
    make_all_twins(f);
    live(f, NULL, "scan");
    require_no_loot(f, "by the daemon");
    live(f, by_one, "touch");
    require_no_loot(f, "by the daemon that reads one by one");
    fixture_close(f);
}
END_TEST

static const char by_text[] =
    "{\"entities\": [{\"name\": \"place\", \"key\": \"{prefix}:{id}\", \"id_type\": \"text\", \"channels\": "
    "[\"place\"]," WATCHED_PLACE " \"fetch_many\": \"public.places\", \"list\": \"select name from public.place\"},"
    " {\"name\": \"thing\", \"key\": \"{prefix}-thing:{id}\", \"id_type\": \"uuid\", "
    "\"channels\": [\"thing\"]," WATCHED_THING
    " \"fetch\": \"public.thing\", \"list\": \"select id from public.thing\"}]}";

/* The other types of ids, and what is done where a key has no row. */
START_TEST(ids_of_other_types)
{
    struct fixture *f = fixture_open();
    sql(f, "create table place (name pg_catalog.text primary key); insert into place values ('a'), ('b');"
           "create table thing (id pg_catalog.uuid primary key);"
           "insert into thing values ('01234567-89ab-cdef-0123-456789abcdef');"
           "create function places(pg_catalog.text[]) returns table (name pg_catalog.text, document pg_catalog.jsonb)"
           " language sql stable as 'select name, pg_catalog.to_jsonb(name) from public.place"
           " where name operator(pg_catalog.=) any ($1)';"
           "create function thing(pg_catalog.uuid) returns pg_catalog.text language sql stable as"
           " 'select id::pg_catalog.text from public.thing where id operator(pg_catalog.=) $1'");
    make_all_twins(f);
    redis_run(f, "SET %s:orphan x", f->prefix);
    cp_syncer *syncer = run_syncer(f, by_text, NO_SETTINGS);
    WAIT_UNTIL(count_keys(f) == 3);
    verify(syncer, false);
    redis_run(f, "SET %s:orphan x", f->prefix);
    cp_error err = {0};
    cp_verify_options options = {.size = sizeof options, .repair = true};
    cp_verify_result result = {.size = sizeof result};
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    REQUIRE_INT(result.orphans, ==, 1);
    WAIT_UNTIL(count_keys(f) == 3);
    stop_syncer(f, syncer);
    require_no_loot(f, "by the daemon");
    fixture_close(f);
}
END_TEST

Suite *hijack_suite(void)
{
    Suite *suite = suite_create("hijack");
    TCase *tcase = tcase_create("hijack");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, those_who_write);
    tcase_add_test(tcase, the_daemon);
    tcase_add_test(tcase, ids_of_other_types);
    suite_add_tcase(suite, tcase);
    return suite;
}
