#ifndef CMD_CLOCK_H
#define CMD_CLOCK_H

#include <time.h>

/* Seconds of a clock that nobody sets. */
static inline double clock_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
