#include "config/config_internal.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
