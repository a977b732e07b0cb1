/* The application's writes that `source-cost` measures, and the triggers that announce them. */
#ifndef BENCH_SOURCE_WRITES_H
#define BENCH_SOURCE_WRITES_H

#include "servers/servers.h"

#include <pthread.h>

enum announced { NOT_AT_ALL, BY_ROW, BY_STATEMENT, ANNOUNCEMENTS };

/* "row-level trigger" */
const char *announced_name(enum announced announced);

/* Gives customer these triggers and no others. */
void announce(PGconn *pg, enum announced announced);

/* A thread that only listens and reads, like a daemon without cost. Without a listener Postgres discards notifications
 * at once; without reading they pile up. */
struct listener {
    const struct servers *servers;
    pthread_t thread;
    pthread_barrier_t listening;
    int stop[2];       /* a pipe; closing its writing end ends the thread */
    int64_t announced; /* notifications; read after listener_stop() */
};
void listener_start(struct listener *listener, const struct servers *servers);
void listener_stop(struct listener *listener);

/* Transactions per second of this many clients, each updating one customer at a time. */
double updates_run(const struct servers *servers, PGconn *pg, long clients, double duration_s);

/* Milliseconds for one statement that updates this many customers, with its commit. */
double bulk_run(PGconn *pg, long rows);

#endif
