/*
 * What a worker takes from its lane: moves ids from the two rings into the worker's set, within the set's bounds, and
 * answers the marks between them.
 *
 * No id keeps another one out for long. Bulk ids are taken only as needed for a batch, which slows the resync thread
 * down instead; parked ids have at most half of the set; and where the ids that wait leave little room, those of a
 * crowd are dropped, those that wait already if need be, counted, and owed a resync. So a session that announces
 * millions of ids costs others a few milliseconds, and the database no more than a resync now and then.
 *
 * Belongs to the worker's thread.
 */
#ifndef CPI_INTAKE_H
#define CPI_INTAKE_H

#include "env.h"

struct cpi_intake {
    const struct cpi_env *env;
    struct cpi_lane *lane;
    struct cpi_idset *set;
    uint32_t index;              /* of the worker */
    uint32_t capacity;           /* of the set; beyond it the rings fill up, then the live feed */
    int64_t barriers[CPI_RINGS]; /* number of the barrier to pass; 0: none */
    int64_t position;            /* the same of a position */
    struct cpi_events failing;   /* scratch: what fails when it is passed */
    bool owes;                   /* set by the worker: it has dropped ids, and requested no resync for them yet */
    int64_t rested_ms;           /* set by the worker: until then, what fails is not worked on again */
    bool recalled;               /* a parked id has changed meanwhile; the worker clears it */
    uint64_t crowded_out;        /* ids dropped since a resync was last requested for them */
    int64_t crowded_out_ms;      /* since when */
    uint32_t reported_pending;
    uint32_t reported_failing;
};

/* env and set have to outlive it. */
void cpi_intake_init(struct cpi_intake *intake, const struct cpi_env *env, uint32_t index, struct cpi_idset *set);

void cpi_intake_fini(struct cpi_intake *intake);

/* Takes what the rings have, to be called between two batches. */
void cpi_intake_drain(struct cpi_intake *intake);

/* Whether drain() would take anything. */
bool cpi_intake_can_drain(const struct cpi_intake *intake);

/* How many ids of the set are to be worked on, leaving the parked ones aside. */
uint32_t cpi_intake_waiting(const struct cpi_intake *intake);

/* Answers barriers that have been passed, requests the resync that is owed, and publishes how many ids there are. */
void cpi_intake_report(struct cpi_intake *intake);

#endif
