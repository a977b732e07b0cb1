#include "base/backoff.h"

#include "base/random.h"

void cpi_backoff_init(struct cpi_backoff *backoff, int base_ms, int cap_ms, uint64_t seed)
{
    backoff->base_ms = base_ms;
    backoff->cap_ms = cap_ms;
    backoff->last_ms = 0;
    backoff->random = seed;
}

int cpi_backoff_next(struct cpi_backoff *backoff)
{
    int64_t last = backoff->last_ms > 0 ? backoff->last_ms : backoff->base_ms;
    int64_t span = last * 3 - backoff->base_ms;
    int64_t wait = backoff->base_ms + (int64_t)(cpi_random_next(&backoff->random) % (uint64_t)(span + 1));
    backoff->last_ms = wait > backoff->cap_ms ? backoff->cap_ms : (int)wait;
    return backoff->last_ms;
}

void cpi_backoff_reset(struct cpi_backoff *backoff)
{
    backoff->last_ms = 0;
}
