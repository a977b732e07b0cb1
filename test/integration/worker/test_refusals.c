/* What Redis refuses, for its size or for want of a right, holds up nothing else. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCHED_ITEM WATCHED("item", "id")

enum { CUSTOMERS = 50, ITEMS = 600, LARGE = 2000000, SOON_MS = 15000 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

/* Redis closes the connection over it, and over whatever else is under way on it. */
START_TEST(one_document_is_too_large)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    insert_customers(f);
    sqlf(f, "update customer set name = repeat('x', %d) where id_customer = 25", LARGE);
    redis_run(f, "CONFIG SET proto-max-bulk-len 1mb");
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "1"));
    int64_t began_ms = now_ms();
    start_syncer(syncer);
    WAIT_UNTIL(count_keys(f) == CUSTOMERS - 1);
    wait_ready(syncer);
    REQUIRE_INT(now_ms() - began_ms, <, SOON_MS * slowness());
    WAIT_UNTIL(stats_of(syncer).failing == 1);
    REQUIRE_INT(stats_of(syncer).pending, ==, 1);
    REQUIRE_INT(count_keys(f), ==, CUSTOMERS - 1);
    sql(f, "update customer set name = 'changed' where id_customer = 26");
    expect_document(f, 26, "{\"id_customer\":26,\"name\":\"changed\",\"addresses\":[]}");
    redis_run(f, "CONFIG SET proto-max-bulk-len 512mb");
    expect_customers(f);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- rights ---- */

static const char entities[] =
    "{\"entities\": ["
    "{\"name\": \"item\", \"key\": \"{prefix}:item:{id}\", \"channels\": [\"item_changed\"]," WATCHED_ITEM
    " \"fetch\": \"item_get\", \"list\": \"select id from item\"},"
    "{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\", "
    "\"customer_deleted\"]," WATCHED_CUSTOMERS
    " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"}]}";

static const struct kind kinds[] = {
    {":", "", "select id_customer, customer_get(id_customer) from customer"},
    {":item:", "", "select id, title from item"},
};

/* The keys of the first entity are not allowed, and the second is served as if nothing was. */
START_TEST(keys_of_one_entity_are_forbidden)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    become_admin(f);
    redis_run(f, "ACL SETUSER default resetkeys ~%s:? ~%s:?? ~cachepusher:marker:*", f->base, f->base);
    insert_customers(f);
    sqlf(f,
         "create table item (id integer primary key, title text);"
         "create function item_get(id integer) returns text language sql stable as"
         " $$ select i.title from item i where i.id = $1 $$;"
         "select cachepusher.watch('item', 'id', 'item_changed');"
         "insert into item select i, 'item ' || i from generate_series(1, %d) i",
         ITEMS);
    int64_t began_ms = now_ms();
    cp_syncer *syncer = run_syncer(f, entities, SETTINGS("threads", "1"));
    REQUIRE_INT(now_ms() - began_ms, <, SOON_MS * slowness());
    expect_equal(f, kinds, 1);
    REQUIRE_INT(stats_of(syncer).failing, ==, ITEMS);
    sql(f, "update item set title = 'changed'; update customer set name = 'changed' where id_customer = 7");
    expect_document(f, 7, "{\"id_customer\":7,\"name\":\"changed\",\"addresses\":[]}");

    redis_run(f, "ACL SETUSER default ~*");
    expect_equal(f, kinds, 2);
    WAIT_UNTIL(stats_of(syncer).failing == 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Without a right to the marker a restart is known by the server's run_id. The syncer connects through a symbolic link
 * that comes back only when the new server has its users. */
struct forbidden {
    struct fixture *f;
    char link[300]; /* through which the syncer reaches Redis */
    char redis[320];
};

/* All but the marker's key is allowed. */
static void start_without_marker(struct forbidden *forbidden)
{
    struct fixture *f = forbidden->f;
    own_redis_start(f);
    become_admin(f);
    redis_run(f, "ACL SETUSER default resetkeys ~%s:*", f->base);
    snprintf(forbidden->link, sizeof forbidden->link, "%s.link", f->redis_address + strlen("unix:"));
    snprintf(forbidden->redis, sizeof forbidden->redis, "unix:%s", forbidden->link);
}

static void let_in(const struct forbidden *forbidden)
{
    REQUIRE(symlink(forbidden->f->redis_address + strlen("unix:"), forbidden->link) == 0);
}

static void restart_empty(struct forbidden *forbidden)
{
    REQUIRE(unlink(forbidden->link) == 0);
    own_redis_kill(forbidden->f);
    start_without_marker(forbidden);
    REQUIRE_INT(count_keys(forbidden->f), ==, 0);
}

START_TEST(the_marker_is_forbidden)
{
    struct fixture *f = fixture_open();
    struct forbidden forbidden = {.f = f};
    start_without_marker(&forbidden);
    let_in(&forbidden);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("redis", forbidden.redis));
    REQUIRE_INT(count_logged(f, "+set +incr +del ~cachepusher:marker:*"), >, 0);
    require_customers(f);

    for (uint64_t round = 1; round <= 2; round++) {
        restart_empty(&forbidden);
        let_in(&forbidden);
        expect_customers(f);
        WAIT_UNTIL(stats_of(syncer).resyncs == round + 1);
    }
    REQUIRE_INT(stats_of(syncer).events, ==, 0);
    REQUIRE_INT(count_logged(f, "doing without"), ==, 1);
    stop_syncer(f, syncer);
    REQUIRE(unlink(forbidden.link) == 0);
    fixture_close(f);
}
END_TEST

/* The restart is noticed by a run that is about one entity. */
START_TEST(the_marker_is_forbidden_and_one_entity_read)
{
    static const char both_json[] =
        "{\"entities\": [{\"name\": \"customer\", \"key\": \"{prefix}:{id}\","
        " \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS
        " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"},"
        "{\"name\": \"copy\", \"key\": \"{prefix}:copy:{id}\", \"channels\": [\"copy_updated\"]," WATCHED_CUSTOMERS
        " \"fetch\": \"customer_get\", \"list\": \"select id_customer from customer\"}]}";
    static const struct kind both[] = {
        {":", "", "select id_customer, customer_get(id_customer) from customer"},
        {":copy:", "", "select id_customer, customer_get(id_customer) from customer"},
    };
    struct fixture *f = fixture_open();
    struct forbidden forbidden = {.f = f};
    start_without_marker(&forbidden);
    let_in(&forbidden);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, both_json, SETTINGS("redis", forbidden.redis));

    restart_empty(&forbidden);
    sql(f, "select announce('copy_updated', '*')");
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_TRUNCATE] == 1);
    let_in(&forbidden);
    expect_equal(f, both, 2);
    stop_syncer(f, syncer);
    REQUIRE(unlink(forbidden.link) == 0);
    fixture_close(f);
}
END_TEST

/* What a connection needs before anything else is named with what gives it. */
START_TEST(a_connection_is_not_allowed_what_it_needs)
{
    static const char *const rights[] = {"ping", "client|id", "client|setname", "client|list", "client|kill"};
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        struct fixture *f = fixture_open();
        own_redis_start(f);
        become_admin(f);
        redis_run(f, "ACL SETUSER default -%s", rights[i]);
        cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
        cp_error err = {0};
        REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_REDIS);
        char cure[32];
        snprintf(cure, sizeof cure, "+%s", rights[i]);
        REQUIRE(strstr(err.message, "ACL SETUSER NAME") != NULL && strstr(err.message, cure) != NULL);
        destroy_syncer(f, syncer);
        fixture_close(f);
    }
}
END_TEST

Suite *refusals_suite(void)
{
    Suite *suite = suite_create("refusals");
    TCase *tcase = tcase_create("redis");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, one_document_is_too_large);
    tcase_add_test(tcase, keys_of_one_entity_are_forbidden);
    tcase_add_test(tcase, the_marker_is_forbidden);
    tcase_add_test(tcase, a_connection_is_not_allowed_what_it_needs);
    tcase_add_test(tcase, the_marker_is_forbidden_and_one_entity_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
