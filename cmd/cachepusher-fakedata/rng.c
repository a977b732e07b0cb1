#include "rng.h"

#include <stdlib.h>

/* nrand48() answers nearly the same first numbers to neighbouring states: spread the bits. */
static uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93U;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93U;
    return x ^ (x >> 32);
}

void rng_init(struct rng *rng, long seed, enum rng_stream stream)
{
    uint64_t bits = scramble(scramble((uint64_t)seed + 1) + (uint64_t)stream);
    for (int i = 0; i < 3; i++)
        rng->state[i] = (unsigned short)(bits >> (16 * i));
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)(((uint64_t)nrand48(rng->state) * n) >> 31);
}

bool rng_per_mille(struct rng *rng, uint32_t times)
{
    return rng_below(rng, 1000) < times;
}
