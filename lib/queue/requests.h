/*
 * Requests between threads that do not know each other. The resync thread is asked for a resync. The listener is asked
 * for a barrier behind everything announced so far, or to have the writer, another syncer, make a resync.
 *
 * A request never blocks and is never lost: one that comes while a resync runs leads to another run.
 *
 * It also keeps the generation of Postgres sessions. What a session got when it connected (search_path, time zone, the
 * role's settings, prepared plans) may be out of date. When there is reason to think so the generation is increased,
 * and every thread opens a new session before it reads with one of an older generation.
 */
#ifndef CPI_REQUESTS_H
#define CPI_REQUESTS_H

#include "base/bell.h"

#include <pthread.h>

#define CPI_ALL_ENTITIES UINT32_MAX

/* Connecting costs some milliseconds of each thread, and a statement that fails may go on failing. */
enum {
    CPI_RENEWAL_EVERY_MS = 5000,
    CPI_SESSION_AGE_MS = 300000 /* no generation is used for longer, whatever has changed that nobody looks at */
};

struct cpi_requests {
    uint32_t entity_count;
    struct cpi_bell resync_bell;   /* wakes the resync thread */
    struct cpi_bell listener_bell; /* wakes the listener */

    pthread_mutex_t mutex; /* protects all below; held for a copy, never longer */
    bool *wanted;          /* by entity */
    bool *announced;       /* by entity: a "*" was heard since the last take */
    unsigned causes;       /* of the next run, one bit each */
    bool started;          /* CP_CAUSE_START has been requested */
    bool listening;        /* the listener listens */
    bool busy;             /* a run is under way */
    int64_t barrier;       /* the newest requested; 0: none */
    bool relay;            /* the writer, another syncer, is to make a resync */
    uint64_t generation;   /* of Postgres sessions; only grows */
    int64_t renewed_ms;    /* when it last grew */
};

cp_code cpi_requests_init(struct cpi_requests *requests, uint32_t entity_count, cp_error *err);
void cpi_requests_fini(struct cpi_requests *requests);

/* ---- any thread ---- */

/* Requests a resync of one entity or of CPI_ALL_ENTITIES. CP_CAUSE_START requests the configured warm-up. Runs begin
 * only after it has been requested and while the listener listens; requests are kept until then. */
void cpi_requests_resync(struct cpi_requests *requests, uint32_t entity, cp_cause cause);

/* Whether the warm-up has been requested, the listener listens, no run is under way and none is requested. */
bool cpi_requests_is_idle(struct cpi_requests *requests);

/* Requests a barrier with this number behind everything announced so far. */
void cpi_requests_barrier(struct cpi_requests *requests, int64_t number);

/* The writer, another syncer, is to read everything again. */
void cpi_requests_relay(struct cpi_requests *requests);

/* The generation that a session to be used now has to be of. Read it before connecting. */
uint64_t cpi_requests_generation(struct cpi_requests *requests);

/* Postgres sessions that are open may be out of date: none is used any more. At most one renewal in
 * CPI_RENEWAL_EVERY_MS, unless it is urgent. */
void cpi_requests_renew_sessions(struct cpi_requests *requests, bool urgent);

/* ---- the resync thread ---- */

/* Whether something is requested; whether a run may begin. */
bool cpi_requests_has_any(struct cpi_requests *requests);
bool cpi_requests_may_begin(struct cpi_requests *requests);
bool cpi_requests_has(struct cpi_requests *requests, cp_cause cause);

/* Takes the requests and begins a run: sets the requested entities in wanted, and returns the causes, one bit each. The
 * run reads with new sessions. */
unsigned cpi_requests_take(struct cpi_requests *requests, bool *wanted);

/* After it, so that the listing comes after the "*" was heard: sets in announced the entities whose own channels said
 * that everything has changed. */
void cpi_requests_take_announced(struct cpi_requests *requests, bool *announced);
void cpi_requests_end_run(struct cpi_requests *requests);

/* ---- the listener ---- */

/* Whether it listens: false at first. */
void cpi_requests_set_listening(struct cpi_requests *requests, bool listening);

bool cpi_requests_has_for_listener(struct cpi_requests *requests);

/* 0: no barrier was requested since the last call. */
int64_t cpi_requests_take_barrier(struct cpi_requests *requests);
bool cpi_requests_take_relay(struct cpi_requests *requests);

#endif
