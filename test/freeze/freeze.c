/*
 * Holds one thread of another process, as a debugger does, until its own standard input ends.
 *
 * Usage: freeze TID
 *
 * Prints "frozen" once it is. SIGSTOP would hold the whole process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long tid = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    char end;
    if (tid <= 0) {
        fputs("usage: freeze TID\n", stderr);
        return 2;
    }
    if (ptrace(PTRACE_SEIZE, (pid_t)tid, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, (pid_t)tid, NULL, NULL) != 0 ||
        waitpid((pid_t)tid, NULL, __WALL) != (pid_t)tid) {
        perror("freeze");
        return 1;
    }
    puts("frozen");
    fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0) {
    }
    ptrace(PTRACE_DETACH, (pid_t)tid, NULL, NULL);
    return 0;
}
