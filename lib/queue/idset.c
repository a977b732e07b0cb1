#include "queue/idset.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum {
    NONE = 0,
    ENTITY_BITS = 16,
    QUEUE_BITS = 3,
    FIRST_CAPACITY = 1024,              /* of members; the table has twice as many places */
    KEPT_CAPACITY = 16 * FIRST_CAPACITY /* below half a megabyte it is not worth it */
};

/* What a member's queue says while it is in none: free. */
enum { FREE = CPI_QUEUES };

/* 24 bytes. A million ids that wait for a server to come back are the largest data this library holds. */
struct member {
    union cpi_id id;
    uint32_t next; /* in its queue, or in the list of free members */
    uint32_t previous;
    uint32_t hash;
    unsigned entity : ENTITY_BITS;
    unsigned queue : QUEUE_BITS;
    unsigned barriers : CPI_IDSET_BARRIERS; /* bit f: barrier f waits for it */
};

_Static_assert(sizeof(struct member) == 24, "memory is reckoned with 24 bytes an id");
_Static_assert(CPI_ENTITIES_MAX <= 1 << ENTITY_BITS, "an entity's number has to come out as it went in");
_Static_assert(FREE < 1 << QUEUE_BITS, "the queues and FREE have to differ");

struct queue {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

struct cpi_idset {
    struct cpi_owner owner;
    const struct cpi_entity *entities;
    struct member *members; /* [0] is not used: handle 0 means none */
    uint32_t capacity;      /* of members, a power of two */
    uint32_t used;          /* members ever handed out; those beyond were never touched */
    uint32_t free;          /* the first free member below used */
    uint32_t *table;        /* 2 * capacity places, open addressing, each a handle or NONE */
    struct queue queues[CPI_QUEUES];
    bool holds_parked;
    uint32_t barrier_left[CPI_IDSET_BARRIERS];
};

static enum cpi_id_type type_of(const struct cpi_idset *set, uint32_t entity)
{
    return set->entities[entity].id_type;
}

/* The member of a handle that is valid. */
static struct member *member_of(const struct cpi_idset *set, uint32_t handle)
{
    CPI_ASSERT(handle != NONE && handle < set->used && set->members[handle].queue != FREE);
    return &set->members[handle];
}

/* Gives the set room for `capacity` members and an empty table. A failure changes nothing. */
static bool allocate(struct cpi_idset *set, uint32_t capacity)
{
    uint32_t *table = calloc(2 * (size_t)capacity, sizeof *table);
    struct member *members = table != NULL ? realloc(set->members, capacity * sizeof *members) : NULL;
    if (members == NULL) {
        free(table);
        return false;
    }
    free(set->table);
    set->table = table;
    set->members = members;
    set->capacity = capacity;
    return true;
}

struct cpi_idset *cpi_idset_create(const struct cpi_entity *entities)
{
    struct cpi_idset *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return NULL;
    }
    set->entities = entities;
    set->used = 1;
    if (!allocate(set, FIRST_CAPACITY)) {
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
    free(set->table);
    free(set);
}

/* ---- the table ---- */

static uint32_t place_mask(const struct cpi_idset *set)
{
    return 2 * set->capacity - 1;
}

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
        const struct member *member = &set->members[set->table[place]];
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

static void fill_table(struct cpi_idset *set)
{
    for (unsigned q = 0; q < CPI_QUEUES; q++) {
        for (uint32_t handle = set->queues[q].first; handle != NONE; handle = set->members[handle].next) {
            uint32_t place = set->members[handle].hash & place_mask(set);
            while (set->table[place] != NONE) {
                place = (place + 1) & place_mask(set);
            }
            set->table[place] = handle;
        }
    }
}

static bool grow(struct cpi_idset *set)
{
    if (set->capacity > UINT32_MAX / 4 || !allocate(set, 2 * set->capacity)) {
        return false;
    }
    fill_table(set);
    return true;
}

/* The least capacity for the members there are and some more, so that the set need not grow again at once. */
static uint32_t fitting_capacity(const struct cpi_idset *set)
{
    uint32_t capacity = set->capacity;
    while (capacity > FIRST_CAPACITY && cpi_idset_total(set) < capacity / 2 - capacity / 32) {
        capacity /= 2;
    }
    return capacity;
}

void cpi_idset_compact(struct cpi_idset *set)
{
    cpi_owner_check(&set->owner);
    uint32_t capacity = fitting_capacity(set);
    if (capacity == set->capacity || set->capacity <= KEPT_CAPACITY) {
        return;
    }
    struct member *members = malloc(capacity * sizeof *members);
    uint32_t *table = calloc(2 * (size_t)capacity, sizeof *table);
    if (members == NULL || table == NULL) {
        free(members);
        free(table);
        return;
    }
    uint32_t used = 1;
    for (unsigned q = 0; q < CPI_QUEUES; q++) {
        struct queue *queue = &set->queues[q];
        uint32_t previous = NONE;
        for (uint32_t handle = queue->first; handle != NONE; handle = set->members[handle].next) {
            members[used] = set->members[handle];
            members[used].previous = previous;
            members[used].next = used + 1;
            previous = used++;
        }
        if (queue->count > 0) {
            queue->first = used - queue->count;
            queue->last = previous;
            members[previous].next = NONE;
        }
    }
    free(set->members);
    free(set->table);
    set->members = members;
    set->table = table;
    set->capacity = capacity;
    set->used = used;
    set->free = NONE;
    fill_table(set);
}

/* ---- the queues ---- */

static void unlink_member(struct cpi_idset *set, uint32_t handle)
{
    struct member *member = &set->members[handle];
    struct queue *queue = &set->queues[member->queue];
    CPI_ASSERT(queue->count > 0);
    *(member->previous != NONE ? &set->members[member->previous].next : &queue->first) = member->next;
    *(member->next != NONE ? &set->members[member->next].previous : &queue->last) = member->previous;
    queue->count--;
}

static void link_member(struct cpi_idset *set, uint32_t handle, enum cpi_queue to)
{
    struct member *member = &set->members[handle];
    struct queue *queue = &set->queues[to];
    member->queue = to;
    member->previous = queue->last;
    member->next = NONE;
    *(member->previous != NONE ? &set->members[member->previous].next : &queue->first) = handle;
    queue->last = handle;
    queue->count++;
}

static void leave_barriers(struct cpi_idset *set, struct member *member)
{
    for (unsigned f = 0; f < CPI_IDSET_BARRIERS; f++) {
        if ((member->barriers & (1u << f)) != 0) {
            CPI_ASSERT(set->barrier_left[f] > 0);
            set->barrier_left[f]--;
        }
    }
    member->barriers = 0;
}

static enum cpi_added arrive_again(struct cpi_idset *set, uint32_t handle, enum cpi_queue queue)
{
    enum cpi_queue now = cpi_idset_queue(set, handle);
    bool is_back = now == CPI_PARKED && queue != CPI_BULK;
    if (is_back && set->holds_parked) {
        return CPI_RECALLED;
    }
    if (is_back || (queue == CPI_LIVE && now != CPI_LIVE)) {
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
        return arrive_again(set, set->table[place], queue);
    }

    uint32_t handle = set->free;
    if (handle != NONE) {
        set->free = set->members[handle].next;
    } else {
        if (set->used == set->capacity) {
            if (!grow(set)) {
                return CPI_NO_MEMORY;
            }
            place = find_place(set, event->entity, &event->id, hash);
        }
        handle = set->used++;
    }
    set->members[handle] = (struct member){.id = event->id, .hash = hash, .entity = event->entity};
    link_member(set, handle, queue);
    set->table[place] = handle;
    return CPI_ADDED;
}

void cpi_idset_hold_parked(struct cpi_idset *set, bool holds)
{
    set->holds_parked = holds;
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
    const struct member *member = member_of(set, handle);
    return (struct cpi_event){.id = member->id, .entity = member->entity, .in_crowd = member->queue == CPI_CROWD};
}

enum cpi_queue cpi_idset_queue(const struct cpi_idset *set, uint32_t handle)
{
    return (enum cpi_queue)member_of(set, handle)->queue;
}

uint32_t cpi_idset_find(const struct cpi_idset *set, uint32_t entity, const union cpi_id *id)
{
    return set->table[find_place(set, entity, id, table_hash(set, entity, id))];
}

void cpi_idset_move(struct cpi_idset *set, uint32_t handle, enum cpi_queue queue)
{
    struct member *member = member_of(set, handle);
    unlink_member(set, handle);
    link_member(set, handle, queue);
    if (queue == CPI_PARKED) {
        leave_barriers(set, member);
    }
}

struct cpi_event cpi_idset_take(struct cpi_idset *set, uint32_t handle)
{
    struct cpi_event event = cpi_idset_get(set, handle);
    struct member *member = &set->members[handle];
    close_gap(set, place_of(set, handle));
    unlink_member(set, handle);
    leave_barriers(set, member);
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
            struct member *member = &set->members[handle];
            member->barriers = (member->barriers | (1u << barrier)) & ((1u << CPI_IDSET_BARRIERS) - 1);
        }
    }
}

uint32_t cpi_idset_barrier_left(const struct cpi_idset *set, unsigned barrier)
{
    return set->barrier_left[barrier];
}
