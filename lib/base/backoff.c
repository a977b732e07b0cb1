#include "base/backoff.h"

void cpi_backoff_init(struct cpi_backoff *backoff, int base_ms, int cap_ms, uint64_t seed)
{
    backoff->base_ms = base_ms;
    backoff->cap_ms = cap_ms;
    backoff->last_ms = 0;
    backoff->random = seed;
}

/* splitmix64 */
static uint64_t draw(struct cpi_backoff *backoff)
{
    uint64_t z = backoff->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int cpi_backoff_next(struct cpi_backoff *backoff)
{
    int64_t last = backoff->last_ms > 0 ? backoff->last_ms : backoff->base_ms;
    int64_t span = last * 3 - backoff->base_ms;
    int64_t wait = backoff->base_ms + (int64_t)(draw(backoff) % (uint64_t)(span + 1));
    backoff->last_ms = wait > backoff->cap_ms ? backoff->cap_ms : (int)wait;
    return backoff->last_ms;
}

void cpi_backoff_reset(struct cpi_backoff *backoff)
{
    backoff->last_ms = 0;
}
