/*
 * The lease: of all syncers that share a name and a database, on whatever machines, one writes.
 *
 * It is a session advisory lock of Postgres, held by a session that does nothing else (keeper.h). This is what the
 * other threads may know of it: its state, and the term, one tenure of the lease. A term begins when a session gets the
 * lock.
 *
 * A lock alone would not do. A process that was frozen (SIGSTOP, a suspended machine) loses its session, and when it
 * goes on it has documents in its hands that it read long ago. So no connection to Redis writes before it has been
 * admitted (admission.h).
 */
#ifndef CPI_LEASE_H
#define CPI_LEASE_H

#include "cachepusher.h"

#include <pthread.h>

enum {
    /* The keeper's session runs a statement this often. */
    CPI_LEASE_PING_MS = 3000,
    /* One that has been idle for so long belongs to a frozen process or a lost machine: whoever stands by ends it. */
    CPI_LEASE_SILENT_MS = 9000,
    CPI_LEASE_GROUP_BYTES = 20
};

enum cpi_lease_state {
    CPI_LEASE_NONE,      /* no session, or the lock not asked for yet: who writes is unknown */
    CPI_LEASE_HELD,      /* by the keeper's session */
    CPI_LEASE_INHERITED, /* by a former session of ours, which Postgres has not ended yet: nobody else can have it */
    CPI_LEASE_TAKEN      /* by another syncer: this one stands by */
};

/* A session that holds the lock, or did last. */
struct cpi_lease_session {
    char token[48]; /* names a second lock that only this session has ever taken; "": none yet */
    /* Hex digits, made of the name, the database and its cluster: common to all owners, former ones too. */
    char group[CPI_LEASE_GROUP_BYTES];
};

struct cpi_lease {
    const char *name;  /* of the lock */
    const char *token; /* of this syncer alone: random hex digits */
    void (*changed)(void *context);
    void *changed_context;

    pthread_mutex_t mutex; /* over all below; never held while anything is waited for */
    enum cpi_lease_state state;
    struct cpi_lease_session session;
    uint64_t term;  /* only grows */
    bool was_taken; /* at any time */
};

/* Strings and context have to outlive it. changed is called after every change of the state or the term, by the thread
 * that made it: it wakes whoever waits for one. */
void cpi_lease_init(struct cpi_lease *lease, const char *name, const char *token, void (*changed)(void *context),
                    void *context);
void cpi_lease_fini(struct cpi_lease *lease);

/* ---- any thread ---- */

enum cpi_lease_state cpi_lease_state(struct cpi_lease *lease);

/* Whether this syncer writes: HELD or INHERITED. */
bool cpi_lease_is_held(struct cpi_lease *lease);

/* How many sessions have held the lock; 0: none yet. What made the keeper connect again, a path to Postgres that has
 * gone silent for instance, is likely to be true of every connection that was made in an earlier term. */
uint64_t cpi_lease_term(struct cpi_lease *lease);

/* Whether another syncer has had it since this one was created, as far as is known: it may have left anything. */
bool cpi_lease_was_taken(struct cpi_lease *lease);

/* The state, and the session that holds the lock or did last. */
enum cpi_lease_state cpi_lease_read(struct cpi_lease *lease, struct cpi_lease_session *session);

/* Postgres says that the session no longer holds the lock, which the keeper has not noticed. Ignored when the keeper
 * has another session by now. taken: somebody else has it. */
void cpi_lease_report_loss(struct cpi_lease *lease, const struct cpi_lease_session *session, bool taken);

/* ---- the keeper ---- */

/* A new term: the session has got the lock. */
void cpi_lease_begin_term(struct cpi_lease *lease, const struct cpi_lease_session *session);

/* Any other state than HELD. */
void cpi_lease_set(struct cpi_lease *lease, enum cpi_lease_state state);

#endif
