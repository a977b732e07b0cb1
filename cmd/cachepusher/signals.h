#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include <stdbool.h>

/*
 * SIGINT and SIGTERM ask to stop: the first is handed to signals_wait(), the second kills the process on the spot,
 * whatever it waits for; a shell sees 128 + its number. The same one within SIGNALS_SAME_MS is no second: timeout(1)
 * sends each signal to its child and to the child's process group. SIGHUP is only handed on. SIGUSR1 has the log opened
 * again. SIGPIPE is ignored. SIGINT and SIGHUP stay ignored where the caller has them ignored, as nohup and scripts do.
 */

enum { SIGNALS_SAME_MS = 50 };

struct logger;

/* `pidfile`, which may be NULL, is removed by a second signal; it and the logger have to stay until signals_fini().
 * Call it after the last fork. False: the reason has been told. */
bool signals_init(const char *pidfile, struct logger *logger);

/* Says in the log which signals stay ignored, since whoever sends one would wonder. */
void signals_tell_ignored(struct logger *logger);

/* From now on a signal has its usual effect, and the pidfile is no longer used. */
void signals_fini(void);

/* The next signal, waiting for timeout_ms at most; 0: none came. */
int signals_wait(int timeout_ms);

#endif
