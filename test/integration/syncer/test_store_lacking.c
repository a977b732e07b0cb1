/* Stores of the host's own that leave out what may be left out, and what is refused then. */
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

enum { CUSTOMERS = 300 };

static struct table table;

static void begin(void)
{
    table_init(&table);
}

static void end(void)
{
    table_fini(&table);
}

static struct fixture *open_with_table(void)
{
    struct fixture *f = fixture_open();
    f->store = &table.store;
    snprintf(f->redis_address, sizeof f->redis_address, "127.0.0.1:1");
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
    return f;
}

static void expect_table(struct fixture *f)
{
    WAIT_UNTIL(table_is_equal(f, &table, "", "", 0));
}

/* What went while nobody listened is found among the keys that have been kept. */
START_TEST(keys_are_kept_for_a_store_that_tells_none)
{
    struct fixture *f = open_with_table();
    table.store.keys = NULL;
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int round = 1; round <= 2; round++) {
        table_lose(&table, round == 2 ? 1 : 0, false); /* a deletion that is lost is not forgotten */
        sqlf(f,
             "set session_replication_role = replica; delete from customer where id_customer = %d;"
             "update customer set name = 'unheard %d' where id_customer = 18; reset session_replication_role",
             round, round);
        REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
        expect_table(f);
    }
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Nobody could tell it of the other one's keys. */
START_TEST(without_keys_it_does_not_stand_by)
{
    struct fixture *f = open_with_table();
    cp_error err = {0};
    table.store.keys = NULL;
    cp_syncer *first = run_syncer(f, NULL, NO_SETTINGS);
    cp_syncer *second = make_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(cp_syncer_start(second, &err), !=, CP_OK);
    REQUIRE_CONTAINS(err.message, "another");
    stop_syncer(f, first);
    start_syncer(second);
    wait_ready(second);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* Two functions suffice, where the context is the session. */
static cp_store_answer put_at_once(void *context, const char *key, const char *bytes, size_t length, int64_t ttl_s,
                                   cp_error *err)
{
    char text[4096];
    (void)ttl_s;
    (void)err;
    snprintf(text, sizeof text, "%.*s", (int)length, bytes);
    table_put(context, key, text);
    return CP_STORE_DONE;
}

static cp_store_answer remove_at_once(void *context, const char *key, cp_error *err)
{
    (void)err;
    table_put(context, key, NULL);
    return CP_STORE_DONE;
}

START_TEST(two_functions_suffice)
{
    struct fixture *f = open_with_table();
    cp_error err = {0};
    const cp_store store = {.size = sizeof store, .context = &table, .set = put_at_once, .del = remove_at_once};
    f->store = &store;
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE(table_is_equal(f, &table, "", "", 0));
    REQUIRE_INT(count_logged(f, "to the host's store, entity customer"), ==, 1);
    sql(f,
        "update customer set name = 'changed' where id_customer < 100; delete from customer where id_customer = 200");
    expect_table(f);
    cp_verify_result result = {.size = sizeof result};
    REQUIRE_INT(cp_syncer_verify(syncer, NULL, &result, &err), ==, CP_ERR_ARGUMENT);
    REQUIRE_CONTAINS(err.message, "cp_store: without get there is nothing to compare with");
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Not even an older program's struct, which ends before its last members, is read beyond. */
START_TEST(an_older_store_is_read_as_far_as_it_goes)
{
    struct fixture *f = open_with_table();
    table.store.size = offsetof(cp_store, fence);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    REQUIRE_INT(table_look(&table, &table.fenced), ==, 0);
    expect_table(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* ---- what is refused ---- */

static void refuse(const cp_store *store, const char *name, const char *value, cp_code code, const char *message)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    REQUIRE(config != NULL);
    if (name != NULL) {
        REQUIRE_OK(cp_config_set(config, name, value, &err), err);
    }
    const cp_callbacks callbacks = {.size = sizeof callbacks, .store = store};
    REQUIRE(cp_syncer_create(config, &callbacks, &err) == NULL);
    REQUIRE_CONTAINS(err.message, message);
    REQUIRE_INT(err.code, ==, code);
    cp_config_destroy(config);
}

START_TEST(a_store_that_makes_no_sense_is_refused)
{
    cp_store store = table.store;
    store.size = 0;
    refuse(&store, NULL, NULL, CP_ERR_ARGUMENT, "cp_store.size is 0; set it to sizeof(cp_store)");
    store = table.store;
    store.set = NULL;
    refuse(&store, NULL, NULL, CP_ERR_ARGUMENT, "cp_store: set is NULL");
    store = table.store;
    store.del = NULL;
    refuse(&store, NULL, NULL, CP_ERR_ARGUMENT, "cp_store: del is NULL");
    store = table.store;
    store.get = NULL;
    refuse(&store, NULL, NULL, CP_ERR_ARGUMENT, "cp_store: keys needs get as well");
    store = table.store;
    store.write_marker = NULL;
    refuse(&store, NULL, NULL, CP_ERR_ARGUMENT, "cp_store: advance_marker and write_marker go together");
}
END_TEST

static const char watched[] =
    "{\"source\": {\"type\": \"wal\"}, \"entities\": [{\"name\": \"customer\", \"key\": "
    "\"{prefix}:{id}\"," WATCHED_CUSTOMERS "\"id_type\": \"integer\", \"channels\": [\"customer_updated\"],"
    " \"fetch_many\": \"customer_get_many\", \"list\": \"select id_customer from customer\"}]}";

static void refuse_over_wal(const cp_store *store)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    const cp_callbacks callbacks = {.size = sizeof callbacks, .store = store};
    REQUIRE_OK(cp_config_parse(config, watched, "test", &err), err);
    REQUIRE(cp_syncer_create(config, &callbacks, &err) == NULL);
    REQUIRE_CONTAINS(err.message, "source: wal keeps in the store where it goes on after a restart");
    cp_config_destroy(config);
}

START_TEST(settings_that_need_more_of_it_are_refused)
{
    cp_store store = table.store;
    store.keys = NULL;
    store.get = NULL;
    refuse(&store, "audit_per_second", "5", CP_ERR_CONFIG, "audit_per_second: the cp_store has no get");
    refuse_over_wal(&store);
    store = table.store;
    store.advance_marker = NULL;
    store.write_marker = NULL;
    refuse(&store, "warmup", "none", CP_ERR_CONFIG, "warmup: with none, the cp_store needs a marker");
    refuse_over_wal(&store);
}
END_TEST

static void ignore(void *context, const cp_document *document)
{
    (void)context;
    (void)document;
}

START_TEST(a_follower_stores_nothing)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    const cp_callbacks callbacks = {.size = sizeof callbacks, .settled = ignore, .store = &table.store};
    REQUIRE_OK(cp_config_set(config, "role", "follow", &err), err);
    REQUIRE(cp_syncer_create(config, &callbacks, &err) == NULL);
    REQUIRE_CONTAINS(err.message, "role: follow stores nothing, and a cp_store was given");
    cp_config_destroy(config);
}
END_TEST

Suite *store_lacking_suite(void)
{
    Suite *suite = suite_create("store_lacking");
    TCase *tcase = tcase_create("store_lacking");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, keys_are_kept_for_a_store_that_tells_none);
    tcase_add_test(tcase, without_keys_it_does_not_stand_by);
    tcase_add_test(tcase, two_functions_suffice);
    tcase_add_test(tcase, an_older_store_is_read_as_far_as_it_goes);
    tcase_add_test(tcase, a_store_that_makes_no_sense_is_refused);
    tcase_add_test(tcase, settings_that_need_more_of_it_are_refused);
    tcase_add_test(tcase, a_follower_stores_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
