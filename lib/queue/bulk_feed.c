#include "queue/bulk_feed.h"

#include "base/assert.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

cp_code cpi_bulk_feed_init(struct cpi_bulk_feed *feed, const struct cpi_lanes *lanes, cp_error *err)
{
    feed->lanes = lanes;
    feed->barrier = 0;
    feed->staged = calloc(lanes->count, sizeof *feed->staged);
    return feed->staged != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_bulk_feed_fini(struct cpi_bulk_feed *feed)
{
    for (uint32_t i = 0; feed->staged != NULL && i < feed->lanes->count; i++) {
        cpi_events_fini(&feed->staged[i], feed->lanes->entities);
    }
    free(feed->staged);
}

bool cpi_bulk_feed_stage(struct cpi_bulk_feed *feed, const struct cpi_event *event)
{
    const struct cpi_lanes *lanes = feed->lanes;
    return cpi_events_add(&feed->staged[cpi_lane_of(lanes, event)], event);
}

bool cpi_bulk_feed_push(struct cpi_bulk_feed *feed)
{
    bool all = true;
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        struct cpi_events *staged = &feed->staged[i];
        struct cpi_lane *lane = &feed->lanes->items[i];
        if (staged->count == 0) {
            continue;
        }
        uint32_t n = cpi_lane_put(lane, CPI_RING_BULK, staged->items, (uint32_t)staged->count);
        if (n > 0) {
            cpi_bell_ring(&lane->bell);
            cpi_stats_add(feed->lanes->stats, CPI_STAT_RESYNC_IDS, n);
            memmove(staged->items, staged->items + n, (staged->count - n) * sizeof *staged->items);
            staged->count -= n;
        }
        all = all && staged->count == 0;
    }
    return all;
}

static bool ask(struct cpi_bulk_feed *feed, bool (*put)(struct cpi_lane *lane, enum cpi_ring_kind kind, int64_t number))
{
    /* Only this thread fills the bulk rings, so a ring that has room keeps it. Either all rings get the mark or none
     * does. */
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        if (!cpi_lane_has_room(&feed->lanes->items[i], CPI_RING_BULK)) {
            return false;
        }
    }
    feed->barrier++;
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        bool fits = put(&feed->lanes->items[i], CPI_RING_BULK, feed->barrier);
        CPI_ASSERT(fits);
        cpi_bell_ring(&feed->lanes->items[i].bell);
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
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        if (!cpi_lane_has_passed(&feed->lanes->items[i], kind, number)) {
            return false;
        }
    }
    return true;
}
