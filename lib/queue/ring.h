/*
 * A bounded queue of events between exactly two threads: one producer, one consumer. Lock-free and wait-free.
 *
 * Head and tail are free-running counters; a slot is found by masking, since the capacity is a power of two. They may
 * wrap: only their difference is used, it is at most the capacity, and unsigned subtraction is right across the wrap.
 * tail - head is the number of events, so full (capacity) and empty (0) need no spare slot.
 *
 * Each side keeps its counter, and the last value it has read of the other's, on a cache line of its own. The producer
 * reads the consumer's line only when the ring looks full, the consumer the producer's only when it looks empty. A side
 * that finds the ring full, or empty, writes nothing and leaves its line with the other core.
 *
 * The struct is public, and enqueue and dequeue are inline, because for one event a call would cost as much as the
 * work, and because a constant n, above all 1, leaves no loop. Other code must not touch the members.
 */
#ifndef CPI_RING_H
#define CPI_RING_H

#include "model/event.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

enum { CPI_CACHE_LINE = 64 };

struct cpi_ring {
    /* Written by the producer. */
    alignas(CPI_CACHE_LINE) _Atomic uint32_t tail;
    uint32_t limit; /* how far tail may go: the capacity plus head, as last read by the producer */

    /* Written by the consumer. */
    alignas(CPI_CACHE_LINE) _Atomic uint32_t head;
    uint32_t seen_tail; /* tail, as last read by the consumer */

    /* Constant after create. */
    alignas(CPI_CACHE_LINE) uint32_t mask; /* the capacity less 1 */

    alignas(CPI_CACHE_LINE) struct cpi_event slots[];
};

_Static_assert(offsetof(struct cpi_ring, head) == CPI_CACHE_LINE, "the two sides write to lines of their own");
_Static_assert(offsetof(struct cpi_ring, slots) % CPI_CACHE_LINE == 0, "the slots begin a line");
_Static_assert(CPI_CACHE_LINE % sizeof(struct cpi_event) == 0, "no slot is on two lines");

enum { CPI_RING_CAPACITY_MAX = 1 << 28 };

_Static_assert(CPI_RING_CAPACITY_MAX <= UINT32_MAX / sizeof(struct cpi_event) + 1, "a slot's offset has 32 bits");

/* capacity: a power of two, CPI_RING_CAPACITY_MAX at most. NULL when out of memory. */
struct cpi_ring *cpi_ring_create(uint32_t capacity);

/* Frees the ring, but not what ids in it own: dequeue them first. NULL is allowed. */
void cpi_ring_destroy(struct cpi_ring *ring);

/* How many events are in it. Any thread; for others than the two sides the figure may be old. */
uint32_t cpi_ring_count(const struct cpi_ring *ring);

/* How many of them are ids and no marks. After the threads at either end have ended. */
uint32_t cpi_ring_count_ids(struct cpi_ring *ring);

/* The slot of a counter's value, by a 32-bit offset in bytes. With slots[at & mask] compilers add the offset of slots
 * within the struct at each access, and an event takes a tenth longer. */
static inline struct cpi_event *cpi_ring_slot(struct cpi_ring *ring, uint32_t at, uint32_t mask)
{
    uint32_t offset = (uint32_t)sizeof(struct cpi_event) * (at & mask);
    return (struct cpi_event *)((char *)ring->slots + offset);
}

/* Producer. Puts in up to n events, in order, and returns how many fitted (0: full). The ring owns their ids. */
static inline uint32_t cpi_ring_enqueue(struct cpi_ring *ring, const struct cpi_event *events, uint32_t n)
{
    /* relaxed: only this thread writes tail. */
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (ring->limit - tail < n) {
        /* acquire, pairs with the release of head in cpi_ring_dequeue(): the consumer has copied out the slots up to
         * head, so they may be written over. */
        ring->limit = atomic_load_explicit(&ring->head, memory_order_acquire) + ring->mask + 1;
        uint32_t space = ring->limit - tail;
        if (space == 0) {
            return 0;
        }
        n = n < space ? n : space;
    }

    uint32_t mask = ring->mask;
    for (uint32_t i = 0; i < n; i++) {
        *cpi_ring_slot(ring, tail + i, mask) = events[i];
    }

    /* release, pairs with the acquire of tail in cpi_ring_dequeue(): makes the slots just written visible. */
    atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
    return n;
}

/* Consumer. Takes out up to n events, oldest first, and returns how many. The caller owns their ids. */
static inline uint32_t cpi_ring_dequeue(struct cpi_ring *ring, struct cpi_event *events, uint32_t n)
{
    /* relaxed: only this thread writes head. */
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (ring->seen_tail - head < n) {
        /* acquire, pairs with the release of tail in cpi_ring_enqueue(): the slots up to tail have been written. */
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        uint32_t filled = ring->seen_tail - head;
        if (filled == 0) {
            return 0;
        }
        n = n < filled ? n : filled;
    }

    uint32_t mask = ring->mask;
    for (uint32_t i = 0; i < n; i++) {
        events[i] = *cpi_ring_slot(ring, head + i, mask);
    }

    /* release, pairs with the acquire of head in cpi_ring_enqueue(): the slots have been copied out. */
    atomic_store_explicit(&ring->head, head + n, memory_order_release);
    return n;
}

#endif
