#include "servers/process.h"

#include "fatal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20 };

double clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The path of a program beside this one, else its name. */
static void find(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        *(strrchr(self, '/') + 1) = '\0';
        int needed = snprintf(path, size, "%s%s", self, name);
        if (needed > 0 && (size_t)needed < size && access(path, X_OK) == 0) {
            return;
        }
    }
    snprintf(path, size, "%s", name);
}

bool process_is_installed(const char *name, const char *package)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        char file[PATH_MAX];
        size_t length = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name);
        if (access(file, X_OK) == 0) {
            return true;
        }
        path += length + (path[length] == ':');
    }
    complain("%s is missing (Debian: %s)", name, package);
    return false;
}

/* ---- start ---- */

/* In the child, between fork and exec: only what is safe there, whatever threads the parent has. */
static _Noreturn void become(const char *path, char *const *argv, pid_t parent, int output, int failure)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0) {
        execvp(path, argv);
    }
    int why = errno;
    ssize_t written = write(failure, &why, sizeof why);
    (void)written;
    _exit(127);
}

void process_start(struct process *process, char *const *argv, bool read_output)
{
    char path[PATH_MAX];
    find(argv[0], path, sizeof path);
    int failure[2];
    int output[2] = {-1, -1};
    if (pipe2(failure, O_CLOEXEC) != 0 ||
        (read_output ? pipe2(output, O_CLOEXEC) : (output[1] = open("/dev/null", O_WRONLY | O_CLOEXEC))) < 0) {
        fatal("cannot start %s: %s", argv[0], strerror(errno));
    }
    *process = (struct process){.output = output[0], .started_s = clock_s()};
    pid_t parent = getpid();
    process->pid = fork();
    if (process->pid == 0) {
        become(path, argv, parent, output[1], failure[1]);
    }
    close(failure[1]);
    close(output[1]);
    int why = process->pid < 0 ? errno : 0;
    if (process->pid > 0 && read(failure[0], &why, sizeof why) <= 0) {
        why = 0; /* closed by exec */
    }
    close(failure[0]);
    if (why != 0) {
        fatal("cannot start %s: %s", argv[0], strerror(why));
    }
}

/* ---- output ---- */

/* Reads once and keeps the end of all that was read. False: there is no more. */
static bool read_words(struct process *process)
{
    char chunk[PROCESS_WORDS / 2];
    ssize_t got = read(process->output, chunk, sizeof chunk);
    if (got <= 0) {
        return got < 0 && errno == EINTR;
    }
    for (ssize_t i = 0; i < got; i++) {
        chunk[i] = chunk[i] == '\0' ? '?' : chunk[i];
    }
    size_t length = strlen(process->words);
    if (length + (size_t)got >= PROCESS_WORDS) {
        size_t drop = length + (size_t)got - (PROCESS_WORDS - 1);
        memmove(process->words, process->words + drop, length - drop);
        length -= drop;
    }
    memcpy(process->words + length, chunk, (size_t)got);
    process->words[length + (size_t)got] = '\0';
    return true;
}

/* The last line that says something. */
static const char *last_line(struct process *process)
{
    size_t length = strlen(process->words);
    while (length > 0 && (process->words[length - 1] == '\n' || process->words[length - 1] == '\r')) {
        process->words[--length] = '\0';
    }
    const char *line = strrchr(process->words, '\n');
    return line == NULL ? process->words : line + 1;
}

bool process_expect(struct process *process, const char *text, double timeout_s)
{
    double deadline_s = clock_s() + timeout_s;
    for (;;) {
        char *found = strstr(process->words, text);
        if (found != NULL) {
            /* So that the next call looks at what follows. */
            memmove(process->words, found + strlen(text), strlen(found + strlen(text)) + 1);
            return true;
        }
        double left_s = deadline_s - clock_s();
        struct pollfd readable = {.fd = process->output, .events = POLLIN};
        if (left_s <= 0 || poll(&readable, 1, (int)(left_s * 1000) + 1) == 0) {
            complain("waited %.0f s in vain for \"%s\"; last line: %s", timeout_s, text, last_line(process));
            return false;
        }
        if (!read_words(process)) {
            complain("ended before it said \"%s\"; last line: %s", text, last_line(process));
            return false;
        }
    }
}

/* ---- end ---- */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Looks at its memory while it runs, for that is gone afterwards: ru_maxrss counts ours before exec, too. */
static double watch(struct process *process)
{
    int ended = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (ended < 0) {
        fatal("pidfd_open: %s", strerror(errno));
    }
    struct pollfd events[] = {{.fd = ended, .events = POLLIN}, {.fd = process->output, .events = POLLIN}};
    double peak_mib = NAN;
    while (events[0].revents == 0) {
        double now_mib = process_peak_mib(process->pid);
        peak_mib = isnan(now_mib) ? peak_mib : now_mib;
        if (poll(events, 2, LOOK_MS) > 0 && events[1].revents != 0 && !read_words(process)) {
            events[1].fd = -1;
        }
    }
    close(ended);
    /* What it has left in the pipe; a grandchild may hold that open for longer. */
    while (events[1].fd >= 0 && poll(&events[1], 1, 0) > 0 && read_words(process)) {
    }
    return peak_mib;
}

void process_wait(struct process *process, struct usage *usage)
{
    double peak_mib = watch(process);
    *usage = (struct usage){.peak_mib = peak_mib, .elapsed_s = clock_s() - process->started_s};
    int status;
    struct rusage rusage;
    if (wait4(process->pid, &status, 0, &rusage) < 0) {
        fatal("waiting for a process: %s", strerror(errno));
    }
    usage->cpu_s = seconds(rusage.ru_utime) + seconds(rusage.ru_stime);
    usage->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (process->output >= 0) {
        close(process->output);
        process->output = -1;
    }
    process->pid = 0;
}

void process_succeed(struct process *process, const char *name, struct usage *usage)
{
    process_wait(process, usage);
    if (usage->exit_code != 0) {
        fatal("%s: exit code %d: %s", name, usage->exit_code, last_line(process));
    }
}
