#ifndef FAKEDATA_RNG_H
#define FAKEDATA_RNG_H

#include <stdbool.h>
#include <stdint.h>

/* A copy of the struct replays the same numbers. */
struct rng {
    unsigned short state[3];
};

/* Streams of one seed are unrelated, so that drawing more in one never shifts another. */
enum rng_stream { STREAM_CUSTOMERS, STREAM_ADDRESS_COUNTS, STREAM_ADDRESSES, STREAM_CHANGES, STREAM_MIX };

void rng_init(struct rng *rng, long seed, enum rng_stream stream);

/* 0 to n - 1, evenly; n from 1 to 2^31. */
uint32_t rng_below(struct rng *rng, uint32_t n);

/* True `times` times in a thousand. */
bool rng_per_mille(struct rng *rng, uint32_t times);

#endif
