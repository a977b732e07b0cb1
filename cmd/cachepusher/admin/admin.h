/*
 * What can be asked of a daemon over HTTP: /metrics for Prometheus, /livez and /readyz for supervisors and load
 * balancers, /status as JSON, a page at / that draws it, and POST /parked/retry.
 *
 * One thread answers all of it, from what cp_syncer_health() and the like leave to be seen: nothing is asked of a
 * server or of another thread, so that a daemon that is stuck still says so. Nobody has to prove who they are: it is
 * meant for a loopback address or a socket in a directory of its own.
 */
#ifndef CMD_ADMIN_H
#define CMD_ADMIN_H

#include "cachepusher.h"
#include "logger.h"

struct admin;

/* What it tells of besides the syncer. Strings have to outlive it. */
struct admin_facts {
    const char *name;   /* of the writer's group */
    const char *source; /* "notify", "wal" */
};

/* Listens at HOST:PORT, :PORT (of 127.0.0.1), [ADDRESS]:PORT or unix:PATH, whose stale socket is replaced, and answers
 * from now on; that it is starting, until there is a syncer to tell of. The logger has to outlive it. NULL: the reason
 * has been told. */
struct admin *admin_open(const char *address, const struct admin_facts *facts, struct logger *logger);

/* The syncer has to outlive it. */
void admin_tell_of(struct admin *admin, const cp_syncer *syncer);

/* NULL is allowed. Removes a socket that it has made. */
void admin_close(struct admin *admin);

/* The main thread, once a second: it is well. /livez says so when it is not. */
void admin_main_is_well(struct admin *admin);

/* The main thread waits for the syncer's end from now on, for as long as that takes. */
void admin_main_stops(struct admin *admin);

/* Whether the thread that answers has been seen lately; NULL has nothing that could be stuck. */
bool admin_is_well(const struct admin *admin);

#endif
