#ifndef BENCH_WARMUP_LIMIT_H
#define BENCH_WARMUP_LIMIT_H

#include "warmup/warmup_ways.h"

/* Fetches every document over this many connections, one thread each, and throws them away. Measures from the first
 * connection to the last document. */
void limit_run(const struct field *field, enum function function, long threads);

#endif
