/*
 * The ordinary session beside a stream: which transactions can be seen, barriers, and what the slot retains. One
 * question is under way at a time, and none is waited for.
 *
 * Belongs to the listener's thread.
 */
#ifndef CPI_WAL_SESSION_H
#define CPI_WAL_SESSION_H

#include "source/wal_changes.h"

/* What it has been asked. */
enum cpi_wal_question { CPI_WAL_NOTHING, CPI_WAL_SNAPSHOT, CPI_WAL_BARRIER, CPI_WAL_LOOK };

struct cpi_wal_session {
    const struct cpi_env *env;
    struct cpi_wal_changes *changes;
    const char *slot;
    const char *publication;
    char *tables;    /* an array of the oids of the watched tables, in Postgres' notation; owned */
    char *amiss;     /* the same of the names of those that are not there, or cannot be followed; owned */
    char digest[40]; /* of the publication and these tables, when it was opened */
    char shape[40];  /* the same without the partitions' files */
    char since[24];  /* when the server's statistics began: at its last crash, or later */
    struct cpi_pg pg;
    enum cpi_wal_question asked;
    int64_t asked_ms;
    int64_t ask_at_ms; /* when to ask again what can be seen */
    int ask_again_ms;
    bool has_come;   /* something, since a snapshot was asked for */
    int64_t barrier; /* that has not come back yet; 0: none */
    int64_t barrier_at_ms;
    int64_t look_at_ms;
    bool retains;     /* more than is wanted; logged */
    bool is_held;     /* Postgres waits for a standby before it streams more; logged */
    uint64_t held_at; /* the position at the last look, if it waited then; else 0 */
    bool is_gone;     /* there is no such slot any more */
    bool has_changed; /* what is published, or how: something may have been missed */
};

/* pg is open: looks up the watched tables, takes note of what is published, and says what is amiss. */
cp_code cpi_wal_session_know_tables(struct cpi_wal_session *session, cp_error *err);

/* pg is open, and nothing has been asked yet. */
cp_code cpi_wal_session_begin(struct cpi_wal_session *session, cp_error *err);

/* What is to be asked now. What keeps documents waiting comes first, but for what is asked seldom: under a load that
 * never rests something always waits to be seen. */
enum cpi_wal_question cpi_wal_session_question(const struct cpi_wal_session *session, int64_t now_ms);

/* Takes the answer that has come, and asks what is due; after a failure the session is of no use any more. Read it even
 * while nothing is asked: a server that shuts down says so here first. */
cp_code cpi_wal_session_read(struct cpi_wal_session *session, struct cpi_arrivals *arrivals, cp_error *err);
int cpi_wal_session_due_ms(const struct cpi_wal_session *session);

/* Has a barrier come back through the stream; again if need be, until it does. */
void cpi_wal_session_barrier(struct cpi_wal_session *session, int64_t number);

void cpi_wal_session_fini(struct cpi_wal_session *session);

#endif
