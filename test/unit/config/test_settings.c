/* The table of settings says what the parser does. */
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

static void expect_set(const cp_setting *setting, int64_t number, cp_code code)
{
    char value[32];
    snprintf(value, sizeof value, "%lld", (long long)number);
    ck_assert_int_eq(cp_config_set(config, setting->name, value, &err), code);
}

START_TEST(each_is_described)
{
    for (size_t i = 0; i < cp_setting_count(); i++) {
        const cp_setting *setting = cp_setting_describe(i);
        ck_assert_ptr_nonnull(setting);
        ck_assert_uint_eq(setting->size, sizeof *setting);
        ck_assert_uint_gt(strlen(setting->name), 0);
        ck_assert_uint_gt(strlen(setting->help), 0);
        ck_assert(strpbrk(setting->help, "\n|") == NULL && setting->help[strlen(setting->help) - 1] != '.');
        ck_assert_int_eq(setting->required, setting->initial == NULL);
        ck_assert(setting->of_entity || setting->value != NULL);
        ck_assert(setting->flag == NULL || strncmp(setting->flag, "--", 2) == 0);
        ck_assert(setting->unit == NULL || setting->type == CP_SETTING_NUMBER);
        for (size_t j = 0; j < i; j++) {
            const cp_setting *other = cp_setting_describe(j);
            ck_assert(other->of_entity != setting->of_entity || strcmp(other->name, setting->name) != 0);
            ck_assert(setting->of_entity || !other->of_entity); /* those of an entity come last */
        }
    }
    ck_assert_ptr_null(cp_setting_describe(cp_setting_count()));
}
END_TEST

START_TEST(defaults_and_ranges_are_those_of_the_parser)
{
    for (size_t i = 0; i < cp_setting_count() && !cp_setting_describe(i)->of_entity; i++) {
        const cp_setting *setting = cp_setting_describe(i);
        ck_assert_int_eq(cp_config_set(config, setting->name, setting->initial, &err), CP_OK);
        if (setting->type == CP_SETTING_NUMBER) {
            expect_set(setting, setting->min, CP_OK);
            expect_set(setting, setting->max, CP_OK);
            expect_set(setting, setting->min - 1, CP_ERR_CONFIG);
            expect_set(setting, setting->max + 1, CP_ERR_CONFIG);
        }
        if (setting->type == CP_SETTING_BOOLEAN) {
            ck_assert_int_eq(cp_config_set(config, setting->name, "true", &err), CP_OK);
            ck_assert_int_eq(cp_config_set(config, setting->name, "false", &err), CP_OK);
            ck_assert_int_eq(cp_config_set(config, setting->name, "1", &err), CP_ERR_CONFIG);
        }
    }
}
END_TEST

START_TEST(those_of_an_entity_are_no_settings_of_the_file)
{
    for (size_t i = 0; i < cp_setting_count(); i++) {
        const cp_setting *setting = cp_setting_describe(i);
        if (setting->of_entity && strcmp(setting->name, "name") != 0) {
            ck_assert_int_eq(cp_config_set(config, setting->name, "x", &err), CP_ERR_CONFIG);
        }
    }
}
END_TEST

/* A whole entity without one member. */
static cp_code parse_without(const char *name)
{
    static const char *const members[][2] = {{"name", "\"order\""},
                                             {"key", "\"order:{id}\""},
                                             {"channels", "[\"order_changed\"]"},
                                             {"fetch", "\"order_get\""},
                                             {"list", "\"select id from orders\""},
                                             {"id_type", "\"integer\""},
                                             {"warmup_procedure", "\"order_warmup\""},
                                             {"ttl_s", "60"}};
    char json[512] = "{\"entities\": [{\"//\": \"\"";
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(members[i][0], name) != 0) {
            size_t length = strlen(json);
            snprintf(json + length, sizeof json - length, ", \"%s\": %s", members[i][0], members[i][1]);
        }
    }
    strncat(json, "}]}", sizeof json - strlen(json) - 1);
    return cp_config_parse(config, json, "test.json", &err);
}

START_TEST(what_an_entity_requires_has_to_be_there)
{
    ck_assert_int_eq(parse_without(""), CP_OK);
    for (size_t i = 0; i < cp_setting_count(); i++) {
        const cp_setting *setting = cp_setting_describe(i);
        if (setting->of_entity && strcmp(setting->name, "fetch") != 0) { /* or fetch_many */
            ck_assert_int_eq(parse_without(setting->name), setting->required ? CP_ERR_CONFIG : CP_OK);
        }
    }
}
END_TEST

Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tcase = tcase_create("settings");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_is_described);
    tcase_add_test(tcase, defaults_and_ranges_are_those_of_the_parser);
    tcase_add_test(tcase, those_of_an_entity_are_no_settings_of_the_file);
    tcase_add_test(tcase, what_an_entity_requires_has_to_be_there);
    suite_add_tcase(suite, tcase);
    return suite;
}
