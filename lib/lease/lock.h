/*
 * The statements behind the lease: an advisory lock of a session, and who holds it.
 *
 * The session that gets the lock takes a second one along, under a token that nobody else ever uses. It tells sessions
 * apart; process ids do not, behind a pooler.
 */
#ifndef CPI_LOCK_H
#define CPI_LOCK_H

#include "lease/lease.h"
#include "postgres/pg.h"

/* Who holds the lock. */
struct cpi_lock_holder {
    bool exists;    /* false: nobody, and then nothing below counts */
    bool is_token;  /* it is the session of the token that was asked about */
    bool is_silent; /* it has been idle for CPI_LEASE_SILENT_MS; false where its activity is not ours to see */
    bool is_ours;   /* it belongs to our role. Any role can take an advisory lock, and need not be a cachepusher */
    char pid[16];   /* of its process in Postgres */
    char line[160]; /* the process, its address and role, for people */
    char role[64];  /* what its session is called (application_name) */
};

/* Tries to get the lock `name` for pg's session, and with it the session's own lock (session->token). database is the
 * number of the Redis database: owners of different ones are no former owners of each other. On success session->group
 * is set. */
cp_code cpi_lock_try(struct cpi_pg *pg, const char *name, int database, struct cpi_lease_session *session,
                     bool *acquired, cp_error *err);

/* What that group is, without the lock. */
cp_code cpi_lock_find_group(struct cpi_pg *pg, const char *name, int database, char group[CPI_LEASE_GROUP_BYTES],
                            cp_error *err);

cp_code cpi_lock_find_holder(struct cpi_pg *pg, const char *name, const char *token, struct cpi_lock_holder *holder,
                             cp_error *err);

/* Whether the holder's session is that of a cachepusher that serves other versions of declared documents than role says
 * (cpi_config_lease_role()). */
cp_code cpi_lock_differs(struct cpi_pg *pg, const char *name, const char *role, bool *differs, cp_error *err);

/* Marks pg's session as the one that listens, and ends every other session of the name that does: one whose client is
 * gone or frozen would keep Postgres' notification queue from being emptied, until the application's commits fail. To
 * be called by whoever holds the lease. Where another role's session is not ours to end it stays. If another role keeps
 * us from marking it, that is no failure: *stranger then exists, with its pid and line. */
cp_code cpi_lock_claim_listening(struct cpi_pg *pg, const char *name, struct cpi_lock_holder *stranger, cp_error *err);

/* Ends a session by its process' id. */
cp_code cpi_lock_end_session(struct cpi_pg *pg, const char *pid, cp_error *err);

/* Before any thread runs: whether the role may ask what has to be asked. must_be_free: another holder is an error,
 * retriable, that names it. */
cp_code cpi_lock_check(struct cpi_pg *pg, const char *name, bool must_be_free, cp_error *err);

#endif
