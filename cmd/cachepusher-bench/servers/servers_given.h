/*
 * Servers that belong to someone else: the benchmark creates a database in one, uses an empty database of the other,
 * and restores both.
 *
 * A separate process, the keeper, does the restoring. It waits until the benchmark has ended, be it by a signal, an
 * error or regularly, so the measuring code need not care.
 */
#ifndef BENCH_SERVERS_GIVEN_H
#define BENCH_SERVERS_GIVEN_H

#include "servers/servers.h"

/* False: nothing has been touched, and the reason has been reported. Call it before any thread is started. */
bool given_open(struct servers *servers, const struct options *options);

/* The setting of notify-keyspace-events in Redis to restore at the end. */
void given_set_notify_back(const char *setting);

/* Waits until the servers are restored. False: they are not, and the reason has been reported. */
bool given_close(void);

#endif
