#include "signals.h"

#include "common/complain.h"
#include "logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The handlers only read these; they are all set before they are installed. */
static int pipe_fds[2];
static const char *pidfile_path;
static struct logger *log_to_open; /* of signals_wait() alone */

/* Of the handlers, which exclude each other. */
static int first_signal;
static struct timespec first_at;

static void handle(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    /* One handler at a time. */
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(signal_number, &action, NULL);
}

static bool is_ignored(int signal_number)
{
    struct sigaction action;
    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool is_same_again(int signal_number)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long since_ms = (now.tv_sec - first_at.tv_sec) * 1000LL + (now.tv_nsec - first_at.tv_nsec) / 1000000;
    return signal_number == first_signal && since_ms < SIGNALS_SAME_MS;
}

static void exit_at_once(int signal_number)
{
    sigset_t set;
    if (is_same_again(signal_number)) {
        return;
    }
    if (pidfile_path != NULL) {
        unlink(pidfile_path);
    }
    /* Shells and service managers tell a process that died of a signal from one that chose to fail. */
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    handle(signal_number, SIG_DFL);
    raise(signal_number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + signal_number); /* the first process of a container cannot die like that */
}

/* A pipe that is full holds enough signals already. */
static void pass_on(int signal_number)
{
    int saved_errno = errno;
    unsigned char number = (unsigned char)signal_number;
    while (write(pipe_fds[1], &number, sizeof number) == -1 && errno == EINTR) {
    }
    errno = saved_errno;
}

static void ask_to_stop(int signal_number)
{
    first_signal = signal_number;
    clock_gettime(CLOCK_MONOTONIC, &first_at);
    if (!is_ignored(SIGINT)) {
        handle(SIGINT, exit_at_once);
    }
    handle(SIGTERM, exit_at_once);
    pass_on(signal_number);
}

bool signals_init(const char *pidfile, struct logger *logger)
{
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == -1) {
        complain("cannot make a pipe: %s", strerror(errno));
        return false;
    }
    pidfile_path = pidfile;
    log_to_open = logger;
    handle(SIGUSR1, pass_on);
    handle(SIGUSR2, pass_on);
    handle(SIGPIPE, SIG_IGN);
    handle(SIGTERM, ask_to_stop);
    if (!is_ignored(SIGINT)) {
        handle(SIGINT, ask_to_stop);
    }
    if (!is_ignored(SIGHUP)) {
        handle(SIGHUP, pass_on);
    }
    return true;
}

void signals_tell_ignored(struct logger *logger)
{
    if (is_ignored(SIGINT)) {
        logger_printf(logger, CP_LOG_INFO,
                      "SIGINT is ignored, as by whoever started this (a script's &, for instance); SIGTERM stops");
    }
    if (is_ignored(SIGHUP)) {
        logger_printf(logger, CP_LOG_INFO,
                      "SIGHUP is ignored, as by whoever started this (nohup, for instance); SIGUSR2 has the "
                      "configuration read again");
    }
}

void signals_fini(void)
{
    if (!is_ignored(SIGINT)) {
        handle(SIGINT, SIG_DFL);
    }
    handle(SIGTERM, SIG_DFL);
    handle(SIGUSR1, SIG_IGN);
    handle(SIGUSR2, SIG_IGN);
}

int signals_wait(int timeout_ms)
{
    struct pollfd poll_fd = {.fd = pipe_fds[0], .events = POLLIN};
    unsigned char number;
    /* A handler interrupts poll() once it has written to the pipe, so that EINTR, too, means: read. */
    poll(&poll_fd, 1, timeout_ms);
    number = read(pipe_fds[0], &number, sizeof number) == 1 ? number : 0;
    if (number == SIGUSR1) {
        logger_reopen(log_to_open);
        return 0;
    }
    return number;
}
