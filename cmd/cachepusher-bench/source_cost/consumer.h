/* Who reads what is announced while the application writes. Main thread. */
#ifndef BENCH_CONSUMER_H
#define BENCH_CONSUMER_H

#include "source_cost/reader.h"
#include "source_cost/ways.h"
#include "sources/bare_loop.h"

struct consumer {
    const struct servers *servers;
    const struct way *way;
    struct reader reader;
    struct process daemon;
    struct bare_loop loop;
};

/* It reads, or follows, when this returns. The way is set up. */
void consumer_start(struct consumer *consumer, const struct servers *servers, PGconn *pg, const struct way *way);

/* Waits until it has caught up, and stops it. Returns how many seconds that took: what a write has not paid for was
 * left for later. NAN: nobody reads. If nothing has arrived, the program ends. */
double consumer_stop(struct consumer *consumer, PGconn *pg, redisContext *redis);

#endif
