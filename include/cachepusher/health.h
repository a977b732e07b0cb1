/* What a syncer does now, and whether that is well. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_HEALTH_H
#define CACHEPUSHER_HEALTH_H

#include "syncer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- watching it ----
 *
 * What the syncer is doing, for health checks, metrics and whoever is called at night. All of it may be asked at any
 * time between create and destroy, from any thread, waits for nothing but copies, and costs those who work nothing. */

enum { CP_BUCKETS_ROOM = 32 };

/* How long something took: counts by upper bound. In seconds. */
typedef struct cp_histogram {
    size_t size;                      /* sizeof(cp_histogram) */
    const char *name;                 /* such as "cachepusher_settle_seconds" */
    const char *help;                 /* one line, without a full stop */
    size_t buckets;                   /* how many there are */
    const double *bounds;             /* upper bounds, inclusive, of all but the last, which has none; static */
    uint64_t counts[CP_BUCKETS_ROOM]; /* of each bucket by itself */
    uint64_t count;                   /* of all */
    double sum;
} cp_histogram;

/* The index-th. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_histogram(const cp_syncer *syncer, size_t index, cp_histogram *histogram, cp_error *err);

/* What cp_stats counts of all entities, of one of them; since the start. */
typedef struct cp_entity_stats {
    size_t size;        /* sizeof(cp_entity_stats) */
    const char *entity; /* belongs to the syncer */
    uint64_t events;
    uint64_t stored;
    uint64_t deleted;
    uint64_t bytes;
    uint64_t failures;
} cp_entity_stats;

/* The index-th entity of the configuration. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_entity(const cp_syncer *syncer, size_t index, cp_entity_stats *stats, cp_error *err);

/* The way from the listener to one worker, and what waits there now. */
typedef struct cp_lane {
    size_t size;        /* sizeof(cp_lane) */
    uint64_t in_ring;   /* events that the worker has not taken yet, and ids of a resync */
    uint64_t live;      /* distinct ids that the worker has: announced, */
    uint64_t crowd;     /* announced with thousands of others, */
    uint64_t bulk;      /* listed by a resync, */
    uint64_t parked;    /* and those that fail by themselves, and are tried again now and then */
    uint64_t oldest_us; /* how long the oldest event that has not settled has waited; parked ones do not count */
} cp_lane;

/* The index-th of the configuration's threads. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_lane(const cp_syncer *syncer, size_t index, cp_lane *lane, cp_error *err);

/* What a thread waits for. */
typedef enum cp_wait {
    CP_WAIT_NONE,     /* it runs, or is in a callback */
    CP_WAIT_WORK,     /* for something to do, or until it is time */
    CP_WAIT_POSTGRES, /* for Postgres' answer, and the like */
    CP_WAIT_REDIS,
    CP_WAIT_NAMES,  /* for the address of a host */
    CP_WAIT_THREAD, /* for another thread of ours, which waits for a server */
    CP_WAIT_STORE,  /* for a function of the host's store (cp_store) */
    CP_WAIT_HOST    /* for room in the queue of results: until the host takes some (CP_RESULTS_HOLD) */
} cp_wait;

/* A thread of the library. */
typedef struct cp_thread {
    size_t size;       /* sizeof(cp_thread) */
    char name[16];     /* such as "cp-worker-0" */
    bool runs;         /* false: not yet, or no more */
    bool stuck;        /* it has neither moved nor waited for something that explains it for over three seconds, or
                        * for thirty in a function of the host's store */
    bool failing;      /* what it does fails, and is tried again: error says why */
    const char *doing; /* such as "storing documents"; static; NULL: nothing to tell */
    cp_wait waits_for;
    uint64_t for_ms;     /* how long it has been doing that, or waiting */
    uint64_t silent_ms;  /* since its last sign of life */
    uint64_t failing_ms; /* since the first failure in a row */
    uint64_t error_ms;   /* since the newest one, whether or not it is over */
    cp_code code;        /* of the newest error; CP_OK: there was none yet */
    char error[512];     /* its message; "" */
} cp_thread;

/* The index-th of the syncer's own threads. CP_ERR_ARGUMENT: there are not so many. */
CP_API cp_code cp_syncer_thread(const cp_syncer *syncer, size_t index, cp_thread *thread, cp_error *err);

/* The newest failure of any of the syncer's own threads, whether or not it is over (cp_thread.failing tells); code
 * CP_OK and an empty message: there was none yet. Fills *out, from any thread. CP_ERR_ARGUMENT: an argument is NULL. */
CP_API cp_code cp_syncer_last_error(const cp_syncer *syncer, cp_error *out);

/* An id that fails by itself: its document cannot be read, or is refused by Redis. Tried again for ever, and at once
 * after cp_syncer_enqueue(), or cp_syncer_enqueue_rows() where it has a table. Strings live until the visit returns. */
typedef struct cp_parked {
    size_t size;
    const char *entity;
    const char *id;
    const char *why;    /* the newest failure */
    uint64_t tries;     /* failed ones */
    uint64_t first_ms;  /* how long ago it failed first */
    uint64_t newest_ms; /* and the last time */
    const char
        *table; /* NULL: the id is that of a document; else of rows of this table, which are mapped to documents */
} cp_parked;

/* Visits those that fail now, in no order, from the calling thread; *more (more may be NULL): how many there are
 * besides, since each worker remembers the reasons of a hundred. The visit must call no function of the library but
 * cp_syncer_enqueue() and cp_syncer_enqueue_rows(). */
CP_API cp_code cp_syncer_parked(const cp_syncer *syncer, void (*visit)(void *context, const cp_parked *parked),
                                void *context, uint64_t *more, cp_error *err);

/* How far a syncer has come, or what keeps it. */
typedef enum cp_state {
    CP_STATE_CREATED,
    CP_STATE_STARTING, /* it connects, and finds out who writes */
    CP_STATE_STANDBY,  /* another syncer of the name writes */
    CP_STATE_WARMING,  /* documents that were there at the start are still missing, or all are being read again since
                        * Redis or notifications were lost */
    CP_STATE_READY,
    CP_STATE_LAGGING,  /* it follows, and is behind by more than max_lag_ms */
    CP_STATE_DEGRADED, /* something is in the way: why says what. Documents may be old */
    CP_STATE_STOPPING,
    CP_STATE_STOPPED,
    CP_STATES /* how many this header knows */
} cp_state;

/* A word: "ready". Never NULL; the string is static. */
CP_API const char *cp_state_name(cp_state state);

/* Whether a syncer does what it is there for. */
typedef struct cp_health {
    size_t size; /* sizeof(cp_health) */
    cp_state state;
    bool alive;      /* no thread of the syncer is stuck. Where one is only a new process helps */
    bool ready;      /* Redis can be read from: warm, listening and not behind; or standing by, for another writer */
    uint64_t lag_us; /* how long the oldest event that has not settled has waited */
    uint64_t silence_ms; /* since Postgres was last heard by whoever listens to it; 0: nobody listens */
    uint64_t term;       /* grows with each change of the writer; 0: never */
    char why[512];       /* one line: what is in the way of alive or ready; "" */
} cp_health;

/* What to tell a load balancer, a supervisor, or a person. To be told of changes: cp_callbacks.state. */
CP_API cp_code cp_syncer_health(const cp_syncer *syncer, cp_health *health, cp_error *err);

#ifdef __cplusplus
}
#endif

#endif
