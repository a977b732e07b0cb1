/*
 * Reads what a source announces and throws it away, like a daemon without cost: a session that listens, or
 * pg_recvlogical, whose output is read. Without a listener Postgres discards notifications at once; without reading
 * they pile up.
 */
#ifndef BENCH_READER_H
#define BENCH_READER_H

#include "servers/process.h"
#include "servers/servers.h"
#include "sources/source.h"

#include <pthread.h>

struct reader {
    const struct servers *servers;
    enum source source;
    struct process stream; /* of any source but SOURCE_NOTIFY */
    pthread_t thread;
    pthread_barrier_t reading;
    int stop[2];      /* a pipe; closing its writing end ends the thread */
    int last;         /* an eventfd, readable once the notification of reader_catch_up() has come */
    int64_t received; /* other notifications, or bytes; the thread's until it has ended */
};

/* It reads when this returns. The source is set up. Main thread. */
void reader_start(struct reader *reader, const struct servers *servers, PGconn *pg, enum source source);

/* Waits until everything that is committed has arrived. */
void reader_catch_up(struct reader *reader, PGconn *pg);

/* If it has received nothing, the program ends. */
void reader_stop(struct reader *reader);

#endif
