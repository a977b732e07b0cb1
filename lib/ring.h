/*
 * A bounded queue of events between exactly two threads: one producer, one consumer. Lock-free and wait-free.
 *
 * Head and tail are free-running counters; a slot is found by masking, since the capacity is a power of two. They may
 * wrap: only differences of them are ever looked at, these are at most the capacity, and unsigned subtraction gives
 * them right across the wrap. tail - head is the fill, so that full (capacity) and empty (0) need no spare slot.
 *
 * Each side keeps its counter, and its last look at the other's, on a cache line of its own: the producer reads the
 * consumer's line only when the ring looks full, the consumer the producer's only when it looks empty.
 */
#ifndef CPI_RING_H
#define CPI_RING_H

#include "event.h"

struct cpi_ring;

/* capacity: a power of two, 2^31 at most. NULL when out of memory. */
struct cpi_ring *cpi_ring_create(uint32_t capacity);

/* Frees the ring, not what the ids left in it own: dequeue first. NULL is allowed. */
void cpi_ring_destroy(struct cpi_ring *ring);

/* Producer. Puts in up to n events, in order; returns how many fitted (0 when full). The ring owns their ids. */
uint32_t cpi_ring_enqueue(struct cpi_ring *ring, const struct cpi_event *events, uint32_t n);

/* Consumer. Takes out up to n events, oldest first; returns how many there were. The caller owns their ids. */
uint32_t cpi_ring_dequeue(struct cpi_ring *ring, struct cpi_event *events, uint32_t n);

/* Either side, or anybody for a figure that may be old: how many events are in it. */
uint32_t cpi_ring_count(const struct cpi_ring *ring);

#endif
