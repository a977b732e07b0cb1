/*
 * What a service manager is told (sd_notify(3)): that the daemon is ready, what it is doing, and that it stops. Nothing
 * where nobody asks, which is said by NOTIFY_SOCKET in the environment.
 */
#ifndef CMD_RUN_SERVICE_H
#define CMD_RUN_SERVICE_H

#include "admin/admin.h"
#include "cachepusher.h"

/* Zero is a valid one. */
struct service {
    bool is_told_ready;
    double started_s;
    double update_at_s;
    char status[600]; /* the last one told */
};

/* Tells what is news, and that all threads are well: where one is not, nothing is heard of us any more, so that the
 * service manager ends the process (WatchdogSec). Ready: Redis has every document, or another instance writes and this
 * one waits for its end. */
void service_update(struct service *service, const cp_syncer *syncer, const struct admin *admin);

/* Milliseconds until there may be news. */
int service_due_ms(const struct service *service);

void service_stops(struct service *service);

#endif
