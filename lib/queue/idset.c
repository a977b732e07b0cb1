#include "queue/idset_internal.h"

#include <stdlib.h>
#include <string.h>

static enum cpi_id_type type_of(const struct cpi_idset *set, uint32_t entity)
{
    return set->entities[entity].id_type;
}

/* The member of a handle that is valid. */
static struct cpi_idset_member *member_of(const struct cpi_idset *set, uint32_t handle)
{
    CPI_ASSERT(handle != NONE && handle < set->used && set->members[handle].queue != FREE);
    return &set->members[handle];
}

struct cpi_idset *cpi_idset_create(const struct cpi_entity *entities)
{
    struct cpi_idset *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return NULL;
    }
    set->entities = entities;
    set->used = 1;
    if (!cpi_idset_allocate(set, FIRST_CAPACITY)) {
        cpi_idset_destroy(set);
        return NULL;
    }
    return set;
}

void cpi_idset_destroy(struct cpi_idset *set)
{
    if (set == NULL) {
        return;
    }
    for (unsigned q = 0; q < CPI_QUEUES; q++) {
        while (set->queues[q].first != NONE) {
            cpi_idset_remove(set, set->queues[q].first);
        }
    }
    free(set->members);
    free(set->arrived);
    free(set->table);
    free(set);
}

/* ---- the table ---- */

/* The upper half of the hash has chosen the lane, so within a lane only the lower half is spread evenly. */
static uint32_t table_hash(const struct cpi_idset *set, uint32_t entity, const union cpi_id *id)
{
    return (uint32_t)cpi_id_hash(type_of(set, entity), id, entity);
}

/* The place of an id, or the free place where it belongs. */
static uint32_t find_place(const struct cpi_idset *set, uint32_t entity, const union cpi_id *id, uint32_t hash)
{
    uint32_t place = hash & place_mask(set);
    for (; set->table[place] != NONE; place = (place + 1) & place_mask(set)) {
        const struct cpi_idset_member *member = &set->members[set->table[place]];
        if (member->hash == hash && member->entity == entity && cpi_id_equal(type_of(set, entity), &member->id, id)) {
            break;
        }
    }
    return place;
}

static uint32_t place_of(const struct cpi_idset *set, uint32_t handle)
{
    uint32_t place = set->members[handle].hash & place_mask(set);
    while (set->table[place] != handle) {
        CPI_ASSERT(set->table[place] != NONE);
        place = (place + 1) & place_mask(set);
    }
    return place;
}

/* Frees a place in a run of neighbours, and moves up those that would not be found beyond the gap. */
static void close_gap(struct cpi_idset *set, uint32_t gap)
{
    uint32_t mask = place_mask(set);
    for (uint32_t place = (gap + 1) & mask; set->table[place] != NONE; place = (place + 1) & mask) {
        uint32_t home = set->members[set->table[place]].hash & mask;
        if (((place - home) & mask) >= ((place - gap) & mask)) {
            set->table[gap] = set->table[place];
            gap = place;
        }
    }
    set->table[gap] = NONE;
}

/* ---- the queues ---- */

static void unlink_member(struct cpi_idset *set, uint32_t handle)
{
    struct cpi_idset_member *member = &set->members[handle];
    struct cpi_idset_queue *queue = &set->queues[member->queue];
    CPI_ASSERT(queue->count > 0);
    *(member->previous != NONE ? &set->members[member->previous].next : &queue->first) = member->next;
    *(member->next != NONE ? &set->members[member->next].previous : &queue->last) = member->previous;
    queue->count--;
}

static void link_member(struct cpi_idset *set, uint32_t handle, enum cpi_queue to)
{
    struct cpi_idset_member *member = &set->members[handle];
    struct cpi_idset_queue *queue = &set->queues[to];
    member->queue = to;
    member->previous = queue->last;
    member->next = NONE;
    *(member->previous != NONE ? &set->members[member->previous].next : &queue->first) = handle;
    queue->last = handle;
    queue->count++;
}

static void leave_barriers(struct cpi_idset *set, struct cpi_idset_member *member)
{
    for (unsigned f = 0; f < CPI_IDSET_BARRIERS; f++) {
        if ((member->barriers & (1u << f)) != 0) {
            CPI_ASSERT(set->barrier_left[f] > 0);
            set->barrier_left[f]--;
        }
    }
    member->barriers = 0;
}

/* What is listed comes from a resync, and from nowhere else. */
static cp_origin origin_of(const struct cpi_event *event, enum cpi_queue queue)
{
    return queue == CPI_BULK ? CP_ORIGIN_RESYNC : (cp_origin)event->origin;
}

static enum cpi_added arrive_again(struct cpi_idset *set, uint32_t handle, const struct cpi_event *event,
                                   enum cpi_queue queue)
{
    enum cpi_queue now = cpi_idset_queue(set, handle);
    struct cpi_idset_member *member = &set->members[handle];
    cp_origin origin = origin_of(event, queue);
    set->arrived[handle] = set->arrived[handle] != 0 ? set->arrived[handle] : event->arrived;
    member->announced |= queue != CPI_BULK;
    if (origin < member->origin) {
        member->origin = origin;
    }
    bool is_back = now == CPI_PARKED && queue != CPI_BULK;
    bool is_listed = now == CPI_CROWD && queue == CPI_BULK;
    if (is_back && (set->holds_parked || cpi_idset_is_held(set, handle))) {
        return CPI_RECALLED;
    }
    if (is_back || is_listed || (queue == CPI_LIVE && now != CPI_LIVE)) {
        cpi_idset_move(set, handle, queue);
    }
    return CPI_COALESCED;
}

enum cpi_added cpi_idset_add(struct cpi_idset *set, const struct cpi_event *event, enum cpi_queue queue)
{
    cpi_owner_check(&set->owner);
    CPI_ASSERT(event->entity < CPI_ENTITIES_MAX && queue != CPI_PARKED && queue < CPI_QUEUES);
    uint32_t hash = table_hash(set, event->entity, &event->id);
    uint32_t place = find_place(set, event->entity, &event->id, hash);
    if (set->table[place] != NONE) {
        union cpi_id duplicate = event->id;
        cpi_id_fini(type_of(set, event->entity), &duplicate);
        return arrive_again(set, set->table[place], event, queue);
    }

    uint32_t handle = set->free;
    if (handle != NONE) {
        set->free = set->members[handle].next;
    } else {
        if (set->used == set->capacity) {
            if (!cpi_idset_grow(set)) {
                return CPI_NO_MEMORY;
            }
            place = find_place(set, event->entity, &event->id, hash);
        }
        handle = set->used++;
    }
    set->members[handle] = (struct cpi_idset_member){.id = event->id,
                                                     .hash = hash,
                                                     .entity = event->entity,
                                                     .announced = queue != CPI_BULK,
                                                     .origin = origin_of(event, queue)};
    set->arrived[handle] = event->arrived;
    link_member(set, handle, queue);
    set->table[place] = handle;
    return CPI_ADDED;
}

void cpi_idset_hold_parked(struct cpi_idset *set, bool holds)
{
    set->holds_parked = holds;
}

void cpi_idset_hold(struct cpi_idset *set, uint32_t handle)
{
    struct cpi_idset_member *member = member_of(set, handle);
    CPI_ASSERT(member->queue == CPI_PARKED);
    member->held = true;
}

bool cpi_idset_is_held(const struct cpi_idset *set, uint32_t handle)
{
    return member_of(set, handle)->held;
}

uint32_t cpi_idset_count(const struct cpi_idset *set, enum cpi_queue queue)
{
    return set->queues[queue].count;
}

uint32_t cpi_idset_total(const struct cpi_idset *set)
{
    uint32_t total = 0;
    for (unsigned q = 0; q < CPI_QUEUES; q++) {
        total += set->queues[q].count;
    }
    return total;
}

uint32_t cpi_idset_peek(const struct cpi_idset *set, enum cpi_queue queue, uint32_t *handles, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t handle = set->queues[queue].first; handle != NONE && count < n; handle = set->members[handle].next) {
        handles[count++] = handle;
    }
    return count;
}

struct cpi_event cpi_idset_get(const struct cpi_idset *set, uint32_t handle)
{
    const struct cpi_idset_member *member = member_of(set, handle);
    return (struct cpi_event){.id = member->id,
                              .entity = member->entity,
                              .in_crowd = member->queue == CPI_CROWD,
                              .origin = (uint8_t)member->origin,
                              .arrived = set->arrived[handle]};
}

enum cpi_queue cpi_idset_queue(const struct cpi_idset *set, uint32_t handle)
{
    return (enum cpi_queue)member_of(set, handle)->queue;
}

static bool copy_member(const struct cpi_idset *set, const struct cpi_idset_member *member, struct cpi_events *events)
{
    struct cpi_event copy = {.entity = (uint16_t)member->entity};
    if (!cpi_id_copy(type_of(set, member->entity), &member->id, &copy.id)) {
        return false;
    }
    if (!cpi_events_add(events, &copy)) {
        cpi_id_fini(type_of(set, member->entity), &copy.id);
        return false;
    }
    return true;
}

bool cpi_idset_copy_failing(const struct cpi_idset *set, uint32_t most, struct cpi_events *events)
{
    bool fine = set->failed_count <= most;
    uint32_t left = fine ? set->failed_count : 0;
    for (uint32_t handle = 1; left > 0 && fine; handle++) {
        const struct cpi_idset_member *member = &set->members[handle];
        if (member->queue != FREE && member->failed) {
            fine = copy_member(set, member, events);
            left--;
        }
    }
    return fine;
}

uint32_t cpi_idset_failed(const struct cpi_idset *set)
{
    return set->failed_count;
}

cpi_ticks cpi_idset_oldest(const struct cpi_idset *set, enum cpi_queue queue)
{
    uint32_t first = set->queues[queue].first;
    return first != NONE ? set->arrived[first] : 0;
}

bool cpi_idset_is_announced(const struct cpi_idset *set, uint32_t handle)
{
    return member_of(set, handle)->announced;
}

void cpi_idset_grant(struct cpi_idset *set, uint32_t handle)
{
    member_of(set, handle)->granted = true;
}

bool cpi_idset_is_granted(const struct cpi_idset *set, uint32_t handle)
{
    return member_of(set, handle)->granted;
}

uint32_t cpi_idset_find(const struct cpi_idset *set, uint32_t entity, const union cpi_id *id)
{
    return set->table[find_place(set, entity, id, table_hash(set, entity, id))];
}

void cpi_idset_move(struct cpi_idset *set, uint32_t handle, enum cpi_queue queue)
{
    struct cpi_idset_member *member = member_of(set, handle);
    unlink_member(set, handle);
    link_member(set, handle, queue);
    member->held = false;
    if (queue == CPI_PARKED) {
        leave_barriers(set, member);
        set->failed_count += !member->failed;
        member->failed = true;
    }
}

struct cpi_event cpi_idset_take(struct cpi_idset *set, uint32_t handle)
{
    struct cpi_event event = cpi_idset_get(set, handle);
    struct cpi_idset_member *member = &set->members[handle];
    close_gap(set, place_of(set, handle));
    unlink_member(set, handle);
    leave_barriers(set, member);
    set->failed_count -= member->failed;
    member->queue = FREE;
    member->next = set->free;
    set->free = handle;
    return event;
}

void cpi_idset_remove(struct cpi_idset *set, uint32_t handle)
{
    struct cpi_event event = cpi_idset_take(set, handle);
    cpi_id_fini(type_of(set, event.entity), &event.id);
}

void cpi_idset_set_barrier(struct cpi_idset *set, unsigned barrier)
{
    cpi_owner_check(&set->owner);
    CPI_ASSERT(barrier < CPI_IDSET_BARRIERS);
    set->barrier_left[barrier] = 0;
    for (unsigned q = 0; q < CPI_PARKED; q++) {
        set->barrier_left[barrier] += set->queues[q].count;
        for (uint32_t handle = set->queues[q].first; handle != NONE; handle = set->members[handle].next) {
            struct cpi_idset_member *member = &set->members[handle];
            member->barriers = (member->barriers | (1u << barrier)) & ((1u << CPI_IDSET_BARRIERS) - 1);
        }
    }
}

uint32_t cpi_idset_barrier_left(const struct cpi_idset *set, unsigned barrier)
{
    return set->barrier_left[barrier];
}
