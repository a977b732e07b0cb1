/* Random numbers: a small generator for jitter and samples, and bytes of the kernel's for names nobody else may have.
 */
#ifndef CPI_RANDOM_H
#define CPI_RANDOM_H

#include "cachepusher.h"

/* splitmix64. *state is any seed at first; the same seed gives the same numbers. All 64 bits are good. */
uint64_t cpi_random_next(uint64_t *state);

/* Fills out with random bytes, 256 at most. The error is retriable. */
cp_code cpi_random_bytes(void *out, size_t size, cp_error *err);

#endif
