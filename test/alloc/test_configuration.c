/* Every allocation of a configuration, and of a syncer made of it, fails in turn: an error, and nothing has changed. */
#include "failing.h"
#include "tests.h"

#include "config/config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char everything[] =
    "{\"postgres\": \"host=h dbname=d\", \"redis\": \"redis://user:password@host:1/2\", \"prefix\": \"shop\","
    " \"threads\": 3, \"batch\": 10, \"entities\": ["
    "{\"name\": \"a\", \"key\": \"{prefix}:a:{id}\", \"id_type\": \"uuid\", \"channels\": [\"a_changed\", \"a_gone\"],"
    " \"fetch\": \"a_get\", \"list\": \"select id from a;\", \"ttl_s\": 60,"
    " \"watch\": [{\"table\": \"a\", \"column\": \"id\"}, {\"table\": \"part\", \"column\": [\"x\", \"y\"], \"reads\": "
    "[\"z\"],"
    "  \"maps\": \"select id from a where x = any($1)\"}, {\"table\": \"c\", \"column\": \"id\", \"channel\": \"c\"}]},"
    "{\"name\": \"b\", \"key\": \"{prefix}:b:{id}:doc\", \"id_type\": \"text\", \"channels\": [\"b_changed\"],"
    " \"fetch_many\": \"s.b_get\", \"list\": \"select id from b\", \"warmup_procedure\": \"b_warmup\"}]}";

/* Does something with a configuration, which is NULL where there is none before. */
typedef cp_code action(cp_config **config, const char *value, cp_error *err);

static void require_memory_error(cp_code code, const cp_error *err)
{
    ck_assert_int_eq(code, CP_ERR_SYSTEM);
    ck_assert_int_eq(err->code, CP_ERR_SYSTEM);
    ck_assert(err->retriable);
    ck_assert_str_eq(err->message, "out of memory");
}

/* Whether a syncer can be made of it. Takes it. */
static void require_usable(cp_config *config)
{
    cp_error err = {0};
    cp_syncer *syncer = cp_syncer_create(config, NULL, &err);
    ck_assert_msg(syncer != NULL, "%s", err.message);
    cp_syncer_destroy(syncer);
}

/* Fails the first allocation, then the second, and so on, until the action has not made so many. Each time it has to
 * say so, and to work the next time, with the same configuration. */
static unsigned fail_in_turn(action *act, const char *value, const char *before)
{
    for (unsigned n = 1;; n++) {
        cp_error err = {0};
        cp_config *config = NULL;
        if (before != NULL) {
            config = cp_config_create(&err);
            ck_assert(cp_config_parse(config, before, "FILE", &err) == CP_OK);
        }
        fail_nth(n);
        cp_code code = act(&config, value, &err);
        bool has_failed = fail_none() > 0;
        if (has_failed) {
            require_memory_error(code, &err);
            code = act(&config, value, &err);
        }
        ck_assert_msg(code == CP_OK, "%s", err.message);
        if (config != NULL) { /* otherwise a syncer has owned it */
            require_usable(config);
        }
        if (!has_failed) {
            return n - 1;
        }
    }
}

static cp_code create(cp_config **config, const char *value, cp_error *err)
{
    (void)value;
    *config = cp_config_create(err);
    return *config != NULL ? CP_OK : err->code;
}

static cp_code parse(cp_config **config, const char *json, cp_error *err)
{
    struct cp_config before = **config;
    cp_code code = cp_config_parse(*config, json, "FILE", err);
    ck_assert(code == CP_OK || memcmp(&before, *config, sizeof before) == 0);
    return code;
}

static cp_code load(cp_config **config, const char *path, cp_error *err)
{
    struct cp_config before = **config;
    cp_code code = cp_config_load(*config, path, err);
    ck_assert(code == CP_OK || memcmp(&before, *config, sizeof before) == 0);
    return code;
}

/* value: NAME=VALUE */
static cp_code set(cp_config **config, const char *value, cp_error *err)
{
    char name[64] = "";
    size_t length = strcspn(value, "=");
    ck_assert_uint_lt(length, sizeof name);
    memcpy(name, value, length);
    struct cp_config before = **config;
    cp_code code = cp_config_set(*config, name, value + length + 1, err);
    ck_assert(code == CP_OK || memcmp(&before, *config, sizeof before) == 0);
    return code;
}

static cp_code create_syncer(cp_config **config, const char *value, cp_error *err)
{
    (void)value;
    cp_syncer *syncer = cp_syncer_create(*config, NULL, err);
    if (syncer == NULL) {
        return err->code; /* the configuration is still ours */
    }
    cp_syncer_destroy(syncer);
    *config = NULL;
    return CP_OK;
}

static void ignore_state(void *context, const cp_health *health)
{
    (void)context;
    (void)health;
}

static cp_store_answer set_nothing(void *session, const char *key, const char *bytes, size_t length, int64_t ttl_s,
                                   cp_error *err)
{
    (void)session, (void)key, (void)bytes, (void)length, (void)ttl_s, (void)err;
    return CP_STORE_DONE;
}

static cp_store_answer delete_nothing(void *session, const char *key, cp_error *err)
{
    (void)session, (void)key, (void)err;
    return CP_STORE_DONE;
}

/* The same for a host with all that makes for more: a store, results, states. */
static cp_code create_hosted(cp_config **config, const char *value, cp_error *err)
{
    static const cp_store store = {.size = sizeof store, .set = set_nothing, .del = delete_nothing};
    (void)value;
    cp_results *results = cp_results_create(NULL, err);
    if (results == NULL) {
        return err->code;
    }
    cp_callbacks callbacks = {.size = sizeof callbacks, .store = &store, .state = ignore_state, .results = results};
    cp_syncer *syncer = cp_syncer_create(*config, &callbacks, err);
    cp_syncer_destroy(syncer);
    cp_results_destroy(results);
    if (syncer == NULL) {
        return err->code;
    }
    *config = NULL;
    return CP_OK;
}

START_TEST(creating)
{
    ck_assert_uint_gt(fail_in_turn(create, NULL, NULL), 10);
}
END_TEST

START_TEST(parsing)
{
    ck_assert_uint_gt(fail_in_turn(parse, everything, "{}"), 10);
    ck_assert_uint_gt(fail_in_turn(parse, "{\"threads\": 2}", everything), 3);
}
END_TEST

START_TEST(loading)
{
    ck_assert_uint_gt(fail_in_turn(load, DB_DIR "/config.example.json", "{}"), 10);
}
END_TEST

START_TEST(setting)
{
    static const char *const settings[] = {"postgres=host=h", "redis=redis://u:p@h:1/2", "redis=unix:/r.sock",
                                           "redis=[::1]:6380", "prefix=shop"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        ck_assert_uint_gt(fail_in_turn(set, settings[i], everything), 0);
    }
    ck_assert_uint_eq(fail_in_turn(set, "threads=2", everything), 0);
}
END_TEST

START_TEST(creating_a_syncer)
{
    ck_assert_uint_gt(fail_in_turn(create_syncer, NULL, "{}"), 30);
    ck_assert_uint_gt(fail_in_turn(create_syncer, NULL, everything), 30);
    unsigned count = fail_in_turn(create_syncer, NULL, "{}");
    ck_assert_uint_gt(fail_in_turn(create_hosted, NULL, "{}"), count);
}
END_TEST

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

START_TEST(jansson_has_no_memory_at_all)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    json_malloc_t before_malloc;
    json_free_t before_free;
    json_get_alloc_funcs(&before_malloc, &before_free);
    json_set_alloc_funcs(no_memory, before_free);
    cp_code code = cp_config_parse(config, everything, "FILE", &err);
    json_set_alloc_funcs(before_malloc, before_free);
    require_memory_error(code, &err);
    require_usable(config);
}
END_TEST

Suite *configuration_suite(void)
{
    Suite *suite = suite_create("configuration");
    TCase *tcase = tcase_create("allocations that fail");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, creating);
    tcase_add_test(tcase, parsing);
    tcase_add_test(tcase, loading);
    tcase_add_test(tcase, setting);
    tcase_add_test(tcase, creating_a_syncer);
    tcase_add_test(tcase, jansson_has_no_memory_at_all);
    suite_add_tcase(suite, tcase);
    return suite;
}
