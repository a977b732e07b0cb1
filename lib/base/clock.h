/* The monotonic clock, in milliseconds and microseconds. */
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

static inline int64_t cpi_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The same clock in few bits: quarters of a millisecond, which wrap around after twelve days. Never 0, which stands for
 * no time. */
typedef uint32_t cpi_ticks;

static inline cpi_ticks cpi_ticks_at(int64_t now_us)
{
    cpi_ticks ticks = (cpi_ticks)((uint64_t)now_us / 250);
    return ticks != 0 ? ticks : 1;
}

static inline cpi_ticks cpi_now_ticks(void)
{
    return cpi_ticks_at(cpi_now_us());
}

/* How long ago a time was, in microseconds. One that lies up to a second ahead, since another thread has read the clock
 * after us, is now. */
static inline int64_t cpi_ticks_since_us(cpi_ticks then, cpi_ticks now)
{
    cpi_ticks ahead = then - now;
    return ahead < 4000 ? 0 : (int64_t)(cpi_ticks)(now - then) * 250;
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
