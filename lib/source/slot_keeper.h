/*
 * Keeping a replication slot: makes one where there is none, makes it anew where it has been lost, and takes it from a
 * former owner.
 *
 * Belongs to the listener's thread.
 */
#ifndef CPI_SLOT_KEEPER_H
#define CPI_SLOT_KEEPER_H

#include "source/wal_slot.h"

#include "base/backoff.h"

struct cpi_slot_keeper {
    const struct cpi_env *env;
    char name[CPI_SLOT_BYTES];
    char reader[CPI_WAL_READER_BYTES];
    bool remake; /* the owner has found that it is of no use any more */
    struct cpi_backoff backoff;
    int64_t made_ms;
    int64_t make_at_ms; /* another one */
    uint64_t stuck_at;  /* where the slot stood when its stream failed last */
    unsigned stuck;     /* how often it has failed there */
};

/* env has to outlive it. */
void cpi_slot_keeper_init(struct cpi_slot_keeper *keeper, const struct cpi_env *env);

/* The stream was ended by an error that may come at every try, with the slot confirmed up to here. Where that goes on
 * and on, nothing of what follows would ever come: then it says so, and the slot is made anew. */
void cpi_slot_keeper_note_stuck(struct cpi_slot_keeper *keeper, uint64_t confirmed);

/* *made: just now, so that what was committed before is not in it. Each time that this happens everything is read
 * again: a slot that is lost again and again is made less and less often, and a failure until then. Waits for the
 * transactions that are open, as long as they are, or until a stop. Failures are retriable. */
cp_code cpi_slot_keeper_have(struct cpi_slot_keeper *keeper, struct cpi_pg *pg, struct cpi_wal_slot *slot, bool *made,
                             cp_error *err);

#endif
