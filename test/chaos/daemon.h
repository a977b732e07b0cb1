/* The daemon under test, and a supervisor that restarts it at once. A host that embeds the library (host.c) is run and
 * watched likewise: its log is the library's. */
#ifndef DAEMON_H
#define DAEMON_H

#include "process.h"

enum daemon_kind {
    DAEMON_COMMAND,  /* cachepusher run */
    DAEMON_FOLLOWER, /* a host without Redis */
    DAEMON_WRITER    /* a host that fills Redis, and its cache of what has settled */
};

struct daemon {
    const char *program; /* the command; everything else is next to it */
    enum daemon_kind kind;
    char dir[PATH_BYTES];
    char postgres[2 * PATH_BYTES];
    char redis[PATH_BYTES];
    const char *log_level;
    const char *source;      /* notify or wal */
    const char *config;      /* its file; "": none */
    int slot;                /* of several daemons on the same servers */
    char socket[PATH_BYTES]; /* where a host shows its cache */
    int incarnation;         /* how often it has been started */
    struct process process;
    struct process log_reader; /* what the daemon writes its log to, through a pipe */
};

/* While a file of this name is in its directory, the daemon gets no answer to a lookup of a host's name. */
#define DAEMON_DNS_HANGS "dns-hangs"

void daemon_start(struct daemon *daemon);

/* Whether its process is there. */
bool daemon_is_there(const struct daemon *daemon);

/* Whether its threads run; before that it waits for the servers. */
bool daemon_has_started(const struct daemon *daemon);

/* Whether it is connected and has finished its resync, or stands by, according to its log. */
bool daemon_is_at_rest(const struct daemon *daemon);

/* Whether it is the one that writes, and listens, according to its log. */
bool daemon_writes(const struct daemon *daemon);

/* How much of its log there is. */
long daemon_log_size(const struct daemon *daemon);

/* Whoever reads its log stops doing so, and goes on. */
pid_t daemon_log_reader(const struct daemon *daemon);

/* kill -9. */
void daemon_kill(struct daemon *daemon);

/* SIGTERM: it has to end by itself, and to settle everything unless it is allowed not to. */
void daemon_stop(struct daemon *daemon, bool may_fail);

/* Blames the daemon if it has ended by itself. */
void daemon_watch(struct daemon *daemon);

/* Blames the daemon if one of its logs has a sanitizer's report. */
void daemon_read_logs(const struct daemon *daemon);

#endif
