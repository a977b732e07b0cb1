/* The application's writes that `source-cost` measures. */
#ifndef BENCH_SOURCE_WRITES_H
#define BENCH_SOURCE_WRITES_H

#include "servers/servers.h"

/* Each measurement begins with the same table: nothing dead in it, and no room for the next version beside a row. This
 * is a lot for a replication slot to read, so it comes before that is made. */
void writes_begin(PGconn *pg);

/* Transactions per second of this many clients, each updating one customer at a time, at random, but the last one. */
double updates_run(const struct servers *servers, PGconn *pg, long clients, double duration_s);

/* Milliseconds for one statement that updates this many customers, with its commit. */
double bulk_run(PGconn *pg, long rows);

#endif
