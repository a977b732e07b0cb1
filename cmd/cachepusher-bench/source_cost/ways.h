/* The ways to announce changes that `source-cost` compares, and who reads what they announce. */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include "servers/servers.h"
#include "sources/source.h"

enum reading {
    READ_BY_NOBODY,
    READ_BY_READER,  /* which throws it away: what the source itself costs */
    READ_BY_FOLLOWER /* cachepusher, or a loop: it brings every document to Redis, on the same machine */
};

struct way {
    const char *announced; /* as the report has them */
    const char *read_by;
    enum reading reading;
    bool by_row; /* a trigger of one's own notifies for each row; otherwise what the source needs is set up */
    enum source source;
};

enum { WAY_NONE, WAYS = 10 }; /* nothing announces: the first, which the others are compared with */
extern const struct way ways[WAYS];

bool way_is_chosen(const struct way *way, const bool sources[SOURCES]);

/* Leaves nothing that announces. */
void way_clear(const struct servers *servers, PGconn *pg);

/* Where nothing announces. A replication slot begins here. */
void way_set_up(const struct servers *servers, PGconn *pg, const struct way *way);

#endif
