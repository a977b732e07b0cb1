#include "resync/share.h"

bool cpi_share_allows(const struct cpi_share *share, const struct cpi_env *env, uint32_t index)
{
    const struct cpi_entity *entity = &env->config->entities[index];
    cpi_allowance_found(env->allowance, index, share->found);
    if (cpi_allowance_covers(env->allowance, index, share->unlisted)) {
        return true;
    }
    cpi_log_about(
        &env->log, CP_LOG_ERROR, &(struct cpi_log_about){.entity = entity->name, .count = share->unlisted},
        "%s: Postgres does not list %llu of %llu keys found in Redis, more than max_delete_percent (%u): they "
        "are kept. If they are to go: %s%s', '*'). If not: does \"list\" still read the "
        "right table of the right database?",
        entity->name, (unsigned long long)share->unlisted, (unsigned long long)share->found,
        env->config->max_delete_percent, env->announcer->by_hand, entity->channels[0]);
    return false;
}

bool cpi_share_ends(const struct cpi_env *env, uint32_t index)
{
    const struct cpi_entity *entity = &env->config->entities[index];
    uint64_t found = 0;
    uint64_t withheld = cpi_allowance_end(env->allowance, index, &found);
    if (withheld == 0) {
        return true;
    }
    cpi_log_about(
        &env->log, CP_LOG_ERROR, &(struct cpi_log_about){.entity = entity->name, .count = withheld},
        "%s: fetch function %s gives no document for %llu of %llu keys found in Redis, beyond max_delete_percent "
        "(%u): they are kept. If they are to go: %s%s', '*'). If not: does the function still "
        "read the right tables?",
        entity->name, entity->fetch, (unsigned long long)withheld, (unsigned long long)found,
        env->config->max_delete_percent, env->announcer->by_hand, entity->channels[0]);
    return false;
}
