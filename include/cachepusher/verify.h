/* Comparing Redis with Postgres. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_VERIFY_H
#define CACHEPUSHER_VERIFY_H

#include "syncer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- verification ---- */

/* In what way Redis and Postgres are not equal. */
typedef enum cp_difference_kind {
    CP_MISSING,   /* a document has no key */
    CP_DIFFERENT, /* the key holds something else than the document */
    CP_ORPHAN     /* the key has no document */
} cp_difference_kind;

/* A key that is not equal to its document. */
typedef struct cp_difference {
    size_t size;
    cp_difference_kind kind;
    const char *entity;
    const char *key;      /* in Redis */
    size_t at;            /* the first byte that differs */
    const char *document; /* short excerpts around that byte of what Postgres gives, */
    const char *held;     /* and of what Redis holds, whatever bytes that are; "" where there is nothing */
} cp_difference;

/* What is being done, in this order. */
typedef enum cp_verify_stage { CP_VERIFY_COMPARING, CP_VERIFY_RECHECKING, CP_VERIFY_REPAIRING } cp_verify_stage;

/* What a verification has found so far, or in all. */
typedef struct cp_verify_result {
    size_t size;           /* sizeof(cp_verify_result) */
    cp_verify_stage stage; /* that it has reached */
    uint64_t expected;     /* documents to compare; the planner's estimate, or of a sample its size */
    uint64_t compared;     /* documents that Postgres lists, and keys in Redis without one */
    uint64_t equal;        /* of these */
    uint64_t missing;      /* documents without a key: this and the next two are the differences */
    uint64_t different;    /* documents that are not what their key holds */
    uint64_t orphans;      /* keys without a document */
    uint64_t in_flight;    /* changed so often that they were never seen at rest: no differences */
    uint64_t expired;      /* without a key, which may have expired (ttl_s): no differences */
    uint64_t unreadable;   /* their fetch function fails: nothing can be said about them */
    uint64_t unmanaged;    /* keys under an entity's prefix that cannot be documents of it; they are left alone */
    uint64_t rechecking;   /* not equal at the first look, and not decided on yet */
    uint64_t repaired;     /* of the differences: equal now */
    bool incomplete;       /* it ended early, since more ids were not equal than memory is meant for (a million) */
    bool writer_differs;   /* of a repair: who writes serves another version of declared documents, or has another
                            * configuration: what differs by that takes a restart of it */
    uint64_t unfit;        /* listed, and no ids of their entity, being too large for its id_type for instance: nobody
                            * reads their documents, and they are not among those compared */
} cp_verify_result;

/* Zero but for the size is a valid one: everything, without repair. */
typedef struct cp_verify_options {
    size_t size;     /* sizeof(cp_verify_options) */
    uint64_t sample; /* compare this many documents and this many keys, picked at random, a million at most; 0: all */
    bool repair;     /* announce what differs on the entity's first channel, and wait until it is equal */
    int recheck_ms;  /* how long a difference has to last to count: longer than a change takes to arrive. 0: 2000 */
    /* Called in the calling thread, ten times a second; it may call cp_syncer_stop() to give up. NULL: not wanted. */
    void (*progress)(void *context, const cp_verify_result *so_far);
    /* Called for each difference, one at a time, from threads of the library: return soon, and call no function of the
     * library. NULL: not wanted. */
    void (*difference)(void *context, const cp_difference *difference);
    void *context;
} cp_verify_options;

/* Compares Redis with Postgres, byte for byte. Reads only, with connections and threads of its own: the syncer may be
 * started or not, and changes may go on. What is not equal is looked at again and again for recheck_ms; it counts as
 * a difference when Redis holds the same all the time and Postgres something else at each look, so that what a syncer
 * is about to bring over does not count.
 *
 * To repair it takes a syncer that follows: this one, started, or one in another process. What that has not made equal
 * within 15 times recheck_ms of the last progress (once, where writer_differs) is left: missing + different + orphans -
 * repaired.
 *
 * options may be NULL. CP_OK: it has run to its end; *result, which is filled unless its size is wrong, has what it
 * found. Anything else: it could not tell, since a server stayed away for some seconds, a query fails, too many
 * documents cannot be read, or the syncer is stopping. cp_syncer_stop() in another thread cuts it short. */
CP_API cp_code cp_syncer_verify(cp_syncer *syncer, const cp_verify_options *options, cp_verify_result *result,
                                cp_error *err);

#ifdef __cplusplus
}
#endif

#endif
