/*
 * Child processes, and what processes cost. Children die with the thread that started them, so start them in the main
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
    int output; /* its stdout and stderr, for the parent to read; -1: thrown away */
    double started_s;
    char words[PROCESS_WORDS]; /* the end of its output, as far as it has been read */
};

/* argv[0] is searched beside this program, then in PATH. If it cannot be started, the program ends. */
void process_start(struct process *process, char *const *argv, bool read_output);

/* What an ended process has cost, with the children it has waited for; from wait4(2). */
struct usage {
    double cpu_s;     /* user and system */
    double elapsed_s; /* since process_start() */
    double peak_mib;  /* peak resident memory of the process itself; NAN if it ended at once */
    int exit_code;    /* 128 + the signal, as a shell has it */
};
void process_wait(struct process *process, struct usage *usage);

/* The same for a process that has to succeed. Otherwise the program ends with its last output. */
void process_succeed(struct process *process, const char *name, struct usage *usage);

/* Waits for a line of its output that contains the text. False: timeout_s passed, or the process ended; its last output
 * has been reported. */
bool process_expect(struct process *process, const char *text, double timeout_s);

/* CPU seconds used so far by a process and its descendants, ended ones included, with a resolution of 10 ms. 0 for
 * pid 0. */
double process_tree_cpu_s(pid_t pid);

/* Seconds on the clock that is meant for measuring. Any thread. */
double clock_s(void);

/* Whether a program is in PATH. False: it is not; which Debian package to install has been reported. */
bool process_is_installed(const char *name, const char *package);

/* Resident memory of a process in MiB: current and peak. NAN once it has ended. */
double process_resident_mib(pid_t pid);
double process_peak_mib(pid_t pid);

#endif
