#include "ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

struct cpi_ring {
    /* Written by the producer. */
    alignas(CACHE_LINE) _Atomic uint32_t tail;
    uint32_t seen_head; /* of head, the producer's last look */

    /* Written by the consumer. */
    alignas(CACHE_LINE) _Atomic uint32_t head;
    uint32_t seen_tail; /* of tail, the consumer's last look */

    /* Written by nobody after create. */
    alignas(CACHE_LINE) uint32_t capacity;
    struct cpi_event *slots;
};

struct cpi_ring *cpi_ring_create(uint32_t capacity)
{
    struct cpi_ring *ring = aligned_alloc(CACHE_LINE, sizeof *ring);
    struct cpi_event *slots = calloc(capacity, sizeof *slots);
    if (ring == NULL || slots == NULL) {
        free(ring);
        free(slots);
        return NULL;
    }
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    ring->seen_head = 0;
    ring->seen_tail = 0;
    ring->capacity = capacity;
    ring->slots = slots;
    return ring;
}

void cpi_ring_destroy(struct cpi_ring *ring)
{
    if (ring != NULL) {
        free(ring->slots);
        free(ring);
    }
}

uint32_t cpi_ring_enqueue(struct cpi_ring *ring, const struct cpi_event *events, uint32_t n)
{
    /* relaxed: only this thread writes tail. */
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint32_t space = ring->capacity - (tail - ring->seen_head);
    if (space < n) {
        /* acquire, pairs with the release of head in cpi_ring_dequeue(): the consumer has copied out the slots up to
         * head, so they may be written over. */
        ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
        space = ring->capacity - (tail - ring->seen_head);
    }
    if (n > space) {
        n = space;
    }

    uint32_t at = tail & (ring->capacity - 1);
    uint32_t first = n < ring->capacity - at ? n : ring->capacity - at;
    if (n > 0) {
        memcpy(&ring->slots[at], events, first * sizeof *events);
        memcpy(ring->slots, events + first, (n - first) * sizeof *events);
    }

    /* release, pairs with the acquire of tail in cpi_ring_dequeue(): makes the slots just written visible. */
    atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
    return n;
}

uint32_t cpi_ring_dequeue(struct cpi_ring *ring, struct cpi_event *events, uint32_t n)
{
    /* relaxed: only this thread writes head. */
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t filled = ring->seen_tail - head;
    if (filled < n) {
        /* acquire, pairs with the release of tail in cpi_ring_enqueue(): the slots up to tail have been written. */
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        filled = ring->seen_tail - head;
    }
    if (n > filled) {
        n = filled;
    }

    uint32_t at = head & (ring->capacity - 1);
    uint32_t first = n < ring->capacity - at ? n : ring->capacity - at;
    if (n > 0) {
        memcpy(events, &ring->slots[at], first * sizeof *events);
        memcpy(events + first, ring->slots, (n - first) * sizeof *events);
    }

    /* release, pairs with the acquire of head in cpi_ring_enqueue(): the slots have been copied out. */
    atomic_store_explicit(&ring->head, head + n, memory_order_release);
    return n;
}

uint32_t cpi_ring_count(const struct cpi_ring *ring)
{
    /* acquire: whoever finds the ring empty after its producer has said it is done may rely on it. head first: it
     * never passes a tail read later. */
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    return atomic_load_explicit(&ring->tail, memory_order_acquire) - head;
}
