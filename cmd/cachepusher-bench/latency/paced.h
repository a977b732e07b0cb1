/*
 * Calls at times that are fixed in advance: call number k is due k / rate seconds after the start, however long those
 * before it took. So a reply that is slow does not lower the rate: what is late is made up for.
 */
#ifndef BENCH_PACED_H
#define BENCH_PACED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACED_THREADS = 8 };

struct paced;

/* One of the threads that take turns: thread i makes the calls i, i + threads, i + 2 * threads, … */
struct paced_thread {
    const struct paced *paced;
    void *connection; /* the thread's own; opened and closed by whoever starts it */
    pthread_t thread;
    unsigned index;
    uint64_t made;   /* calls */
    double latest_s; /* how far behind its time a call was made at most */
};

struct paced {
    double rate; /* calls per second, of all threads together */
    uint64_t calls;
    unsigned threads;
    bool gives_up; /* what is not made by the time of the last call is left out; otherwise every call is made */
    void (*call)(void *context, void *connection, uint64_t number);
    void *context;
    double start_s; /* of clock_s() */
    struct paced_thread of[PACED_THREADS];
};

/* With all members above set, the connections included. */
void paced_start(struct paced *paced);

/* Waits for the end; then made and latest_s of the threads may be read. */
void paced_join(struct paced *paced);
uint64_t paced_made(const struct paced *paced);
double paced_latest_s(const struct paced *paced);

#endif
