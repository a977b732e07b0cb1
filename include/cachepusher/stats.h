/* What a syncer has done, in figures. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_STATS_H
#define CACHEPUSHER_STATS_H

#include "syncer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- figures ---- */

/* Why everything was read again. */
typedef enum cp_cause {
    CP_CAUSE_START,      /* it listened for the first time: the warm-up, as configured */
    CP_CAUSE_LISTENER,   /* it listened again, and may have missed changes */
    CP_CAUSE_TRUNCATE,   /* a notification of "*" */
    CP_CAUSE_OVERFLOW,   /* max_pending was passed, or memory ran out */
    CP_CAUSE_REDIS,      /* Redis has lost data, or may have */
    CP_CAUSE_REQUEST,    /* cp_syncer_resync() */
    CP_CAUSE_RETRY,      /* what had failed in the run before */
    CP_CAUSE_UNREADABLE, /* a notification could not be read, and may have named anything */
    CP_CAUSE_CATALOG,    /* what documents hang on has changed: a function, a column, a partition, ... */
    CP_CAUSE_RESUME,     /* no resync: the wal source goes on where it was, and what was missed is caught up with */
    CP_CAUSES            /* how many this header knows */
} cp_cause;

/* In words, such as "Redis has lost data". Never NULL; the string is static. */
CP_API const char *cp_cause_name(cp_cause cause);

enum { CP_CAUSES_ROOM = 16 }; /* for causes to come */

/* What a syncer has done since it was created, and what waits. */
typedef struct cp_stats {
    size_t size; /* sizeof(cp_stats) */
    /* Since the start: */
    uint64_t events;                 /* ids named by notifications and cp_syncer_enqueue() */
    uint64_t resync_ids;             /* ids put through the lanes by resyncs, warm-up included */
    uint64_t coalesced;              /* of these two, folded into an id that was waiting already */
    uint64_t bad_payloads;           /* notifications of which something was no id of the entity, and not '*' */
    uint64_t fetches;                /* statements sent to read documents */
    uint64_t stored;                 /* documents settled by SET */
    uint64_t deleted;                /* ids settled by DEL, or without a key: no such document */
    uint64_t bytes;                  /* of the documents stored */
    uint64_t failures;               /* tries to settle an id that failed: it stays queued, or is parked */
    uint64_t retries;                /* waits for a server that was away, or refused, before another try */
    uint64_t reconnects;             /* connections lost and made again */
    uint64_t overflows;              /* times that max_pending was passed and a resync asked for */
    uint64_t resyncs;                /* completed, warm-up included */
    uint64_t causes[CP_CAUSES_ROOM]; /* runs begun for each cp_cause; one run may have several */
    uint64_t audited; /* documents and keys that the auditor has compared; 0 unless audit_per_second is set */
    uint64_t stale;   /* of these, found to be wrong for seconds on end, and sent to be read again */
    /* Now: */
    uint64_t pending;         /* distinct ids known to the workers that have not settled */
    uint64_t failing;         /* of these, ids set aside since their own fetch or store fails; retried for ever */
    uint64_t resync_estimate; /* documents that the running or last resync expects to list; the planner's estimate */
    bool ready;               /* what cp_syncer_wait_ready() waits for */
    bool writer;    /* false: the lease is not held, or another syncer of this name writes and this one stands by */
    bool listening; /* changes are listened for; false: not the writer, or not connected */
    /* Since the start: */
    uint64_t unreadable; /* ids in notifications and listings that cannot be ids of their entity */
    uint64_t strangers;  /* looks, one a second, at which another role held the lock of the lease, or that
                          * of the listener */
    uint64_t doubled;    /* documents of a fetch function beyond the first for an id, which alone is stored */
    uint64_t withheld;   /* keys without a document that a resync has kept, since it would delete more than
                          * max_delete_percent */
    /* Now: */
    uint64_t retained_bytes; /* write-ahead log that Postgres keeps for the wal source's slot, looked at every 3 s */
    uint64_t notification_queue; /* how much of Postgres' queue of notifications is filled, in millionths */
    /* Since the start, of all threads, work with a server that failed and is tried again: */
    uint64_t postgres_away;    /* it did not answer, or ended the connection */
    uint64_t postgres_refused; /* it said that somebody has to do something about it */
    uint64_t redis_away;
    uint64_t redis_refused;
    /* Now: */
    uint64_t postgres_connections; /* that are open */
    uint64_t redis_connections;
    /* Since the start: */
    uint64_t mapped;         /* rows that announced themselves, to be mapped to documents they are part of ("maps") */
    uint64_t unread_updates; /* of rows, left out since they changed nothing that documents read; wal source only */
} cp_stats;

/* A snapshot; the figures are each exact but not all of the same instant. Any time between create and destroy. */
CP_API cp_code cp_syncer_stats(const cp_syncer *syncer, cp_stats *stats, cp_error *err);

/* How a figure moves. */
typedef enum cp_stat_kind {
    CP_STAT_COUNTER, /* since the start; only grows */
    CP_STAT_GAUGE    /* now */
} cp_stat_kind;

/* The figures of cp_stats as a table, for whoever passes them on (metrics, logs) without knowing each: one of them.
 * Names and units follow Prometheus' conventions. Those with a label are one figure for each of its values: they share
 * name, help, unit and kind, and stand next to each other. */
typedef struct cp_stat {
    size_t size;
    const char *name; /* such as "cachepusher_events_total" */
    const char *help; /* one line, without a full stop */
    const char *unit; /* "bytes", "ratio"; NULL for a number of something */
    cp_stat_kind kind;
    const char *label;       /* such as "cause"; NULL: it has none */
    const char *label_value; /* such as "overflow"; NULL with label */
    double scale;            /* what the value is to be multiplied with: 1, unless the unit is a large one */
} cp_stat;

/* How many figures there are. Another version of the library may have others at other indexes. */
CP_API size_t cp_stat_count(void);

/* What the index-th is: static, and never NULL below the count. */
CP_API const cp_stat *cp_stat_describe(size_t index);

/* The value of one, at any time between create and destroy; 0 when there is no such figure. */
CP_API uint64_t cp_syncer_stat(const cp_syncer *syncer, size_t index);

#ifdef __cplusplus
}
#endif

#endif
