#include "stop.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* sigtimedwait() refuses very long times, and checking the clock again costs nothing. */
#define LONGEST_SLEEP_S 3600.0

static sigset_t signals;
static bool stopped;

void stop_init(void)
{
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

static void collect(double wait_s)
{
    struct timespec wait;
    wait.tv_sec = (time_t)wait_s;
    wait.tv_nsec = (long)((wait_s - (double)wait.tv_sec) * 1e9);
    if (sigtimedwait(&signals, NULL, &wait) > 0)
        stopped = true;
}

bool stop_requested(void)
{
    if (!stopped)
        collect(0);
    return stopped;
}

bool stop_wait_until(double when_s)
{
    double left_s;
    while (!stop_requested() && (left_s = when_s - clock_now_s()) > 0)
        collect(left_s < LONGEST_SLEEP_S ? left_s : LONGEST_SLEEP_S);
    return !stopped;
}

double clock_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
