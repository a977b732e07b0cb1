/* pg_recvlogical, which prints what a replication slot has, line by line or as the plugin encodes it. Main thread. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "servers/process.h"
#include "servers/servers.h"
#include "sources/source.h"

/* Reads the slot when this returns. The source is not SOURCE_NOTIFY, and set up. process->output is for the caller to
 * read. */
void stream_start(struct process *process, const struct servers *servers, PGconn *pg, enum source source);

/* Has it end once it has printed what it holds; stop waits for that, and for what is left of the output. */
void stream_interrupt(const struct process *process);
void stream_stop(struct process *process);

/* The end of the log, of which everything that has been committed is before it, and whether the slot's reader has been
 * sent everything up to there. */
int64_t stream_end(PGconn *pg);
bool stream_has_sent(PGconn *pg, int64_t end);

#endif
