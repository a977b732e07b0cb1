/* The run's private Postgres cluster. Only the main thread starts and stops it; any thread may connect. */
#ifndef CLUSTER_H
#define CLUSTER_H

#include "process.h"

#include <libpq-fe.h>

struct cluster {
    char dir[PATH_BYTES]; /* of its socket */
    char data[PATH_BYTES];
    char log[PATH_BYTES];
    char socket[PATH_BYTES];
    char dsn[2 * PATH_BYTES]; /* for direct connections as superuser */
    struct process postmaster;
};

/* Creates dir/data: a copy of the template, or a new cluster with the schema of db/ and the test's own. */
void cluster_create(struct cluster *cluster, const char *dir, const char *template);
void cluster_start(struct cluster *cluster);

/* A line of its configuration. Call it before the start. */
void cluster_configure(const struct cluster *cluster, const char *line);

/* SIGINT stops it fast, SIGQUIT immediately: the next start recovers as from a crash. */
void cluster_stop(struct cluster *cluster, int signal_number);

/* NULL: cannot connect now. */
PGconn *cluster_connect(const struct cluster *cluster);

/* A statement that has to succeed, at once or after the server has recovered. The caller clears the result. */
PGresult *cluster_query(const struct cluster *cluster, const char *statement);
void cluster_do(const struct cluster *cluster, const char *statement);

/* The server processes of the daemon's connections whose name matches, in random order. Returns how many. */
int cluster_backends(const struct cluster *cluster, const char *name_like, pid_t *pids, int size);

#endif
