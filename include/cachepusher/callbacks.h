/* What a syncer tells its host. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_CALLBACKS_H
#define CACHEPUSHER_CALLBACKS_H

#include "error.h"

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

/* A document whose id has settled: Redis has acknowledged what a read made after the change had found; of a follower
 * (the setting role), it has been read. */
typedef struct cp_document {
    size_t size;
    const char *entity;
    const char *key; /* in Redis */
    size_t bytes;    /* of the document; 0 when there is none */
    bool exists;     /* false: no such document, and the key is deleted */
} cp_document;

/* All are called from the library's threads, several at a time, and hold up the thread that calls: return soon, and
 * call no function of the library from them except cp_syncer_stats(), cp_syncer_stat(), cp_syncer_enqueue() and
 * cp_syncer_resync(). */
typedef struct cp_callbacks {
    size_t size;                                                     /* sizeof(cp_callbacks) */
    void (*log)(void *context, cp_level level, const char *message); /* NULL: messages are discarded */
    void (*settled)(void *context, const cp_document *document);     /* NULL: not wanted */
    void *context;
    void (*log_entry)(void *context, const cp_log_entry *entry); /* instead of log, if set; NULL: log has it all */
} cp_callbacks;

#ifdef __cplusplus
}
#endif

#endif
