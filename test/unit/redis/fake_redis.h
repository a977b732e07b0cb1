/*
 * A Redis that answers by a script, on a socket in a directory of its own.
 *
 * What a connection asks when it is made (PING, INFO, CLIENT …) is answered as a primary would. Every other command
 * gets the next reply of the script, as it stands, byte for byte. One client at a time.
 *
 * Its thread runs between start and stop. What it is to do is set before, what it has seen is read after.
 */
#ifndef FAKE_REDIS_H
#define FAKE_REDIS_H

#include "redis/redis_address.h"

#include <pthread.h>

enum { FAKE_SEEN_BYTES = 64 * 1024 };

struct fake_redis {
    /* What it does. NULL stands for what a primary says that is always the same. */
    const char *const *script; /* ends with NULL. After its end, and for "", there is no answer */
    const char *always;        /* the answer to everything, or NULL */
    const char *run_id;
    const char *mode; /* a line of INFO */
    const char *role;
    const char *history;       /* the replication id */
    const char *history_later; /* the same from the second time on that it is asked for */
    const char *clients;       /* what CLIENT LIST says */

    /* What it has seen since it was started. */
    char commands[FAKE_SEEN_BYTES]; /* one a line, its arguments with spaces between */
    size_t commands_used;
    char scripted[FAKE_SEEN_BYTES]; /* the bytes of those that the script has answered or left unanswered */
    size_t scripted_used;

    struct cpi_redis_address address;
    char directory[32];
    char path[64];
    int listener;
    int stop[2];
    size_t next; /* of the script */
    unsigned history_asked;
    pthread_t thread;
};

/* Zero apart from what it does. Every assertion is made in the caller's thread. */
void fake_redis_init(struct fake_redis *fake);
void fake_redis_start(struct fake_redis *fake);
/* Closes the client's connection. It may be started again, at the same address. */
void fake_redis_stop(struct fake_redis *fake);
void fake_redis_fini(struct fake_redis *fake);

#endif
