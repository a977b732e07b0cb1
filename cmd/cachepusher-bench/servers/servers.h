/*
 * The Postgres and the Redis that are measured: private ones, which end with us, or given ones (--dsn, --redis).
 *
 * Private: the program starts itself again below scripts/with-servers, whose text is part of the binary.
 * Given: a database of its own is created, and dropped at the end; Redis has to be empty, and is emptied at the end.
 */
#ifndef BENCH_SERVERS_H
#define BENCH_SERVERS_H

#include "options.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <sys/types.h>

struct servers {
    char dsn[1024];   /* of the database to work in; for libpq and for cachepusher */
    char redis[1024]; /* as cachepusher takes it */
    pid_t postmaster; /* 0: not on this machine */
    pid_t redis_server;
    char postgres_version[64];
    char redis_version[64];
};

/* Does not return when it starts the program again. False, having told why. */
bool servers_open(struct servers *servers, const struct options *options, char **argv);
bool servers_close(void); /* false, having told why: given ones are not as they were */

/* A connection; whoever asked for it closes it. One that cannot be had ends the program, having told why. Any thread.
 */
PGconn *servers_postgres(const struct servers *servers);
redisContext *servers_redis(const struct servers *servers);

/* A statement, or a command, that has to succeed. The first integer of its answer, 0 without any. Any thread. */
int64_t pg_do(PGconn *pg, const char *sql);
int64_t redis_do(redisContext *redis, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The example's schema of db/, whose text is part of the binary, and customers with their addresses; vacuumed, so that
 * no autovacuum comes in between. What was there before is gone. */
void servers_load(struct servers *servers, long customers);

#endif
