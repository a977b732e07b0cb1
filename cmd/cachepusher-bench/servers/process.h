/*
 * Child processes, and what processes cost. Children die with the thread that has started them: start them in the main
 * thread.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_WORDS = 512 };

struct process {
    pid_t pid;
    int output; /* what it writes to stdout and stderr, for the parent to read; -1 when that is thrown away */
    double started_s;
    char words[PROCESS_WORDS]; /* the end of its output, as far as it has been read */
};

/* argv[0] is looked for beside this program, then in PATH. One that cannot be started ends the program. */
void process_start(struct process *process, char *const *argv, bool read_output);

/* What one has cost that has ended, and the children that it has waited for; from wait4(2). */
struct usage {
    double cpu_s;     /* user and system */
    double elapsed_s; /* since process_start() */
    double peak_mib;  /* resident memory of the process itself at its highest, NAN for one that ended at once */
    int exit_code;    /* 128 + the signal, as a shell has it */
};
void process_wait(struct process *process, struct usage *usage);

/* The same for one that has to succeed, or else the program ends with its last words. */
void process_succeed(struct process *process, const char *name, struct usage *usage);

/* Waits for a line of its output that contains the text. False: timeout_s passed, or it ended, and its last words have
 * been told. */
bool process_expect(struct process *process, const char *text, double timeout_s);

/* CPU seconds that a process, its descendants and those of them that have ended used so far; the resolution is 10 ms.
 * 0 for pid 0. */
double process_tree_cpu_s(pid_t pid);

/* Seconds on the clock that is meant for measuring. Any thread. */
double clock_s(void);

/* Whether PATH leads to a program. False, having told what to install: a package of Debian. */
bool process_is_installed(const char *name, const char *package);

/* Resident memory of a process, in MiB: now, and at its highest. NAN once it has ended. */
double process_resident_mib(pid_t pid);
double process_peak_mib(pid_t pid);

#endif
