/* A store of the host's own, in Redis' place. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_STORE_H
#define CACHEPUSHER_STORE_H

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a store of your own ----
 *
 * A host may keep documents elsewhere than in Redis: in memory, in files, in another server. It fills in a cp_store and
 * hands it over in cp_callbacks.store. Then there is no Redis, and the settings of one (redis, redis_password_file) are
 * not used. Everything else is as it is with Redis: one syncer of a name writes and the others stand by, warm-up,
 * resyncs with what they may delete, parked ids, tickets, the marker, verification, the auditor, both sources. Where
 * messages, figures and other parts of this header say Redis, they mean the store; CP_ERR_REDIS is its error.
 *
 * Threads and sessions: each thread that needs the store opens a session of its own, some ten of them, and makes one
 * call in it at a time; calls in several sessions come at the same time. What is done in one session, and has been
 * answered, every other one sees.
 *
 * A function may block. The thread that called it counts as one that waits for the store (CP_WAIT_STORE): after 2.5 s
 * cp_syncer_health() says so (CP_STATE_DEGRADED), and after 30 s that the syncer is not alive. Nobody ends the call,
 * and cp_syncer_stop() waits for it, so give up after some seconds, with CP_STORE_LOST. From these functions call none
 * of the library's but those that callbacks may call.
 *
 * Nothing is called before cp_syncer_start(), after cp_syncer_destroy(), or in a forked child. Strings and bytes that
 * are handed in live until the function returns. */

/* What came of a call. Unless it is DONE the function writes one line into err->message that says why; the other
 * members are the library's to fill in. */
typedef enum cp_store_answer {
    CP_STORE_DONE,
    CP_STORE_WAIT,    /* busy, full, or away: nothing was done, the same again later */
    CP_STORE_REFUSED, /* not this one, until somebody changes something: the id is parked, and tried again now and then
                       */
    CP_STORE_LOST     /* the session is of no use any more, and what has not been answered may have been done or not:
                       * it is closed and opened again, and all of that repeated. An id that is alone in losing three
                       * sessions in a row is parked */
} cp_store_answer;

/* Takes a key that keys() has found: it is copied. `to` is what keys() was given. */
typedef void (*cp_store_found)(void *to, const char *key);

/* The functions of a store, copied by cp_syncer_create(). Several syncers may use the same ones, and share a context,
 * which has to outlive them. */
typedef struct cp_store {
    size_t size;      /* sizeof(cp_store) */
    const char *name; /* for messages, such as "/srv/documents"; NULL: "the host's store" */
    void *context;

    /* Begins a session. cp_syncer_start() begins one, and fails where that does. NULL: none is needed, and every
     * `session` below is the context. */
    cp_store_answer (*open)(void *context, void **session, cp_error *err);

    /* Ends a session, also one that was LOST. Once it has returned nothing that was given to the session is done any
     * more. NULL: there is nothing to end. */
    void (*close)(void *session);

    /* Stores a document, of any bytes, under its key, whatever is there; ttl_s: it expires after so many seconds; 0:
     * never. A store that does things later, all at once, takes a copy, answers DONE, and does it in flush(). */
    cp_store_answer (*set)(void *session, const char *key, const char *bytes, size_t length, int64_t ttl_s,
                           cp_error *err);

    /* Removes a key. DONE, too, where there is none. */
    cp_store_answer (*del)(void *session, const char *key, cp_error *err);

    /* Does what set() and del() were given since the last one, a batch at most. each: what these have answered, `count`
     * of them in their order, WAIT and REFUSED included; what came out otherwise is changed here, and has the message
     * as its reason. Unless it returns DONE, that is what came of all that were answered DONE. From here on a document
     * counts as stored. NULL: set() and del() do it at once. */
    cp_store_answer (*flush)(void *session, cp_store_answer *each, size_t count, cp_error *err);

    /* What a key holds, until the session's next call; *bytes NULL: there is no such key. NULL: documents cannot be
     * read back, so cp_syncer_verify() is refused, as are the setting audit_per_second and the wal source. */
    cp_store_answer (*get)(void *session, const char *key, const char **bytes, size_t *length, cp_error *err);

    /* Calls found() for keys that begin with prefix: all of them, or a page of some thousands. *cursor is 0 at first,
     * and whatever the function makes of it for the next page; 0 again: that was the last. A key that is there all the
     * while has to be found, and may be found twice; found() may be called with a lock held. Needs get(). By it
     * resyncs find documents that went while nobody listened; the auditor takes a page for a thousand keys.
     *
     * NULL: the library keeps the keys that it has set, some 50 bytes each. Then the store is this syncer's alone and
     * empty when it starts. Such a syncer never stands by: its start fails while another one of the name writes. */
    cp_store_answer (*keys)(void *session, const char *prefix, uint64_t *cursor, cp_store_found found, void *to,
                            cp_error *err);

    /* The marker: a number under a name, kept with the documents and lost with them, by which it is noticed that they
     * were. Adds one to it, in one step where that can be, and tells what it is now; 0: there is none. Once a second.
     *
     * NULL, with the next one: the store is taken to be empty when a syncer starts, so that it warms up whatever is
     * there (the setting warmup may not be none, and the source not wal), and what gets lost while it runs is not
     * noticed. */
    cp_store_answer (*advance_marker)(void *session, const char *name, int64_t *number, cp_error *err);

    /* Writes it. */
    cp_store_answer (*write_marker)(void *session, const char *name, int64_t number, cp_error *err);

    /* Fencing: keeps a former writer out, say one that was frozen in the midst of set(). Before a session's first set()
     * or del() it is told whose it is: token, of those who take turns under the name. From the return on nothing is
     * done any more for sessions of the same name that were told another token; they are LOST, until they are opened
     * and told again. The newest call counts. NULL: the host vouches that no other syncer writes this store. */
    cp_store_answer (*fence)(void *session, const char *name, const char *token, cp_error *err);
} cp_store;

#ifdef __cplusplus
}
#endif

#endif
