/*
 * The obvious alternative: one thread that waits for a notification, reads the document, writes it, waits for the
 * reply, and takes the next id. No coalescing, no pipelining, no repair: what it misses stays missed.
 */
#ifndef BENCH_BARE_LOOP_H
#define BENCH_BARE_LOOP_H

#include "servers/servers.h"

#include <sys/types.h>

/* Starts it in a process of its own; it listens when this returns. Call it while this process has one thread. */
pid_t bare_loop_start(const struct servers *servers);
void bare_loop_stop(pid_t pid);

#endif
