/*
 * The Postgres and the Redis that are measured: private ones, which end with the program, or given ones (--dsn,
 * --redis).
 *
 * Private: the program restarts itself under scripts/with-servers, whose text is part of the binary.
 * Given: a database is created and dropped at the end. Redis has to be empty, and is emptied at the end.
 */
#ifndef BENCH_SERVERS_H
#define BENCH_SERVERS_H

#include "options.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include <stdint.h>
#include <sys/types.h>

struct servers {
    char dsn[1024];   /* for libpq and cachepusher: the database to work in */
    char redis[1024]; /* as cachepusher takes it */
    pid_t postmaster; /* 0: not on this machine */
    pid_t redis_server;
    char postgres_version[64];
    char redis_version[64];
};

/* Does not return if it restarts the program. False: failed; the reason has been reported. */
bool servers_open(struct servers *servers, const struct options *options, char **argv);
bool servers_close(void); /* False: given servers could not be restored; the reason has been reported. */

/* A connection, which the caller closes. If it cannot be made, the program ends with the reason. Any thread. */
PGconn *servers_postgres(const struct servers *servers);
redisContext *servers_redis(const struct servers *servers);

/* A statement or command that has to succeed. Returns the first integer of its result, 0 if there is none. Any thread.
 */
int64_t pg_do(PGconn *pg, const char *sql);
int64_t redis_do(redisContext *redis, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Loads the example's schema of db/, whose text is part of the binary, and customers with their addresses, and vacuums,
 * so that no autovacuum disturbs. Replaces what was there. */
void servers_load(struct servers *servers, long customers);

#endif
