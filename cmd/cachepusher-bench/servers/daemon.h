/* cachepusher itself, as users run it: a process of its own. Start them in the main thread. */
#ifndef BENCH_DAEMON_H
#define BENCH_DAEMON_H

#include "servers/process.h"
#include "servers/servers.h"

enum { DAEMON_FLAGS = 8 };

/* `cachepusher run -t THREADS`, with up to DAEMON_FLAGS more arguments, the last followed by NULL. It is ready when
 * this returns. */
void daemon_start(struct process *process, const struct servers *servers, long threads, char *const *flags);

/* Lets it settle what is queued. */
void daemon_stop(struct process *process, struct usage *usage);

/* `cachepusher warmup -t THREADS`, from its start to its end. */
void daemon_warmup(const struct servers *servers, long threads, struct usage *usage);

/* Has it read every document again for as long as this takes, one resync after the other without a pause, until the
 * time of clock_s() has come and the last of them has begun. How many have begun. */
unsigned daemon_keep_resyncing(struct process *process, double until_s);

#endif
