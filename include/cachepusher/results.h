/* What a syncer tells its host, on the host's own thread. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_RESULTS_H
#define CACHEPUSHER_RESULTS_H

#include "callbacks.h"
#include "health.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- results ----
 *
 * Callbacks come from the library's threads. A queue of results keeps the same for a thread of the host's, which takes
 * them when it likes: it polls a descriptor, beside its others, and takes what is there.
 *
 *     cp_results *results = cp_results_create(NULL, &err);
 *     cp_callbacks callbacks = {.size = sizeof callbacks, .results = results};
 *     cp_syncer *syncer = cp_syncer_create(config, &callbacks, &err);
 *     ...
 *     // cp_results_fd(results) is readable
 *     for (const cp_result *result; (result = cp_results_next(results)) != NULL;) {
 *         if (result->kind == CP_RESULT_DOCUMENT) {
 *             keep(result->document);
 *         }
 *     }
 *
 * What is told of an id comes in the order in which it settled, as to the callback settled(); so do the states of a
 * syncer. All of it is copied when it is told. Whoever wants no copies, or what the callbacks alone can have, sets
 * callbacks as well: both are told, the queue first. */

/* A queue of results. It may serve several syncers: a result says whose it is. */
typedef struct cp_results cp_results;

/* What becomes of a document for which there is no room. */
typedef enum cp_when_full {
    /* It is dropped, counted, and told as dropped. Whoever keeps documents then has to read all of them again:
     * cp_syncer_resync(syncer, NULL, &err). */
    CP_RESULTS_DROP,
    /* The worker waits until half of the room is free again, and so does what comes behind: the host sets the pace.
     * What then is too much for the syncer it handles as ever (max_pending; the wal source leaves it in Postgres).
     * After 2.5 seconds health says that it is degraded, and why; it stays alive. With a thread that takes results do
     * not wait for what is held: cp_syncer_wait_ready(), cp_syncer_wait(), cp_syncer_enqueue_wait(); results tell of
     * it.
     *
     * Nothing waits any more once its syncer is being stopped, so that a host with one thread can call cp_syncer_stop()
     * and cp_syncer_destroy() with a full queue: from then on it is as with CP_RESULTS_DROP. */
    CP_RESULTS_HOLD
} cp_when_full;

/* What is wanted, for cp_results_options.kinds: one or several. */
enum {
    CP_RESULTS_DOCUMENTS = 1, /* whatever has settled */
    CP_RESULTS_STATES = 2,    /* changes of health: states, ready or not */
    CP_RESULTS_ERRORS = 4,    /* messages of CP_LOG_ERROR and CP_LOG_WARN */
    CP_RESULTS_LOG = 8        /* messages of every level: with CP_LOG_DEBUG several for each change */
};

/* How a queue is to be. */
typedef struct cp_results_options {
    size_t size;      /* sizeof(cp_results_options) */
    size_t max_bytes; /* of memory, for documents that wait: one is taken in as long as those that wait are less, so
                       * that the last may pass it. Messages have a megabyte besides, states 64 kB. 0: 16 MB */
    cp_when_full when_full;
    unsigned kinds;     /* 0: documents, states and errors */
    bool without_bytes; /* documents are told of without their bytes: cp_document.document is NULL */
} cp_results_options;

/* What a result is of. More may come to be. */
typedef enum cp_result_kind {
    CP_RESULT_DOCUMENT, /* an id has settled */
    CP_RESULT_STATE,    /* a syncer's state, or whether it is ready or alive, has changed */
    CP_RESULT_LOG,      /* a message; errors are messages of the levels CP_LOG_ERROR and CP_LOG_WARN */
    CP_RESULT_DROPPED,  /* something would have been here, and found no room */
    CP_RESULT_KINDS     /* how many this header knows */
} cp_result_kind;

/* How many were dropped between the results before and after. */
typedef struct cp_dropped {
    size_t size;
    uint64_t documents;
    uint64_t states;
    uint64_t log;
} cp_dropped;

/* A result: one of the pointers is set, by its kind. All of it lives until the next call of cp_results_next(). */
typedef struct cp_result {
    size_t size;
    cp_result_kind kind;
    cp_syncer *syncer;           /* whose it is; NULL: of any of them (CP_RESULT_DROPPED). It may be destroyed by now */
    const cp_document *document; /* as cp_callbacks.settled has it; its bytes are followed by a NUL */
    const cp_health *health;     /* as cp_callbacks.state has it */
    const cp_log_entry *log;     /* as cp_callbacks.log_entry has it */
    const cp_dropped *dropped;
} cp_result;

/* Makes a queue. NULL options: all at zero. For cp_callbacks.results; it may serve syncers from then on. NULL:
 * CP_ERR_ARGUMENT (an option is not known), CP_ERR_SYSTEM (memory, descriptors). */
CP_API cp_results *cp_results_create(const cp_results_options *options, cp_error *err);

/* Frees it, with what has not been taken. NULL is allowed. Best after its syncers have been destroyed; while one still
 * uses it, it takes in nothing any more, holds up nobody, and goes with the last of them. Not while another thread is
 * in a call on it. In a forked child it closes the child's copy of the descriptor, and leaves the memory to the end of
 * the process. */
CP_API void cp_results_destroy(cp_results *results);

/* A descriptor that is readable (POLLIN) exactly as long as there is a result to take; only for poll(2), epoll(7)
 * and the like, level-triggered, or edge-triggered for whoever takes results until there is none. It belongs to
 * the queue, and is close-on-exec. -1: NULL, or in a forked child. Any thread. */
CP_API int cp_results_fd(const cp_results *results);

/* Takes the next result, which lives until the next call; NULL: there is none (or in a forked child, or of NULL).
 * Never waits. One thread at a time, which may call anything of the library meanwhile: it is in no callback. Results
 * can be taken after their syncer has been stopped or destroyed, too: the last of them says that it has been stopped.
 */
CP_API const cp_result *cp_results_next(cp_results *results);

/* How full a queue is. */
typedef struct cp_results_usage {
    size_t size;      /* sizeof(cp_results_usage) */
    uint64_t waiting; /* results that can be taken now, those that tell of dropped ones apart */
    uint64_t bytes;   /* of memory that they take */
    uint64_t held;    /* workers that wait for room now */
    /* Since it was made, dropped: */
    uint64_t dropped_documents;
    uint64_t dropped_states;
    uint64_t dropped_log;
} cp_results_usage;

/* Fills *usage, from any thread. */
CP_API cp_code cp_results_look(cp_results *results, cp_results_usage *usage, cp_error *err);

#ifdef __cplusplus
}
#endif

#endif
