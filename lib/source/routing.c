#include "source/routing.h"

/* Those that come together mostly are of one. */
static void count_by_entity(struct cpi_stats *stats, const struct cpi_events *events)
{
    uint32_t entity = events->items[0].entity;
    int64_t n = 0;
    for (size_t i = 0; i < events->count; i++) {
        if (events->items[i].entity != entity) {
            cpi_stats_add_entity(stats, entity, CPI_ENTITY_EVENTS, n);
            entity = events->items[i].entity;
            n = 0;
        }
        n++;
    }
    cpi_stats_add_entity(stats, entity, CPI_ENTITY_EVENTS, n);
}

bool cpi_route(const struct cpi_env *env, struct cpi_live_feed *feed, struct cpi_asking *asking,
               struct cpi_events *events)
{
    if (events->count == 0) {
        return false;
    }
    cpi_stats_add(env->stats, CPI_STAT_EVENTS, (int64_t)events->count);
    count_by_entity(env->stats, events);
    enum cpi_fed fed = cpi_live_feed_put(feed, events);
    if (fed == CPI_FED_LESS) {
        cpi_stats_add(env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_log_repeated(
            &env->log, CPI_REPEAT_CROWD, NULL, CP_LOG_WARN, NULL,
            "max_pending exceeded: dropping ids that one session announces by the thousand; a resync follows");
        for (uint32_t e = 0; e < env->config->entity_count; e++) {
            cpi_asking_note(asking, e, CPI_ASKED_CROWDED);
        }
    } else if (fed == CPI_FED_LOST) {
        cpi_log_repeated(&env->log, CPI_REPEAT_OVERFLOW, NULL, CP_LOG_WARN, NULL,
                         "max_pending exceeded: dropping queued ids, requesting a resync");
        cpi_requests_resync(env->requests, CPI_ALL_ENTITIES, CP_CAUSE_OVERFLOW);
    }
    return true;
}
