/* The resync thread's hand: puts ids into the lanes' bulk rings, waits where they are full, and asks with fences
 * whether all of them have settled. */
#ifndef CPI_FEEDER_H
#define CPI_FEEDER_H

#include "env.h"

struct cpi_feeder {
    const struct cpi_env *env;
    struct cpi_events *staged; /* by lane, not yet in its ring */
    int64_t fence;             /* number of the last one */
};

cp_code cpi_feeder_init(struct cpi_feeder *feeder, const struct cpi_env *env, cp_error *err);
void cpi_feeder_fini(struct cpi_feeder *feeder);

/* Stages one id for its lane. Takes it over on success only; false: out of memory. */
bool cpi_feeder_stage(struct cpi_feeder *feeder, const struct cpi_event *event);

/* Moves what fits into the rings and wakes the workers; true when nothing is left staged. */
bool cpi_feeder_push(struct cpi_feeder *feeder);

/* Puts a fence, or a turn, of a new number behind everything pushed, in each bulk ring (see lane.h); false while one of
 * them is full. */
bool cpi_feeder_fence(struct cpi_feeder *feeder);
bool cpi_feeder_turn(struct cpi_feeder *feeder);

/* Whether every lane has passed the fence or turn of that number. */
bool cpi_feeder_passed(const struct cpi_feeder *feeder, enum cpi_ring_kind kind, int64_t number);

#endif
