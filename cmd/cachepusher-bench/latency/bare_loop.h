/*
 * What a person would write instead: one thread that waits for a notification, reads the document, writes it, waits for
 * the answer, and takes the next id. No coalescing, no pipelining, no repair: what is lost while it is away stays lost.
 */
#ifndef BENCH_BARE_LOOP_H
#define BENCH_BARE_LOOP_H

#include "servers/servers.h"

#include <sys/types.h>

/* In a process of its own, which listens by the time this returns. Call it while this process has one thread. */
pid_t bare_loop_start(const struct servers *servers);
void bare_loop_stop(pid_t pid);

#endif
