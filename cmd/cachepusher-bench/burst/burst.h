/* The parts of `burst`, one file each. */
#ifndef BENCH_BURST_H
#define BENCH_BURST_H

#include "options.h"
#include "report/report.h"
#include "servers/servers.h"

#include <hiredis/hiredis.h>

/* One statement touches every customer, compared with warm-ups: tables "burst", "warmups" and "queue". */
void burst_touch(struct servers *servers, const struct options *options, struct report *report);

/* One row is updated again and again: table "hot". */
void burst_hot(struct servers *servers, const struct options *options, struct report *report);

/* What the daemon holds in memory, idle and with every customer pending: table "memory". */
void burst_memory(struct servers *servers, const struct options *options, struct report *report);

/* A statement that changed every row has doubled the table: restores its size. */
void burst_tidy(PGconn *pg);

/* How many SET commands Redis has executed. */
long long burst_count_sets(redisContext *redis);

void burst_sleep_ms(long milliseconds);

#endif
