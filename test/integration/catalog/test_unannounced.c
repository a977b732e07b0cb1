/* What would be stale in silence is said at the start: channels that nothing announces on, tables that nobody watches,
 * ids that do not fit. */
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define LOOKING SETTINGS("catalog_check_ms", "100")

static const char nothing_announces[] = "nothing announces on its channel";
static const char nothing_watches[] = "which nothing watches";

/* Orders with lines, and products that lines refer to. */
static void make_orders(struct fixture *f)
{
    sql(f, "create table orders (order_id int primary key, placed text);"
           "create table product (product_id int primary key, name text);"
           "create table line (order_id int, line_no int, product_id int, primary key (order_id, line_no));"
           "create function order_get(id int) returns json language sql stable as $$ select row_to_json(o) from (select"
           " orders.*, array(select p.name from line l join product p using (product_id) where l.order_id = "
           "orders.order_id)"
           " as lines from orders where orders.order_id = order_get.id) o $$;"
           "insert into orders values (1, 'today'); insert into product values (7, 'tea'); insert into line values (1, "
           "1, 7);"
           "select cachepusher.watch('orders', 'order_id', 'order_updated', 'order_deleted')");
}

/* In JSON, with its channels as JSON and what it watches. */
static void describe(char *json, size_t size, const char *channels, const char *watched)
{
    snprintf(json, size,
             "{\"entities\": [{\"name\": \"order\", \"key\": \"{prefix}:order:{id}\", \"channels\": %s, %s"
             " \"fetch\": \"order_get\", \"list\": \"select order_id from orders\"}]}",
             channels, watched);
}

static cp_syncer *follow(struct fixture *f, const char *channels, const char *watched)
{
    char json[1024];
    describe(json, sizeof json, channels, watched);
    return run_syncer(f, json, LOOKING);
}

START_TEST(a_misspelt_channel)
{
    struct fixture *f = fixture_open();
    make_orders(f);
    sql(f, "select cachepusher.watch('line', 'order_id', 'order_updated');"
           "select cachepusher.watch('product', 'product_id', 'order_updated')");
    stop_syncer(f, follow(f, "[\"order_update\", \"order_deleted\"]", ""));
    REQUIRE_INT(count_logged(f,
                             "order: nothing announces on its channel \"order_update\" (is \"order_updated\" meant?): "
                             "expected a trigger"),
                ==, 1);
    REQUIRE_INT(count_logged(f, nothing_announces), ==, 1);
    stop_syncer(f, follow(f, "[\"order_updated\", \"order_deleted\", \"xyzzy\"]", ""));
    REQUIRE_INT(count_logged(f, "order: nothing announces on its channel \"xyzzy\": expected a trigger"), ==, 1);
    REQUIRE_INT(count_logged(f, nothing_announces), ==, 2);
    stop_syncer(f,
                follow(f, "[\"order_updated\", \"order_deleted\"]",
                       "\"watch\": [{\"table\": \"product\", \"column\": \"product_id\", \"channel\": \"tea_changed\","
                       " \"maps\": \"select order_id from line where product_id = any ($1)\"}],"));
    REQUIRE_INT(count_logged(f, "order: nothing announces on its channel \"tea_changed\": expected a trigger"), ==, 1);
    fixture_close(f);
}
END_TEST

/* Where nothing is watched at all, one line says it, and not one more for each table. */
START_TEST(nothing_is_watched)
{
    struct fixture *f = fixture_open();
    make_orders(f);
    sql(f, "drop function cachepusher_orders__order_id() cascade");
    stop_syncer(f, follow(f, "[\"order_updated\"]", ""));
    REQUIRE_INT(count_logged(f, "order: nothing announces on its channel \"order_updated\": expected a trigger"), ==,
                1);
    REQUIRE_INT(count_logged(f, nothing_watches), ==, 0);
    fixture_close(f);
}
END_TEST

START_TEST(a_table_that_nobody_watches)
{
    struct fixture *f = fixture_open();
    make_orders(f);
    sql(f, "select cachepusher.watch('line', 'order_id', 'order_updated')");
    cp_syncer *syncer = follow(f, "[\"order_updated\", \"order_deleted\"]", "");
    REQUIRE_INT(count_logged(f, "order: its documents (order_get) read public.product, which nothing watches"), ==, 1);
    REQUIRE_INT(count_logged(f, nothing_watches), ==, 1);
    REQUIRE_INT(count_logged(f, nothing_announces), ==, 0);

    /* What a function comes to read later is said then, and only that. */
    sql(f, "create table gift (order_id int); insert into gift values (1);"
           "create or replace function order_get(id int) returns json language sql stable as $$ select row_to_json(o)"
           " from (select orders.*, (select count(*) from gift g where g.order_id = orders.order_id) as gifts,"
           " (select count(*) from product) as products from orders where orders.order_id = order_get.id) o $$");
    WAIT_UNTIL(count_logged(f, "order: its documents (order_get) read public.gift, which nothing watches") == 1);
    REQUIRE_INT(count_logged(f, nothing_watches), ==, 2);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* A trigger's function that calls another one that notifies, partitions, views, rules, tables of the session. */
START_TEST(what_is_announced_in_other_ways)
{
    struct fixture *f = fixture_open();
    make_orders(f);
    sql(f,
        "create function tell_order(id int) returns void language plpgsql as"
        " $$ begin perform pg_notify('order_updated', id::text); end $$;"
        "create function line_tells() returns trigger language plpgsql as"
        " $$ begin perform tell_order(new.order_id); return null; end $$;"
        "create trigger t after insert or update on line for each row execute function line_tells();"
        "create rule r as on update to product do also notify order_updated;"
        "create table pay (order_id int, m int) partition by list (m);"
        "create table pay_1 partition of pay for values in (1); create table pay_2 partition of pay for values in (2);"
        "select cachepusher.watch('pay', 'order_id', 'order_updated');"
        "create view paid as select order_id, count(*) as n from pay group by order_id;"
        "create or replace function order_get(id int) returns json language sql stable as $$ select row_to_json(o)"
        " from (select orders.*, array(select p.name from line l join product p using (product_id) where l.order_id ="
        " orders.order_id) as lines, (select n from paid where paid.order_id = orders.order_id) as paid"
        " from orders where orders.order_id = order_get.id) o $$");
    stop_syncer(f, follow(f, "[\"order_updated\", \"order_deleted\"]", ""));
    REQUIRE_INT(count_logged(f, nothing_watches), ==, 0);
    REQUIRE_INT(count_logged(f, nothing_announces), ==, 0);

    /* Of partitions only what they are a part of is named. */
    sql(f, "drop function cachepusher_pay__order_id() cascade");
    stop_syncer(f, follow(f, "[\"order_updated\", \"order_deleted\"]", ""));
    REQUIRE_INT(count_logged(f, "read public.pay, which nothing watches"), ==, 1);
    REQUIRE_INT(count_logged(f, nothing_watches), ==, 1);
    fixture_close(f);
}
END_TEST

/* Over wal "watch" is what is read, whatever triggers there are. */
START_TEST(a_table_that_watch_leaves_out)
{
    struct fixture *f = fixture_open();
    make_orders(f);
    cp_syncer *syncer = follow(f, "[\"order_updated\"]",
                               "\"watch\": [" WATCHES("orders", "order_id") "," WATCHES("line", "order_id") "],");
    REQUIRE_INT(count_logged(f, "read public.product, which nothing watches: expected the table in \"watch\""), ==, 1);
    REQUIRE_INT(count_logged(f, nothing_watches), ==, 1);
    REQUIRE_INT(count_logged(f, nothing_announces), ==, 0);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- ids ---- */

static void expect_narrow(struct fixture *f, const char *id_type, const char *list, const char *warning)
{
    char json[512];
    snprintf(
        json, sizeof json,
        "{\"entities\": [{\"name\": \"order\", \"key\": \"{prefix}:order:{id}\", \"channels\": [\"order_updated\"],"
        " \"id_type\": \"%s\", " WATCHED("orders", "order_id") " \"fetch\": \"order_get\", \"list\": \"%s\"}]}",
        id_type, list);
    size_t before = count_logged(f, "have no document");
    stop_syncer(f, run_syncer(f, json, NO_SETTINGS));
    REQUIRE_INT(count_logged(f, "have no document") - before, ==, warning != NULL ? 1 : 0);
    REQUIRE(warning == NULL || count_logged(f, warning) == 1);
}

START_TEST(ids_that_do_not_fit)
{
    struct fixture *f = fixture_open();
    make_orders(f);
    expect_narrow(f, "integer", "select order_id from orders", NULL);
    expect_narrow(
        f, "integer", "select order_id::bigint from orders",
        "entity \"order\": the listing gives bigint and id_type is integer: ids past 2147483647 have no document");
    expect_narrow(f, "bigint", "select order_id::bigint from orders",
                  "entity \"order\": the listing gives bigint and order_get takes integer: ids past 2147483647 have no "
                  "document");
    sql(f, "create or replace function order_get(id bigint) returns json language sql stable as"
           " $$ select row_to_json(o) from orders o where order_id = id $$; drop function order_get(int)");
    expect_narrow(f, "bigint", "select order_id::bigint from orders", NULL);
    expect_narrow(f, "bigint", "select order_id from orders", NULL);
    fixture_close(f);
}
END_TEST

Suite *unannounced_suite(void)
{
    Suite *suite = suite_create("unannounced");
    TCase *tcase = tcase_create("start");
    tcase_set_timeout(tcase, 120);
    if (is_over_wal()) {
        tcase_add_test(tcase, a_table_that_watch_leaves_out);
    }
    add_test(tcase, a_misspelt_channel);
    add_test(tcase, nothing_is_watched);
    add_test(tcase, a_table_that_nobody_watches);
    add_test(tcase, what_is_announced_in_other_ways);
    add_test(tcase, ids_that_do_not_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}
