/*
 * Other work on the same servers during a measurement, at fixed rates: an application that reads its tables and changes
 * customers that are not watched, several per transaction.
 */
#ifndef BENCH_BACKGROUND_H
#define BENCH_BACKGROUND_H

#include "latency/paced.h"
#include "latency/tracker.h"
#include "servers/servers.h"

enum {
    BACKGROUND_READS = 1000,       /* per second, of one customer with its addresses */
    BACKGROUND_TRANSACTIONS = 200, /* per second */
    BACKGROUND_ROWS = 10,          /* changed by each */
    BACKGROUND_SPACING = 20        /* of the watched customers, so that there are others between them */
};

struct background {
    const struct watched *watched;
    struct paced reads;
    struct paced writes;
};

/* commits_wait: for their flush, as those that are measured. */
void background_start(struct background *background, const struct servers *servers, const struct watched *watched,
                      bool commits_wait, double start_s, double duration_s);

/* Waits for it to end. Returns the share of the planned work that was done in time. */
double background_join(struct background *background);

#endif
