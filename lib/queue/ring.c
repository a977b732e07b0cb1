#include "queue/ring.h"

#include "base/assert.h"

#include <stdlib.h>

struct cpi_ring *cpi_ring_create(uint32_t capacity)
{
    CPI_ASSERT(capacity > 0 && (capacity & (capacity - 1)) == 0 && capacity <= CPI_RING_CAPACITY_MAX);
    /* C11 wants a multiple of the alignment. */
    size_t slots_bytes = capacity * sizeof(struct cpi_event);
    size_t slots_lines = (slots_bytes + CPI_CACHE_LINE - 1) / CPI_CACHE_LINE;
    struct cpi_ring *ring = aligned_alloc(CPI_CACHE_LINE, sizeof *ring + slots_lines * CPI_CACHE_LINE);
    if (ring == NULL) {
        return NULL;
    }
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    ring->limit = capacity;
    ring->seen_tail = 0;
    ring->mask = capacity - 1;
    return ring;
}

void cpi_ring_destroy(struct cpi_ring *ring)
{
    free(ring);
}

uint32_t cpi_ring_count(const struct cpi_ring *ring)
{
    /* acquire: if the ring is empty after its producer has ended, it stays empty. head is read first, since it never
     * passes a tail read later. */
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    return atomic_load_explicit(&ring->tail, memory_order_acquire) - head;
}

uint32_t cpi_ring_count_ids(struct cpi_ring *ring)
{
    /* relaxed: whoever has joined the threads sees what they have written. */
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t ids = 0;
    for (uint32_t left = cpi_ring_count(ring); left > 0; left--) {
        ids += cpi_event_is_id(cpi_ring_slot(ring, head + left - 1, ring->mask));
    }
    return ids;
}
