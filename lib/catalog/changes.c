#include "catalog/changes.h"

#include <stdio.h>

void cpi_changes_note(struct cpi_changes *changes, const char *name, const char *what)
{
    if (changes->count++ == 0) {
        snprintf(changes->first, sizeof changes->first, "%s: %s", name, what);
    }
}

void cpi_changes_request(struct cpi_changes *changes, const struct cpi_env *env, uint32_t entity)
{
    char more[48] = "";
    if (changes->count > 1) {
        snprintf(more, sizeof more, " and %u more", changes->count - 1);
    }
    cpi_log_about(&env->log, CP_LOG_INFO, &(struct cpi_log_about){.entity = env->config->entities[entity].name},
                  "%s: what its documents hang on has changed (%s%s)", env->config->entities[entity].name,
                  changes->first, more);
    cpi_requests_resync(env->requests, entity, CP_CAUSE_CATALOG);
    changes->count = 0;
}
