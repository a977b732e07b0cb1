#include "resync/share.h"

bool cpi_share_allows(const struct cpi_share *share, const struct cpi_env *env, const struct cpi_entity *entity)
{
    unsigned percent = env->config->max_delete_percent;
    if (share->confirmed || share->unlisted <= CPI_SHARE_FREE || share->unlisted * 100 <= share->found * percent) {
        return true;
    }
    cpi_log(&env->log, CP_LOG_ERROR,
            "%s: Postgres does not list %llu of %llu keys found in Redis, more than max_delete_percent (%u): they "
            "are kept. If they are to go: select pg_notify('%s', '*'). If not: does \"list\" still read the "
            "right table of the right database?",
            entity->name, (unsigned long long)share->unlisted, (unsigned long long)share->found, percent,
            entity->channels[0]);
    return false;
}
