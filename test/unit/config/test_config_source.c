/* "watch" and "source" of a file, and reading back what a configuration holds. */
#include "suites.h"

#include "config/config.h"

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

static const char mapped[] =
    "{\"entities\": [{\"name\": \"film\", \"key\": \"f:{id}\", \"channels\": [\"film\"], \"fetch\": \"f\", \"list\": "
    "\"select 1\","
    "  \"watch\": [{\"table\": \"film\", \"column\": \"id\"}, {\"table\": \"actor\", \"column\": \"actor_id\","
    "   \"maps\": \"select film_id from film_actor where actor_id = any($1)\", \"reads\": [\"first\", \"last\"]},"
    "   {\"table\": \"line\", \"column\": [\"tenant\", \"id\"], \"maps\": \"select 1 where $1 is null\", \"channel\": "
    "\"own\"}]},"
    " {\"name\": \"actor\", \"key\": \"a:{id}\", \"channels\": [\"up\", \"gone\"], \"fetch\": \"f\", \"list\": "
    "\"select 1\","
    "  \"watch\": [{\"table\": \"actor\", \"column\": \"actor_id\"}, {\"table\": \"agent\", \"column\": \"a\","
    "   \"channel\": \"agents\"}, {\"table\": \"film\", \"column\": \"actor_id\", \"maps\": \"select $1\"}]}]}";

/* What is mapped announces where an entity that watches the same column does, or on a channel of its own. */
START_TEST(what_is_mapped)
{
    cp_watch watch = {.size = sizeof watch};
    expect_parsed(mapped);
    expect_watch(1, "film", "actor", "actor_id");
    ck_assert_int_eq(cp_config_watch(config, 1, &watch, &err), CP_OK);
    ck_assert_str_eq(watch.maps, "select film_id from film_actor where actor_id = any($1)");
    ck_assert_uint_eq(watch.reads_count, 2);
    ck_assert_str_eq(watch.reads[1], "last");
    ck_assert_uint_eq(watch.channel_count, 2);
    ck_assert_str_eq(watch.channels[1], "gone");
    ck_assert_int_eq(cp_config_watch(config, 2, &watch, &err), CP_OK);
    ck_assert_uint_eq(watch.column_count, 2);
    ck_assert_str_eq(watch.columns[1], "id");
    ck_assert_str_eq(watch.channels[0], "own");
    ck_assert_int_eq(cp_config_watch(config, 5, &watch, &err), CP_OK);
    ck_assert_str_eq(watch.channels[0], "cachepusher:film.actor_id");

    ck_assert_uint_eq(config->entity_count, 2);
    ck_assert_uint_eq(config->mapping_count, 3);
    const struct cpi_entity *mapping = &config->entities[2];
    ck_assert_str_eq(mapping->name, "film");
    ck_assert_uint_eq(mapping->channel_count, 2);
    ck_assert_uint_eq(cpi_config_target(config, 2), 0);
    ck_assert_uint_eq(cpi_config_target(config, 4), 1);
    ck_assert_uint_eq(cpi_config_target(config, 1), 1);
    ck_assert_uint_eq(config->entities[1].channel_count, 3); /* with that of agents */

    static const size_t indexes[2][3] = {{0, 2, 3}, {1, 1, 4}};
    for (size_t e = 0; e < 2; e++) {
        for (size_t w = 0; w < 3; w++) {
            ck_assert_uint_eq(cpi_config_event_index(config, e, w), indexes[e][w]);
        }
    }
    ck_assert_str_eq(cpi_config_mapped_watch(config, 3)->table, "line");
    ck_assert_str_eq(cpi_config_mapped_watch(config, 4)->table, "film");
}
END_TEST

START_TEST(a_declaration)
{
    static const char declared[] =
        "{\"entities\": [{\"name\": \"order\", \"key\": \"{prefix}:{tenant}:{id}:x\", \"document\": "
        "{\"table\": \"o\", %s\"key\": [\"tenant\", \"id\"]}%s}]}";
    char json[512];
    cp_declaration first = {.size = sizeof first};
    cp_declaration second = {.size = sizeof second};
    snprintf(json, sizeof json, declared, "", "");
    expect_parsed(json);
    ck_assert_int_eq(cp_config_declaration(config, 0, &first, &err), CP_OK);
    ck_assert_str_eq(first.entity, "order");
    ck_assert_str_eq(first.key, "{prefix}:{tenant}:{id}:x");
    ck_assert_str_eq(first.document, "{\"key\":[\"tenant\",\"id\"],\"table\":\"o\"}");
    ck_assert_str_eq(config->entities[0].key_template, "{prefix}:{id}:x");
    ck_assert_str_eq(config->entities[0].channels[0], "cachepusher:order");
    char digest[17];
    snprintf(digest, sizeof digest, "%s", first.digest);
    ck_assert_int_eq(cp_config_declaration(config, 1, &second, &err), CP_ERR_ARGUMENT);
    ck_assert_ptr_null(cp_syncer_create(config, NULL, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "cp_config_resolve()"));

    snprintf(json, sizeof json, declared, "\"// why\": {}, ", "");
    expect_parsed(json);
    ck_assert_int_eq(cp_config_declaration(config, 0, &second, &err), CP_OK);
    ck_assert_str_eq(second.digest, digest);

    snprintf(json, sizeof json, declared, "", ", \"fetch\": \"f\"");
    ck_assert_int_eq(cp_config_parse(config, json, "test", &err), CP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "entities[0]: document and fetch exclude each other"));
}
END_TEST

START_TEST(what_setup_has_made_of_it)
{
    static const char resolved[] =
        "{\"id_type\": \"bigint\", \"fetch_many\": \"cachepusher.o_1\", \"list\": \"select id from o\", \"watch\": "
        "[{\"table\": \"public.o\", \"column\": \"id\", \"reads\": []},"
        " {\"table\": \"public.p\", \"column\": \"id\", \"maps\": \"select o from l where p = any ($1)\"}]}";
    cp_watch watch = {.size = sizeof watch};
    expect_parsed(
        "{\"entities\": [{\"name\": \"plain\", \"key\": \"p:{id}\", \"channels\": [\"c\"], \"fetch\": \"f\", "
        "\"list\": \"select 1\"}, {\"name\": \"o\", \"key\": \"{prefix}:{id}\", \"document\": {\"table\": \"o\"}, "
        "\"watch\": [{\"table\": \"own\", \"column\": \"o\"}]}]}");
    ck_assert_int_eq(cp_config_apply(config, 0, resolved, &err), CP_ERR_ARGUMENT);
    ck_assert_int_eq(cp_config_apply(config, 2, resolved, &err), CP_ERR_ARGUMENT);
    for (int again = 0; again < 2; again++) { /* what was applied before is replaced */
        ck_assert_int_eq(cp_config_apply(config, 1, resolved, &err), CP_OK);
        const struct cpi_entity *entity = &config->entities[1];
        ck_assert(entity->is_resolved && entity->fetch_many);
        ck_assert_str_eq(entity->fetch, "cachepusher.o_1");
        ck_assert_str_eq(entity->list, "select id from o");
        ck_assert_int_eq(entity->id_type, CPI_ID_BIGINT);
        ck_assert_uint_eq(entity->watch_count, 3);
        ck_assert_uint_eq(config->mapping_count, 1);
        ck_assert_int_eq(cp_config_watch(config, 0, &watch, &err), CP_OK);
        ck_assert_str_eq(watch.table, "own");
        ck_assert_int_eq(cp_config_watch(config, 2, &watch, &err), CP_OK);
        ck_assert_str_eq(watch.channels[0], "cachepusher:public.p.id");
    }
    cp_syncer *syncer = cp_syncer_create(config, NULL, &err);
    ck_assert_ptr_nonnull(syncer);
    cp_syncer_destroy(syncer);
    config = cp_config_create(&err);
}
END_TEST

START_TEST(what_setup_cannot_have_made)
{
    static const struct {
        const char *resolved;
        const char *message;
    } cases[] = {
        {"{", "what is set up of entities[0].document (o): not JSON"},
        {"[]", "what is set up of entities[0].document (o): expected an object"},
        {"{\"id_type\": \"x\"}", "id_type: \"x\" is not integer"},
        {"{\"id_type\": \"text\"}", "fetch_many: missing"},
        {"{\"id_type\": \"text\", \"fetch_many\": \"f()\"}", "fetch_many: \"f()\" is not the name of a function"},
        {"{\"id_type\": \"text\", \"fetch_many\": \"f\", \"list\": \"l\", \"watch\": []}", "watch: expected at least"},
    };
    expect_parsed("{\"entities\": [{\"name\": \"o\", \"key\": \"{prefix}:{id}\", \"document\": {\"table\": \"o\"}}]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(cp_config_apply(config, 0, cases[i].resolved, &err), CP_ERR_CONFIG);
        ck_assert_msg(strstr(err.message, cases[i].message) != NULL, "\"%s\" lacks \"%s\"", err.message,
                      cases[i].message);
        ck_assert(!config->entities[0].is_resolved);
    }
}
END_TEST

START_TEST(what_is_no_table)
{
    parse_watch("[{\"table\": \"t\", \"column\": []}]", "watch[0].column: expected 1 to 8 columns");
    parse_watch("[{\"table\": \"t\", \"column\": [\"a\", \"a\"]}]", "watch[0].column[1]: \"a\" is listed twice");
    parse_watch("[{\"table\": \"t\", \"column\": \"c\", \"maps\": \"select 1\"}]", "watch[0].maps: expected a query");
    parse_watch("[{\"table\": \"t\", \"column\": \"c\", \"reads\": \"x\"}]", "watch[0].reads: expected an array");

    parse_watch("[{\"table\": \"t\", \"column\": \"c\", \"// why\": 1}]", NULL);
    parse_watch("{}", "entities[0].watch: ");
    parse_watch("[]", "at least one table");
    parse_watch("[1]", "entities[0].watch[0]: ");
    parse_watch("[{\"table\": \"t\"}]", "watch[0]: column is missing");
    parse_watch("[{\"column\": \"c\"}]", "watch[0]: table is missing");
    parse_watch("[{\"table\": \"t\", \"column\": \"c\", \"key\": \"k\"}]", "watch[0].key: unknown");
    parse_watch("[{\"table\": \"t\", \"colum\": \"c\"}]", "watch[0].colum: unknown; did you mean column?");
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
    tcase_add_test(tcase, what_is_mapped);
    tcase_add_test(tcase, a_declaration);
    tcase_add_test(tcase, what_setup_has_made_of_it);
    tcase_add_test(tcase, what_setup_cannot_have_made);
    suite_add_tcase(suite, tcase);
    return suite;
}
