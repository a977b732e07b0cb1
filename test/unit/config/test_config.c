#include "suites.h"

#include "base/utf8.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cp_config *config;
static cp_error err;

static void create(void)
{
    err = (cp_error){0};
    config = cp_config_create(&err);
    ck_assert_ptr_nonnull(config);
}

static void destroy(void)
{
    cp_config_destroy(config);
    config = NULL;
}

static void assert_ok(cp_code code)
{
    ck_assert_msg(code == CP_OK, "%s", err.message);
}

/* A CP_ERR_CONFIG of one line that has the fragment in it. */
static void assert_refused(cp_code code, const char *fragment)
{
    ck_assert_int_eq(code, CP_ERR_CONFIG);
    ck_assert_int_eq(err.code, CP_ERR_CONFIG);
    ck_assert(!err.retriable);
    ck_assert_msg(strstr(err.message, fragment) != NULL, "\"%s\" lacks \"%s\"", err.message, fragment);
    ck_assert_ptr_null(strchr(err.message, '\n'));
    ck_assert_ptr_null(strstr(err.message, "hunter2"));
}

static cp_code parse(const char *json)
{
    return cp_config_parse(config, json, "test.json", &err);
}

static void assert_defaults(void)
{
    ck_assert_str_eq(config->postgres, "");
    ck_assert_str_eq(config->redis, "127.0.0.1:6379");
    ck_assert_str_eq(config->redis_address.host, "127.0.0.1");
    ck_assert_int_eq(config->redis_address.port, 6379);
    ck_assert_str_eq(config->prefix, "customer");
    ck_assert(!config->prefix_set);
    ck_assert_uint_eq(config->threads, 4);
    ck_assert_int_eq(config->warmup, CPI_WARMUP_SCAN);
    ck_assert(!config->flush);
    ck_assert_uint_eq(config->batch, 256);
    ck_assert_uint_eq(config->max_pending, 1000000);
    ck_assert_uint_eq(config->audit_per_second, 0);
    ck_assert_int_eq(config->connect_timeout_ms, 5000);
    ck_assert_int_eq(config->fetch_timeout_ms, 30000);
    ck_assert_int_eq(config->redis_timeout_ms, 5000);

    ck_assert_uint_eq(config->entity_count, 1);
    const struct cpi_entity *customer = &config->entities[0];
    ck_assert_str_eq(customer->name, "customer");
    ck_assert_str_eq(customer->key_template, "{prefix}:{id}");
    ck_assert_int_eq(customer->id_type, CPI_ID_INTEGER);
    ck_assert_uint_eq(customer->channel_count, 2);
    ck_assert_str_eq(customer->channels[0], "customer_updated");
    ck_assert_str_eq(customer->channels[1], "customer_deleted");
    ck_assert_str_eq(customer->fetch, "customer_get_many");
    ck_assert(customer->fetch_many);
    ck_assert_str_eq(customer->list, "select id_customer from customer");
    ck_assert_str_eq(customer->warmup_procedure, "customer_warmup");
    ck_assert_int_eq(customer->ttl_s, 0);
}

/* ---- one setting ---- */

START_TEST(defaults_are_the_customer_example)
{
    assert_defaults();
    assert_ok(cpi_config_finish(config, &err));
    ck_assert_str_eq(config->entities[0].key.before, "customer:");
    ck_assert_ptr_eq(cpi_config_entity(config, "customer"), &config->entities[0]);
    ck_assert_ptr_null(cpi_config_entity(config, "address"));
}
END_TEST

START_TEST(every_setting_can_be_set)
{
    assert_ok(cp_config_set(config, "postgres", "host=/run dbname=shop", &err));
    assert_ok(cp_config_set(config, "postgres", "postgresql://ann:pw@db:5433/shop?sslmode=require", &err));
    assert_ok(cp_config_set(config, "redis", "redis://:pw@cache:6380/2", &err));
    assert_ok(cp_config_set(config, "prefix", "*{id}", &err));
    assert_ok(cp_config_set(config, "threads", "64", &err));
    assert_ok(cp_config_set(config, "warmup", "touch", &err));
    assert_ok(cp_config_set(config, "flush", "true", &err));
    assert_ok(cp_config_set(config, "batch", "1", &err));
    assert_ok(cp_config_set(config, "max_pending", "100000000", &err));
    assert_ok(cp_config_set(config, "connect_timeout_ms", "100", &err));
    assert_ok(cp_config_set(config, "fetch_timeout_ms", "86400000", &err));
    assert_ok(cp_config_set(config, "redis_timeout_ms", "600000", &err));
    assert_ok(cp_config_set(config, "audit_per_second", "100000", &err));

    ck_assert_str_eq(config->postgres, "postgresql://ann:pw@db:5433/shop?sslmode=require");
    ck_assert_str_eq(config->redis, "redis://:pw@cache:6380/2");
    ck_assert_str_eq(config->redis_address.host, "cache");
    ck_assert_str_eq(config->redis_address.password, "pw");
    ck_assert_int_eq(config->redis_address.database, 2);
    ck_assert_str_eq(config->prefix, "*{id}");
    ck_assert(config->prefix_set);
    ck_assert_uint_eq(config->threads, 64);
    ck_assert_int_eq(config->warmup, CPI_WARMUP_TOUCH);
    ck_assert(config->flush);
    ck_assert_uint_eq(config->batch, 1);
    ck_assert_uint_eq(config->max_pending, 100000000);
    ck_assert_int_eq(config->connect_timeout_ms, 100);
    ck_assert_int_eq(config->fetch_timeout_ms, 86400000);
    ck_assert_int_eq(config->redis_timeout_ms, 600000);
    ck_assert_uint_eq(config->audit_per_second, 100000);
    assert_ok(cpi_config_finish(config, &err));
    ck_assert_str_eq(config->entities[0].key.before, "*{id}:");

    assert_ok(cp_config_set(config, "warmup", "none", &err));
    assert_ok(cp_config_set(config, "flush", "false", &err));
    assert_ok(cp_config_set(config, "postgres", "", &err));
    ck_assert_int_eq(config->warmup, CPI_WARMUP_NONE);
    ck_assert(!config->flush);
    ck_assert_str_eq(config->postgres, "");
}
END_TEST

static const struct {
    const char *name;
    const char *value;
    const char *message;
} refused_settings[] = {
    {"threads", "x", "threads: \"x\" is not a number from 1 to 64"},
    {"threads", "", "threads: \"\" is not a number from 1 to 64"},
    {"threads", "0", "threads: \"0\" is not a number from 1 to 64"},
    {"threads", "65", "threads: \"65\" is not a number from 1 to 64"},
    {"threads", "-1", "threads: \"-1\" is not a number from 1 to 64"},
    {"threads", "4 ", "threads: \"4 \" is not a number from 1 to 64"},
    {"threads", "+4", "threads: \"+4\" is not a number from 1 to 64"},
    {"threads", "0x4", "threads: \"0x4\" is not a number from 1 to 64"},
    {"threads", "4.0", "threads: \"4.0\" is not a number from 1 to 64"},
    {"threads", "18446744073709551617", "\"18446744073709551617\" is not a number from 1 to 64"},
    {"threads", "4\n5", "is not a number from 1 to 64"},
    {"threads", "\xFF", "threads: not valid UTF-8"},
    {"batch", "10001", "batch: \"10001\" is not a number from 1 to 10000"},
    {"max_pending", "999", "max_pending: \"999\" is not a number from 1000 to 100000000"},
    {"connect_timeout_ms", "99", "connect_timeout_ms: \"99\" is not a number from 100 to 600000"},
    {"fetch_timeout_ms", "86400001", "\"86400001\" is not a number from 100 to 86400000"},
    {"redis_timeout_ms", "5s", "redis_timeout_ms: \"5s\" is not a number from 100 to 600000"},
    {"warmup", "Scan", "warmup: \"Scan\" is not scan, touch or none"},
    {"flush", "yes", "flush: \"yes\" is not true or false"},
    {"flush", "1", "flush: \"1\" is not true or false"},
    {"prefix", "", "prefix: must not be empty"},
    {"prefix", "\xC3(", "prefix: not valid UTF-8"},
    {"postgres", "hunter2", "postgres: not a libpq connection string"},
    {"postgres", "password=hunter2 hunter2", "postgres: not a libpq connection string"},
    {"postgres", "hunter2=1", "postgres: not a libpq connection string"},
    {"postgres", "postgresql://ann:123456/shop", "postgres: the port is not one"},
    {"postgres", "postgresql://ann:70000/shop", "postgres: the port is not one"},
    {"postgres", "postgresql://ann:hunter2@[::1/shop", "postgres: not a libpq connection string"},
    {"redis", "redis://hunter2@h", "redis: a colon is missing before the password"},
    {"redis", "h:hunter2", "redis: the port is not a number"},
    {"redis", "", "redis: the host is missing"},
    {"thread", "4", "unknown setting \"thread\"; did you mean threads?"},
    {"speed", "4",
     "unknown setting \"speed\"; expected one of: postgres, redis, postgres_password_file, "
     "redis_password_file, prefix, name, standby, role, threads, warmup, source, "
     "source_announce, source_slot, source_publication, source_retained_mb, "
     "flush, batch, batch_bytes, "
     "max_pending, max_delete_percent, max_lag_ms, catalog_check_ms, connect_timeout_ms, fetch_timeout_ms, "
     "redis_timeout_ms, "
     "audit_per_second, log_level"},
    {"audit_per_second", "100001", "audit_per_second: \"100001\" is not a number from 0 to 100000"},
    {"audit", "100", "unknown setting \"audit\""},
    {"", "4", "unknown setting \"\""},
    {"entities", "[]", "unknown setting \"entities\""},
};

START_TEST(refuses_a_wrong_setting)
{
    const char *name = refused_settings[_i].name;
    assert_refused(cp_config_set(config, name, refused_settings[_i].value, &err), refused_settings[_i].message);
    ck_assert_int_eq(cp_config_set(config, name, refused_settings[_i].value, NULL), CP_ERR_CONFIG);
    assert_defaults();
}
END_TEST

START_TEST(refuses_no_value)
{
    ck_assert_int_eq(cp_config_set(config, "postgres", NULL, &err), CP_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "cp_config_set: value is NULL");
}
END_TEST

START_TEST(shows_no_more_of_a_value_than_fits)
{
    char value[1000];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_refused(cp_config_set(config, "threads", value, &err), "xxx\" is not a number from 1 to 64");

    /* Two bytes to a character and one before: the cut falls in the midst of one. */
    for (size_t i = 1; i + 1 < sizeof value; i += 2) {
        memcpy(value + i, "\xC3\xBC", 2);
    }
    assert_refused(cp_config_set(config, "threads", value, &err), "\xC3\xBC\" is not a number from 1 to 64");
    ck_assert(cpi_utf8_valid(err.message, strlen(err.message)));
}
END_TEST

START_TEST(nothing_may_be_destroyed)
{
    cp_config_destroy(NULL);
}
END_TEST

/* ---- files ---- */

/* An entity with what it needs, and more members at its end. */
#define ENTITY(name, key, more)                                                                                        \
    "{\"name\": \"" name "\", \"key\": \"" key                                                                         \
    "\", \"channels\": [\"c\"], \"fetch\": \"f\", \"list\": \"select 1\"" more "}"
#define ENTITIES(entities) "{\"entities\": [" entities "]}"

/* The same without what is under test. */
#define WITH_NAME(name) ENTITIES("{\"name\": " name "}")
#define WITH_KEY(key) ENTITIES("{\"key\": " key "}")
#define WITH_CHANNELS(channels) ENTITIES("{\"channels\": " channels "}")
#define WITH_FETCH(fetch) ENTITIES("{\"fetch\": " fetch "}")
#define WITH_LIST(list) ENTITIES("{\"list\": " list "}")
#define WITH_TTL(ttl) ENTITIES("{\"ttl_s\": " ttl "}")
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct {
    const char *json;
    const char *message;
} refused_files[] = {
    /* syntax */
    {"", "test.json:1:0: '[' or '{' expected near end of file"},
    {"{\n  \"threads\": 4,\n}", "test.json:3:1: string or '}' expected"},
    {"{\"threads\": 4", "test.json:1:13: '}' expected near end of file"},
    {"{\"postgres\": \"password=hunter2\n\"}", "test.json:1:"},
    {"{\"postgres\": \"hunter2\\q\"}", "test.json:1:"},
    {"{\"postgres\": \"hunter2", "test.json:1:"},
    {"{\"prefix\": \"\xFF\"}", "unable to decode byte 0xff"},
    {"{\"prefix\": \"a\\u0000b\"}", "a NUL character"},
    {"{\"a\\u0000b\": 1}", "a NUL character"},
    {"{\"threads\": 4,\n \"threads\": 5}", "test.json:2:10: the same member again"},
    {"{\"//\": 1, \"//\": 2}", "comments, too, need different names"},
    {"{\"threads\": 99999999999999999999}", "test.json:1:"},
    {"{} {}", "test.json:1:"},
    /* settings */
    {"[]", "test.json: expected an object, found an array"},
    {"{\"thread\": 4}", "test.json: thread: unknown; did you mean threads?"},
    {"{\"entitys\": 4}", "test.json: entitys: unknown; did you mean entities?"},
    {"{\"speed\": 4}", "test.json: speed: unknown; expected one of: postgres, redis,"},
    {"{\"speed\": 4}", "audit_per_second, log_level, audit, entities"},
    {"{\"threads\": \"4\"}", "test.json: threads: expected a whole number, found a string"},
    {"{\"threads\": 4.0}", "test.json: threads: expected a whole number, found a number with a fraction"},
    {"{\"threads\": 65}", "test.json: threads: \"65\" is not a number from 1 to 64"},
    {"{\"threads\": -9223372036854775808}", "\"-9223372036854775808\" is not a number from 1 to 64"},
    {"{\"fetch_timeout_ms\": true}", "test.json: fetch_timeout_ms: expected a whole number, found a boolean"},
    {"{\"fetch_timeout_ms\": 4294967396}", "is not a number from 100 to"},
    {"{\"flush\": \"true\"}", "test.json: flush: expected a boolean, found a string"},
    {"{\"flush\": 1}", "test.json: flush: expected a boolean, found a number"},
    {"{\"warmup\": null}", "test.json: warmup: expected a string, found null"},
    {"{\"warmup\": \"all\"}", "test.json: warmup: \"all\" is not scan, touch or none"},
    {"{\"prefix\": {}}", "test.json: prefix: expected a string, found an object"},
    {"{\"prefix\": \"\"}", "test.json: prefix: must not be empty"},
    {"{\"postgres\": 1}", "test.json: postgres: expected a string, found a number"},
    {"{\"postgres\": \"hunter2\"}", "test.json: postgres: not a libpq connection string"},
    {"{\"redis\": \"redis://hunter2@h\"}", "test.json: redis: a colon is missing"},
    {"{\"audit\": 100}", "test.json: audit: expected an object, found a number"},
    {"{\"audit\": {\"per_second\": \"100\"}}", "test.json: audit.per_second: expected a whole number, found a string"},
    {"{\"audit\": {\"per_second\": 100001}}", "test.json: audit_per_second: \"100001\" is not a number from 0 to"},
    {"{\"audit\": {\"per_minute\": 1}}", "test.json: audit.per_minute: unknown; expected per_second"},
    /* entities */
    {"{\"entities\": {}}", "test.json: entities: expected an array of objects, found an object"},
    {"{\"entities\": []}", "test.json: entities: expected at least one entity"},
    {"{\"entities\": [1]}", "test.json: entities[0]: expected an object, found a number"},
    {ENTITIES(ENTITY("a", "a:{id}", "") ", {}"), "test.json: entities[1]: name is missing"},
    {ENTITIES("{\"name\": \"a\"}"), "test.json: entities[0]: key is missing"},
    {ENTITIES("{\"name\": \"a\", \"key\": \"a{id}\"}"), "test.json: entities[0]: channels is missing"},
    {ENTITIES("{\"name\": \"a\", \"key\": \"a{id}\", \"channels\": [\"c\"]}"),
     "entities[0]: fetch or fetch_many is missing"},
    {ENTITIES("{\"name\": \"a\", \"key\": \"a{id}\", \"channels\": [\"c\"], \"fetch\": \"f\"}"),
     "entities[0]: list is missing"},
    {ENTITIES(ENTITY("a", "a:{id}", ", \"idtype\": 1")),
     "test.json: entities[0].idtype: unknown; did you mean id_type?"},
    {ENTITIES(ENTITY("a", "a:{id}", ", \"ttl\": 1")),
     "test.json: entities[0].ttl: unknown; expected one of: name, key, id_type, channels, watch, document, fetch, "
     "fetch_many, list, "
     "warmup_procedure, ttl_s"},
    {WITH_NAME("1"), "test.json: entities[0].name: expected a string, found a number"},
    {WITH_NAME("\"\""), "test.json: entities[0].name: must not be empty"},
    {WITH_NAME("\"a b\""), "test.json: entities[0].name: \"a b\" is not a name of 1 to 63 characters"},
    {WITH_NAME("\"\xC3\xBC\""), "is not a name of 1 to 63 characters"},
    {WITH_NAME("\"" SIXTY "0123\""), "is not a name of 1 to 63 characters"},
    {WITH_KEY("false"), "test.json: entities[0].key: expected a string, found a boolean"},
    {WITH_KEY("\"\""), "test.json: entities[0].key: must not be empty"},
    {WITH_KEY("\"customer\""), "test.json: entities[0].key: \"customer\": {id} is missing"},
    {WITH_KEY("\"{id}\""), "test.json: entities[0].key: \"{id}\": nothing stands before {id}"},
    {WITH_KEY("\"a{id}{id}\""), "test.json: entities[0].key: \"a{id}{id}\": {id} stands in it more than once"},
    {WITH_KEY("\"{a}{id}\""), "test.json: entities[0].key: \"{a}{id}\": it has a brace"},
    {ENTITIES("{\"id_type\": 4}"), "test.json: entities[0].id_type: expected a string, found a number"},
    {ENTITIES("{\"id_type\": \"int\"}"),
     "test.json: entities[0].id_type: \"int\" is not integer, bigint, uuid or text"},
    {WITH_CHANNELS("\"c\""), "test.json: entities[0].channels: expected an array of strings, found a string"},
    {WITH_CHANNELS("[]"), "test.json: entities[0].channels: expected at least one channel"},
    {WITH_CHANNELS("[\"c\", 1]"), "test.json: entities[0].channels[1]: expected a string, found a number"},
    {WITH_CHANNELS("[\"\"]"), "test.json: entities[0].channels[0]: must not be empty"},
    {WITH_CHANNELS("[\"" SIXTY "0123\"]"),
     "test.json: entities[0].channels[0]: \"" SIXTY "0123\" has more than the 63 bytes"},
    {WITH_CHANNELS("[\"c\", \"d\", \"c\"]"), "test.json: entities[0].channels[2]: \"c\" is listed twice"},
    {WITH_FETCH("[]"), "test.json: entities[0].fetch: expected a string, found an array"},
    {WITH_FETCH("\"\""), "test.json: entities[0].fetch: must not be empty"},
    {WITH_FETCH("\"f(1)\""), "test.json: entities[0].fetch: \"f(1)\" is not the name of a function"},
    {WITH_FETCH("\"f\", \"fetch_many\": \"g\""),
     "test.json: entities[0].fetch_many: fetch and fetch_many exclude each other"},
    {WITH_FETCH("\"f\", \"warmup_procedure\": \"w;\""),
     "entities[0].warmup_procedure: \"w;\" is not the name of a function"},
    {WITH_FETCH("\"f\", \"warmup_procedure\": null"), "entities[0].warmup_procedure: expected a string, found null"},
    {WITH_LIST("1"), "test.json: entities[0].list: expected a string, found a number"},
    {WITH_LIST("\"\""), "test.json: entities[0].list: must not be empty"},
    {WITH_LIST("\" ;\\n; \""), "test.json: entities[0].list: expected a query"},
    {WITH_TTL("\"1\""), "test.json: entities[0].ttl_s: expected a whole number, found a string"},
    {WITH_TTL("0"), "test.json: entities[0].ttl_s: 0 is not a number from 1 to 3162240000"},
    {WITH_TTL("3162240001"), "test.json: entities[0].ttl_s: 3162240001 is not a number"},
};

START_TEST(refuses_a_wrong_file)
{
    assert_refused(parse(refused_files[_i].json), refused_files[_i].message);
    ck_assert_int_eq(cp_config_parse(config, refused_files[_i].json, "test.json", NULL), CP_ERR_CONFIG);
    assert_defaults();
}
END_TEST

/* Parses a file of so many entities. */
static cp_code parse_entities(int count)
{
    const size_t size = 160;
    char *json = malloc((size_t)count * size + 64);
    ck_assert_ptr_nonnull(json);
    size_t length = (size_t)sprintf(json, "{\"entities\": [");
    for (int i = 0; i < count; i++) {
        length += (size_t)snprintf(json + length, size, "%s" ENTITY("e%d", "e%d:{id}", ""), i > 0 ? ", " : "", i, i);
    }
    strcpy(json + length, "]}");
    cp_code code = cp_config_parse(config, json, "test.json", &err);
    free(json);
    return code;
}

START_TEST(entities_have_a_bound)
{
    assert_refused(parse_entities(CPI_ENTITIES_MAX + 1),
                   "test.json: entities: 1001 are more than the 1000 entities that are possible");
    assert_defaults();
    assert_ok(parse_entities(CPI_ENTITIES_MAX));
    ck_assert_uint_eq(config->entity_count, CPI_ENTITIES_MAX);
}
END_TEST

START_TEST(a_file_that_fails_at_its_end_changes_nothing)
{
    assert_refused(parse("{\"postgres\": \"dbname=x\", \"redis\": \"h\", \"prefix\": \"p\", "
                         "\"threads\": 9, \"flush\": true,"
                         "\"warmup\": \"none\", \"batch\": 9, \"max_pending\": 9999, "
                         "\"connect_timeout_ms\": 999,"
                         "\"fetch_timeout_ms\": 999, \"redis_timeout_ms\": 999,"
                         "\"entities\": [" ENTITY("a", "a:{id}", "") "], \"end\": 1}"),
                   "test.json: end: unknown");
    assert_defaults();
}
END_TEST

START_TEST(a_file_leaves_what_it_does_not_name)
{
    assert_ok(cp_config_set(config, "batch", "7", &err));
    assert_ok(cp_config_set(config, "postgres", "dbname=kept", &err));
    assert_ok(cp_config_set(config, "redis", "redis://:kept@h", &err));
    assert_ok(parse("{\"//\": {\"any\": []}, \"// more\": null, \"threads\": 64, \"flush\": true}"));
    ck_assert_uint_eq(config->batch, 7);
    ck_assert_str_eq(config->postgres, "dbname=kept");
    ck_assert_str_eq(config->redis, "redis://:kept@h");
    ck_assert_str_eq(config->redis_address.password, "kept");
    ck_assert_uint_eq(config->threads, 64);
    ck_assert(config->flush);
    ck_assert(!config->prefix_set);
    ck_assert_str_eq(config->entities[0].name, "customer");

    assert_ok(parse("{\"prefix\": \"p\", \"redis\": \"unix:/r\"}"));
    ck_assert(config->prefix_set);
    ck_assert_str_eq(config->redis_address.path, "/r");
    assert_ok(parse("{}"));
    ck_assert(config->prefix_set);
    assert_ok(cpi_config_finish(config, &err));
    ck_assert_str_eq(config->entities[0].key.before, "p:");
}
END_TEST

START_TEST(audit_may_be_a_group)
{
    assert_ok(parse("{\"audit\": {\"//\": \"a trickle\", \"per_second\": 100}}"));
    ck_assert_uint_eq(config->audit_per_second, 100);
    assert_ok(parse("{\"audit\": {}}"));
    ck_assert_uint_eq(config->audit_per_second, 100);
    assert_ok(parse("{\"audit_per_second\": 0}"));
    ck_assert_uint_eq(config->audit_per_second, 0);
}
END_TEST

START_TEST(entities_of_a_file_replace_those_before)
{
    assert_ok(parse(ENTITIES(ENTITY("a", "a:{id}", "") "," ENTITY("b-2", "b:{id}:x", ""))));
    assert_ok(parse(ENTITIES("{\"//\": 1, \"name\": \"X_1\", \"key\": \"{prefix}:{id}\", \"id_type\": \"text\","
                             "\"channels\": [\"" SIXTY "012\", \"\xC3\xBC x\"], \"fetch_many\": \"s.f\","
                             "\"list\": \"select ';' ;\\n ; \", \"warmup_procedure\": \"w\", \"ttl_s\": 60}")));
    ck_assert_uint_eq(config->entity_count, 1);
    const struct cpi_entity *entity = cpi_config_entity(config, "X_1");
    ck_assert_ptr_nonnull(entity);
    ck_assert_int_eq(entity->id_type, CPI_ID_TEXT);
    ck_assert_uint_eq(entity->channel_count, 2);
    ck_assert_str_eq(entity->channels[1], "\xC3\xBC x");
    ck_assert_str_eq(entity->fetch, "s.f");
    ck_assert(entity->fetch_many);
    ck_assert_str_eq(entity->list, "select ';'");
    ck_assert_str_eq(entity->warmup_procedure, "w");
    ck_assert_int_eq(entity->ttl_s, 60);
}
END_TEST

START_TEST(optional_members_have_defaults)
{
    assert_ok(parse(ENTITIES(ENTITY("a", "a:{id}", ""))));
    ck_assert_int_eq(config->entities[0].id_type, CPI_ID_INTEGER);
    ck_assert_ptr_null(config->entities[0].warmup_procedure);
    ck_assert_int_eq(config->entities[0].ttl_s, 0);
    ck_assert(!config->entities[0].fetch_many);
}
END_TEST

/* As JSON writes them: a quote has a backslash before it. */
static const struct {
    const char *name;
    bool accepted;
} function_names[] = {
    {"f", true},
    {"_f$1", true},
    {"schema.f", true},
    {"Schema.F", true},
    {"\xC3\xBC", true},
    {"\\\"f\\\"", true},
    {"\\\"My Schema\\\".\\\"it's; a \\\"\\\"name\\\"\\\"\\\"", true},
    {"s.\\\"f\\\"", true},
    {"\\\"s\\\".f", true},
    {"\\\"\\\"\\\"\\\"", true}, /* the name is one quote */
    {"1f", false},
    {"$f", false},
    {"f-g", false},
    {"f g", false},
    {" f", false},
    {"f ", false},
    {"f\\n", false},
    {".f", false},
    {"s.", false},
    {"s..f", false},
    {"db.s.f", false},
    {"f;", false},
    {"f()", false},
    {"f--", false},
    {"f/**/", false},
    {"f'", false},
    {"\\\"", false},
    {"\\\"\\\"", false},
    {"\\\"f", false},
    {"f\\\"", false},
    {"\\\"f\\\"g", false},
    {"\\\"f\\\"\\\"", false},
    {"\\\"\\\"\\\"", false},
    {"\\\"f\\\\\\\"; drop table x; --\\\"", false}, /* a backslash escapes nothing in an identifier */
    {"U&\\\"f\\\"", false},
};

START_TEST(function_names_are_identifiers_and_nothing_else)
{
    char json[256];
    snprintf(json, sizeof json,
             ENTITIES("{\"name\": \"a\", \"key\": \"a{id}\", \"channels\": [\"c\"], \"fetch\": "
                      "\"%s\", \"list\": \"l\"}"),
             function_names[_i].name);
    if (function_names[_i].accepted) {
        assert_ok(parse(json));
    } else {
        assert_refused(parse(json), "is not the name of a function");
    }
}
END_TEST

static const char *write_file(const void *content, size_t length)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/cachepusher-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, content, length), (ssize_t)length);
    close(fd);
    return path;
}

START_TEST(loads_a_file)
{
    const char *json = "{\"threads\": 7}\n";
    const char *path = write_file(json, strlen(json));
    cp_code code = cp_config_load(config, path, &err);
    unlink(path);
    assert_ok(code);
    ck_assert_uint_eq(config->threads, 7);
}
END_TEST

START_TEST(names_the_file_that_is_wrong)
{
    const char *path = write_file("{\n\0", 3);
    cp_code code = cp_config_load(config, path, &err);
    unlink(path);
    assert_refused(code, path);
    assert_refused(code, ":2:");

    assert_refused(cp_config_load(config, path, &err), ": No such file or directory");
    assert_refused(cp_config_load(config, path, &err), path);
    assert_refused(cp_config_load(config, "", &err), ": No such file or directory");
    assert_refused(cp_config_load(config, "/tmp", &err), "/tmp: Is a directory");
    assert_refused(cp_config_load(config, "/dev/null", &err), "/dev/null:1:0: '[' or '{' expected near end of file");
    assert_refused(cp_config_load(config, "/dev/zero", &err), "/dev/zero: larger than a configuration may be");
    assert_defaults();
}
END_TEST

START_TEST(the_example_parses)
{
    char path[512];
    const char *slash = strrchr(__FILE__, '/');
    ck_assert_ptr_nonnull(slash);
    snprintf(path, sizeof path, "%.*s/../../../db/config.example.json", (int)(slash - __FILE__), __FILE__);
    assert_ok(cp_config_load(config, path, &err));
    assert_ok(cpi_config_finish(config, &err));
    ck_assert_uint_eq(config->entity_count, 2);
    ck_assert_str_eq(config->entities[1].key.before, "session:");
    ck_assert(!config->entities[1].fetch_many);
    ck_assert_int_eq(config->entities[1].ttl_s, 86400);

    /* "… has the value shown here": but for the second entity these are the defaults. */
    config->entity_count = 1;
    config->prefix_set = false;
    assert_defaults();
    config->entity_count = 2;
}
END_TEST

/* ---- as a whole ---- */

static const struct {
    const char *json;
    const char *message; /* NULL: nothing is wrong */
} wholes[] = {
    {"{\"prefix\": \"p\"}", NULL},
    {"{\"warmup\": \"touch\"}", NULL},
    {ENTITIES(ENTITY("a", "a:{id}", "")), NULL}, /* a prefix by default need not be used */
    {"{\"prefix\": \"p\", \"entities\": [" ENTITY("a", "a:{id}", "") "," ENTITY("b", "b:{id}", "") "]}",
     "prefix: no entity's key uses {prefix}"},
    {"{\"prefix\": \"p\", \"entities\": [" ENTITY("a", "{prefix}:{id}", "") "," ENTITY("b", "b:{id}", "") "]}", NULL},
    {ENTITIES(ENTITY("a", "a:{id}", "") "," ENTITY("b", "b:{id}", "") "," ENTITY("a", "c:{id}", "")),
     "entities[2].name: \"a\" is the name of entities[0]"},
    {ENTITIES(ENTITY("x", "a:{id}", ", \"id_type\": \"text\"") "," ENTITY("y", "a:b:{id}", "")),
     "entities[1].key: \"a:{id}\" and \"a:b:{id}\" (entities \"x\" and \"y\") can name one Redis "
     "key; "},
    {ENTITIES(ENTITY("x", "a:{id}", "") "," ENTITY("y", "a:b:{id}", "")), NULL},
    {"{\"prefix\": \"b\", \"entities\": [" ENTITY("x", "{prefix}:{id}", "") "," ENTITY("y", "b:{id}", "") "]}",
     "(entities \"x\" and \"y\") can name one Redis key"},
    {"{\"warmup\": \"touch\", \"entities\": [" ENTITY("a", "a:{id}", ", \"warmup_procedure\": \"w\"") "," ENTITY(
         "b", "b:{id}", "") "]}",
     "warmup: touch needs a warmup_procedure, and entities[1] (\"b\") has none"},
};

START_TEST(checks_the_whole)
{
    assert_ok(parse(wholes[_i].json));
    for (int again = 0; again < 2; again++) {
        if (wholes[_i].message == NULL) {
            assert_ok(cpi_config_finish(config, &err));
        } else {
            assert_refused(cpi_config_finish(config, &err), wholes[_i].message);
        }
    }
}
END_TEST

START_TEST(keys_follow_a_later_prefix)
{
    assert_ok(cpi_config_finish(config, &err));
    assert_ok(cp_config_set(config, "prefix", "shop", &err));
    assert_ok(cpi_config_finish(config, &err));
    ck_assert_str_eq(config->entities[0].key.before, "shop:");
}
END_TEST

/* Neither can come from a file or a setting; a caller of the struct itself is told all the same. */
START_TEST(checks_what_was_written_past_the_settings)
{
    free(config->postgres);
    config->postgres = strdup("password=hunter2 x");
    assert_refused(cpi_config_finish(config, &err), "postgres: not a libpq connection string");
    free(config->postgres);
    config->postgres = strdup("");
    free(config->entities[0].key_template);
    config->entities[0].key_template = strdup("x");
    assert_refused(cpi_config_finish(config, &err), "entities[0].key: \"x\": {id} is missing");
}
END_TEST

START_TEST(passwords_are_in_one_place)
{
    assert_ok(cp_config_set(config, "postgres", "host=h password=hunter2", &err));
    assert_ok(cp_config_set(config, "postgres_password_file", "pg", &err));
    assert_refused(cpi_config_finish(config, &err), "postgres_password_file: postgres has a password already");
    assert_ok(cp_config_set(config, "postgres", "postgresql://ann@h", &err));
    assert_ok(cpi_config_finish(config, &err));
    assert_ok(cp_config_set(config, "redis", "redis://ann:hunter2@h", &err));
    assert_ok(cp_config_set(config, "redis_password_file", "redis", &err));
    assert_refused(cpi_config_finish(config, &err), "redis_password_file: redis has a password already");
    assert_ok(cp_config_set(config, "redis", "redis://ann:@h", &err));
    assert_ok(cpi_config_finish(config, &err));
    ck_assert_str_eq(config->redis_address.password_file, "redis");
    assert_ok(cp_config_set(config, "redis_password_file", "", &err));
    assert_refused(cpi_config_finish(config, &err), "redis: it has a user without a password");
}
END_TEST

START_TEST(a_password_of_a_file)
{
    char value[64];
    char file[] = "/tmp/cp-config.XXXXXX";
    int fd = mkstemp(file);
    ck_assert_int_eq(write(fd, "hunter2\n", 8), 8);
    close(fd);
    assert_ok(cp_config_password(config, "postgres_password_file", value, sizeof value, &err));
    ck_assert_str_eq(value, "");
    assert_ok(cp_config_set(config, "postgres_password_file", file, &err));
    assert_ok(cp_config_password(config, "postgres_password_file", value, sizeof value, &err));
    ck_assert_str_eq(value, "hunter2");
    ck_assert_int_eq(cp_config_password(config, "postgres_password_file", value, 7, &err), CP_ERR_ARGUMENT);
    ck_assert_ptr_null(strstr(err.message, "hunter2"));
    ck_assert_int_eq(cp_config_password(config, "postgres", value, sizeof value, &err), CP_ERR_ARGUMENT);
    unlink(file);
    ck_assert_int_eq(cp_config_password(config, "postgres_password_file", value, sizeof value, &err), CP_ERR_CONFIG);
}
END_TEST

static const char *const differences[] = {
    "{\"entities\": [%s\"name\": \"b\"}]}",
    "{\"entities\": [%s\"name\": \"a\", \"ttl_s\": 3}]}",
    "{\"entities\": [%s\"name\": \"a\", \"warmup_procedure\": \"p\"}]}",
    "{\"entities\": [%s\"name\": \"a\", \"id_type\": \"uuid\"}]}",
    "{\"entities\": [%s\"name\": \"a\", \"watch\": [{\"table\": \"t\", \"column\": \"c\"}]}]}",
    /* In brackets, for clang: the two are one. */
    ("{\"entities\": [%s\"name\": \"a\"}, {\"name\": \"c\", \"key\": \"c:{id}\", \"channels\": [\"c\"], "
     "\"fetch\": \"f\", \"list\": \"select 1\"}]}"),
};

/* A file of one entity, or what is another one. */
static void read_entity(cp_config *into, const char *format)
{
    char json[512];
    char text[512];
    const char *members =
        "{\"key\": \"{prefix}:{id}\", \"channels\": [\"x\"], \"fetch\": \"f\", \"list\": \"select 1\", ";
    const char *at = strstr(format, "%s");
    snprintf(json, sizeof json, "%.*s%s%s", (int)(at - format), format, members, at + 2);
    snprintf(text, sizeof text, "%s", json);
    assert_ok(cp_config_parse(into, text, "test.json", &err));
}

START_TEST(entities_are_compared)
{
    cp_config *other = cp_config_create(&err);
    ck_assert(cp_config_same(config, other, "entities"));
    read_entity(config, "{\"entities\": [%s\"name\": \"a\"}]}");
    ck_assert(!cp_config_same(config, other, "entities"));
    read_entity(other, "{\"entities\": [%s\"name\": \"a\"}]}");
    ck_assert(cp_config_same(config, other, "entities"));
    read_entity(other, differences[_i]);
    ck_assert(!cp_config_same(config, other, "entities"));
    cp_config_destroy(other);
}
END_TEST

START_TEST(settings_are_compared)
{
    cp_config *other = cp_config_create(&err);
    for (size_t i = 0; i < cp_setting_count() && !cp_setting_describe(i)->of_entity; i++) {
        ck_assert(cp_config_same(config, other, cp_setting_describe(i)->name));
    }
    assert_ok(cp_config_set(other, "threads", "5", &err));
    assert_ok(cp_config_set(other, "postgres", "host=elsewhere", &err));
    assert_ok(cp_config_set(other, "log_level", "debug", &err));
    ck_assert(!cp_config_same(config, other, "threads"));
    ck_assert(!cp_config_same(config, other, "postgres"));
    ck_assert(!cp_config_same(config, other, "log_level"));
    ck_assert(!cp_config_same(config, other, "no such setting"));
    cp_config_destroy(other);
}
END_TEST

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_add_test(tcase, defaults_are_the_customer_example);
    tcase_add_test(tcase, every_setting_can_be_set);
    tcase_add_loop_test(tcase, refuses_a_wrong_setting, 0, LENGTH(refused_settings));
    tcase_add_test(tcase, refuses_no_value);
    tcase_add_test(tcase, shows_no_more_of_a_value_than_fits);
    tcase_add_test(tcase, nothing_may_be_destroyed);
    tcase_add_loop_test(tcase, refuses_a_wrong_file, 0, LENGTH(refused_files));
    tcase_add_test(tcase, entities_have_a_bound);
    tcase_add_test(tcase, a_file_that_fails_at_its_end_changes_nothing);
    tcase_add_test(tcase, a_file_leaves_what_it_does_not_name);
    tcase_add_test(tcase, entities_of_a_file_replace_those_before);
    tcase_add_test(tcase, optional_members_have_defaults);
    tcase_add_loop_test(tcase, function_names_are_identifiers_and_nothing_else, 0, LENGTH(function_names));
    tcase_add_test(tcase, audit_may_be_a_group);
    tcase_add_test(tcase, loads_a_file);
    tcase_add_test(tcase, names_the_file_that_is_wrong);
    tcase_add_test(tcase, the_example_parses);
    tcase_add_loop_test(tcase, checks_the_whole, 0, LENGTH(wholes));
    tcase_add_test(tcase, passwords_are_in_one_place);
    tcase_add_test(tcase, a_password_of_a_file);
    tcase_add_loop_test(tcase, entities_are_compared, 0, LENGTH(differences));
    tcase_add_test(tcase, settings_are_compared);
    tcase_add_test(tcase, keys_follow_a_later_prefix);
    tcase_add_test(tcase, checks_what_was_written_past_the_settings);
    suite_add_tcase(suite, tcase);
    return suite;
}
