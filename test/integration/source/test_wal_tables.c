/* The wal source, when a watched table can no longer be followed while it runs: that costs no other entity. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "wal.h"

#include <stdio.h>

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\"]," WATCHED_CUSTOMERS
    " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"},"
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"]," WATCHED(
        "item", "id") " \"fetch\": \"item_get\", \"list\": \"select id from item\"}]}";

static const struct kind kinds[] = {
    {":", "", "select id_customer, customer_get(id_customer) from customer"},
    {":item:", "", "select id, title from item"},
};

#define MAKE "create table item (id integer primary key, title text); insert into item values (1, 'one'), (2, 'two');"

static const struct {
    const char *breaks;
    const char *said;
    const char *mends;
} cases[] = {
    {"drop table item", "table item does not exist", MAKE "alter publication followed add table item"},
    {"drop table item; " MAKE, "table item is not in publication",
     "insert into item values (3, 'nobody has heard of it'); alter publication followed add table item"},
    {"alter publication followed drop table item", "table item is not in publication",
     "delete from item where id = 2; alter publication followed add table item"},
    {"alter publication followed drop table item; alter table item set unlogged", "table item is unlogged",
     "update item set title = 'unlogged'; alter table item set logged; alter publication followed add table item"},
    {"alter table item rename column id to number; alter publication followed drop table address;"
     "alter publication followed add table address",
     "table item has no column id", "alter table item rename column number to id"},
};

enum { CASES = sizeof cases / sizeof *cases };

/* The other entity's documents are as they may be meanwhile. */
static void expect_customer_followed(struct fixture *f)
{
    sql(f, "update customer set name = 'followed' where id_customer = 7");
    PGresult *result = PQexec(f->pg, "select customer_get(7)");
    REQUIRE_INT(PQntuples(result), ==, 1);
    expect_document(f, 7, PQgetvalue(result, 0, 0));
    PQclear(result);
}

static struct fixture *open_items(void)
{
    struct fixture *f = open_wal();
    sql(f, MAKE "create function item_get(id integer) returns text language sql stable as"
                " $$ select i.title from item i where i.id = $1 $$");
    sqlf(f, "alter publication cachepusher_%s rename to followed; alter publication followed add table item",
         f->prefix);
    return f;
}

START_TEST(costs_no_other_entity)
{
    struct fixture *f = open_items();
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS(WAL, "source_publication", "followed"));
    expect_equal(f, kinds, 2);
    sql(f, cases[_i].breaks);
    WAIT_UNTIL(count_logged(f, cases[_i].said) >= 1);
    expect_customer_followed(f);
    WAIT_UNTIL(stats_of(syncer).listening);
    sql(f, cases[_i].mends);
    expect_equal(f, kinds, 2);
    sql(f, "insert into item values (9, 'followed'); update item set title = 'changed' where id = 1");
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* When the daemon last looked at what is published, if later than that; 0. */
static long long look_after(struct fixture *f, long long us)
{
    char query[400];
    snprintf(query, sizeof query,
             "select coalesce(max((extract(epoch from query_start) * 1000000)::bigint), 0) from pg_stat_activity"
             " where datname = current_database() and application_name = 'cachepusher listener'"
             " and query like '%%pg_publication_tables%%' and extract(epoch from query_start) * 1000000 > %lld",
             us);
    return sql_number(f, query);
}

/* The catalogue has its entity resynced, since it may be in the documents (catalog: tables_change). Nothing has been
 * missed, and the source goes on. */
START_TEST(a_column_that_is_added)
{
    struct fixture *f = open_items();
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS(WAL, "source_publication", "followed"));
    sql(f, "alter table item add column note text");
    long long look = sql_number(f, "select (extract(epoch from clock_timestamp()) * 1000000)::bigint");
    for (int looks = 0; looks < 2; looks++) { /* when the second begins the first has been answered */
        long long next = 0;
        WAIT_UNTIL((next = look_after(f, look)) != 0);
        look = next + 1000000; /* its steps have times of their own; looks are seconds apart */
    }
    REQUIRE_INT(count_logged(f, "connecting again"), ==, 0);
    expect_equal(f, kinds, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static const char lines[] =
    "{\"entities\": [{\"name\": \"line\", \"key\": \"{prefix}:line:{id}\", \"channels\": [\"line_changed\"],"
    " \"id_type\": \"text\", \"fetch\": \"line_get\", \"list\": \"select cachepusher.id_text(tenant, number::text) from"
    " line\", \"watch\": [{\"table\": \"line\", \"column\": [\"tenant\", \"number\"], \"reads\": [\"title\"]}]}]}";

static const struct kind line_documents = {
    ":line:", "", "select cachepusher.id_text(tenant, number::text), title from line where title is not null"};

/* An id of several columns, and updates that change nothing that documents read: told by the old row, where it is
 * there. */
START_TEST(columns_of_an_id_and_those_that_are_read)
{
    struct fixture *f = open_wal();
    sql(f, "create table line (tenant text, number int, title text, touched int, primary key (tenant, number));"
           "insert into line values ('a:', 1, 'one', 0), ('b%', 2, 'two', 0);"
           "create function line_get(id text) returns text language sql stable as $$ select title from line"
           " where tenant = cachepusher.id_part($1, 1) and number = cachepusher.id_integer(cachepusher.id_part($1, 2)) "
           "$$");
    sqlf(f, "alter publication cachepusher_%s add table line", f->prefix);
    cp_syncer *syncer = run_syncer(f, lines, SETTINGS(WAL));
    expect_equal(f, &line_documents, 1);
    sql(f, "update line set title = 'changed' where number = 1; insert into line values ('c', 3, 'three', 0);"
           "delete from line where number = 2; update line set tenant = 'd' where number = 3; update line set touched "
           "= 1");
    expect_equal(f, &line_documents, 1);
    REQUIRE_INT((long long)stats_of(syncer).unread_updates, ==, 0); /* nobody knows what was there */

    sql(f, "alter table line replica identity full; update line set touched = 2; update line set touched = 3");
    WAIT_UNTIL(stats_of(syncer).unread_updates == 4);
    sql(f, "alter table line rename title to name; update line set touched = 4; alter table line rename name to title");
    sql(f,
        "update line set title = 'again' where number = 1; update line set tenant = 'e', touched = 5 where number = 3");
    expect_equal(f, &line_documents, 1);
    REQUIRE_INT((long long)stats_of(syncer).unread_updates, ==, 4);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *wal_tables_suite(void)
{
    Suite *suite = suite_create("wal_tables");
    TCase *tcase = tcase_create("wal_tables");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_column_that_is_added);
    tcase_add_test(tcase, columns_of_an_id_and_those_that_are_read);
    tcase_add_loop_test(tcase, costs_no_other_entity, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
