#include "queue/bulk_feed.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

cp_code cpi_feeder_init(struct cpi_feeder *feeder, const struct cpi_env *env, cp_error *err)
{
    feeder->env = env;
    feeder->fence = 0;
    feeder->staged = calloc(env->config->threads, sizeof *feeder->staged);
    return feeder->staged != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_feeder_fini(struct cpi_feeder *feeder)
{
    for (uint32_t i = 0; feeder->staged != NULL && i < feeder->env->config->threads; i++) {
        cpi_events_fini(&feeder->staged[i], feeder->env->config->entities);
    }
    free(feeder->staged);
}

bool cpi_feeder_stage(struct cpi_feeder *feeder, const struct cpi_event *event)
{
    const struct cp_config *config = feeder->env->config;
    return cpi_events_add(&feeder->staged[cpi_lane_of(event, config->entities, config->threads)], event);
}

bool cpi_feeder_push(struct cpi_feeder *feeder)
{
    bool all = true;
    for (uint32_t i = 0; i < feeder->env->config->threads; i++) {
        struct cpi_events *staged = &feeder->staged[i];
        struct cpi_lane *lane = &feeder->env->lanes[i];
        if (staged->count == 0) {
            continue;
        }
        uint32_t n = cpi_lane_put(lane, CPI_RING_BULK, staged->items, (uint32_t)staged->count);
        if (n > 0) {
            cpi_bell_ring(&lane->bell);
            cpi_stats_add(feeder->env->stats, CPI_STAT_RESYNC_IDS, n);
            memmove(staged->items, staged->items + n, (staged->count - n) * sizeof *staged->items);
            staged->count -= n;
        }
        all = all && staged->count == 0;
    }
    return all;
}

static bool ask(struct cpi_feeder *feeder, bool (*put)(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number))
{
    /* Only this thread fills the bulk rings: one that has room keeps it, so that all get the question or none does. */
    for (uint32_t i = 0; i < feeder->env->config->threads; i++) {
        if (!cpi_lane_has_room(&feeder->env->lanes[i], CPI_RING_BULK)) {
            return false;
        }
    }
    feeder->fence++;
    for (uint32_t i = 0; i < feeder->env->config->threads; i++) {
        put(&feeder->env->lanes[i], CPI_RING_BULK, feeder->fence);
        cpi_bell_ring(&feeder->env->lanes[i].bell);
    }
    return true;
}

bool cpi_feeder_fence(struct cpi_feeder *feeder)
{
    return ask(feeder, cpi_lane_put_fence);
}

bool cpi_feeder_turn(struct cpi_feeder *feeder)
{
    return ask(feeder, cpi_lane_put_turn);
}

bool cpi_feeder_passed(const struct cpi_feeder *feeder, enum cpi_ring_kind kind, int64_t number)
{
    for (uint32_t i = 0; i < feeder->env->config->threads; i++) {
        if (!cpi_lane_has_passed(&feeder->env->lanes[i], kind, number)) {
            return false;
        }
    }
    return true;
}
