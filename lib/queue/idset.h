/*
 * The coalescing set: distinct (entity, id) pairs that wait, in the order in which they first came.
 *
 * It is where a thousand updates of one row become one read. Each id is in one of three queues: live (somebody changed
 * it), bulk (a resync names it) and parked (its own fetch or store fails; it is tried alone). An id that comes again
 * stays where it is, except that a live event lifts it out of bulk or parked to the end of live.
 *
 * An id stays in the set while it is worked on and is removed when it has settled: putting back after a failure is
 * doing nothing. All of it belongs to one thread.
 */
#ifndef CPI_IDSET_H
#define CPI_IDSET_H

#include "model/event.h"

enum cpi_queue { CPI_LIVE, CPI_BULK, CPI_PARKED, CPI_QUEUES };

enum cpi_added {
    CPI_ADDED,
    CPI_COALESCED, /* it was there already */
    CPI_NO_MEMORY  /* not added; the caller still owns the id */
};

/* Barriers that may be open at once: one for each ring of a lane (lane.h). */
enum { CPI_IDSET_BARRIERS = 2 };

struct cpi_idset;

/* entities tell how ids are hashed and freed; they have to outlive the set. NULL when out of memory. */
struct cpi_idset *cpi_idset_create(const struct cpi_entity *entities);

/* Frees the set and the ids in it. NULL is allowed. */
void cpi_idset_destroy(struct cpi_idset *set);

/* Adds to the end of the live or bulk queue. Takes over the event's id, which it frees when it is there already. */
enum cpi_added cpi_idset_add(struct cpi_idset *set, const struct cpi_event *event, enum cpi_queue queue);

uint32_t cpi_idset_count(const struct cpi_idset *set, enum cpi_queue queue);
uint32_t cpi_idset_total(const struct cpi_idset *set);

/* Members are named by handles, valid until removed. Never 0, so that 0 can say "none". */

/* The first up to n handles of a queue, oldest first; returns how many. They stay where they are. */
uint32_t cpi_idset_peek(const struct cpi_idset *set, enum cpi_queue queue, uint32_t *handles, uint32_t n);

/* The member itself; the set goes on owning its id. */
struct cpi_event cpi_idset_get(const struct cpi_idset *set, uint32_t handle);

/* Which queue it is in. */
enum cpi_queue cpi_idset_queue(const struct cpi_idset *set, uint32_t handle);

/* The handle of an id, 0 when it is not there. */
uint32_t cpi_idset_find(const struct cpi_idset *set, uint32_t entity, const union cpi_id *id);

/* Moves a member to the end of a queue. */
void cpi_idset_move(struct cpi_idset *set, uint32_t handle, enum cpi_queue queue);

/* Gives back what a burst has left behind, when less than half of it is used; failing to is no harm. All handles become
 * invalid: not while a batch is under way. */
void cpi_idset_compact(struct cpi_idset *set);

/* Removes a member. take leaves its id to the caller, remove frees it. */
struct cpi_event cpi_idset_take(struct cpi_idset *set, uint32_t handle);
void cpi_idset_remove(struct cpi_idset *set, uint32_t handle);

/* A mark on a member for the caller's own use, clear at first. Returns what it was. */
bool cpi_idset_mark(struct cpi_idset *set, uint32_t handle, bool mark);

/* Barriers: independent ones, from 0 to CPI_IDSET_BARRIERS - 1. Setting one remembers every live and bulk member of
 * this moment; left tells how many of those have been neither removed nor parked since. Setting it again starts anew.
 */
void cpi_idset_set_barrier(struct cpi_idset *set, unsigned barrier);
uint32_t cpi_idset_barrier_left(const struct cpi_idset *set, unsigned barrier);

#endif
