#include "queue/bulk_feed.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

cp_code cpi_bulk_feed_init(struct cpi_bulk_feed *feed, const struct cpi_env *env, cp_error *err)
{
    feed->env = env;
    feed->barrier = 0;
    feed->staged = calloc(env->config->threads, sizeof *feed->staged);
    return feed->staged != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_bulk_feed_fini(struct cpi_bulk_feed *feed)
{
    for (uint32_t i = 0; feed->staged != NULL && i < feed->env->config->threads; i++) {
        cpi_events_fini(&feed->staged[i], feed->env->config->entities);
    }
    free(feed->staged);
}

bool cpi_bulk_feed_stage(struct cpi_bulk_feed *feed, const struct cpi_event *event)
{
    const struct cp_config *config = feed->env->config;
    return cpi_events_add(&feed->staged[cpi_lane_of(event, config->entities, config->threads)], event);
}

bool cpi_bulk_feed_push(struct cpi_bulk_feed *feed)
{
    bool all = true;
    for (uint32_t i = 0; i < feed->env->config->threads; i++) {
        struct cpi_events *staged = &feed->staged[i];
        struct cpi_lane *lane = &feed->env->lanes[i];
        if (staged->count == 0) {
            continue;
        }
        uint32_t n = cpi_lane_put(lane, CPI_RING_BULK, staged->items, (uint32_t)staged->count);
        if (n > 0) {
            cpi_bell_ring(&lane->bell);
            cpi_stats_add(feed->env->stats, CPI_STAT_RESYNC_IDS, n);
            memmove(staged->items, staged->items + n, (staged->count - n) * sizeof *staged->items);
            staged->count -= n;
        }
        all = all && staged->count == 0;
    }
    return all;
}

static bool ask(struct cpi_bulk_feed *feed, bool (*put)(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number))
{
    /* Only this thread fills the bulk rings: one that has room keeps it, so that all get the question or none does. */
    for (uint32_t i = 0; i < feed->env->config->threads; i++) {
        if (!cpi_lane_has_room(&feed->env->lanes[i], CPI_RING_BULK)) {
            return false;
        }
    }
    feed->barrier++;
    for (uint32_t i = 0; i < feed->env->config->threads; i++) {
        put(&feed->env->lanes[i], CPI_RING_BULK, feed->barrier);
        cpi_bell_ring(&feed->env->lanes[i].bell);
    }
    return true;
}

bool cpi_bulk_feed_barrier(struct cpi_bulk_feed *feed)
{
    return ask(feed, cpi_lane_put_barrier);
}

bool cpi_bulk_feed_quiesce(struct cpi_bulk_feed *feed)
{
    return ask(feed, cpi_lane_put_quiesce);
}

bool cpi_bulk_feed_passed(const struct cpi_bulk_feed *feed, enum cpi_ring_kind kind, int64_t number)
{
    for (uint32_t i = 0; i < feed->env->config->threads; i++) {
        if (!cpi_lane_has_passed(&feed->env->lanes[i], kind, number)) {
            return false;
        }
    }
    return true;
}
