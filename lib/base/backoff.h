/*
 * How long to wait before the next try: decorrelated jitter.
 *
 * Each wait is drawn between the base and three times the wait before, up to a cap. The jitter keeps workers that lost
 * a server at the same moment from coming back at the same moment.
 */
#ifndef CPI_BACKOFF_H
#define CPI_BACKOFF_H

#include <stdint.h>

struct cpi_backoff {
    int base_ms;
    int cap_ms;
    int last_ms;     /* 0: the next failure is the first */
    uint64_t random; /* the generator's state; one for each, so that there is no global state */
};

/* Different seeds give different draws; they should differ between processes, too. */
void cpi_backoff_init(struct cpi_backoff *backoff, int base_ms, int cap_ms, uint64_t seed);

/* The wait after one more failure, from base_ms to cap_ms. */
int cpi_backoff_next(struct cpi_backoff *backoff);

/* After a success: the next wait starts from the base again. */
void cpi_backoff_reset(struct cpi_backoff *backoff);

#endif
