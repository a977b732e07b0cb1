/* cachepusher as users run it, as a process of its own. Start it in the main thread. */
#ifndef BENCH_DAEMON_H
#define BENCH_DAEMON_H

#include "servers/process.h"
#include "servers/servers.h"
#include "sources/source.h"

enum { DAEMON_FLAGS = 8 };

/* Starts `cachepusher run -t THREADS` with up to DAEMON_FLAGS more arguments, ended by NULL. It is ready when this
 * returns. The source is set up. */
void daemon_start(struct process *process, const struct servers *servers, long threads, enum source source,
                  char *const *flags);

/* Stops it; it settles what is queued. */
void daemon_stop(struct process *process, struct usage *usage);

/* Runs `cachepusher warmup -t THREADS` to its end. */
void daemon_warmup(const struct servers *servers, long threads, struct usage *usage);

/* Makes it read every document again, one resync after the other without a pause, until the given time of clock_s(),
 * and until the last resync has begun. Returns how many have begun. */
unsigned daemon_keep_resyncing(struct process *process, double until_s);

#endif
