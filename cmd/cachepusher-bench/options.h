/* The command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "sources/source.h"

#include <stdbool.h>

enum { OPTIONS_LIST = 8, OPTIONS_LATENCY_CUSTOMERS = 160 };

struct list {
    unsigned count;
    long items[OPTIONS_LIST];
};

struct options {
    const char *command;
    const char *dsn; /* --dsn and --redis: both, or neither for private servers */
    const char *redis;
    const char *json;  /* a file, or NULL; "-": stdout, and no tables are printed */
    const char *plot;  /* a file, or NULL */
    long runs;         /* repetitions of each measurement; the median is reported */
    double duration_s; /* of each measurement that has a fixed duration */
    struct list customers;
    struct list threads;
    struct list clients;
    struct list rates; /* changes per second */
    long updates;      /* of the hot row */
    long rows;         /* of the bulk update */
    long operations;   /* of the ring */
    bool sources[SOURCES];
    bool commits_wait; /* for their flush: synchronous_commit */
};

enum options_verdict { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* OPTIONS_DONE: --help or --version has been printed. OPTIONS_WRONG: the mistake has been reported. Defaults depend on
 * the command; a flag that the command does not use is refused. */
enum options_verdict options_parse(int argc, char **argv, struct options *options);

#endif
