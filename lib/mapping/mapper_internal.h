/*
 * What the files of the mapper share: mapper.c is the thread and its cycle, mapper_jobs.c maps, and mapper_failing.c
 * keeps what cannot be mapped.
 */
#ifndef CPI_MAPPER_INTERNAL_H
#define CPI_MAPPER_INTERNAL_H

#include "base/backoff.h"
#include "base/thread.h"
#include "mapping/mapper.h"
#include "queue/idset.h"
#include "queue/parked.h"

enum {
    CPI_MAP_JOBS = 4, /* one that has many pages leaves the others to those that have few */
    /* As the workers' (worker.c): how long others may wait for one that does not come. */
    CPI_MAP_BATCH_TIMEOUT_MS = 5000,
    CPI_MAP_SEARCH_TIMEOUT_MS = 250,
    CPI_MAP_PARKED_TIMEOUT_MS = 1000
};

/* Marks, as the set's barriers. */
enum { CPI_MAP_BARRIER, CPI_MAP_POSITION, CPI_MAP_MARKS };

/* Values of one mapping that have been taken out of the set to be mapped: one that comes again meanwhile is in the set
 * anew. */
struct cpi_map_job {
    bool is_active;
    bool retries;          /* one that was parked */
    bool searches;         /* a statement has failed by itself: the next are to find which value's fault it was */
    struct cpi_events ids; /* those before `at` have been mapped, and are freed */
    size_t at;
    uint32_t n;      /* values of the statement under way: its pages, then the next */
    char *after;     /* where its next page begins; NULL: with its first one */
    uint64_t found;  /* documents so far */
    unsigned marks;  /* a bit for each that waits for it */
    unsigned losses; /* in a row, of a connection over a single value */
    uint32_t failed; /* of the values, those that had been parked */
};

/* Of one mapping. */
struct cpi_map_state {
    bool is_prepared;
    cp_cause owed;    /* why a resync of its target is, and not requested yet; CP_CAUSE_START: none is */
    int64_t asked_ms; /* when one was last */
    uint32_t limit;   /* values to a job */
};

struct cpi_mapper {
    const struct cpi_env *env;
    struct cpi_mapper_session session;
    struct cpi_thread thread;
    struct cpi_pulse pulse;
    struct cpi_mail mail;
    struct cpi_parked parked;

    /* All below belongs to the thread. */
    struct cpi_idset *set;
    struct cpi_events in;    /* scratch */
    struct cpi_events found; /* scratch */
    uint32_t *handles;       /* scratch: config->batch of them */
    struct cpi_map_job jobs[CPI_MAP_JOBS];
    unsigned turn;                /* which job is next */
    unsigned live_jobs;           /* in a row */
    struct cpi_map_state *states; /* by mapping */
    int64_t marks[CPI_MAP_MARKS]; /* numbers of those to pass; 0: none */

    uint64_t term;       /* of the lease when the session was opened */
    uint64_t generation; /* of Postgres sessions, the same */
    int64_t opened_ms;
    bool is_doubted; /* a statement has failed by itself, and the session is not new */
    bool was_connected;
    struct cpi_backoff backoff; /* Postgres is away */
    int64_t retry_at_ms;
    struct cpi_outage outage;

    struct cpi_backoff parked_backoff;
    int64_t parked_at_ms;
    int64_t parked_began_ms; /* of the try under way */
    int parked_timeout_ms;
    uint32_t parked_left; /* of the turn under way, to be tried yet */
    bool is_partial;      /* something was dropped since a mark was put, and is owed a resync */

    uint32_t reported_pending;
    uint32_t reported_failing;
};

/* ---- mapper_jobs.c ---- */

/* Opens the session, unless the one that is open will do. */
enum cpi_failure cpi_map_open(struct cpi_mapper *mapper, cp_error *err);

/* Begins a job with what has waited longest, if there is any, and runs a page of each job in turn, as long as the
 * listener has room for it. False: Postgres is away, or memory is short. */
bool cpi_map_work(struct cpi_mapper *mapper, cp_error *err);

/* Whether that would do anything; the listener rings when it has taken some. */
bool cpi_map_may_work(struct cpi_mapper *mapper);

/* Begins a job with one id of the queue, or as many as the mapping's limit of the first one's. NULL: none is free. */
struct cpi_map_job *cpi_map_begin(struct cpi_mapper *mapper, enum cpi_queue queue, uint32_t most);

/* Frees what is left of it. */
void cpi_map_end(struct cpi_mapper *mapper, struct cpi_map_job *job);

/* How many values the jobs hold. */
uint32_t cpi_map_in_jobs(const struct cpi_mapper *mapper);

/* ---- mapper_failing.c ---- */

/* The value that a job stands at fails by itself: it is set aside. */
void cpi_map_park(struct cpi_mapper *mapper, struct cpi_map_job *job, bool hangs, const cp_error *why);

/* Tries some that are parked again, when it is time, in a job. */
void cpi_map_retry(struct cpi_mapper *mapper);

/* A job that retries has ended. */
void cpi_map_retried(struct cpi_mapper *mapper, bool worked);

/* What has been parked, and not been mapped since. */
uint32_t cpi_map_failing(const struct cpi_mapper *mapper);

/* When the next of these is to be tried. */
int64_t cpi_map_parked_due_ms(const struct cpi_mapper *mapper);

/* Keeps their number within its bound. */
void cpi_map_bound(struct cpi_mapper *mapper);

/* Has everything of the mapping's target read again: what came of it cannot be found out, or was dropped. */
void cpi_map_owe(struct cpi_mapper *mapper, uint32_t mapping, cp_cause cause);

/* Requests what is owed, as far as it is due; now: all of it. True: nothing is owed. */
bool cpi_map_pay(struct cpi_mapper *mapper, bool now);

static inline const struct cpi_entity *cpi_map_target(const struct cpi_mapper *mapper, uint32_t index)
{
    return &mapper->env->config->entities[mapper->env->config->entities[index].target];
}

static inline struct cpi_map_state *cpi_map_state(struct cpi_mapper *mapper, uint32_t index)
{
    return &mapper->states[index - mapper->env->config->entity_count];
}

#endif
