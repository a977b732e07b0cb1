#include "queue/live_feed.h"

#include <stdlib.h>

enum { FLUSH_CHUNK = 256 };

/* What waits for one lane. */
struct kept {
    struct cpi_idset *set;    /* in its live and crowd queues */
    struct cpi_events staged; /* of one put; empty between calls */
    int64_t barrier;          /* to be put into the ring once the set is empty; 0: none */
    int64_t position;         /* the same */
};

struct cpi_live_feed {
    const struct cpi_lanes *lanes;
    struct kept *kept; /* by lane */
};

struct cpi_live_feed *cpi_live_feed_create(const struct cpi_lanes *lanes)
{
    struct cpi_live_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        return NULL;
    }
    feed->lanes = lanes;
    feed->kept = calloc(lanes->count, sizeof *feed->kept);
    for (uint32_t i = 0; feed->kept != NULL && i < lanes->count; i++) {
        feed->kept[i].set = cpi_idset_create(lanes->entities);
        if (feed->kept[i].set == NULL) {
            cpi_live_feed_destroy(feed);
            return NULL;
        }
    }
    if (feed->kept == NULL) {
        free(feed);
        return NULL;
    }
    return feed;
}

void cpi_live_feed_destroy(struct cpi_live_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        cpi_idset_destroy(feed->kept[i].set);
        cpi_events_fini(&feed->kept[i].staged, feed->lanes->entities);
    }
    free(feed->kept);
    free(feed);
}

/* Returns how many of a queue's ids it has moved into the ring. */
static uint32_t flush_queue(struct kept *kept, struct cpi_lane *lane, enum cpi_queue queue)
{
    uint32_t handles[FLUSH_CHUNK];
    uint32_t n = 0;
    uint32_t moved = 0;
    bool has_room = true;
    while (has_room && (n = cpi_idset_peek(kept->set, queue, handles, FLUSH_CHUNK)) > 0) {
        for (uint32_t i = 0; i < n && has_room; i++) {
            struct cpi_event event = cpi_idset_get(kept->set, handles[i]);
            has_room = cpi_lane_put(lane, CPI_RING_LIVE, &event, 1) == 1;
            if (has_room) {
                cpi_idset_take(kept->set, handles[i]); /* the ring owns the id now */
                moved++;
            }
        }
    }
    return moved;
}

static bool flush_lane(struct cpi_live_feed *feed, uint32_t index)
{
    struct kept *kept = &feed->kept[index];
    struct cpi_lane *lane = &feed->lanes->items[index];
    uint32_t moved = flush_queue(kept, lane, CPI_LIVE);
    moved += flush_queue(kept, lane, CPI_CROWD);
    if (cpi_idset_total(kept->set) == 0 && kept->barrier != 0 &&
        cpi_lane_put_barrier(lane, CPI_RING_LIVE, kept->barrier)) {
        kept->barrier = 0;
        moved++;
    }
    if (cpi_idset_total(kept->set) == 0 && kept->position != 0 && cpi_lane_put_position(lane, kept->position)) {
        kept->position = 0;
        moved++;
    }
    if (moved > 0) {
        cpi_bell_ring(&lane->bell);
        cpi_idset_compact(kept->set); /* gives memory back: those ids are the worker's to hold now */
    }
    return cpi_idset_total(kept->set) == 0 && kept->barrier == 0 && kept->position == 0;
}

bool cpi_live_feed_flush(struct cpi_live_feed *feed)
{
    bool empty = true;
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        empty = flush_lane(feed, i) && empty;
    }
    return empty;
}

/* Drops everything in a lane's set. */
static void forget(struct cpi_live_feed *feed, struct kept *kept)
{
    cpi_stats_add(feed->lanes->stats, CPI_STAT_OVERFLOWS, 1);
    uint32_t handle = 0;
    while (cpi_idset_peek(kept->set, CPI_CROWD, &handle, 1) == 1 ||
           cpi_idset_peek(kept->set, CPI_LIVE, &handle, 1) == 1) {
        cpi_idset_remove(kept->set, handle);
    }
    cpi_idset_compact(kept->set);
}

static uint32_t room_of(const struct cpi_live_feed *feed, uint32_t index)
{
    uint32_t queued = cpi_lane_queued(&feed->lanes->items[index]);
    return queued < feed->lanes->capacity ? feed->lanes->capacity - queued : 0;
}

/* Makes room for a live event where one of a crowd can go instead; an id that is kept already needs none. One of a
 * crowd is refused without a look at what is kept, which would cost more than the event: at worst a resync is owed for
 * nothing. */
static bool make_room(struct kept *kept, const struct cpi_event *event, uint32_t room, enum cpi_fed *fed)
{
    uint32_t handle = 0;
    if (cpi_idset_total(kept->set) < room) {
        return true;
    }
    if (event->in_crowd) {
        return false;
    }
    if (cpi_idset_find(kept->set, event->entity, &event->id) != 0) {
        return true;
    }
    if (cpi_idset_peek(kept->set, CPI_CROWD, &handle, 1) == 0) {
        return false;
    }
    cpi_idset_remove(kept->set, handle);
    *fed = CPI_FED_LESS;
    return true;
}

/* Keeps the staged events from the given one on. */
static enum cpi_fed keep(struct cpi_live_feed *feed, uint32_t index, size_t from)
{
    struct kept *kept = &feed->kept[index];
    struct cpi_events *staged = &kept->staged;
    uint32_t room = room_of(feed, index);
    enum cpi_fed fed = CPI_FED;
    for (size_t i = from; i < staged->count && fed != CPI_FED_LOST; i++) {
        struct cpi_event *event = &staged->items[i];
        bool may_add = make_room(kept, event, room, &fed);
        if (!may_add && event->in_crowd) {
            cpi_id_fini(feed->lanes->entities[event->entity].id_type, &event->id);
            fed = CPI_FED_LESS;
            continue;
        }
        enum cpi_added added =
            may_add ? cpi_idset_add(kept->set, event, event->in_crowd ? CPI_CROWD : CPI_LIVE) : CPI_NO_MEMORY;
        if (added == CPI_NO_MEMORY) {
            cpi_events_truncate(staged, i, feed->lanes->entities);
            fed = CPI_FED_LOST;
        }
        cpi_stats_add(feed->lanes->stats, CPI_STAT_COALESCED, added == CPI_COALESCED);
    }
    staged->count = 0; /* the ring and the set own their ids */
    if (fed == CPI_FED_LOST) {
        forget(feed, kept);
    }
    return fed;
}

static enum cpi_fed put_lane(struct cpi_live_feed *feed, uint32_t index)
{
    struct kept *kept = &feed->kept[index];
    if (kept->staged.count == 0) {
        return CPI_FED;
    }
    struct cpi_lane *lane = &feed->lanes->items[index];
    /* New events may overtake ids that are kept: order between different ids does not matter, and all events of one id
     * are equal. */
    uint32_t n = cpi_lane_put(lane, CPI_RING_LIVE, kept->staged.items, (uint32_t)kept->staged.count);
    if (n > 0) {
        cpi_bell_ring(&lane->bell);
    }
    return keep(feed, index, n);
}

enum cpi_fed cpi_live_feed_put(struct cpi_live_feed *feed, struct cpi_events *events)
{
    const struct cpi_lanes *lanes = feed->lanes;
    enum cpi_fed fed = CPI_FED;
    cpi_ticks now = cpi_now_ticks();
    for (size_t i = 0; i < events->count; i++) {
        struct cpi_event *event = &events->items[i];
        event->arrived = event->arrived != 0 ? event->arrived : now; /* what was mapped came when its row did */
        uint32_t lane = cpi_lane_of(lanes, event);
        if (!cpi_events_add(&feed->kept[lane].staged, event)) {
            cpi_id_fini(lanes->entities[event->entity].id_type, &event->id);
            cpi_stats_add(feed->lanes->stats, CPI_STAT_OVERFLOWS, 1);
            fed = CPI_FED_LOST;
        }
    }
    events->count = 0;
    for (uint32_t i = 0; i < lanes->count; i++) {
        enum cpi_fed lane = put_lane(feed, i);
        if (lane > fed) {
            fed = lane;
        }
    }
    return fed;
}

void cpi_live_feed_barrier(struct cpi_live_feed *feed, int64_t number)
{
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        feed->kept[i].barrier = number;
    }
}

void cpi_live_feed_position(struct cpi_live_feed *feed, int64_t number)
{
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        feed->kept[i].position = number;
    }
}

uint32_t cpi_live_feed_room(const struct cpi_live_feed *feed)
{
    uint32_t most = feed->lanes->capacity * 2 / 3;
    uint32_t room = most;
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        const struct cpi_lane *lane = &feed->lanes->items[i];
        uint32_t used = cpi_idset_total(feed->kept[i].set);
        used += cpi_ring_count(lane->rings[CPI_RING_LIVE]); /* before what the worker says that it has taken */
        used += cpi_lane_queued(lane);
        uint32_t left = used < most ? most - used : 0;
        room = left < room ? left : room;
    }
    return room;
}

uint64_t cpi_live_feed_count(const struct cpi_live_feed *feed)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < feed->lanes->count; i++) {
        count += cpi_idset_total(feed->kept[i].set);
    }
    return count;
}
