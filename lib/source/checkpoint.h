/*
 * The checkpoint: a key in Redis that says up to which position of the write-ahead log its documents are complete.
 *
 * A position is written there before the slot is told that it need not keep what came before (acknowledging late). So
 * after a restart, whatever ended the process, Redis is at least as new as the slot: the source goes on from the slot,
 * and nothing else has to be read. Where the two do not agree (Redis was emptied, rolled back or replaced, the slot
 * made anew, the server another one or on another timeline, the configuration or what documents hang on changed) a
 * resync is due. While one is owed for any reason there is no checkpoint. Ids that fail are written down with it
 * (checkpoint_text.h).
 *
 * Without the right to the key each start is a resync; the slot moves on all the same. A key that cannot be deleted is
 * behind it from then on, and agrees with nothing.
 *
 * A thread of its own writes it, so that nobody else waits for Redis. It looks at the marker first, on a connection
 * that was open before, and at the key: one that is not what it wrote last is in a Redis that has lost data.
 */
#ifndef CPI_CHECKPOINT_H
#define CPI_CHECKPOINT_H

#include "base/pulse.h"
#include "env.h"

struct cpi_checkpoint;

/* Whether Redis has lost data (the marker): asked before it is called complete, and only then. */
struct cpi_checkpoint_marker {
    void *context;
    cp_code (*look)(void *context, bool *same, cp_error *err);
};

/* env has to outlive it. `written` is rung when something has been written. NULL: out of memory. */
struct cpi_checkpoint *cpi_checkpoint_create(const struct cpi_env *env, const struct cpi_checkpoint_marker *marker,
                                             struct cpi_bell *written, cp_error *err);
cp_code cpi_checkpoint_start(struct cpi_checkpoint *checkpoint, cp_error *err);

/* Once draining. NULL is allowed, in destroy too. */
void cpi_checkpoint_join(struct cpi_checkpoint *checkpoint);
void cpi_checkpoint_destroy(struct cpi_checkpoint *checkpoint);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_checkpoint_pulse(struct cpi_checkpoint *checkpoint);

/* ---- the listener ---- */

/* What a stream comes from. */
struct cpi_checkpoint_stream {
    const char *system; /* the cluster and its timeline */
    const char *slot;
    const char *published; /* a digest of what is published to it */
    /* When the server began to count, which it does anew after a crash: what was committed without waiting for the disk
     * has then been seen by readers, perhaps, and lost. */
    const char *since;
    uint64_t confirmed; /* where the slot stands */
    uint64_t end_lsn;   /* of the log */
};

/* A stream begins. *why: NULL when Redis has everything up to there but for the ids that were failing, which are added
 * to `failing`, to be read again; else what is in the way of that, for people, and `failing` may hold some, too. Waits
 * for Redis. */
cp_code cpi_checkpoint_begin(struct cpi_checkpoint *checkpoint, const struct cpi_checkpoint_stream *stream,
                             struct cpi_events *failing, const char **why, cp_error *err);

/* The stream has ended: nothing more is written for it. */
void cpi_checkpoint_end(struct cpi_checkpoint *checkpoint);

/* Everything up to the position has settled, or fails. complete: the lanes tell what fails, and nothing else is owed.
 */
void cpi_checkpoint_put(struct cpi_checkpoint *checkpoint, uint64_t position, bool complete);

/* Whether the key is there, or about to be. */
bool cpi_checkpoint_is_complete(struct cpi_checkpoint *checkpoint);

/* The newest position that the slot may be told; 0: none since the stream began. */
uint64_t cpi_checkpoint_written(struct cpi_checkpoint *checkpoint);

#endif
