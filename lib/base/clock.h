/* The monotonic clock, in milliseconds. */
#ifndef CPI_CLOCK_H
#define CPI_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t cpi_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The time left until a deadline, as a timeout for poll(2): never negative. */
static inline int cpi_left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - cpi_now_ms();
    if (left < 0) {
        return 0;
    }
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

#endif
