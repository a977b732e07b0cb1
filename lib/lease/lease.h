/*
 * The lease: of all syncers of one name, in all processes on all machines, one writes.
 *
 * It is a session advisory lock of Postgres, held by the listener's connection. A lock alone would not do: a process
 * that was frozen (SIGSTOP, a suspended machine) loses its session, and when it goes on has documents in its hands that
 * it read long ago. So a Redis connection writes nothing before it has been admitted, which takes three steps:
 *
 *   1. It names itself in Redis after the lease and this syncer.
 *   2. It has Redis kill every connection that is named after the same lease and another syncer.
 *   3. It asks Postgres whether the very session that held the lock before step 1 still holds it. (A second lock, which
 *      each session takes under a token of its own, tells sessions apart: process ids do not, behind a pooler.)
 *
 * Why no former owner F can write after the first write of the present owner P: P's steps 2 lie within the time that P
 * holds the lock, since step 3 shows that its session has held it throughout. Take any connection of F's. If it named
 * itself before P's step 2, P has killed it there: Redis executes one command after the other, so what it had sent
 * either came before or never comes. If it named itself after that, then F asked Postgres (its step 3) while P held the
 * lock, and was told no. And what F wrote before P's step 2, P reads and writes again: taking over means a resync.
 */
#ifndef CPI_LEASE_H
#define CPI_LEASE_H

#include "base/bell.h"
#include "config/config.h"
#include "postgres/pg.h"
#include "redis/redis.h"

#include <pthread.h>

enum cpi_lease_state {
    CPI_LEASE_NONE, /* not connected, or not yet asked: who writes is unknown */
    CPI_LEASE_HELD,
    CPI_LEASE_INHERITED, /* held by a former session of ours, which Postgres has not ended yet */
    CPI_LEASE_TAKEN      /* by another syncer: this one stands by */
};

/* A session of Postgres that holds the lock, or did last. */
struct cpi_lease_session {
    char token[48]; /* names a second lock that it has taken along with the first, and nobody else ever; "": none yet */
    char group[20]; /* hex digits, made of the name, the database and its cluster: what F and P have in common */
};

struct cpi_lease {
    const struct cp_config *config;
    const struct cpi_log *log;
    const char *token;           /* of this syncer alone: random hex digits */
    struct cpi_log_limit ending; /* sessions: one that is frozen takes its time */
    unsigned tries;              /* of the listener, each with a session token of its own */

    pthread_mutex_t mutex; /* over both below: written by the listener, read by whoever is to be admitted */
    enum cpi_lease_state state;
    struct cpi_lease_session session;
    uint64_t term;         /* how many sessions have held the lock */
    struct cpi_bell *bell; /* the listener's */
};

/* Room for one line about a session. */
enum { CPI_HOLDER_BYTES = 160 };

/* The listener's session runs a statement every CPI_HEARTBEAT_INTERVAL_MS. One that has been idle for so long is that
 * of a frozen process or a machine that is gone, and whoever stands by ends it. */
enum { CPI_LEASE_MS = 9000 };

/* All arguments have to outlive it. */
void cpi_lease_init(struct cpi_lease *lease, const struct cp_config *config, const struct cpi_log *log,
                    const char *token);

/* Before any thread runs: the bell by which the listener hears that somebody has found the lease gone. */
void cpi_lease_set_bell(struct cpi_lease *lease, struct cpi_bell *bell);
void cpi_lease_fini(struct cpi_lease *lease);

/* Any thread. */
enum cpi_lease_state cpi_lease_state(struct cpi_lease *lease);

/* Any thread: whether this syncer writes. */
bool cpi_lease_is_held(struct cpi_lease *lease);

/* Any thread: changes whenever the listener has made its connection again. Whatever made it do that, a path to Postgres
 * that has gone silent for instance, is likely to be true for every other connection that is as old. */
uint64_t cpi_lease_term(struct cpi_lease *lease);

/* The listener: tries to get the lock for the session of pg, which from then on is the one that holds it. With CP_OK
 * *state tells what has come of it and, where it is taken, holder who has it. A former session of our own that still
 * has it, since Postgres has not noticed that it is gone or its process is frozen, is told to end: until it does,
 * nobody else can have the lock, and we go on writing under its name. The caller has to try again every little while.
 */
cp_code cpi_lease_take(struct cpi_lease *lease, struct cpi_pg *pg, enum cpi_lease_state *state,
                       char holder[CPI_HOLDER_BYTES], cp_error *err);

/* The listener: the session is gone. What another syncer has taken counts as taken until we have asked again. */
void cpi_lease_lose(struct cpi_lease *lease);

/* Any thread, for connections of its own that are both open: the three steps. Afterwards redis->may_write is true. When
 * Postgres says no, the listener is told, whose session must be gone. */
cp_code cpi_lease_admit(struct cpi_lease *lease, struct cpi_pg *pg, struct cpi_redis *redis, cp_error *err);

/* Before anything runs: whether the role may ask what has to be asked. must_be_free: a syncer that has the lock is an
 * error, retriable, that names it. */
cp_code cpi_lease_check(const struct cp_config *config, struct cpi_pg *pg, bool must_be_free, cp_error *err);

#endif
