/* The daemon under test, and who starts it again: a supervisor would at once. */
#ifndef DAEMON_H
#define DAEMON_H

#include "process.h"

struct daemon {
    const char *program;
    char dir[PATH_BYTES];
    char postgres[2 * PATH_BYTES];
    char redis[PATH_BYTES];
    const char *log_level;
    int slot;        /* of several daemons on the same servers */
    int incarnation; /* how often it has been started */
    struct process process;
};

void daemon_start(struct daemon *daemon);

/* Whether its threads run; before, it waits for the servers. */
bool daemon_has_started(const struct daemon *daemon);

/* Whether it is connected and through with its resync, or stands by: as far as its log tells. */
bool daemon_is_at_rest(const struct daemon *daemon);

/* kill -9. */
void daemon_kill(struct daemon *daemon);

/* SIGTERM: it has to settle what it has, unless it may fail to, and to end by itself. */
void daemon_stop(struct daemon *daemon, bool may_fail);

/* Blames it for having ended by itself. */
void daemon_watch(struct daemon *daemon);

/* Blames it for a sanitizer's report in any of its logs. */
void daemon_read_logs(const struct daemon *daemon);

#endif
