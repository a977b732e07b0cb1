/*
 * What threads ask of each other without knowing each other: resyncs of the resync thread, and of the listener a
 * barrier behind all that has been announced, or that another syncer makes the resync.
 *
 * A request never blocks and is never lost: what is asked for while a resync runs is done by one more run.
 */
#ifndef CPI_REQUESTS_H
#define CPI_REQUESTS_H

#include "base/bell.h"

#include <pthread.h>

#define CPI_ALL_ENTITIES UINT32_MAX

struct cpi_requests {
    uint32_t entity_count;
    struct cpi_bell resync_bell;   /* the resync thread sleeps by it */
    struct cpi_bell listener_bell; /* and the listener by this one */

    pthread_mutex_t mutex; /* over all below; held for a copy, never longer */
    bool *wanted;          /* by entity */
    unsigned causes;       /* a bit each, of the next run */
    bool started;          /* CP_CAUSE_START has come */
    bool busy;             /* a run is under way */
    int64_t barrier;       /* the newest that was asked for; 0: none */
    bool relay;            /* a resync, by the syncer that writes */
};

cp_code cpi_requests_init(struct cpi_requests *requests, uint32_t entity_count, cp_error *err);
void cpi_requests_fini(struct cpi_requests *requests);

/* ---- any thread ---- */

/* A resync of one entity or of CPI_ALL_ENTITIES. CP_CAUSE_START asks for the warm-up, whatever that is configured to
 * be, and lets runs begin: what is asked for before is kept until then. */
void cpi_requests_resync(struct cpi_requests *requests, uint32_t entity, cp_cause cause);

/* Whether the warm-up has been asked for, no run is under way and none has been asked for. */
bool cpi_requests_is_idle(struct cpi_requests *requests);

/* A barrier of this number behind everything that has been announced so far. */
void cpi_requests_barrier(struct cpi_requests *requests, int64_t number);

/* Another syncer writes, and is to read everything again. */
void cpi_requests_relay(struct cpi_requests *requests);

/* ---- the resync thread ---- */

/* Whether something is asked for; whether it may begin. */
bool cpi_requests_has_any(struct cpi_requests *requests);
bool cpi_requests_may_begin(struct cpi_requests *requests);
bool cpi_requests_has(struct cpi_requests *requests, cp_cause cause);

/* Takes what is asked for and begins a run: adds the entities that are wanted to wanted, and returns the causes. */
unsigned cpi_requests_take(struct cpi_requests *requests, bool *wanted);
void cpi_requests_end_run(struct cpi_requests *requests);

/* ---- the listener ---- */

bool cpi_requests_has_for_listener(struct cpi_requests *requests);

/* 0: none was asked for since the last time. */
int64_t cpi_requests_take_barrier(struct cpi_requests *requests);
bool cpi_requests_take_relay(struct cpi_requests *requests);

#endif
