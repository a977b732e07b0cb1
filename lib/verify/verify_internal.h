/*
 * What the parts of a verification share. verify.c has the stages, verify_threads.c the threads that run them.
 *
 * One or more checkers work on a stage, each a thread with its own connections. The caller's thread waits and reports
 * progress. Between stages no checker runs, and everything belongs to the caller's thread.
 */
#ifndef CPI_VERIFY_INTERNAL_H
#define CPI_VERIFY_INTERNAL_H

#include "base/backoff.h"
#include "scan/scan.h"
#include "verify/suspects.h"
#include "base/thread.h"
#include "verify/verify.h"

struct cpi_verify;

struct cpi_checker {
    struct cpi_verify *verify;
    struct cpi_thread thread;
    struct cpi_compare compare;
    struct cpi_backoff backoff;
    struct cpi_slice slice; /* taken from the scan; empty between stages */
    struct cpi_compared compared[CPI_SLICE];
};

struct cpi_verify {
    const struct cpi_env *env;
    const cp_verify_options *options;
    struct cpi_patience patience;
    struct cpi_checker *checkers; /* config->threads of them */
    void (*stage)(struct cpi_checker *checker);
    uint64_t random;

    pthread_mutex_t
        scan_mutex; /* held for a round trip: a checker that runs out of ids fetches the next ones for all */
    struct cpi_scan scan;

    pthread_mutex_t mutex; /* protects what follows; never held while waiting for a server or for scan_mutex */
    pthread_cond_t ended;
    unsigned running;       /* checkers of this stage */
    bool has_read_postgres; /* at least once: until then a refused connection is no outage, but a mistake */
    bool has_read_redis;
    bool has_told; /* that something is tried again */
    cp_code code;  /* the first failure */
    cp_error err;
    cp_verify_result so_far;
    struct cpi_suspects suspects; /* during a stage each item belongs to the checker that took it */
    size_t next;                  /* the first suspect not taken yet */
    struct cpi_suspects confirmed;
};

cp_code cpi_verify_init(struct cpi_verify *verify, const struct cpi_env *env, const cp_verify_options *options,
                        cp_error *err);
void cpi_verify_fini(struct cpi_verify *verify);

/* The caller's thread. Runs stage in n checkers (config->threads at most) and waits for all. False: it failed. */
bool cpi_verify_run(struct cpi_verify *verify, void (*stage)(struct cpi_checker *checker), size_t n);

/* The caller's thread: waits, reporting progress. False: the syncer is stopping. */
bool cpi_verify_rest(struct cpi_verify *verify, int rest_ms);

/* Any thread: ends the verification. The first reason given counts. */
void cpi_verify_fail(struct cpi_verify *verify, const cp_error *why);
bool cpi_verify_has_failed(struct cpi_verify *verify);

/* A checker, after a failure: waits, unless it gives up. tries is 0 before the first call. True: try again. False: the
 * verification has failed. */
bool cpi_checker_retry(struct cpi_checker *checker, unsigned *tries, const cp_error *why);

/* A checker: compares, into checker->compared. False: the verification has failed. */
bool cpi_checker_compare(struct cpi_checker *checker, uint32_t entity, const union cpi_id *ids, uint32_t n);

/* A checker: the next ids of the scan, into checker->slice. False: none are left, or the verification has failed. */
bool cpi_checker_take(struct cpi_checker *checker);

/* A pseudo-random number. The caller's thread, or the only checker of a stage. */
uint64_t cpi_verify_random(struct cpi_verify *verify);

#endif
