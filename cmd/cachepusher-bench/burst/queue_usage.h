/* How full Postgres' notification queue gets: a thread that samples it. */
#ifndef BENCH_QUEUE_USAGE_H
#define BENCH_QUEUE_USAGE_H

#include "servers/servers.h"

struct queue_usage;

struct queue_usage *queue_usage_start(const struct servers *servers);

/* The highest usage seen, in KiB; the queue takes 8 GiB. */
double queue_usage_stop(struct queue_usage *usage);

/* Now, in KiB. */
double queue_usage_kib(PGconn *pg);

#endif
