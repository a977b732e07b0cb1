#include "config/config_internal.h"

#include "base/error.h"
#include "redis/redis_address.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1024 * 1024, NAMES_BYTES = 512 };

static cp_code read_setting(struct cpi_reader *reader, const json_t *value, const struct cpi_setting *setting,
                            struct cp_config *draft)
{
    char number[CPI_ID_NUMBER_BYTES];
    const char *text = number;
    switch (setting->kind) {
    case CPI_SETTING_COUNT:
    case CPI_SETTING_TIME:
        if (!json_is_integer(value)) {
            return cpi_reader_reject_type(reader, value, "a whole number");
        }
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        break;
    case CPI_SETTING_FLAG:
        if (!json_is_boolean(value)) {
            return cpi_reader_reject_type(reader, value, "a boolean");
        }
        text = json_is_true(value) ? "true" : "false";
        break;
    case CPI_SETTING_POSTGRES:
    case CPI_SETTING_REDIS:
    case CPI_SETTING_PREFIX:
    case CPI_SETTING_CHOICE:
    case CPI_SETTING_STRING:
        if (!json_is_string(value)) {
            return cpi_reader_reject_type(reader, value, "a string");
        }
        text = json_string_value(value);
        break;
    }

    cp_error inner;
    cp_code code = cpi_setting_set(draft, setting, text, &inner);
    if (code == CP_ERR_CONFIG) {
        return cpi_error(reader->err, code, inner.retriable, "%s: %s", reader->file, inner.message);
    }
    return code == CP_OK ? CP_OK : cpi_error_memory(reader->err);
}

/* "audit": {"per_second": 100} means "audit_per_second": 100, likewise "source": {"slot": "s"}; the group's own setting
 * is its "type". */
static cp_code read_group(struct cpi_reader *reader, const char *group, json_t *object, struct cp_config *draft)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        char full_name[64];
        if (cpi_is_comment(name)) {
            continue;
        }
        snprintf(reader->path, sizeof reader->path, "%s.%.*s", group, cpi_shown(name), name);
        snprintf(full_name, sizeof full_name, "%s%s%.40s", group, strcmp(name, "type") == 0 ? "" : "_",
                 strcmp(name, "type") == 0 ? "" : name);
        const struct cpi_setting *setting = cpi_setting_find(full_name);
        char names[NAMES_BYTES];
        cpi_setting_group_names(group, names, sizeof names);
        cp_code code = setting != NULL ? read_setting(reader, value, setting, draft)
                                       : cpi_reader_reject(reader, "unknown; expected %s", names);
        if (code != CP_OK) {
            return code;
        }
    }
    return CP_OK;
}

static bool is_group(const char *name, const json_t *value)
{
    return strcmp(name, "audit") == 0 || (strcmp(name, "source") == 0 && json_is_object(value));
}

static cp_code read_member_of_root(struct cpi_reader *reader, const char *name, json_t *value, struct cp_config *draft)
{
    const struct cpi_setting *setting = cpi_setting_find(name);
    if (is_group(name, value)) {
        return json_is_object(value) ? read_group(reader, name, value, draft)
                                     : cpi_reader_reject_type(reader, value, "an object");
    }
    if (setting != NULL) {
        return read_setting(reader, value, setting, draft);
    }
    if (strcmp(name, "entities") == 0) {
        return cpi_read_entities(reader, value, draft);
    }
    char expected[CPI_EXPECTED_BYTES];
    cpi_setting_expected(name, ", audit, entities", expected, sizeof expected);
    return cpi_reader_reject(reader, "unknown; %s", expected);
}

static cp_code read_root(struct cpi_reader *reader, json_t *root, struct cp_config *draft)
{
    if (!json_is_object(root)) {
        return cpi_reader_reject_type(reader, root, "an object");
    }
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (cpi_is_comment(name)) {
            continue;
        }
        snprintf(reader->path, sizeof reader->path, "%.*s", cpi_shown(name), name);
        cp_code code = read_member_of_root(reader, name, value, draft);
        if (code != CP_OK) {
            return code;
        }
    }
    return CP_OK;
}

/* ---- files ---- */

/* jansson quotes the text it fails at, which may be part of a password. Keep the message without the quote. */
static cp_code reject_syntax(const struct cpi_reader *reader, const json_error_t *error)
{
    const char *problem = error->text;
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return cpi_error_memory(reader->err);
    case json_error_duplicate_key:
        problem = "the same member again (comments, too, need different names: \"// 1\", \"// 2\")";
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        problem = "a NUL character";
        break;
    default:
        break;
    }
    /* It gives no reason if memory runs out while it builds values. */
    if (*problem == '\0') {
        return cpi_error_memory(reader->err);
    }
    const char *quote = strstr(problem, " near '");
    size_t length = quote != NULL ? (size_t)(quote - problem) : strlen(problem);
    return cpi_error(reader->err, CP_ERR_CONFIG, false, "%s:%d:%d: %.*s", reader->file, error->line, error->column,
                     (int)length, problem);
}

/* A copy of config, without its entities, to read a file into. So a failure half-way changes nothing. */
static cp_code draft_init(struct cp_config *draft, const struct cp_config *config, cp_error *err)
{
    *draft = *config;
    draft->entities = NULL;
    draft->entity_count = 0;
    draft->mapping_count = 0;
    draft->postgres = strdup(config->postgres);
    draft->redis = strdup(config->redis);
    draft->prefix = strdup(config->prefix);
    draft->name = strdup(config->name);
    draft->source_slot = strdup(config->source_slot);
    draft->source_publication = strdup(config->source_publication);
    draft->postgres_password_file = strdup(config->postgres_password_file);
    draft->redis_password_file = strdup(config->redis_password_file);
    cp_code code = cpi_redis_address_parse(&draft->redis_address, config->redis, err);
    if (draft->postgres == NULL || draft->redis == NULL || draft->prefix == NULL || draft->name == NULL ||
        draft->source_slot == NULL || draft->source_publication == NULL || draft->postgres_password_file == NULL ||
        draft->redis_password_file == NULL) {
        return cpi_error_memory(err);
    }
    return code;
}

/* Moves the draft into config. */
static void draft_commit(struct cp_config *draft, struct cp_config *config)
{
    if (draft->entities == NULL) {
        draft->entities = config->entities;
        draft->entity_count = config->entity_count;
        draft->mapping_count = config->mapping_count;
        config->entities = NULL;
        config->entity_count = 0;
        config->mapping_count = 0;
    }
    cpi_config_fini(config);
    *config = *draft;
    *draft = (struct cp_config){0};
}

static cp_code file_parse(struct cp_config *config, const char *json, size_t length, const char *name, cp_error *err)
{
    struct cpi_reader reader = {.file = name, .err = err};
    json_error_t error;
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return reject_syntax(&reader, &error);
    }

    struct cp_config draft;
    cp_code code = draft_init(&draft, config, err);
    if (code == CP_OK) {
        code = read_root(&reader, root, &draft);
    }
    if (code == CP_OK) {
        code = cpi_config_wire(&draft, err);
    }
    if (code == CP_OK) {
        draft_commit(&draft, config);
    }
    cpi_config_fini(&draft);
    json_decref(root);
    return code;
}

/* Reads at most `size` bytes of a file. */
static cp_code read_file(const char *path, char *buffer, size_t size, size_t *length, cp_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return cpi_error(err, CP_ERR_CONFIG, false, "%s: %s", path, strerror(errno));
    }
    *length = fread(buffer, 1, size, file);
    cp_code code = CP_OK;
    if (ferror(file)) {
        code = cpi_error(err, CP_ERR_CONFIG, false, "%s: %s", path, strerror(errno));
    }
    fclose(file);
    return code;
}

cp_code cp_config_load(cp_config *config, const char *path, cp_error *err)
{
    cp_code code = cpi_config_check_change(config, "cp_config_load", err);
    code = code == CP_OK ? cpi_need(path, "cp_config_load", "path", err) : code;
    if (code != CP_OK) {
        return code;
    }
    /* One byte more than allowed, to notice a file that is too large. */
    char *buffer = malloc(FILE_BYTES_MAX + 1);
    if (buffer == NULL) {
        return cpi_error_memory(err);
    }
    size_t length = 0;
    code = read_file(path, buffer, FILE_BYTES_MAX + 1, &length, err);
    if (code == CP_OK && length > FILE_BYTES_MAX) {
        code = cpi_error(err, CP_ERR_CONFIG, false, "%s: larger than a configuration may be (%d bytes)", path,
                         FILE_BYTES_MAX);
    }
    if (code == CP_OK) {
        code = file_parse(config, buffer, length, path, err);
    }
    free(buffer);
    return code;
}

cp_code cp_config_parse(cp_config *config, const char *json, const char *name, cp_error *err)
{
    cp_code code = cpi_config_check_change(config, "cp_config_parse", err);
    code = code == CP_OK ? cpi_need(json, "cp_config_parse", "json", err) : code;
    code = code == CP_OK ? cpi_need(name, "cp_config_parse", "name", err) : code;
    return code == CP_OK ? file_parse(config, json, strlen(json), name, err) : code;
}
