/* The parts of `burst`, a file each. */
#ifndef BENCH_BURST_H
#define BENCH_BURST_H

#include "options.h"
#include "report/report.h"
#include "servers/servers.h"

/* One statement touches every customer, beside warm-ups: tables "burst" and "queue". */
void burst_touch(struct servers *servers, const struct options *options, struct report *report);

/* One row is updated again and again: table "hot". */
void burst_hot(struct servers *servers, const struct options *options, struct report *report);

/* What the daemon holds in memory, idle and with every customer pending: table "memory". */
void burst_memory(struct servers *servers, const struct options *options, struct report *report);

/* After a statement has changed every row the table is twice as large: makes it what it was. */
void burst_tidy(PGconn *pg);

void burst_sleep_ms(long milliseconds);

#endif
