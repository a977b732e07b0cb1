/* Child processes. The main thread starts all of them: they have to die with it, and for the kernel their parent is the
 * thread that started them. */
#ifndef PROCESS_H
#define PROCESS_H

#include "util.h"

#include <sys/types.h>

enum process_user { AS_OURSELVES, AS_SERVER }; /* Postgres refuses to run as root, and nothing is unwritable for root */

struct process {
    pid_t pid; /* 0: not running, or its end has been collected */
    int status;
    char log[PATH_BYTES];
};

/* argv[0] is searched in PATH. stdout and stderr are appended to the log. */
void process_start(struct process *process, const char *log, enum process_user user, const char *const *argv);

/* Whether it still runs. If not, collects its exit status. */
bool process_is_running(struct process *process);

/* Waits for it to end. False: it still runs. */
bool process_wait(struct process *process, int timeout_ms);

/* kill -9, and waits for it to end. */
void process_kill(struct process *process);

void process_signal(const struct process *process, int signal_number);

/* Runs a command to its end. It has to succeed. */
void process_run(const char *log, enum process_user user, const char *const *argv);

/* "exit code 1", "signal 9" */
const char *process_ending(const struct process *process, char *buffer, size_t size);

/* The servers' user has to be able to do it, too. */
void make_directory(const char *path);

#endif
