#include "config/config.h"

#include "config/config_internal.h"
#include "base/error.h"
#include "base/utf8.h"
#include "postgres/conninfo.h"
#include "redis/redis_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_BYTES = 256 };

#define AT(member) offsetof(struct cp_config, member)

static const struct cpi_setting settings[] = {
    {"postgres", CPI_SETTING_POSTGRES, 0, 0, 0, ""},
    {"redis", CPI_SETTING_REDIS, 0, 0, 0, "127.0.0.1:6379"},
    {"prefix", CPI_SETTING_PREFIX, 0, 0, 0, "customer"},
    {"name", CPI_SETTING_STRING, AT(name), 0, 0, ""},
    {"standby", CPI_SETTING_FLAG, AT(standby), 0, 0, "true"},
    {"threads", CPI_SETTING_COUNT, AT(threads), 1, 64, "4"},
    {"warmup", CPI_SETTING_WARMUP, 0, 0, 0, "scan"},
    {"flush", CPI_SETTING_FLAG, AT(flush), 0, 0, "false"},
    {"batch", CPI_SETTING_COUNT, AT(batch), 1, 10000, "256"},
    {"max_pending", CPI_SETTING_COUNT, AT(max_pending), 1000, 100000000, "1000000"},
    {"connect_timeout_ms", CPI_SETTING_TIME, AT(connect_timeout_ms), 100, 600000, "5000"},
    {"fetch_timeout_ms", CPI_SETTING_TIME, AT(fetch_timeout_ms), 100, 86400000, "30000"},
    {"redis_timeout_ms", CPI_SETTING_TIME, AT(redis_timeout_ms), 100, 600000, "5000"},
    {"audit_per_second", CPI_SETTING_COUNT, AT(audit_per_second), 0, 100000, "0"},
};

static const size_t setting_count = sizeof settings / sizeof *settings;

static const char *const warmup_names[] = {
    [CPI_WARMUP_SCAN] = "scan",
    [CPI_WARMUP_TOUCH] = "touch",
    [CPI_WARMUP_NONE] = "none",
};

/* ---- one setting ---- */

static cp_code reject(const struct cpi_setting *setting, const char *value, const char *expected, cp_error *err)
{
    return cpi_error(err, CP_ERR_CONFIG, false, "%s: \"%.*s\" is not %s", setting->name, cpi_shown(value), value,
                     expected);
}

static cp_code replace_string(char **string, const char *value, cp_error *err)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return cpi_error_memory(err);
    }
    free(*string);
    *string = copy;
    return CP_OK;
}

static cp_code set_postgres(struct cp_config *config, const char *value, cp_error *err)
{
    cp_code code = cpi_conninfo_check(value, err);
    return code == CP_OK ? replace_string(&config->postgres, value, err) : code;
}

static cp_code set_redis(struct cp_config *config, const char *value, cp_error *err)
{
    struct cpi_redis_address address;
    cp_error inner;
    cp_code code = cpi_redis_address_parse(&address, value, &inner);
    if (code == CP_ERR_CONFIG) {
        return cpi_error(err, code, inner.retriable, "redis: %s", inner.message);
    }
    if (code != CP_OK) {
        return cpi_error_memory(err);
    }
    code = replace_string(&config->redis, value, err);
    if (code != CP_OK) {
        cpi_redis_address_fini(&address);
        return code;
    }
    cpi_redis_address_fini(&config->redis_address);
    config->redis_address = address;
    return CP_OK;
}

static cp_code set_prefix(struct cp_config *config, const char *value, cp_error *err)
{
    if (*value == '\0') {
        return cpi_error(err, CP_ERR_CONFIG, false, "prefix: must not be empty");
    }
    cp_code code = replace_string(&config->prefix, value, err);
    if (code == CP_OK) {
        config->prefix_set = true;
    }
    return code;
}

static cp_code set_warmup(struct cp_config *config, const struct cpi_setting *setting, const char *value, cp_error *err)
{
    for (size_t i = 0; i < sizeof warmup_names / sizeof *warmup_names; i++) {
        if (strcmp(value, warmup_names[i]) == 0) {
            config->warmup = (enum cpi_warmup)i;
            return CP_OK;
        }
    }
    return reject(setting, value, "scan, touch or none", err);
}

static cp_code set_flag(bool *flag, const struct cpi_setting *setting, const char *value, cp_error *err)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        return reject(setting, value, "true or false", err);
    }
    *flag = *value == 't';
    return CP_OK;
}

static cp_code parse_number(const struct cpi_setting *setting, const char *value, int *number, cp_error *err)
{
    union cpi_id parsed;
    bool out_of_memory;
    if (!cpi_id_parse(CPI_ID_INTEGER, value, strlen(value), &parsed, &out_of_memory) || parsed.number < setting->min ||
        parsed.number > setting->max) {
        char expected[64];
        snprintf(expected, sizeof expected, "a number from %d to %d", setting->min, setting->max);
        return reject(setting, value, expected, err);
    }
    *number = (int)parsed.number;
    return CP_OK;
}

const struct cpi_setting *cpi_setting_find(const char *name)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(name, settings[i].name) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

cp_code cpi_setting_set(struct cp_config *config, const struct cpi_setting *setting, const char *value, cp_error *err)
{
    /* A password may be in any encoding; everything else is shown or becomes part of a key. */
    if (setting->kind != CPI_SETTING_POSTGRES && !cpi_utf8_valid(value, strlen(value))) {
        return cpi_error(err, CP_ERR_CONFIG, false, "%s: not valid UTF-8", setting->name);
    }
    char *member = (char *)config + setting->offset;
    int number = 0;
    cp_code code = CP_OK;
    switch (setting->kind) {
    case CPI_SETTING_POSTGRES:
        return set_postgres(config, value, err);
    case CPI_SETTING_REDIS:
        return set_redis(config, value, err);
    case CPI_SETTING_PREFIX:
        return set_prefix(config, value, err);
    case CPI_SETTING_WARMUP:
        return set_warmup(config, setting, value, err);
    case CPI_SETTING_STRING:
        return replace_string((char **)(void *)member, value, err);
    case CPI_SETTING_FLAG:
        return set_flag((bool *)member, setting, value, err);
    case CPI_SETTING_COUNT:
        code = parse_number(setting, value, &number, err);
        if (code == CP_OK) {
            *(unsigned *)(void *)member = (unsigned)number;
        }
        break;
    case CPI_SETTING_TIME:
        code = parse_number(setting, value, &number, err);
        if (code == CP_OK) {
            *(int *)(void *)member = number;
        }
        break;
    }
    return code;
}

void cpi_list_append(char *buffer, size_t size, const char *name)
{
    size_t length = strlen(buffer);
    snprintf(buffer + length, size - length, "%s%s", length == 0 ? "" : ", ", name);
}

void cpi_setting_names(char *buffer, size_t size)
{
    buffer[0] = '\0';
    for (size_t i = 0; i < setting_count; i++) {
        cpi_list_append(buffer, size, settings[i].name);
    }
}

/* ---- the configuration as a whole ---- */

/* Makes entities[index].key and adds to *prefix_used whether it takes the prefix. */
static cp_code make_key(struct cp_config *config, size_t index, bool *prefix_used, cp_error *err)
{
    struct cpi_entity *entity = &config->entities[index];
    cp_error inner;
    bool uses_prefix = false;
    cpi_key_fini(&entity->key);
    cp_code code = cpi_key_init(&entity->key, entity->key_template, config->prefix, &uses_prefix, &inner);
    if (code == CP_ERR_CONFIG) {
        return cpi_error(err, code, false, "entities[%zu].key: \"%.*s\": %s", index, cpi_shown(entity->key_template),
                         entity->key_template, inner.message);
    }
    if (code != CP_OK) {
        return cpi_error_memory(err);
    }
    *prefix_used = *prefix_used || uses_prefix;
    return CP_OK;
}

/* A sweep would take the marker for a document without a row. */
static cp_code check_marker(const struct cp_config *config, size_t index, cp_error *err)
{
    const struct cpi_entity *entity = &config->entities[index];
    size_t length = cpi_id_is_text(entity->id_type) ? strnlen(entity->key.before, strlen(CPI_MARKER_PREFIX))
                                                    : strlen(CPI_MARKER_PREFIX);
    if (strncmp(entity->key.before, CPI_MARKER_PREFIX, length) != 0) {
        return CP_OK;
    }
    return cpi_error(err, CP_ERR_CONFIG, false,
                     "entities[%zu].key: \"%.*s\" can name keys that begin with \"" CPI_MARKER_PREFIX
                     "\", which are cachepusher's own",
                     index, cpi_shown(entity->key_template), entity->key_template);
}

/* Compares entities[index] with those before it. */
static cp_code check_distinct(const struct cp_config *config, size_t index, cp_error *err)
{
    const struct cpi_entity *entity = &config->entities[index];
    for (size_t i = 0; i < index; i++) {
        const struct cpi_entity *other = &config->entities[i];
        if (strcmp(other->name, entity->name) == 0) {
            return cpi_error(err, CP_ERR_CONFIG, false, "entities[%zu].name: \"%s\" is the name of entities[%zu]",
                             index, entity->name, i);
        }
        if (cpi_key_overlap(&other->key, other->id_type, &entity->key, entity->id_type)) {
            return cpi_error(err, CP_ERR_CONFIG, false,
                             "entities[%zu].key: \"%.*s\" and \"%.*s\" (entities \"%s\" and "
                             "\"%s\") can name one "
                             "Redis key; each would overwrite and remove documents of the other",
                             index, cpi_shown(other->key_template), other->key_template,
                             cpi_shown(entity->key_template), entity->key_template, other->name, entity->name);
        }
    }
    return CP_OK;
}

cp_code cpi_config_finish(struct cp_config *config, cp_error *err)
{
    cp_code code = cpi_conninfo_check(config->postgres, err);
    bool prefix_used = false;
    for (size_t i = 0; i < config->entity_count && code == CP_OK; i++) {
        if (config->warmup == CPI_WARMUP_TOUCH && config->entities[i].warmup_procedure == NULL) {
            return cpi_error(err, CP_ERR_CONFIG, false,
                             "warmup: touch needs a warmup_procedure, and entities[%zu] (\"%s\") has none", i,
                             config->entities[i].name);
        }
        code = make_key(config, i, &prefix_used, err);
        if (code == CP_OK) {
            code = check_marker(config, i, err);
        }
        if (code == CP_OK) {
            code = check_distinct(config, i, err);
        }
    }
    if (code == CP_OK && config->prefix_set && !prefix_used) {
        return cpi_error(err, CP_ERR_CONFIG, false, "prefix: no entity's key uses {prefix}");
    }
    return code;
}

const char *cpi_config_name(const struct cp_config *config)
{
    return config->name[0] != '\0' ? config->name : config->prefix;
}

const struct cpi_entity *cpi_config_entity(const struct cp_config *config, const char *name)
{
    for (size_t i = 0; i < config->entity_count; i++) {
        if (strcmp(name, config->entities[i].name) == 0) {
            return &config->entities[i];
        }
    }
    return NULL;
}

void cpi_entity_fini(struct cpi_entity *entity)
{
    for (size_t i = 0; i < entity->channel_count; i++) {
        free(entity->channels[i]);
    }
    free(entity->channels);
    free(entity->name);
    free(entity->key_template);
    free(entity->fetch);
    free(entity->list);
    free(entity->warmup_procedure);
    cpi_key_fini(&entity->key);
    *entity = (struct cpi_entity){0};
}

void cpi_config_fini(struct cp_config *config)
{
    for (size_t i = 0; i < config->entity_count; i++) {
        cpi_entity_fini(&config->entities[i]);
    }
    free(config->entities);
    free(config->postgres);
    free(config->redis);
    free(config->prefix);
    free(config->name);
    cpi_redis_address_fini(&config->redis_address);
    *config = (struct cp_config){0};
}

cp_code cpi_settings_reset(struct cp_config *config, cp_error *err)
{
    cp_code code = CP_OK;
    for (size_t i = 0; i < setting_count && code == CP_OK; i++) {
        code = cpi_setting_set(config, &settings[i], settings[i].initial, err);
    }
    config->prefix_set = false;
    return code;
}

cp_code cp_config_set(cp_config *config, const char *name, const char *value, cp_error *err)
{
    const struct cpi_setting *setting = cpi_setting_find(name);
    if (setting == NULL) {
        char names[NAMES_BYTES];
        cpi_setting_names(names, sizeof names);
        return cpi_error(err, CP_ERR_CONFIG, false, "unknown setting \"%.*s\"; expected one of: %s", cpi_shown(name),
                         name, names);
    }
    if (value == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "%s: no value given (NULL)", name);
    }
    return cpi_setting_set(config, setting, value, err);
}

void cp_config_destroy(cp_config *config)
{
    if (config == NULL) {
        return;
    }
    cpi_config_fini(config);
    free(config);
}
