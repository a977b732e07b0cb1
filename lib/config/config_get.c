#include "config/config_internal.h"

#include "base/abi.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

cp_code cp_config_watch(const cp_config *config, size_t index, cp_watch *watch, cp_error *err)
{
    cp_code code = cpi_need(config, "cp_config_watch", "config", err);
    code = code == CP_OK ? cpi_abi_check(watch, "cp_watch", err) : code;
    if (code != CP_OK) {
        return code;
    }
    for (size_t e = 0; e < config->entity_count; e++) {
        const struct cpi_entity *entity = &config->entities[e];
        if (index >= entity->watch_count) {
            index -= entity->watch_count;
            continue;
        }
        const struct cpi_watch *of = &entity->watch[index];
        bool own = of->channels.count > 0;
        const struct cp_watch found = {.size = sizeof found,
                                       .entity = entity->name,
                                       .id_type = cpi_id_type_name(entity->id_type),
                                       .channels = (const char *const *)(own ? of->channels.items : entity->channels),
                                       .channel_count = own ? of->channels.count : entity->channel_count,
                                       .table = of->table,
                                       .column = of->columns.items[0],
                                       .columns = (const char *const *)of->columns.items,
                                       .column_count = of->columns.count,
                                       .maps = of->maps,
                                       .has_reads = of->has_reads,
                                       .reads = (const char *const *)of->reads.items,
                                       .reads_count = of->reads.count};
        cpi_abi_write(watch, &found, sizeof found);
        return CP_OK;
    }
    return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_config_watch: there are not so many tables");
}

cp_code cp_config_declaration(const cp_config *config, size_t index, cp_declaration *declaration, cp_error *err)
{
    cp_code code = cpi_need(config, "cp_config_declaration", "config", err);
    code = code == CP_OK ? cpi_abi_check(declaration, "cp_declaration", err) : code;
    if (code != CP_OK) {
        return code;
    }
    for (size_t e = 0; e < config->entity_count; e++) {
        const struct cpi_entity *entity = &config->entities[e];
        if (entity->document == NULL || index-- > 0) {
            continue;
        }
        const struct cp_declaration found = {.size = sizeof found,
                                             .entity = entity->name,
                                             .index = e,
                                             .key = entity->declared_key,
                                             .document = entity->document,
                                             .digest = entity->digest};
        cpi_abi_write(declaration, &found, sizeof found);
        return CP_OK;
    }
    return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_config_declaration: there are not so many declarations");
}

/* A setting as it stands. Strings are returned themselves, others are written into buffer. */
static const char *print_setting(const struct cp_config *config, const struct cpi_setting *setting, char buffer[32])
{
    const char *member = (const char *)config + setting->offset;
    switch (setting->kind) {
    case CPI_SETTING_POSTGRES:
        return config->postgres;
    case CPI_SETTING_REDIS:
        return config->redis;
    case CPI_SETTING_PREFIX:
        return config->prefix;
    case CPI_SETTING_STRING:
        return *(char *const *)(const void *)member;
    case CPI_SETTING_CHOICE:
        return setting->words[*(const unsigned *)(const void *)member];
    case CPI_SETTING_FLAG:
        return *(const bool *)member ? "true" : "false";
    case CPI_SETTING_COUNT:
        snprintf(buffer, 32, "%u", *(const unsigned *)(const void *)member);
        break;
    case CPI_SETTING_TIME:
        snprintf(buffer, 32, "%d", *(const int *)(const void *)member);
        break;
    }
    return buffer;
}

cp_code cp_config_get(const cp_config *config, const char *name, char *value, size_t size, cp_error *err)
{
    cp_code code = cpi_need(config, "cp_config_get", "config", err);
    code = code == CP_OK ? cpi_need(name, "cp_config_get", "name", err) : code;
    code = code == CP_OK ? cpi_need(value, "cp_config_get", "value", err) : code;
    if (code != CP_OK) {
        return code;
    }
    const struct cpi_setting *setting = cpi_setting_find(name);
    char buffer[32];
    char slot[CPI_SLOT_BYTES];
    if (setting == NULL) {
        return cpi_error(err, CP_ERR_CONFIG, false, "unknown setting \"%.*s\"", cpi_shown(name), name);
    }
    const char *text = print_setting(config, setting, buffer);
    if (strcmp(name, "name") == 0) {
        text = cpi_config_name(config);
    } else if (strcmp(name, "source_slot") == 0) {
        cpi_config_slot(config, slot);
        text = slot;
    } else if (strcmp(name, "source_publication") == 0) {
        cpi_config_publication(config, slot);
        text = slot;
    }
    size_t length = strlen(text);
    if (length >= size) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_config_get: %s has %zu bytes, more than the buffer", name,
                         length);
    }
    memcpy(value, text, length + 1);
    return CP_OK;
}

/* ---- comparing ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_watch(const struct cpi_watch *a, const struct cpi_watch *b)
{
    return same_text(a->table, b->table) && same_text(a->maps, b->maps) && a->has_reads == b->has_reads &&
           cpi_names_same(&a->columns, &b->columns) && cpi_names_same(&a->reads, &b->reads) &&
           cpi_names_same(&a->channels, &b->channels);
}

static bool same_entity(const struct cpi_entity *a, const struct cpi_entity *b)
{
    bool same = same_text(a->name, b->name) && same_text(a->key_template, b->key_template) &&
                a->id_type == b->id_type && a->channel_count == b->channel_count && a->watch_count == b->watch_count &&
                same_text(a->fetch, b->fetch) && a->fetch_many == b->fetch_many && same_text(a->list, b->list) &&
                same_text(a->warmup_procedure, b->warmup_procedure) && same_text(a->document, b->document) &&
                a->ttl_s == b->ttl_s;
    for (size_t i = 0; same && i < a->channel_count; i++) {
        same = same_text(a->channels[i], b->channels[i]);
    }
    for (size_t i = 0; same && i < a->watch_count; i++) {
        same = same_watch(&a->watch[i], &b->watch[i]);
    }
    return same;
}

bool cp_config_same(const cp_config *config, const cp_config *other, const char *name)
{
    if (config == NULL || other == NULL || name == NULL) {
        return false;
    }
    const struct cpi_setting *setting = cpi_setting_find(name);
    char buffers[2][32];
    if (setting != NULL) {
        return same_text(print_setting(config, setting, buffers[0]), print_setting(other, setting, buffers[1]));
    }
    bool same = strcmp(name, "entities") == 0 && config->entity_count == other->entity_count;
    for (size_t e = 0; same && e < config->entity_count; e++) {
        same = same_entity(&config->entities[e], &other->entities[e]);
    }
    return same;
}

cp_code cp_config_password(const cp_config *config, const char *name, char *value, size_t size, cp_error *err)
{
    cp_code code = cpi_need(config, "cp_config_password", "config", err);
    code = code == CP_OK ? cpi_need(name, "cp_config_password", "name", err) : code;
    code = code == CP_OK ? cpi_need(value, "cp_config_password", "value", err) : code;
    if (code != CP_OK) {
        return code;
    }
    char password[CPI_SECRET_BYTES] = "";
    const char *path = strcmp(name, "postgres_password_file") == 0 ? config->postgres_password_file
                       : strcmp(name, "redis_password_file") == 0  ? config->redis_password_file
                                                                   : NULL;
    if (path == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_config_password: \"%.*s\" is no setting that names a file",
                         cpi_shown(name), name);
    }
    code = *path != '\0' ? cpi_secret_read(name, path, password, NULL, err) : CP_OK;
    if (code == CP_OK && strlen(password) >= size) {
        code = cpi_error(err, CP_ERR_ARGUMENT, false, "cp_config_password: the buffer is too small");
    }
    if (code == CP_OK) {
        memcpy(value, password, strlen(password) + 1);
    }
    cpi_secret_wipe(password);
    return code;
}
