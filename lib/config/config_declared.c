#include "config/config_internal.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is declared is resolved against Postgres' catalog by cachepusher setup; here it is a text that must be the same
 * one. So comments and order of members do not count. */

/* A copy without comments. NULL: out of memory. */
static json_t *without_comments(json_t *value)
{
    json_t *copy = json_is_object(value) ? json_object() : json_is_array(value) ? json_array() : json_incref(value);
    const char *name;
    json_t *member;
    bool fine = copy != NULL;
    if (fine && json_is_object(value)) {
        json_object_foreach(value, name, member)
        {
            fine = fine && (cpi_is_comment(name) || json_object_set_new(copy, name, without_comments(member)) == 0);
        }
    }
    for (size_t i = 0; fine && json_is_array(value) && i < json_array_size(value); i++) {
        fine = json_array_append_new(copy, without_comments(json_array_get(value, i))) == 0;
    }
    if (!fine) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

cp_code cpi_read_document(struct cpi_reader *reader, json_t *value, struct cpi_entity *entity)
{
    if (!json_is_object(value)) {
        return cpi_reader_reject_type(reader, value, "an object");
    }
    if (!json_is_string(json_object_get(value, "table"))) {
        return cpi_reader_reject(reader, "table is missing");
    }
    json_t *plain = without_comments(value);
    entity->document = plain != NULL ? json_dumps(plain, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(plain);
    if (entity->document == NULL) {
        return cpi_error_memory(reader->err);
    }
    union cpi_id text = {.text = entity->document};
    snprintf(entity->digest, sizeof entity->digest, "%016llx", (unsigned long long)cpi_id_hash(CPI_ID_TEXT, &text, 5));
    return CP_OK;
}

/* The end of a placeholder {name} at the start of text, which is not {prefix}; NULL: there is none. */
static const char *skip_placeholder(const char *text)
{
    const char *end = *text == '{' ? strchr(text, '}') : NULL;
    return end != NULL && strncmp(text, "{prefix}", strlen("{prefix}")) != 0 && end > text + 1 ? end + 1 : NULL;
}

char *cpi_plain_template(const char *key_template)
{
    char *plain = malloc(strlen(key_template) + sizeof "{id}");
    char *out = plain;
    const char *at = key_template;
    while (plain != NULL && *at != '\0') {
        const char *end = skip_placeholder(at);
        if (end == NULL) {
            *out++ = *at++;
            continue;
        }
        while (*end == ':' && skip_placeholder(end + 1) != NULL) {
            end = skip_placeholder(end + 1);
        }
        out = stpcpy(out, "{id}");
        at = end;
    }
    if (plain != NULL) {
        *out = '\0';
    }
    return plain;
}

/* What it does not have to be asked for. */
static cp_code complete(struct cpi_reader *reader, struct cpi_entity *entity)
{
    char channel[128];
    snprintf(channel, sizeof channel, "cachepusher:%s", entity->name);
    if (strlen(channel) > 63) {
        union cpi_id name = {.text = entity->name};
        snprintf(channel, sizeof channel, "cachepusher:%016llx",
                 (unsigned long long)cpi_id_hash(CPI_ID_TEXT, &name, 6));
    }
    entity->channels = calloc(1, sizeof *entity->channels);
    if (entity->channels == NULL || (entity->channels[0] = strdup(channel)) == NULL) {
        return cpi_error_memory(reader->err);
    }
    entity->channel_count = 1;
    entity->fetch_many = true;
    entity->own_watch_count = entity->watch_count;
    return CP_OK;
}

cp_code cpi_finish_declared(struct cpi_reader *reader, const json_t *object, struct cpi_entity *entity)
{
    static const char *const replaced[] = {"channels", "fetch", "fetch_many", "list", "id_type"};
    for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++) {
        if (json_object_get(object, replaced[i]) != NULL) {
            return cpi_reader_reject(reader, "document and %s exclude each other: setup makes it", replaced[i]);
        }
    }
    if (entity->name == NULL || entity->key_template == NULL) {
        return cpi_reader_reject(reader, "%s is missing", entity->name == NULL ? "name" : "key");
    }
    return complete(reader, entity);
}

/* The function's name has the version. The sum, since the order of entities does not count. */
void cpi_config_lease_role(const struct cp_config *config, char role[CPI_LEASE_ROLE_BYTES])
{
    unsigned long long version = 0;
    bool has_declared = false;
    for (size_t e = 0; e < config->entity_count; e++) {
        const struct cpi_entity *entity = &config->entities[e];
        if (entity->is_resolved) {
            version += cpi_id_hash(CPI_ID_TEXT, &(union cpi_id){.text = entity->fetch}, 7);
            has_declared = true;
        }
    }
    snprintf(role, CPI_LEASE_ROLE_BYTES, has_declared ? "cachepusher lease, documents %016llx" : "cachepusher lease",
             version);
}
