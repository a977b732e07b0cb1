/*
 * A session of the host's store (cp_store), and the calls that are made in it, each by itself. What the host leaves out
 * is seen to here: without keys() those are found that have been kept (kept_keys.h), without a marker it is counted in
 * the process. Rounds are host_round.h's.
 *
 * While the host's function runs the thread waits for the store (base/pulse.h). Belongs to its target's thread.
 */
#ifndef CPI_HOST_SESSION_H
#define CPI_HOST_SESSION_H

#include "redis/kept_keys.h"

struct cpi_host_session {
    const cp_store *store;
    struct cpi_kept_keys *kept;
    void *session; /* the host's */
    bool is_open;
    bool is_admitted; /* since it was opened: it may write */
    cp_error given;   /* what the host's function writes its reason into */
    cp_error why;     /* the newest failure, in our words */
};

cp_code cpi_host_open(struct cpi_host_session *host, cp_error *err);
void cpi_host_close(struct cpi_host_session *host);

/* CP_ERR_REDIS unless it is open, and has been admitted where something is to be written. */
cp_code cpi_host_check_usable(const struct cpi_host_session *host, bool writes, cp_error *err);

/* Around a call of a function that is given &host->given. end() takes its answer, checks it, closes the
 * session that is LOST, and unless it is DONE, why says why. */
void cpi_host_begin(struct cpi_host_session *host);
cp_store_answer cpi_host_end(struct cpi_host_session *host, cp_store_answer answer);

/* The answer, or LOST for what is none. */
cp_store_answer cpi_host_check(struct cpi_host_session *host, cp_store_answer answer);

/* Says why from what the host has written. */
void cpi_host_note_why(struct cpi_host_session *host, cp_store_answer answer);

/* An error of it, unless it is DONE. */
cp_code cpi_host_code(const struct cpi_host_session *host, cp_store_answer answer, cp_error *err);

/* What target.h says of these. */
cp_code cpi_host_fence(struct cpi_host_session *host, const char *group, const char *token, cp_error *err);
cp_code cpi_host_scan(struct cpi_host_session *host, struct cpi_cursor *cursor, struct cpi_keys *keys, cp_error *err);
cp_code cpi_host_advance_marker(struct cpi_host_session *host, const char *key, int64_t *number, cp_error *err);
cp_code cpi_host_write_marker(struct cpi_host_session *host, const char *key, int64_t number, cp_error *err);

#endif
