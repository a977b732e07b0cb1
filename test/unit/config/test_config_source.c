/* "watch" and "source" of a file, and reading back what a configuration holds. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

static cp_config *config;
static cp_error err;

static void set_up(void)
{
    config = cp_config_create(&err);
    ck_assert_ptr_nonnull(config);
}

static void tear_down(void)
{
    cp_config_destroy(config);
}

static void expect_parsed(const char *json)
{
    ck_assert_msg(cp_config_parse(config, json, "test.json", &err) == CP_OK, "%s", err.message);
}

static void expect_refused(const char *json, const char *part)
{
    ck_assert_int_eq(cp_config_parse(config, json, "test.json", &err), CP_ERR_CONFIG);
    ck_assert_msg(strstr(err.message, part) != NULL, "\"%s\" lacks \"%s\"", err.message, part);
}

static void expect_value(const char *name, const char *expected)
{
    char value[256];
    ck_assert_msg(cp_config_get(config, name, value, sizeof value, &err) == CP_OK, "%s", err.message);
    ck_assert_str_eq(value, expected);
}

static void parse_watch(const char *watch, const char *part)
{
    char json[1024];
    snprintf(json, sizeof json,
             "{\"entities\": [{\"name\": \"n\", \"key\": \"n:{id}\", \"channels\": [\"a\", \"b\"], \"fetch\": \"f\","
             " \"id_type\": \"bigint\", \"list\": \"select 1\", \"watch\": %s}]}",
             watch);
    if (part == NULL) {
        expect_parsed(json);
    } else {
        expect_refused(json, part);
    }
}

START_TEST(a_group_is_the_settings_it_names)
{
    expect_parsed("{\"source\": {\"type\": \"wal\", \"announce\": \"messages\", \"slot\": \"s_1\", \"publication\": "
                  "\"The P\", \"retained_mb\": 7, \"// x\": 1}}");
    expect_value("source", "wal");
    expect_value("source_announce", "messages");
    expect_value("source_slot", "s_1");
    expect_value("source_publication", "The P");
    expect_value("source_retained_mb", "7");
    expect_parsed("{\"source\": \"notify\"}");
    expect_value("source", "notify");
    expect_value("source_slot", "s_1");
    expect_refused("{\"source\": {\"kind\": \"wal\"}}", "source.kind: unknown; expected type, announce, slot");
    expect_refused("{\"source\": {\"type\": \"log\"}}", "notify or wal");
    expect_refused("{\"source\": 1}", "source");
}
END_TEST

START_TEST(names_are_made_of_others)
{
    expect_value("name", "customer");
    expect_value("source_slot", "cachepusher_customer");
    expect_value("source_publication", "cachepusher_customer");
    ck_assert_int_eq(cp_config_set(config, "name", "orders", &err), CP_OK);
    expect_value("source_slot", "cachepusher_orders");
    ck_assert_int_eq(cp_config_set(config, "source_slot", "mine", &err), CP_OK);
    expect_value("source_publication", "mine");
}
END_TEST

/* Two names that Postgres could not tell apart have different slots. */
START_TEST(names_that_are_alike_have_slots_of_their_own)
{
    char slots[3][64];
    static const char *const names[] = {"my-shop", "my_shop", "My_Shop"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(cp_config_set(config, "name", names[i], &err), CP_OK);
        ck_assert_int_eq(cp_config_get(config, "source_slot", slots[i], sizeof slots[i], &err), CP_OK);
        ck_assert_uint_eq(strspn(slots[i], "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(slots[i]));
    }
    ck_assert_str_ne(slots[0], slots[1]);
    ck_assert_str_ne(slots[1], slots[2]);
    ck_assert_str_ne(slots[0], slots[2]);
}
END_TEST

START_TEST(each_setting_can_be_read_and_set_again)
{
    for (size_t i = 0; i < cp_setting_count() && !cp_setting_describe(i)->of_entity; i++) {
        const char *name = cp_setting_describe(i)->name;
        char value[256];
        ck_assert_int_eq(cp_config_get(config, name, value, sizeof value, &err), CP_OK);
        ck_assert_msg(cp_config_set(config, name, value, &err) == CP_OK, "%s", err.message);
        expect_value(name, value);
    }
}
END_TEST

START_TEST(what_cannot_be_read)
{
    char value[9];
    ck_assert_int_eq(cp_config_get(config, "speed", value, sizeof value, &err), CP_ERR_CONFIG);
    ck_assert_int_eq(cp_config_get(config, "prefix", value, strlen("customer"), &err), CP_ERR_ARGUMENT);
    ck_assert_int_eq(cp_config_get(config, "prefix", value, sizeof value, &err), CP_OK);
    ck_assert_str_eq(value, "customer");
}
END_TEST

static void expect_watch(size_t index, const char *entity, const char *table, const char *column)
{
    cp_watch watch = {.size = sizeof watch};
    ck_assert_msg(cp_config_watch(config, index, &watch, &err) == CP_OK, "%s", err.message);
    ck_assert_str_eq(watch.entity, entity);
    ck_assert_str_eq(watch.table, table);
    ck_assert_str_eq(watch.column, column);
}

START_TEST(the_example_is_watched)
{
    cp_watch watch = {.size = sizeof watch};
    expect_watch(0, "customer", "customer", "id_customer");
    expect_watch(1, "customer", "address", "fk_customer");
    ck_assert_int_eq(cp_config_watch(config, 2, &watch, &err), CP_ERR_ARGUMENT);
}
END_TEST

START_TEST(tables_of_all_entities)
{
    static const char entity[] = "{\"name\": \"%s\", \"key\": \"%s:{id}\", \"channels\": [\"%s_changed\"], \"fetch\": "
                                 "\"f\", \"list\": \"select 1\"%s}";
    char json[2048];
    int length = snprintf(json, sizeof json, "{\"entities\": [");
    length += snprintf(json + length, sizeof json - (size_t)length, entity, "a", "a", "a",
                       ", \"watch\": [{\"table\": \"x\", \"column\": \"i\"}]");
    length += snprintf(json + length, sizeof json - (size_t)length, ",");
    length += snprintf(json + length, sizeof json - (size_t)length, entity, "b", "b", "b", "");
    length += snprintf(json + length, sizeof json - (size_t)length, ",");
    length += snprintf(json + length, sizeof json - (size_t)length, entity, "c", "c", "c",
                       ", \"watch\": [{\"table\": \"s.\\\"T x\\\"\", \"column\": \"\\\"I\\\"\"}]");
    snprintf(json + length, sizeof json - (size_t)length, "]}");
    expect_parsed(json);
    expect_watch(0, "a", "x", "i");
    expect_watch(1, "c", "s.\"T x\"", "\"I\"");
    cp_watch watch = {.size = sizeof watch};
    ck_assert_int_eq(cp_config_watch(config, 1, &watch, &err), CP_OK);
    ck_assert_uint_eq(watch.channel_count, 1);
    ck_assert_str_eq(watch.channels[0], "c_changed");
    ck_assert_str_eq(watch.id_type, "integer");
    ck_assert_int_eq(cp_config_watch(config, 2, &watch, &err), CP_ERR_ARGUMENT);
    watch.size = 0;
    ck_assert_int_eq(cp_config_watch(config, 0, &watch, &err), CP_ERR_ARGUMENT);
}
END_TEST

START_TEST(what_is_no_table)
{
    parse_watch("[{\"table\": \"t\", \"column\": \"c\", \"// why\": 1}]", NULL);
    parse_watch("{}", "entities[0].watch: ");
    parse_watch("[]", "at least one table");
    parse_watch("[1]", "entities[0].watch[0]: ");
    parse_watch("[{\"table\": \"t\"}]", "watch[0]: column is missing");
    parse_watch("[{\"column\": \"c\"}]", "watch[0]: table is missing");
    parse_watch("[{\"table\": \"t\", \"column\": \"c\", \"key\": \"k\"}]", "watch[0].key: unknown");
    parse_watch("[{\"table\": \"a.b.c\", \"column\": \"c\"}]", "not the name of a table");
    parse_watch("[{\"table\": \"t; drop\", \"column\": \"c\"}]", "not the name of a table");
    parse_watch("[{\"table\": \"t\", \"column\": \"a.b\"}]", "not the name of a column");
    parse_watch("[{\"table\": 1, \"column\": \"c\"}]", "watch[0].table");
}
END_TEST

Suite *config_source_suite(void)
{
    Suite *suite = suite_create("config_source");
    TCase *tcase = tcase_create("config_source");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_group_is_the_settings_it_names);
    tcase_add_test(tcase, names_are_made_of_others);
    tcase_add_test(tcase, names_that_are_alike_have_slots_of_their_own);
    tcase_add_test(tcase, each_setting_can_be_read_and_set_again);
    tcase_add_test(tcase, what_cannot_be_read);
    tcase_add_test(tcase, the_example_is_watched);
    tcase_add_test(tcase, tables_of_all_entities);
    tcase_add_test(tcase, what_is_no_table);
    suite_add_tcase(suite, tcase);
    return suite;
}
