#include "config/config_internal.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 136 /* of a column, each byte of it doubled and in quotes */ };

/* What cachepusher setup has resolved of a declaration: members of an entity that nobody writes into a file. */

/* A view is watched by hand alone. */
static cp_code read_resolved(struct cpi_reader *reader, json_t *object, bool has_own_watch, struct cpi_entity *draft)
{
    static const char *const expected[] = {"id_type", "fetch_many", "list", "watch"};
    if (!json_is_object(object)) {
        return cpi_reader_reject_type(reader, object, "an object");
    }
    cp_code code = CP_OK;
    for (size_t i = 0; i < sizeof expected / sizeof *expected && code == CP_OK; i++) {
        json_t *value = json_object_get(object, expected[i]);
        snprintf(reader->path, sizeof reader->path, "%s", expected[i]);
        if (value != NULL) {
            code = cpi_read_entity_member(reader, expected[i], value, draft);
        } else if (strcmp(expected[i], "watch") != 0 || !has_own_watch) {
            code = cpi_reader_reject(reader, "missing");
        }
    }
    return code;
}

/* The entity's tables by hand stay, those of the declaration come behind them. */
static bool join_watches(struct cpi_entity *entity, struct cpi_entity *draft)
{
    size_t own = entity->own_watch_count;
    struct cpi_watch *joined = calloc(own + draft->watch_count + 1, sizeof *joined); /* none gives NULL, perhaps */
    if (joined == NULL) {
        return false;
    }
    for (size_t i = 0; i < entity->watch_count; i++) {
        if (i < own) {
            joined[i] = entity->watch[i];
        } else {
            cpi_watch_fini(&entity->watch[i]);
        }
    }
    if (draft->watch_count > 0) {
        memcpy(joined + own, draft->watch, draft->watch_count * sizeof *joined);
    }
    free(entity->watch);
    free(draft->watch);
    entity->watch = joined;
    entity->watch_count = own + draft->watch_count;
    draft->watch = NULL;
    draft->watch_count = 0;
    return true;
}

/* ---- the key's template ---- */

/* What a name spelt as in SQL means. False: it is longer than any. */
static bool fold(const char *spelt, size_t length, char name[NAME_BYTES])
{
    bool is_quoted = length >= 2 && spelt[0] == '"' && spelt[length - 1] == '"';
    char *out = name;
    if (length >= NAME_BYTES) {
        return false;
    }
    for (size_t i = is_quoted; i < length - is_quoted; i++) {
        bool is_upper = !is_quoted && spelt[i] >= 'A' && spelt[i] <= 'Z';
        *out++ = (char)(is_upper ? spelt[i] - 'A' + 'a' : spelt[i]);
        i += is_quoted && spelt[i] == '"'; /* doubled */
    }
    *out = '\0';
    return true;
}

static bool same_column(const char *spelt, size_t length, const char *column)
{
    char ours[NAME_BYTES];
    char theirs[NAME_BYTES];
    return column != NULL && fold(spelt, length, ours) && fold(column, strlen(column), theirs) &&
           strcmp(ours, theirs) == 0;
}

/* The name in braces at *at, which goes behind it; NULL: there is none. {prefix} is none. */
static const char *next_placeholder(const char **at, size_t *length)
{
    while ((*at = strchr(*at, '{')) != NULL) {
        const char *name = *at + 1;
        const char *end = strchr(name, '}');
        if (end == NULL) {
            return NULL;
        }
        *at = end + 1;
        *length = (size_t)(end - name);
        if (*length != strlen("prefix") || strncmp(name, "prefix", *length) != 0) {
            return name;
        }
    }
    return NULL;
}

/* {id} alone, or the key's columns in their order; a column may be called so, too. */
static bool fits(const char *key_template, const json_t *columns)
{
    const char *at = key_template;
    size_t length = 0;
    size_t count = 0;
    bool is_id = false;
    bool is_fine = true;
    for (const char *name = next_placeholder(&at, &length); name != NULL; name = next_placeholder(&at, &length)) {
        is_id = count == 0 && length == strlen("id") && strncmp(name, "id", length) == 0;
        is_fine = is_fine && same_column(name, length, json_string_value(json_array_get(columns, count)));
        count++;
    }
    return is_id || (is_fine && count == json_array_size(columns));
}

static cp_code check_template(const struct cpi_entity *entity, size_t index, const json_t *object, cp_error *err)
{
    const json_t *columns = json_object_get(object, "key");
    if (json_array_size(columns) == 0 || fits(entity->declared_key, columns)) {
        return CP_OK;
    }
    return cpi_error(
        err, CP_ERR_CONFIG, false,
        "entities[%zu].key: the template \"%.*s\" has other columns than the key, or another order; expected "
        "{id}, or the key's columns: {%s}%s",
        index, cpi_shown(entity->declared_key), entity->declared_key, json_string_value(json_array_get(columns, 0)),
        json_array_size(columns) > 1 ? ":…" : "");
}

/* ---- applying it ---- */

static void take(struct cpi_entity *entity, struct cpi_entity *draft)
{
    free(entity->fetch);
    free(entity->list);
    entity->fetch = draft->fetch;
    entity->list = draft->list;
    entity->id_type = draft->id_type;
    draft->fetch = NULL;
    draft->list = NULL;
}

cp_code cp_config_apply(cp_config *config, size_t index, const char *resolved, cp_error *err)
{
    cp_code code = cpi_config_check_change(config, "cp_config_apply", err);
    code = code == CP_OK ? cpi_need(resolved, "cp_config_apply", "resolved", err) : code;
    if (code != CP_OK) {
        return code;
    }
    if (index >= config->entity_count || config->entities[index].document == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_config_apply: entities[%zu] is no declared document", index);
    }
    struct cpi_entity *entity = &config->entities[index];
    char what[128];
    snprintf(what, sizeof what, "what is set up of entities[%zu].document (%s)", index, entity->name);
    struct cpi_reader reader = {.file = what, .err = err};
    struct cpi_entity draft = {0};
    json_t *object = json_loads(resolved, JSON_REJECT_DUPLICATES, NULL);
    code = object != NULL ? read_resolved(&reader, object, entity->own_watch_count > 0, &draft)
                          : cpi_error(err, CP_ERR_CONFIG, false, "%s: not JSON", what);
    code = code == CP_OK ? check_template(entity, index, object, err) : code;
    json_decref(object);
    if (code == CP_OK && !join_watches(entity, &draft)) {
        code = cpi_error_memory(err);
    }
    if (code == CP_OK) {
        take(entity, &draft);
        code = cpi_config_wire(config, err);
        config->entities[index].is_resolved = code == CP_OK; /* which have moved */
    }
    cpi_entity_fini(&draft);
    return code;
}
