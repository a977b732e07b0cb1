/*
 * The two rings that are compared, and the loops that both run. A ring's calls are inlined into the loops, as in real
 * use, so each contender compiles the loops for itself: ring_ours.c, ring_ck.c.
 */
#ifndef BENCH_RING_RACE_H
#define BENCH_RING_RACE_H

#include "model/event.h"

#include <ck_pr.h>

#include <sched.h>

/* The live ring's size, and a batch. ck_ring keeps one slot free.
 *
 * Events are made and checked a chunk at a time. Data just written by two stores cannot be loaded as one before both
 * have left the processor's store buffer. That wait is longer than everything a ring does, and would be measured with
 * it. */
enum { RACE_CAPACITY = 8192, RACE_BATCH = 64, RACE_CHUNK = 256 };

/* operations: a multiple of RACE_CHUNK. batch: 1 or RACE_BATCH. The consumer returns how many events were wrong. */
struct contender {
    void *(*create)(void); /* NULL: out of memory */
    void (*destroy)(void *ring);
    void (*produce)(void *ring, int64_t operations, uint32_t batch);
    int64_t (*consume)(void *ring, int64_t operations, uint32_t batch);
    int64_t (*alternate)(void *ring, int64_t operations, uint32_t batch); /* in turns, in one thread */
};

extern const struct contender ring_ours;
extern const struct contender ring_ck;

/* Puts in, or takes out, up to n events; how many there was room for, or how many there were. */
typedef uint32_t race_move(void *ring, struct cpi_event *events, uint32_t n);

#define RACE_INLINE static inline __attribute__((always_inline))

RACE_INLINE uint16_t race_entity(int64_t number)
{
    return (uint16_t)((uint32_t)number * 2654435761U >> 16);
}

RACE_INLINE void race_make(struct cpi_event *events, int64_t first)
{
    for (uint32_t i = 0; i < RACE_CHUNK; i++) {
        events[i].id.number = first + i;
        events[i].entity = race_entity(first + i);
    }
}

RACE_INLINE int64_t race_wrong(const struct cpi_event *events, int64_t first)
{
    int64_t wrong = 0;
    for (uint32_t i = 0; i < RACE_CHUNK; i++) {
        wrong += events[i].id.number != first + i || events[i].entity != race_entity(first + i);
    }
    return wrong;
}

/* Moves a chunk, a batch at a time. A side that has nothing to do tries again, then yields: the other side may need the
 * same core. */
RACE_INLINE void race_move_chunk(void *ring, race_move *move, struct cpi_event *events, uint32_t batch)
{
    unsigned tries = 0;
    for (struct cpi_event *end = events + RACE_CHUNK; events < end;) {
        uint32_t left = (uint32_t)(end - events);
        uint32_t n = move(ring, events, batch == 1 || left > batch ? batch : left); /* a constant if it is 1 */
        events += n;
        if (n > 0) {
            continue;
        }
        if (++tries % 16 == 0) {
            sched_yield();
        } else {
            ck_pr_stall();
        }
    }
}

RACE_INLINE void race_produce(void *ring, race_move *put, int64_t operations, uint32_t batch)
{
    struct cpi_event events[RACE_CHUNK];
    for (int64_t next = 0; next < operations; next += RACE_CHUNK) {
        race_make(events, next);
        race_move_chunk(ring, put, events, batch);
    }
}

RACE_INLINE int64_t race_consume(void *ring, race_move *take, int64_t operations, uint32_t batch)
{
    struct cpi_event events[RACE_CHUNK];
    int64_t wrong = 0;
    for (int64_t next = 0; next < operations; next += RACE_CHUNK) {
        race_move_chunk(ring, take, events, batch);
        wrong += race_wrong(events, next);
    }
    return wrong;
}

RACE_INLINE int64_t race_alternate(void *ring, race_move *put, race_move *take, int64_t operations, uint32_t batch)
{
    struct cpi_event in[RACE_CHUNK];
    struct cpi_event out[RACE_CHUNK];
    int64_t wrong = 0;
    for (int64_t next = 0; next < operations; next += RACE_CHUNK) {
        race_make(in, next);
        for (uint32_t done = 0; done < RACE_CHUNK; done += batch) {
            wrong += put(ring, in + done, batch) != batch;
            wrong += take(ring, out + done, batch) != batch;
        }
        wrong += race_wrong(out, next);
    }
    return wrong;
}

#endif
