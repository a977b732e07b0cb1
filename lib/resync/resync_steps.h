/*
 * The steps of a resync: listing, sweeping, touching, and waiting for it all to settle.
 *
 * Each step continues over lost connections until it is done. A statement that fails by itself ends the step, so that
 * one broken entity does not keep the others waiting. Everything belongs to the resync thread.
 */
#ifndef CPI_RESYNC_STEPS_H
#define CPI_RESYNC_STEPS_H

#include "base/backoff.h"
#include "env.h"
#include "queue/bulk_feed.h"
#include "resync/orphans.h"
#include "resync/share.h"
#include "scan/scan.h"

enum cpi_step {
    CPI_STEP_DONE,
    CPI_STEP_FAILED,  /* logged; try again later */
    CPI_STEP_STOPPING /* the syncer is stopping, or another one has taken over */
};

struct cpi_steps {
    const struct cpi_env *env;
    void (*report)(void *context); /* called often while waiting */
    void *report_context;
    struct cpi_scan scan;   /* its connections are used for everything here */
    struct cpi_slice slice; /* taken from it */
    uint64_t term;          /* of the lease when scan.pg was opened */
    uint64_t generation;    /* of Postgres sessions, the same */
    struct cpi_backoff backoff;
    struct cpi_bulk_feed bulk_feed;
    struct cpi_orphans orphans; /* ids found in Redis and not listed yet */
    struct cpi_share share;     /* of the entity under way */
    struct cpi_id_array probe;  /* ids found in Redis, to be looked up in Postgres */
};

cp_code cpi_steps_init(struct cpi_steps *steps, const struct cpi_env *env, void (*report)(void *context),
                       void *report_context, cp_error *err);
void cpi_steps_fini(struct cpi_steps *steps);

/* Closes the connections; the steps make them again. */
void cpi_steps_close(struct cpi_steps *steps);

/* Opens the Postgres connection, scan.pg, unless it is. */
cp_code cpi_steps_open(struct cpi_steps *steps, cp_error *err);

/* The planner's estimate of the entity's documents; 0: not available. */
uint64_t cpi_steps_estimate(struct cpi_steps *steps, uint32_t index);

/* Finds the entity's ids that have a key in Redis. With will_list up to max_pending of them are kept in memory for
 * cpi_steps_list(). The others, and without will_list all of them, are looked up in Postgres, and those it does not
 * list go through the lanes. */
enum cpi_step cpi_steps_sweep(struct cpi_steps *steps, uint32_t index, bool will_list);

/* Puts every id of the entity that Postgres lists through the lanes, then those kept in memory and not listed. */
enum cpi_step cpi_steps_list(struct cpi_steps *steps, uint32_t index);

/* Calls the entity's warm-up procedure, whose triggers announce the documents. */
enum cpi_step cpi_steps_touch(struct cpi_steps *steps, uint32_t index);

/* Waits until every id put through the lanes so far has settled. */
enum cpi_step cpi_steps_settle(struct cpi_steps *steps);

/* Waits until every worker has finished the batch it is working on. */
enum cpi_step cpi_steps_quiesce(struct cpi_steps *steps);

/* Sleeps for *look_ms and increases it for the next time. Begin with CPI_LOOK_FIRST_MS, since a ring has room again
 * after a batch. False: stopping. */
enum { CPI_LOOK_FIRST_MS = 1 };
bool cpi_steps_wait(struct cpi_steps *steps, int *look_ms);

#endif
