/* What the files of the coalescing set share. */
#ifndef CPI_IDSET_INTERNAL_H
#define CPI_IDSET_INTERNAL_H

#include "queue/idset.h"

#include "base/assert.h"

enum {
    NONE = 0,
    ENTITY_BITS = 16,
    QUEUE_BITS = 3,
    ORIGIN_BITS = 2,
    FIRST_CAPACITY = 1024 /* of members; the table has twice as many places */
};

/* What a member's queue says while it is in none: free. */
enum { FREE = CPI_QUEUES };

/* 24 bytes, and four more for when it came. A million ids that wait for a server to come back are the largest data this
 * library holds. */
struct cpi_idset_member {
    union cpi_id id;
    uint32_t next; /* in its queue, or in the list of free members */
    uint32_t previous;
    uint32_t hash;
    unsigned entity : ENTITY_BITS;
    unsigned queue : QUEUE_BITS;
    unsigned barriers : CPI_IDSET_BARRIERS; /* bit f: barrier f waits for it */
    unsigned held : 1;
    unsigned announced : 1;
    unsigned granted : 1;
    unsigned failed : 1;
    unsigned origin : ORIGIN_BITS; /* a cp_origin: the first of those that have named it */
};

_Static_assert(sizeof(struct cpi_idset_member) == 24, "memory is reckoned with 24 bytes an id");
_Static_assert(CPI_ENTITIES_MAX <= 1 << ENTITY_BITS, "an entity's number has to come out as it went in");
_Static_assert(FREE < 1 << QUEUE_BITS, "the queues and FREE have to differ");
_Static_assert(CP_ORIGIN_RESYNC < 1 << ORIGIN_BITS, "an origin has to come out as it went in");

struct cpi_idset_queue {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

struct cpi_idset {
    struct cpi_owner owner;
    const struct cpi_entity *entities;
    struct cpi_idset_member *members; /* [0] is not used: handle 0 means none */
    cpi_ticks *arrived;               /* by handle, like members: when the oldest event came that has not settled */
    uint32_t capacity;                /* of members, a power of two */
    uint32_t used;                    /* members ever handed out; those beyond were never touched */
    uint32_t free;                    /* the first free member below used */
    uint32_t *table;                  /* 2 * capacity places, open addressing, each a handle or NONE */
    struct cpi_idset_queue queues[CPI_QUEUES];
    uint32_t failed_count;
    bool holds_parked;
    uint32_t barrier_left[CPI_IDSET_BARRIERS];
};

static inline uint32_t place_mask(const struct cpi_idset *set)
{
    return 2 * set->capacity - 1;
}

/* Gives the set room for `capacity` members and an empty table. A failure changes nothing. */
bool cpi_idset_allocate(struct cpi_idset *set, uint32_t capacity);

/* Doubles it. All handles stay valid. */
bool cpi_idset_grow(struct cpi_idset *set);

#endif
