/* Child processes. All are started by the main thread: they are to die with it, and the kernel takes the thread that
 * has started them for their parent. */
#ifndef PROCESS_H
#define PROCESS_H

#include "util.h"

#include <sys/types.h>

enum process_user { AS_OURSELVES, AS_SERVER }; /* Postgres refuses to be root; nothing is unwritable to root */

struct process {
    pid_t pid; /* 0: not running, or its end has been collected */
    int status;
    char log[PATH_BYTES];
};

/* argv[0] is looked for in PATH. stdout and stderr are appended to the log. */
void process_start(struct process *process, const char *log, enum process_user user, const char *const *argv);

/* Whether it still runs; collects its end otherwise. */
bool process_is_running(struct process *process);

/* Waits for its end. False: it still runs. */
bool process_wait(struct process *process, int timeout_ms);

/* kill -9, and its end. */
void process_kill(struct process *process);

void process_signal(const struct process *process, int signal_number);

/* Runs a command to its end, which has to be a good one. */
void process_run(const char *log, enum process_user user, const char *const *argv);

/* "exit code 1", "signal 9" */
const char *process_ending(const struct process *process, char *buffer, size_t size);

/* Has to be possible for the servers' user, too. */
void make_directory(const char *path);

#endif
