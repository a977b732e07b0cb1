/*
 * A round: the commands of a batch that Redis gets in one go. Appended one by one, sent together; then every reply is
 * read, and what was acknowledged is settled. Everything else stays in the set.
 *
 * An id without a document is deleted where an event has named it. Where only a resync has read it again, whether there
 * is a key is asked first, and a deletion takes from the entity's allowance. An id without a key, of which a listing
 * may name any number, takes nothing.
 *
 * Belongs to the worker's thread.
 */
#ifndef CPI_ROUND_H
#define CPI_ROUND_H

#include "env.h"
#include "queue/idset.h"
#include "queue/parked.h"

struct cpi_sent;

struct cpi_round {
    const struct cpi_env *env;
    struct cpi_idset *set;
    struct cpi_target *target;

    struct cpi_sent *sent;
    uint32_t sent_count;
    size_t bytes;     /* of the documents of these */
    cp_error refusal; /* why something is parked */
    struct cpi_parked parked;

    uint32_t *granted; /* handles of what may be deleted, as the replies have shown */
    uint32_t granted_count;
    uint32_t *settled; /* handles; the ids may still be in use by a statement that is being read */
    uint32_t settled_count;
};

/* For config->batch ids. All arguments have to outlive it. False: out of memory; it needs fini then, too. */
bool cpi_round_init(struct cpi_round *round, const struct cpi_env *env, struct cpi_idset *set,
                    struct cpi_target *target);
void cpi_round_fini(struct cpi_round *round);

/* Appends what becomes of an id: it has a document, which is copied, or none (NULL). */
bool cpi_round_append(struct cpi_round *round, uint32_t handle, const char *document, size_t length, cp_error *err);

/* Sends what has been appended and takes every result. False: something is neither settled nor parked, err says why. */
bool cpi_round_push(struct cpi_round *round, cp_error *err);

/* The id fails by itself: out of the way of the others, to be tried alone later. */
void cpi_round_park(struct cpi_round *round, uint32_t handle, const char *why);

/* Takes what has settled out of the set. */
void cpi_round_remove_settled(struct cpi_round *round);

#endif
