/*
 * Requests between threads that do not know each other. The resync thread is asked for a resync. The listener is asked
 * to have the writer, another syncer, make a resync.
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
#define CPI_NO_ENTITY (UINT32_MAX - 1)

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
    unsigned taken;        /* of runs since the last that was completed */
    int64_t owed_ms;       /* since when there has been any of these two */
    uint64_t requested;    /* how often anything was, by hand or otherwise, but for resuming */
    bool *filled;          /* by entity: Redis has been complete since the process began */
    bool started;          /* CP_CAUSE_START has been requested */
    bool listening;        /* the listener listens */
    bool busy;             /* a run is under way */
    bool owing;            /* and it does more than resume */
    bool incomplete;       /* the last run has to be repeated */
    uint64_t fingerprint;  /* of what documents hang on; 0: unknown */
    uint64_t repairs;      /* how often a resync was called for because something was missed, dropped or lost */
    uint64_t repairing;    /* how many of these the newest run serves */
    uint64_t repaired;     /* how many have been served */
    bool has_marker;       /* it has been planted, or is done without */
    bool relay;            /* the writer, another syncer, is to make a resync */
    uint64_t generation;   /* of Postgres sessions; only grows */
    int64_t renewed_ms;    /* when it last grew */
};

cp_code cpi_requests_init(struct cpi_requests *requests, uint32_t entity_count, cp_error *err);
void cpi_requests_fini(struct cpi_requests *requests);

/* ---- any thread ---- */

/* Requests a resync of one entity or of CPI_ALL_ENTITIES. CP_CAUSE_START requests the configured warm-up, and
 * CP_CAUSE_RESUME, of CPI_NO_ENTITY, a run that lists nothing and waits for what has been announced so far. Runs begin
 * only after one of these has been requested and while the listener listens; requests are kept until then. */
void cpi_requests_resync(struct cpi_requests *requests, uint32_t entity, cp_cause cause);

/* Whether the warm-up has been requested, the listener listens, no run is under way and none is requested. */
bool cpi_requests_is_idle(struct cpi_requests *requests);

/* Whether every document is as the events so far want it, or will be: each entity was complete once (a run has gone
 * through it, or we have resumed), and no run is under way, requested, or to be repeated, but to resume. 0: it is not
 * so; else a number that is another one after something was owed in between, or ids were enqueued by hand, which no
 * source brings again. */
uint64_t cpi_requests_owe_nothing(struct cpi_requests *requests);

/* Any thread: causes for which everything, or an entity, has yet to be read again, one bit each: requested, being
 * worked on, or of a run that was not completed. *since_ms: since when there has been one (cpi_now_ms()). */
unsigned cpi_requests_owed(struct cpi_requests *requests, int64_t *since_ms);

/* Ids have been enqueued by hand. */
void cpi_requests_note_enqueued(struct cpi_requests *requests);

/* A number that differs when what documents hang on (functions, tables, settings) does, as far as it has been looked
 * at, and no resync is owed for a change; 0: unknown. */
void cpi_requests_set_fingerprint(struct cpi_requests *requests, uint64_t fingerprint);
uint64_t cpi_requests_fingerprint(struct cpi_requests *requests);

/* Whether Redis' marker has been planted, or has to be done without: who looks for losses of data by other means until
 * then may leave it to that. Said by the resync thread, and true for good. */
void cpi_requests_note_marker(struct cpi_requests *requests);
bool cpi_requests_has_marker(struct cpi_requests *requests);

/* How often a resync was called for because something was missed, dropped or lost, the start's included: by anything
 * but a request by hand; and how many of these have been completed. What was dropped has been read again once the
 * second has come to what the first was then. */
uint64_t cpi_requests_repairs(struct cpi_requests *requests);
uint64_t cpi_requests_repaired(struct cpi_requests *requests);

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

/* The run has gone through all of an entity. */
void cpi_requests_note_filled(struct cpi_requests *requests, uint32_t entity);

/* incomplete: it has to be repeated. */
void cpi_requests_end_run(struct cpi_requests *requests, bool incomplete);

/* ---- the listener ---- */

/* Whether it listens: false at first. */
void cpi_requests_set_listening(struct cpi_requests *requests, bool listening);

bool cpi_requests_has_for_listener(struct cpi_requests *requests);

bool cpi_requests_take_relay(struct cpi_requests *requests);

#endif
