#include "config/config.h"

#include "config/config_internal.h"
#include "base/error.h"
#include "base/utf8.h"
#include "postgres/conninfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What cannot be told from a name that Postgres would cut off, or refuse. */
static cp_code check_source(const struct cp_config *config, cp_error *err)
{
    if (strspn(config->source_slot, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(config->source_slot) ||
        strlen(config->source_slot) >= CPI_SLOT_BYTES) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "source_slot: \"%.*s\" is not 1 to %d characters of a-z, 0-9 and _, as Postgres takes them",
                         cpi_shown(config->source_slot), config->source_slot, CPI_SLOT_BYTES - 1);
    }
    if (strlen(config->source_publication) >= CPI_SLOT_BYTES) {
        return cpi_error(err, CP_ERR_CONFIG, false, "source_publication: longer than the %d bytes that Postgres keeps",
                         CPI_SLOT_BYTES - 1);
    }
    bool needs_tables = config->source == CPI_SOURCE_WAL && config->source_announce == CPI_ANNOUNCE_TABLES;
    for (size_t i = 0; i < config->entity_count && needs_tables; i++) {
        if (config->entities[i].watch_count == 0) {
            return cpi_error(
                err, CP_ERR_CONFIG, false,
                "entities[%zu].watch: the wal source needs to know the tables that documents of \"%s\" are "
                "made of",
                i, config->entities[i].name);
        }
    }
    return CP_OK;
}

/* One password for each server, and a user of Redis has one. */
static cp_code check_passwords(struct cp_config *config, cp_error *err)
{
    struct cpi_redis_address *address = &config->redis_address;
    address->password_file = config->redis_password_file[0] != '\0' ? config->redis_password_file : NULL;
    if (address->password != NULL && address->password_file != NULL) {
        return cpi_error(err, CP_ERR_CONFIG, false, "redis_password_file: redis has a password already");
    }
    if (address->user != NULL && address->password == NULL && address->password_file == NULL) {
        return cpi_error(err, CP_ERR_CONFIG, false,
                         "redis: it has a user without a password, and there is no redis_password_file");
    }
    if (config->postgres_password_file[0] != '\0' && cpi_conninfo_has_password(config->postgres)) {
        return cpi_error(err, CP_ERR_CONFIG, false, "postgres_password_file: postgres has a password already");
    }
    return CP_OK;
}

/* A follower writes nothing, compares nothing, and reads no slot, which has one reader. */
static cp_code check_role(const struct cp_config *config, cp_error *err)
{
    const char *with = config->source == CPI_SOURCE_WAL     ? "source wal: a slot has one reader"
                       : config->warmup == CPI_WARMUP_TOUCH ? "warmup touch: it writes to Postgres"
                       : config->flush                      ? "flush: there is no Redis"
                       : config->audit_per_second > 0       ? "audit_per_second: there is no Redis"
                                                            : NULL;
    return config->role == CPI_ROLE_FOLLOW && with != NULL
               ? cpi_error(err, CP_ERR_CONFIG, false, "role: follow does not go with %s", with)
               : CP_OK;
}

cp_code cpi_config_finish(struct cp_config *config, cp_error *err)
{
    cp_code code = cpi_conninfo_check(config->postgres, err);
    code = code == CP_OK ? check_passwords(config, err) : code;
    code = code == CP_OK ? check_source(config, err) : code;
    code = code == CP_OK ? check_role(config, err) : code;
    bool prefix_used = false;
    for (size_t i = 0; i < config->entity_count && code == CP_OK; i++) {
        if (config->entities[i].document != NULL && !config->entities[i].is_resolved) {
            return cpi_error(
                err, CP_ERR_CONFIG, false,
                "entities[%zu].document: \"%s\" is declared, and nothing has looked up what setup has made "
                "of it: call cp_config_resolve() before cp_syncer_create()",
                i, config->entities[i].name);
        }
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

void cpi_config_marker_key(const struct cp_config *config, char key[CPI_MARKER_KEY_BYTES])
{
    union cpi_id name = {.text = (char *)(uintptr_t)cpi_config_name(config)};
    uint64_t hash = cpi_id_hash(CPI_ID_TEXT, &name, 2);
    for (size_t e = 0; e < config->entity_count; e++) {
        const struct cpi_key *template = &config->entities[e].key;
        union cpi_id before = {.text = template->before};
        union cpi_id after = {.text = template->after};
        hash = hash * 31 + cpi_id_hash(CPI_ID_TEXT, &before, 0);
        hash = hash * 31 + cpi_id_hash(CPI_ID_TEXT, &after, 1);
    }
    snprintf(key, CPI_MARKER_KEY_BYTES, "%s%016llx", CPI_MARKER_PREFIX, (unsigned long long)hash);
}

const char *cpi_config_name(const struct cp_config *config)
{
    return config->name[0] != '\0' ? config->name : config->prefix;
}

/* Postgres takes a-z, 0-9 and _. What does not fit, or would be spelt like another name, ends with a checksum. */
void cpi_config_slot(const struct cp_config *config, char slot[CPI_SLOT_BYTES])
{
    if (config->source_slot[0] != '\0') {
        snprintf(slot, CPI_SLOT_BYTES, "%s", config->source_slot);
        return;
    }
    const char *name = cpi_config_name(config);
    union cpi_id id = {.text = (char *)(uintptr_t)name};
    int length = snprintf(slot, CPI_SLOT_BYTES, "cachepusher_%.40s", name);
    bool is_exact = strlen(name) <= 40;
    for (char *at = slot; *at != '\0'; at++) {
        bool fits = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
        *at = (char)(fits ? *at : *at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : '_');
        is_exact = is_exact && fits;
    }
    if (!is_exact) {
        snprintf(slot + length, CPI_SLOT_BYTES - (size_t)length, "_%08x",
                 (unsigned)(cpi_id_hash(CPI_ID_TEXT, &id, 3) & UINT32_MAX));
    }
}

void cpi_config_publication(const struct cp_config *config, char publication[CPI_SLOT_BYTES])
{
    if (config->source_publication[0] != '\0') {
        snprintf(publication, CPI_SLOT_BYTES, "%s", config->source_publication);
    } else {
        cpi_config_slot(config, publication);
    }
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
    for (size_t i = 0; i < entity->watch_count; i++) {
        cpi_watch_fini(&entity->watch[i]);
    }
    free(entity->watch);
    free(entity->name);
    free(entity->key_template);
    free(entity->fetch);
    free(entity->list);
    free(entity->warmup_procedure);
    free(entity->document);
    free(entity->declared_key);
    cpi_key_fini(&entity->key);
    *entity = (struct cpi_entity){0};
}

void cpi_config_fini(struct cp_config *config)
{
    for (size_t i = 0; i < config->entity_count + config->mapping_count; i++) {
        cpi_entity_fini(&config->entities[i]);
    }
    free(config->entities);
    free(config->postgres);
    free(config->redis);
    free(config->prefix);
    free(config->name);
    free(config->source_slot);
    free(config->source_publication);
    free(config->postgres_password_file);
    free(config->redis_password_file);
    cpi_redis_address_fini(&config->redis_address);
    *config = (struct cp_config){0};
}

cp_code cpi_config_check_change(const struct cp_config *config, const char *function, cp_error *err)
{
    cp_code code = cpi_need(config, function, "config", err);
    return code == CP_OK && config->is_owned
               ? cpi_error(err, CP_ERR_ARGUMENT, false, "%s: config belongs to a syncer by now", function)
               : code;
}

cp_code cp_config_set(cp_config *config, const char *name, const char *value, cp_error *err)
{
    cp_code code = cpi_config_check_change(config, "cp_config_set", err);
    code = code == CP_OK ? cpi_need(name, "cp_config_set", "name", err) : code;
    code = code == CP_OK ? cpi_need(value, "cp_config_set", "value", err) : code;
    if (code != CP_OK) {
        return code;
    }
    const struct cpi_setting *setting = cpi_setting_find(name);
    if (setting == NULL) {
        char expected[CPI_EXPECTED_BYTES];
        cpi_setting_expected(name, "", expected, sizeof expected);
        return cpi_error(err, CP_ERR_CONFIG, false, "unknown setting \"%.*s\"; %s", cpi_shown(name), name, expected);
    }
    return cpi_setting_set(config, setting, value, err);
}

void cp_config_destroy(cp_config *config)
{
    if (config == NULL || config->is_owned) {
        return;
    }
    cpi_config_fini(config);
    free(config);
}
