/*
 * The pulse of a thread: what it does, what it waits for, and when it last gave a sign of life, for others to look at
 * while it goes on, or while it does not.
 *
 * A thread that sleeps until there is work is well for any time. One that waits for a server says so, and comes back
 * from poll(2) once a second to say that it still does. Whoever does neither for seconds on end is stuck: in a callback
 * of the embedder, in a lock, stopped by a debugger. In a function of the host's store it has half a minute.
 *
 * The setters are for the thread itself, once it has adopted its pulse; in any other thread they do nothing.
 */
#ifndef CPI_PULSE_H
#define CPI_PULSE_H

#include "cachepusher.h"

#include <pthread.h>
#include <stdatomic.h>

/* Waits are cut into pieces of this length. */
enum { CPI_PULSE_EVERY_MS = 1000 };

struct cpi_pulse {
    char name[16]; /* the thread's */

    /* relaxed, unless pulse.c says why not. */
    _Atomic(const char *) doing; /* static; NULL: nothing to tell */
    _Atomic int waits_for;       /* cp_wait */
    _Atomic int64_t since_ms;    /* of the wait */
    _Atomic int64_t seen_ms;     /* the last sign of life; 0: it does not run */

    pthread_mutex_t mutex; /* over what has failed; held for a copy */
    int64_t failed_ms;     /* when the trouble began that it is in; 0: it is in none */
    int64_t error_ms;      /* the newest error's time; 0: none yet */
    cp_error error;
};

/* Of a thread that does not run yet. Name: 15 bytes at most. */
void cpi_pulse_init(struct cpi_pulse *pulse, const char *name);
void cpi_pulse_fini(struct cpi_pulse *pulse);

/* Makes it the calling thread's, first of all; NULL: the thread ends. */
void cpi_pulse_adopt(struct cpi_pulse *pulse);

/* What the thread does from now on: a static string that completes "cp-worker-0 is ...". */
void cpi_pulse_does(const char *doing);

/* The thread waits from now on, until the next call of either. Waiting for the same on: beat(). */
void cpi_pulse_waits(cp_wait what);
void cpi_pulse_beat(void);

/* A piece of a wait: timeout_ms (-1: without end), but no more than CPI_PULSE_EVERY_MS. */
int cpi_pulse_slice(int timeout_ms);

/* What it tries fails, until it says that it does not. The error is copied. */
void cpi_pulse_fails(const cp_error *why);
void cpi_pulse_succeeds(void);

/* The newest error since *newest_ms (cpi_now_ms()): then both are replaced. For any thread. */
void cpi_pulse_newer_error(struct cpi_pulse *pulse, int64_t *newest_ms, cp_error *error);

/* A copy, for any thread. */
void cpi_pulse_look(struct cpi_pulse *pulse, cp_thread *out);

#endif
