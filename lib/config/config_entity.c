#include "config/config_internal.h"

#include "base/error.h"
#include "base/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Postgres cuts longer identifiers, so a longer channel would not be the one the application notifies. */
enum { NAME_BYTES_MAX = 63 };

enum { NAMES_BYTES = 256 };

/* A hundred years. Redis refuses times that overflow when it adds the current time in milliseconds. */
#define TTL_MAX_S (INT64_C(100) * 366 * 86400)

/* Reads one member of an entity. */
typedef cp_code read_member(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity);

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static cp_code read_function(struct cpi_reader *reader, const json_t *value, char **function)
{
    cp_code code = cpi_read_string(reader, value, function);
    if (code == CP_OK && !cpi_is_sql_name(*function)) {
        return cpi_reader_reject(reader,
                                 "\"%.*s\" is not the name of a function (expected name, schema.name or "
                                 "\"Quoted Name\")",
                                 cpi_shown(*function), *function);
    }
    return code;
}

/* ---- members of an entity ---- */

static cp_code read_name(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    cp_code code = cpi_read_string(reader, value, &entity->name);
    if (code != CP_OK) {
        return code;
    }
    for (const char *at = entity->name; *at != '\0'; at++) {
        if ((!is_letter(*at) && !is_digit(*at) && *at != '_' && *at != '-') || at - entity->name >= NAME_BYTES_MAX) {
            return cpi_reader_reject(reader, "\"%.*s\" is not a name of 1 to %d characters of A-Z, a-z, 0-9, _ and -",
                                     cpi_shown(entity->name), entity->name, NAME_BYTES_MAX);
        }
    }
    return CP_OK;
}

/* The final prefix may be set later. But a template that is wrong is wrong with any prefix, and here the message can
 * name the file. */
static cp_code check_template(struct cpi_reader *reader, const struct cpi_entity *entity)
{
    struct cpi_key key;
    cp_error inner;
    cp_code code = cpi_key_init(&key, entity->key_template, "prefix", NULL, &inner);
    cpi_key_fini(&key);
    if (code == CP_ERR_CONFIG) {
        return cpi_reader_reject(reader, "\"%.*s\": %s", cpi_shown(entity->key_template), entity->key_template,
                                 inner.message);
    }
    return code == CP_OK ? CP_OK : cpi_error_memory(reader->err);
}

/* A declared one may name columns. Which kind it is, is known only later. */
static cp_code read_key(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    return cpi_read_string(reader, value, &entity->key_template);
}

static cp_code finish_key(struct cpi_reader *reader, struct cpi_entity *entity)
{
    if (entity->document != NULL) {
        char *plain = cpi_plain_template(entity->key_template);
        if (plain == NULL) {
            return cpi_error_memory(reader->err);
        }
        entity->declared_key = entity->key_template;
        entity->key_template = plain;
    }
    size_t path_length = strlen(reader->path);
    snprintf(reader->path + path_length, sizeof reader->path - path_length, ".key");
    cp_code code = check_template(reader, entity);
    if (code == CP_OK) {
        reader->path[path_length] = '\0';
    }
    return code;
}

static cp_code read_id_type(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    if (!json_is_string(value)) {
        return cpi_reader_reject_type(reader, value, "a string");
    }
    const char *name = json_string_value(value);
    if (!cpi_id_type_parse(name, &entity->id_type)) {
        return cpi_reader_reject(reader, "\"%.*s\" is not integer, bigint, uuid or text", cpi_shown(name), name);
    }
    return CP_OK;
}

static cp_code read_channel(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    char **channel = &entity->channels[entity->channel_count];
    cp_code code = cpi_read_string(reader, value, channel);
    if (code != CP_OK) {
        return code;
    }
    entity->channel_count++;
    if (strlen(*channel) > NAME_BYTES_MAX) {
        return cpi_reader_reject(reader, "\"%.*s\" has more than the %d bytes that Postgres keeps of a channel's name",
                                 cpi_shown(*channel), *channel, NAME_BYTES_MAX);
    }
    for (size_t i = 0; i + 1 < entity->channel_count; i++) {
        if (strcmp(entity->channels[i], *channel) == 0) {
            return cpi_reader_reject(reader, "\"%s\" is listed twice", *channel);
        }
    }
    return CP_OK;
}

static cp_code read_channels(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    if (!json_is_array(value)) {
        return cpi_reader_reject_type(reader, value, "an array of strings");
    }
    size_t count = json_array_size(value);
    if (count == 0) {
        return cpi_reader_reject(reader, "expected at least one channel");
    }
    entity->channels = calloc(count, sizeof *entity->channels);
    if (entity->channels == NULL) {
        return cpi_error_memory(reader->err);
    }
    size_t path_length = strlen(reader->path);
    for (size_t i = 0; i < count; i++) {
        snprintf(reader->path + path_length, sizeof reader->path - path_length, "[%zu]", i);
        cp_code code = read_channel(reader, json_array_get(value, i), entity);
        if (code != CP_OK) {
            return code;
        }
    }
    return CP_OK;
}

static cp_code read_fetch(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    if (entity->fetch != NULL) {
        return cpi_reader_reject(reader, "fetch and fetch_many exclude each other");
    }
    return read_function(reader, value, &entity->fetch);
}

static cp_code read_fetch_many(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    entity->fetch_many = true;
    return read_fetch(reader, value, entity);
}

static cp_code read_list(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    cp_code code = cpi_read_string(reader, value, &entity->list);
    if (code != CP_OK) {
        return code;
    }
    /* The query becomes part of a larger one, and a semicolon would end that too early. */
    size_t length = strlen(entity->list);
    while (length > 0 && strchr("; \t\r\n\f\v", entity->list[length - 1]) != NULL) {
        length--;
    }
    entity->list[length] = '\0';
    return length > 0 ? CP_OK : cpi_reader_reject(reader, "expected a query");
}

static cp_code read_warmup_procedure(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    return read_function(reader, value, &entity->warmup_procedure);
}

static cp_code read_ttl(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    if (!json_is_integer(value)) {
        return cpi_reader_reject_type(reader, value, "a whole number");
    }
    entity->ttl_s = json_integer_value(value);
    if (entity->ttl_s < 1 || entity->ttl_s > TTL_MAX_S) {
        return cpi_reader_reject(reader, "%lld is not a number from 1 to %lld", (long long)entity->ttl_s,
                                 (long long)TTL_MAX_S);
    }
    return CP_OK;
}

/* ---- the table of them ---- */

#define MEMBER(member_name, member_type, ...)                                                                          \
    .shown = {.size = sizeof(cp_setting),                                                                              \
              .name = (member_name),                                                                                   \
              .type = (member_type),                                                                                   \
                                                                                                                       \
              .of_entity = true,                                                                                       \
              __VA_ARGS__}

static const struct {
    read_member *read;
    cp_setting shown;
} members[] = {
    {read_name, MEMBER("name", CP_SETTING_STRING, .required = true,
                       .help = "its name in messages, cp_syncer_enqueue() and cp_syncer_resync()")},
    {read_key, MEMBER("key", CP_SETTING_STRING, .required = true,
                      .help = "the template of its keys in Redis, such as \"{prefix}:{id}\" or \"order:{id}\"")},
    {read_id_type, MEMBER("id_type", CP_SETTING_CHOICE, .initial = "integer", .help = "integer, bigint, uuid or text")},
    {read_channels, MEMBER("channels", CP_SETTING_STRINGS, .required = true,
                           .help = "notification channels; a payload is an id, a JSON array of ids, or * for all")},
    {cpi_read_watches,
     MEMBER("watch", CP_SETTING_OBJECTS, .initial = "",
            .help = "the tables that documents are made of: {\"table\": \"address\", \"column\": "
                    "\"fk_customer\"}, where the column holds the document's id, or \"maps\" is a query "
                    "from its values, $1, to ids; \"reads\" lists what else of the table documents have: "
                    "other updates are no events; cachepusher setup makes of it what the source needs")},
    {cpi_read_document,
     MEMBER("document", CP_SETTING_OBJECT, .initial = "",
            .help = "a declared document, in place of id_type, channels, fetch, list and watch: "
                    "{\"table\": \"film\", \"include\": [{\"name\": \"actors\", \"table\": \"actor\", "
                    "\"through\": \"film_actor\"}]}; cachepusher generate proposes one, and cachepusher "
                    "setup makes the rest of it")},
    {read_fetch, MEMBER("fetch", CP_SETTING_STRING, .initial = "",
                        .help = "a function that takes an id and returns the document (json, jsonb or text); this or "
                                "fetch_many is required")},
    {read_fetch_many, MEMBER("fetch_many", CP_SETTING_STRING, .initial = "",
                             .help = "a function that takes an array of ids and returns rows (id, document), at about "
                                     "half the cost")},
    {read_list, MEMBER("list", CP_SETTING_STRING, .required = true,
                       .help = "a query for the id of every document; its column is an integer for integer and bigint "
                               "ids, uuid for uuid, text or varchar for text (for others: select id::text ...)")},
    {read_warmup_procedure, MEMBER("warmup_procedure", CP_SETTING_STRING, .initial = "",
                                   .help = "what warmup touch calls: a function or procedure without arguments")},
    {read_ttl, MEMBER("ttl_s", CP_SETTING_NUMBER, .initial = "", .min = 1, .max = TTL_MAX_S, .unit = "seconds",
                      .help = "keys expire this long after they were last written; without it, never")},
};

const size_t cpi_entity_setting_count = sizeof members / sizeof *members;

const cp_setting *cpi_entity_setting(size_t index)
{
    return &members[index].shown;
}

cp_code cpi_read_entity_member(struct cpi_reader *reader, const char *name, json_t *value, struct cpi_entity *entity)
{
    char names[NAMES_BYTES] = "";
    struct cpi_nearest nearest = {.name = name};
    for (size_t i = 0; i < cpi_entity_setting_count; i++) {
        if (strcmp(name, members[i].shown.name) == 0) {
            return members[i].read(reader, value, entity);
        }
        cpi_list_append(names, sizeof names, members[i].shown.name);
        cpi_nearest_offer(&nearest, members[i].shown.name);
    }
    return nearest.found != NULL ? cpi_reader_reject(reader, "unknown; did you mean %s?", nearest.found)
                                 : cpi_reader_reject(reader, "unknown; expected one of: %s", names);
}

static cp_code check_complete(struct cpi_reader *reader, const struct cpi_entity *entity)
{
    const struct {
        const char *name;
        bool given;
    } needed[] = {
        {"name", entity->name != NULL},          {"key", entity->key_template != NULL},
        {"channels", entity->channel_count > 0}, {"fetch or fetch_many", entity->fetch != NULL},
        {"list", entity->list != NULL},
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!needed[i].given) {
            return cpi_reader_reject(reader, "%s is missing", needed[i].name);
        }
    }
    return CP_OK;
}

static cp_code read_entity(struct cpi_reader *reader, json_t *object, size_t index, struct cpi_entity *entity)
{
    snprintf(reader->path, sizeof reader->path, "entities[%zu]", index);
    if (!json_is_object(object)) {
        return cpi_reader_reject_type(reader, object, "an object");
    }
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (cpi_is_comment(name)) {
            continue;
        }
        snprintf(reader->path, sizeof reader->path, "entities[%zu].%.*s", index, cpi_shown(name), name);
        cp_code code = cpi_read_entity_member(reader, name, value, entity);
        if (code != CP_OK) {
            return code;
        }
    }
    snprintf(reader->path, sizeof reader->path, "entities[%zu]", index);
    cp_code code = entity->key_template != NULL ? finish_key(reader, entity) : CP_OK;
    if (code == CP_OK) {
        code = entity->document != NULL ? cpi_finish_declared(reader, object, entity) : check_complete(reader, entity);
    }
    return code;
}

cp_code cpi_read_entities(struct cpi_reader *reader, json_t *array, struct cp_config *draft)
{
    if (!json_is_array(array)) {
        return cpi_reader_reject_type(reader, array, "an array of objects");
    }
    size_t count = json_array_size(array);
    if (count == 0) {
        return cpi_reader_reject(reader, "expected at least one entity");
    }
    if (count > CPI_ENTITIES_MAX) {
        return cpi_reader_reject(reader, "%zu are more than the %d entities that are possible", count,
                                 CPI_ENTITIES_MAX);
    }
    draft->entities = calloc(count, sizeof *draft->entities);
    if (draft->entities == NULL) {
        return cpi_error_memory(reader->err);
    }
    draft->entity_count = count;
    cp_code code = CP_OK;
    for (size_t i = 0; i < count && code == CP_OK; i++) {
        code = read_entity(reader, json_array_get(array, i), i, &draft->entities[i]);
    }
    return code;
}
