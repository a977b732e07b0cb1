/* One measurement of `latency`: changes at a given rate, and how long each took to be readable in Redis. */
#ifndef BENCH_LATENCY_PHASE_H
#define BENCH_LATENCY_PHASE_H

#include "latency/tracker.h"
#include "report/samples.h"
#include "servers/servers.h"
#include "sources/source.h"

#include <stdbool.h>
#include <stdint.h>

enum situation { SITUATION_IDLE, SITUATION_LOAD, SITUATION_WARMUP, SITUATIONS };
enum { LATENCY_LOST_AFTER_S = 5 };

struct phase {
    enum situation situation;
    enum source source;
    bool is_bare; /* the bare loop instead of cachepusher */
    long threads; /* of cachepusher */
    bool commits_wait;
    double rate;
    double duration_s;
};

struct outcome {
    struct samples milliseconds; /* of all changes, from the commit's reply; for a lost one the time waited */
    struct samples whole_ms;     /* the same from sending the statement */
    struct samples commit_ms;    /* of all changes, from sending the statement to its commit's reply */
    uint64_t changes;
    uint64_t lost;     /* of these, not readable LATENCY_LOST_AFTER_S after the last change */
    double achieved;   /* changes per second */
    double latest_s;   /* the longest delay of a change behind its schedule */
    double background; /* the share of the background's work that was done */
    unsigned resyncs;  /* that began meanwhile */
};

/* *number: the number of the next change; increased. Redis has all documents and notifies of keys that are set. */
void phase_run(const struct servers *servers, PGconn *pg, const struct watched *watched, const struct phase *phase,
               int64_t *number, struct outcome *outcome);

#endif
