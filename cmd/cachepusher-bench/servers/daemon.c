#include "servers/daemon.h"

#include "fatal.h"
#include "sources/set_up.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* For what takes as long as the data is large. */
enum { PATIENCE_S = 600, ARGUMENTS = 8 + 2 * SET_UP_SETTINGS + DAEMON_FLAGS };

static void start(struct process *process, const struct servers *servers, const char *command, long threads,
                  enum source source, char *const *flags)
{
    char count[16];
    /* execvp() takes pointers to what it does not change. */
    char *const fixed[] = {(char *)"cachepusher", (char *)command,      (char *)"-t",      count,
                           (char *)"--dsn",       (char *)servers->dsn, (char *)"--redis", (char *)servers->redis};
    char *argv[ARGUMENTS + 1] = {NULL};
    size_t used = sizeof fixed / sizeof *fixed;

    snprintf(count, sizeof count, "%ld", threads);
    memcpy(argv, fixed, sizeof fixed);
    for (size_t i = 0; set_up_settings[source][i] != NULL; i++) {
        argv[used++] = (char *)"--set";
        argv[used++] = (char *)set_up_settings[source][i];
    }
    for (size_t i = 0; flags != NULL && flags[i] != NULL && i < DAEMON_FLAGS; i++) {
        argv[used++] = flags[i];
    }
    process_start(process, argv, true);
}

void daemon_start(struct process *process, const struct servers *servers, long threads, enum source source,
                  char *const *flags)
{
    start(process, servers, "run", threads, source, flags);
    if (!process_expect(process, "ready", PATIENCE_S)) {
        fatal("cachepusher run did not become ready");
    }
}

void daemon_stop(struct process *process, struct usage *usage)
{
    kill(process->pid, SIGTERM);
    process_succeed(process, "cachepusher run", usage);
}

void daemon_warmup(const struct servers *servers, long threads, struct usage *usage)
{
    struct process process;
    start(&process, servers, "warmup", threads, SOURCE_NOTIFY, NULL);
    process_succeed(&process, "cachepusher warmup", usage);
}

/* A request made while a resync runs is served by one more after it. */
unsigned daemon_keep_resyncing(struct process *process, double until_s)
{
    unsigned begun = 0;

    kill(process->pid, SIGHUP);
    while (clock_s() < until_s) {
        if (!process_expect(process, "resync: request", PATIENCE_S)) {
            fatal("cachepusher run does not resync");
        }
        begun++;
        kill(process->pid, SIGHUP);
    }
    return begun;
}
