/* The writes of an application that `source-cost` measures, and what announces them. */
#ifndef BENCH_SOURCE_WRITES_H
#define BENCH_SOURCE_WRITES_H

#include "servers/servers.h"

#include <pthread.h>

enum announced { NOT_AT_ALL, BY_ROW, BY_STATEMENT, ANNOUNCEMENTS };

/* "row-level trigger" */
const char *announced_name(enum announced announced);

/* From here on customer has these triggers and no others. */
void announce(PGconn *pg, enum announced announced);

/* Somebody has to listen, or else Postgres throws notifications away at once; and to read, or else they pile up. A
 * thread that does nothing else, as a daemon of no cost. */
struct listener {
    const struct servers *servers;
    pthread_t thread;
    pthread_barrier_t listening;
    int stop[2];       /* a pipe: its writing end is closed */
    int64_t announced; /* notifications; read after listener_stop() */
};
void listener_start(struct listener *listener, const struct servers *servers);
void listener_stop(struct listener *listener);

/* Transactions a second of as many clients, each of which updates one customer at a time. */
double updates_run(const struct servers *servers, PGconn *pg, long clients, double duration_s);

/* Milliseconds that one statement takes which updates so many customers, its commit included. */
double bulk_run(PGconn *pg, long rows);

#endif
