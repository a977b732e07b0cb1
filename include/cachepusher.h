/*
 * libcachepusher: keeps JSON documents in Redis equal to what Postgres holds.
 *
 * An application writes rows; triggers announce the ids of the documents that changed; the syncer reads each document
 * again with a function of yours and stores it in Redis under its key. A complete program (error messages left to the
 * reader):
 *
 *     #include <cachepusher.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         cp_error err;
 *         cp_config *config = cp_config_create(&err);
 *         cp_config_set(config, "postgres", "host=/run/postgresql dbname=shop", &err);
 *         cp_config_set(config, "redis", "127.0.0.1:6379", &err);
 *
 *         cp_syncer *syncer = cp_syncer_create(config, NULL, &err);   // owns config from here on
 *         if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
 *             cp_syncer_wait_ready(syncer, 60000, &err) != CP_OK) {
 *             fprintf(stderr, "%s\n", err.message);
 *             return 1;
 *         }
 *         puts("every customer is in Redis and follows Postgres; press return to stop");
 *         getchar();
 *         cp_syncer_stop(syncer, 5000, &err);
 *         cp_syncer_destroy(syncer);
 *         return 0;
 *     }
 *
 *     cc example.c $(pkg-config --cflags --libs cachepusher)
 *
 * Rules that hold for everything below
 *
 *  - Threads: a cp_config belongs to one thread at a time. A cp_syncer may be used from any number of threads at once,
 *    except for cp_syncer_destroy(), which has to be the last call.
 *  - The library starts threads of its own in cp_syncer_start(), with every signal blocked. It installs no signal
 *    handler, never exits, prints nothing, and keeps no global state: several syncers in one process work.
 *  - Errors: a function that can fail returns a cp_code and fills *err when err is not NULL. The message is one line of
 *    UTF-8 that names the thing concerned, without a newline and never with a password.
 *  - Strings passed in are copied. Strings handed to callbacks live until the callback returns.
 *  - Times are in milliseconds.
 *  - Structs that may grow begin with their size. Set it before the call, and leave what you do not use at zero:
 *        cp_stats stats = {.size = sizeof stats};
 *    The library reads and writes no more than this, so that a program built with an older header keeps working with a
 *    newer library. With an older library, what it does not know is left at zero, and asking it for that is
 *    CP_ERR_ARGUMENT, as is a size that cannot be true. Structs that the library hands out carry its own size.
 */
#ifndef CACHEPUSHER_H
#define CACHEPUSHER_H

/* Of this header; cp_version() has the library's. */
#define CP_VERSION "0.1.0"

#include "cachepusher/callbacks.h"
#include "cachepusher/config.h"
#include "cachepusher/error.h"
#include "cachepusher/health.h"
#include "cachepusher/stats.h"
#include "cachepusher/syncer.h"
#include "cachepusher/ticket.h"
#include "cachepusher/verify.h"

#endif
