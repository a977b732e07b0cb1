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
 *             cp_syncer_destroy(syncer);   // which may run, but is not ready; NULL is allowed
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
 *  - The library starts threads of its own in cp_syncer_start(), and for as long as they take in cp_syncer_verify() and
 *    cp_config_resolve(), with every signal blocked. It installs no signal handler, never exits and prints nothing.
 *    From its caller's stack a function takes less than 64 KiB. Several syncers in one process work, and share nothing
 *    but a list of them for exit() and fork(), and the count of addresses that are being looked up.
 *  - exit(), or main() returning, with a syncer running: the first successful cp_syncer_start() of the process
 *    registers a function with atexit() that stops every syncer without grace, before OpenSSL and the like, which
 *    libpq uses, are cleaned up under its threads. It waits 5 s at most; a callback that does not return until then
 *    leaves the process to end with threads that run, which may crash. So callbacks return soon, and do not call
 *    exit(), nor is it called while another thread is in cp_syncer_verify() or in the first cp_syncer_start(). Until
 *    then callbacks go on. What has not settled the next warm-up repairs; cp_syncer_stop() with grace before exit()
 *    leaves nothing over. A host that calls OPENSSL_cleanup() itself has stopped its syncers before, or
 *    registers it with atexit() before the first start.
 *  - dlclose(): the library stays in memory (-z nodelete), as does a syncer that runs: whoever unloads it destroys its
 *    syncers first.
 *  - fork(): a syncer belongs to the process that made it, whether it has been started or not. A forked child can only
 *    destroy it: every other call is CP_ERR_ARGUMENT there, or returns 0, and the parent never notices any of them. So
 *    whoever becomes a daemon makes its syncer after the fork. A child that lives on destroys what it has inherited, or
 *    calls exec (every descriptor is close-on-exec): the servers do not notice the parent's death as long as it keeps
 *    copies of the parent's sockets. A cp_config that no syncer owns is plain memory, and the child's own. Of a
 *    cp_results the same holds as of a syncer.
 *  - Errors: a function that can fail returns a cp_code and fills *err when err is not NULL. The message is one line of
 *    UTF-8 that names the thing concerned, without a newline and never with a password.
 *  - NULL: err may be NULL everywhere, and any other pointer where its function says so. Elsewhere NULL is
 *    CP_ERR_ARGUMENT, and the message names the argument or the type of its struct; functions without a code return
 *    false or 0, and those that destroy do nothing.
 *  - Strings passed in are copied. Strings handed to callbacks live until the callback returns.
 *  - Memory: from malloc() and its kin alone, as libpq and the other libraries inside take theirs; there are no hooks.
 *    The host frees nothing but what it destroys with cp_config_destroy(), cp_syncer_destroy() and
 *    cp_results_destroy(), which free everything. A syncer takes what its threads share when it is created; later it
 * grows with what waits, and shrinks again: ids, and the keys of a resync, up to max_pending of either, and for each of
 * `threads` (twice during a verification) a few times batch_bytes and its largest document; and with what waits for the
 * host, up to cp_results_options.max_bytes. Callbacks are handed what is there anyway; calls that only look take none.
 * Where memory runs out nothing aborts: a call is CP_ERR_SYSTEM and may be repeated, the threads try again, and ids
 * that could not be kept are read again by a resync (CP_CAUSE_OVERFLOW).
 *  - Locale: nothing depends on it but the decimal point in messages.
 *  - Standards: C99 to C23 and C++11 to C++20, without a warning of -Wall -Wextra -Wpedantic.
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
#include "cachepusher/results.h"
#include "cachepusher/stats.h"
#include "cachepusher/store.h"
#include "cachepusher/syncer.h"
#include "cachepusher/ticket.h"
#include "cachepusher/verify.h"

#endif
