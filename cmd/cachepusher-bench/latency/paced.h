/*
 * Calls at times fixed in advance: call number k is due k / rate seconds after the start, however long earlier calls
 * took. So a slow reply does not lower the rate; late calls are made up for.
 */
#ifndef BENCH_PACED_H
#define BENCH_PACED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACED_THREADS = 8 };

struct paced;

/* One of the threads: thread i makes the calls i, i + threads, i + 2 * threads, … */
struct paced_thread {
    const struct paced *paced;
    void *connection; /* the thread's own; opened and closed by the starting thread */
    pthread_t thread;
    unsigned index;
    uint64_t made;   /* calls */
    double latest_s; /* the longest delay of a call behind its schedule */
};

struct paced {
    double rate; /* calls per second, of all threads together */
    uint64_t calls;
    unsigned threads;
    bool gives_up; /* calls not made by the time of the last one are left out; otherwise every call is made */
    void (*call)(void *context, void *connection, uint64_t number);
    void *context;
    double start_s; /* of clock_s() */
    struct paced_thread of[PACED_THREADS];
};

/* With all members above set, the connections included. */
void paced_start(struct paced *paced);

/* Waits for the threads to end. Then their made and latest_s may be read. */
void paced_join(struct paced *paced);
uint64_t paced_made(const struct paced *paced);
double paced_latest_s(const struct paced *paced);

#endif
