/*
 * The obvious alternative: one thread that waits for a notification, or for a line that pg_recvlogical prints, reads
 * the document, writes it, waits for the reply, and takes the next id. No coalescing, no pipelining, no repair: what it
 * misses stays missed. That a line can come before its row can be seen it does not know.
 */
#ifndef BENCH_BARE_LOOP_H
#define BENCH_BARE_LOOP_H

#include "servers/process.h"
#include "servers/servers.h"
#include "sources/source.h"

#include <sys/types.h>

struct bare_loop {
    pid_t pid;
    enum source source;
    struct process stream; /* SOURCE_WAL2JSON: what prints the lines */
};

/* Starts it in a process of its own; it follows when this returns. The source, SOURCE_NOTIFY or SOURCE_WAL2JSON, is set
 * up. Call it while this process has one thread. */
void bare_loop_start(struct bare_loop *loop, const struct servers *servers, PGconn *pg, enum source source);
void bare_loop_stop(struct bare_loop *loop);

#endif
