/*
 * The coalescing set: distinct (entity, id) pairs that wait, in the order in which they first arrived.
 *
 * Here a thousand updates of one row become one read. Each id is in one of four queues: live (it was changed), crowd
 * (it was changed with a great many others), bulk (a resync listed it) and parked (its own fetch or store fails, so it
 * is retried alone). An id that arrives again stays where it is, except that a live event moves it to the end of live,
 * one of a crowd a parked id to the end of crowd, and a listing one of the crowd to the end of bulk: a crowd may be
 * dropped, what a resync has listed may not. Parked ids that are held stay, too.
 *
 * Each also remembers whether an event has named it, whatever queue it is in, or only a resync: what nobody announced
 * may be deleted within bounds only (allowance.h). Of several origins it keeps the one that comes first in cp_origin.
 *
 * An id stays in the set while it is worked on, and is removed when it has settled. So a failed batch needs no
 * rollback. The set belongs to one thread.
 */
#ifndef CPI_IDSET_H
#define CPI_IDSET_H

#include "model/event.h"

enum cpi_queue { CPI_LIVE, CPI_CROWD, CPI_BULK, CPI_PARKED, CPI_QUEUES };

enum cpi_added {
    CPI_ADDED,
    CPI_COALESCED, /* it is in the set already */
    CPI_RECALLED,  /* the same, parked and held: it may be well again */
    CPI_NO_MEMORY  /* not added; the caller still owns the id */
};

/* Barriers that may be open at once: one for each ring of a lane (lane.h). */
enum { CPI_IDSET_BARRIERS = 3 };

struct cpi_idset;

/* The entities say how ids are hashed and freed; they have to outlive the set. NULL: out of memory. */
struct cpi_idset *cpi_idset_create(const struct cpi_entity *entities);

/* Frees the set and the ids in it. NULL is allowed. */
void cpi_idset_destroy(struct cpi_idset *set);

/* Adds to the end of the live, crowd or bulk queue. Takes over the event's id, and frees it if the set has it already.
 */
enum cpi_added cpi_idset_add(struct cpi_idset *set, const struct cpi_event *event, enum cpi_queue queue);

/* Whether all parked ids are held, which events leave where they are; not at first. */
void cpi_idset_hold_parked(struct cpi_idset *set, bool holds);

/* Holds a single one that is parked, until it is moved or removed. */
void cpi_idset_hold(struct cpi_idset *set, uint32_t handle);
bool cpi_idset_is_held(const struct cpi_idset *set, uint32_t handle);

uint32_t cpi_idset_count(const struct cpi_idset *set, enum cpi_queue queue);
/* When the first of a queue was announced; 0: it is empty, or only a resync has named the first. */
cpi_ticks cpi_idset_oldest(const struct cpi_idset *set, enum cpi_queue queue);

uint32_t cpi_idset_total(const struct cpi_idset *set);

/* A handle names a member until it is removed. It is never 0, so 0 can mean "none". */

/* Copies up to n handles of a queue, oldest first, and returns how many. The members stay where they are. */
uint32_t cpi_idset_peek(const struct cpi_idset *set, enum cpi_queue queue, uint32_t *handles, uint32_t n);

/* The member itself. The set keeps owning its id. */
struct cpi_event cpi_idset_get(const struct cpi_idset *set, uint32_t handle);

/* Which queue it is in. */
enum cpi_queue cpi_idset_queue(const struct cpi_idset *set, uint32_t handle);

/* Adds a copy of each member that has ever been parked, wherever it is now: what has failed and not succeeded since.
 * False: there are more than `most`, or memory ran out; some may have been added. */
bool cpi_idset_copy_failing(const struct cpi_idset *set, uint32_t most, struct cpi_events *events);

/* How many of these there are. */
uint32_t cpi_idset_failed(const struct cpi_idset *set);

/* Whether an event has named it since it came, and not only a resync. */
bool cpi_idset_is_announced(const struct cpi_idset *set, uint32_t handle);

/* A granted one may be deleted, which has been counted: where that has to be tried again it is not counted again. */
void cpi_idset_grant(struct cpi_idset *set, uint32_t handle);
bool cpi_idset_is_granted(const struct cpi_idset *set, uint32_t handle);

/* The handle of an id; 0: it is not in the set. */
uint32_t cpi_idset_find(const struct cpi_idset *set, uint32_t entity, const union cpi_id *id);

/* Moves a member to the end of a queue. */
void cpi_idset_move(struct cpi_idset *set, uint32_t handle, enum cpi_queue queue);

/* Gives back memory after a burst, if less than half of it is used. A failure does no harm. All handles become invalid,
 * so it must not be called while a batch is under way. */
void cpi_idset_compact(struct cpi_idset *set);

/* Removes a member. take gives its id to the caller, remove frees it. */
struct cpi_event cpi_idset_take(struct cpi_idset *set, uint32_t handle);
void cpi_idset_remove(struct cpi_idset *set, uint32_t handle);

/* Barriers: independent ones, from 0 to CPI_IDSET_BARRIERS - 1. Setting one remembers every member of this
 * moment that is not parked; left says how many of these have been neither removed nor parked since. Setting it again
 * starts over. */
void cpi_idset_set_barrier(struct cpi_idset *set, unsigned barrier);
uint32_t cpi_idset_barrier_left(const struct cpi_idset *set, unsigned barrier);

#endif
