/* What a syncer tells its host. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_CALLBACKS_H
#define CACHEPUSHER_CALLBACKS_H

#include "error.h"
#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- callbacks ---- */

/* How much a message matters. */
typedef enum cp_level { CP_LOG_ERROR, CP_LOG_WARN, CP_LOG_INFO, CP_LOG_DEBUG } cp_level;

/* A message, and what it is about. More may come to be known of one. */
typedef struct cp_log_entry {
    size_t size;
    cp_level level;
    const char *message; /* one line, complete without what follows */
    const char *entity;  /* NULL: none */
    const char *key;     /* in Redis; NULL: none */
    const char *host;    /* HOST:PORT or the like of a server, without a password; NULL: none */
    int64_t duration_ms; /* how long something took or lasted, 1 at least; 0: nothing did */
    uint64_t count;      /* how many of something the message tells of; 0: of none */
} cp_log_entry;

/* Why a document was read. Where there was more than one reason, since the last time that its id settled, the first of
 * these counts: an event before all, and a resync only if there was nothing else. */
typedef enum cp_origin {
    CP_ORIGIN_EVENT,    /* its change was announced; or what another process announces, to repair (`cachepusher verify
                         * --repair`, cp_syncer_verify()) or since it was enqueued at a syncer that stands by; or it had
                         * failed before a restart of the wal source */
    CP_ORIGIN_ENQUEUED, /* cp_syncer_enqueue() of this syncer */
    CP_ORIGIN_REPAIR,   /* this syncer's auditor has found it to be stale (audit_per_second) */
    CP_ORIGIN_RESYNC    /* a resync has listed it, or found its key in Redis; the warm-up is one */
} cp_origin;

/* A document whose id has settled: Redis has acknowledged what a read made after the change had found; of a follower
 * (the setting role) it has been read.
 *
 * The two times are microseconds since 1970, of CLOCK_REALTIME. Their difference is how long the change took from its
 * arrival on: it is measured with a clock that nobody sets, up to twelve days, and is at most 0.25 ms too long. */
typedef struct cp_document {
    size_t size;
    const char *entity;
    const char *key;      /* in Redis */
    size_t bytes;         /* of the document; 0 when there is none */
    bool exists;          /* false: no such document, and the key is deleted */
    const char *id;       /* as text, in the canonical form of its type */
    const char *document; /* `bytes` long, and not ended by a NUL; NULL unless it exists */
    cp_origin origin;
    int64_t event_us;   /* when the first of the events (or calls) that this settles arrived; 0: a resync alone */
    int64_t settled_us; /* when Redis' acknowledgement had been read */
} cp_document;

struct cp_health;  /* health.h */
struct cp_results; /* results.h */

/* What a transform makes of a document. All of it is zero, but for the size, when the transform is called. */
typedef struct cp_output {
    size_t size;
    const char *bytes;           /* what is stored, any bytes; NULL: nothing, and the key is deleted */
    size_t length;               /* of these, 512 MB at most */
    void (*release)(void *held); /* called with held once the bytes have been copied, say free; NULL: not wanted. Then
                                  * they have to stay as they are until the same thread's next call, or its end */
    void *held;
} cp_output;

/* All are called from the library's threads, several at a time, and hold up the thread that calls: return soon, and
 * call no function of the library from them except cp_syncer_stats(), cp_syncer_stat(), cp_syncer_enqueue(),
 * cp_syncer_enqueue_rows() and cp_syncer_resync(). cp_syncer_start() and cp_syncer_stop() also log in the thread that
 * calls them. Whoever would rather be told on a thread of his own sets results (results.h), beside them or alone. After
 * cp_syncer_stop() has returned none is called any more, but by a cp_syncer_verify() that has not.
 *
 * These threads have 1 MiB of stack, of which 768 KiB are the callbacks', less what the program's thread-local
 * variables take (with glibc they lie there). Every signal is blocked in them.
 *
 * thread_start() is the first thing that a thread does, and thread_end() the last: for hosts that have to attach a
 * thread to a runtime before their code runs in it, and detach it. All of a syncer's threads tell it: those that run
 * until it stops, and short-lived ones, "cp-start" during cp_syncer_start() and "cp-verify" during cp_syncer_verify();
 * "cp-exit", which stops a syncer during exit(), does so around that. Once cp_syncer_stop() has returned each has told
 * its end. A thread that looks up a host's name ("cp-resolve") tells nothing: it calls no callback, and may outlive the
 * syncer. name is static or lives as long as the syncer.
 *
 * What settled() can be relied on for, say to keep documents in the process:
 *
 *  - What it is handed lives until it returns, the document's bytes too: they are the very bytes that were sent to
 *    Redis, where they lie, and cost nothing (a follower has a copy made). Copy what is to be kept.
 *  - All calls for one id come from one thread, one after the other, in the order in which its documents were read, be
 *    it for a change or a resync. Those for different ids come from several threads at a time, in any order.
 *  - Every id is told that has settled, whether its document has changed or not, and none that has not: nothing of what
 *    is parked, withheld, or lost with a connection before Redis' acknowledgement was read, until it settles later.
 *  - A change that several writes made is told once, with the last of what they left.
 *  - It is told what this syncer settles as the writer, and nothing while another one writes. Of a document that was
 *    deleted while nobody listened it is told where Redis still had the key. If that was lost as well, or another
 *    writer has deleted it, nobody knows of it any more: when CP_CAUSE_REDIS or CP_CAUSE_LISTENER has been counted in
 *    cp_stats.causes, forget everything and then call cp_syncer_resync(), which has every document told again; with
 *    the wal source also for CP_CAUSE_RESUME: what is in Redis already, of this syncer or another, is not told again.
 *    A follower has none of this, since it knows what it has told: let it fill a cache in the process. */
typedef struct cp_callbacks {
    size_t size;                                                     /* sizeof(cp_callbacks) */
    void (*log)(void *context, cp_level level, const char *message); /* NULL: messages are discarded */
    void (*settled)(void *context, const cp_document *document);     /* NULL: not wanted */
    void *context;
    void (*log_entry)(void *context, const cp_log_entry *entry); /* instead of log, if set; NULL: log has it all */
    void (*thread_start)(void *context, const char *name);       /* NULL: not wanted */
    void (*thread_end)(void *context, const char *name);         /* NULL: not wanted */

    /* Copied. NULL: documents go to Redis. */
    const cp_store *store;

    /* Makes what is stored of a document: compresses it, wraps it, encrypts it, or puts another in its place. Called
     * for each that exists (its origin and times are 0), after it has been read and before it is stored; settled() is
     * shown what came of it. NULL: documents are stored as Postgres gives them.
     *
     * Anything but CP_OK, with one line in err->message, parks the id with that message, and it is tried again now and
     * then; the others of its batch are not concerned.
     *
     * It is called by workers, and by verification and the auditor in threads of their own, which compare what it makes
     * now with what is stored. So it has to give the same bytes for the same entity, id and document each time, in
     * every process: encryption takes its nonce from these, not at random. When it begins to give others, call
     * cp_syncer_resync(); before a restart with another one, remember that a start that resumes (the wal source) reads
     * nothing again. */
    cp_code (*transform)(void *context, const cp_document *document, cp_output *out, cp_error *err);

    /* Told of each change of cp_health.state, alive or ready. NULL: not wanted. First of all, when the syncer's threads
     * begin, that it is starting (unless it is being stopped by then); last of all that it is stopping, and that it has
     * been stopped. Calls come one after another, from a thread that does nothing else: it looks as cp_syncer_health()
     * does, every 100 ms, so that what is stuck cannot keep it from telling. What lasts for less than that may go
     * untold. *health lives until it returns. */
    void (*state)(void *context, const struct cp_health *health);
    struct cp_results *results; /* a queue that is told as well, of what it was made for; NULL: none */
} cp_callbacks;

#ifdef __cplusplus
}
#endif

#endif
