/*
 * Servers that are somebody's: we take a database of our own in one and an empty one in the other, and give both back.
 *
 * That is done by a process apart, the keeper, which waits until we are gone, in whatever way: a signal, an error or
 * the end. Nothing that is measured has to bother with it.
 */
#ifndef BENCH_SERVERS_GIVEN_H
#define BENCH_SERVERS_GIVEN_H

#include "servers/servers.h"

/* False, having told why: nothing has been touched. Before any thread is started. */
bool given_open(struct servers *servers, const struct options *options);

/* The setting of notify-keyspace-events in Redis that is to be there again at the end. */
void given_set_notify_back(const char *setting);

/* Waits until the servers are as they were. False, having told why: they are not. */
bool given_close(void);

#endif
