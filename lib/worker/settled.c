#include "worker/settled.h"

#include "queue/recent.h"

#include <stdio.h>
#include <stdlib.h>

static void tell_embedder(const struct cpi_env *env, const struct cpi_event *event, bool exists, size_t bytes)
{
    const struct cpi_entity *entity = &env->config->entities[event->entity];
    char digits[CPI_ID_NUMBER_BYTES];
    char *key = NULL;
    if (asprintf(&key, "%s%s%s", entity->key.before, cpi_id_text(entity->id_type, &event->id, digits),
                 entity->key.after) < 0) {
        cpi_log(&env->log, CP_LOG_ERROR, "out of memory for a settled callback; the document itself is stored");
        return;
    }
    env->settled(
        env->settled_context,
        &(cp_document){
            .size = sizeof(cp_document), .entity = entity->name, .key = key, .bytes = bytes, .exists = exists});
    free(key);
}

void cpi_tell_settled(const struct cpi_env *env, const struct cpi_event *event, bool exists, size_t bytes)
{
    if (env->settled != NULL) {
        tell_embedder(env, event, exists, bytes);
    }
    if (env->recent != NULL) {
        cpi_recent_offer(env->recent, event);
    }
}
