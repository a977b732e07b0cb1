/*
 * The phases in which a syncer's threads end.
 *
 *   running ──▶ draining ──▶ closed
 *
 * Draining: the producers (listener, resync, marker, auditor) finish what they hold and end. Closed: they have ended,
 * so a worker ends once its rings and set are empty. When the grace time is over, every wait gives up.
 */
#ifndef CPI_STOP_H
#define CPI_STOP_H

#include "cachepusher.h"

#include <stdatomic.h>

enum cpi_phase { CPI_RUNNING, CPI_DRAINING, CPI_CLOSED };

struct cpi_stop {
    atomic_bool asked;              /* draining has been requested */
    _Atomic int64_t grace_until_ms; /* the soonest that anybody has asked for (cpi_now_ms()) */
    atomic_int phase;
    /* Neither is ever read from: once readable, it stays readable for every poll(2) in every thread. */
    int drain_fd; /* eventfd: readable from draining on; cancels what a producer waits for */
    int grace_fd; /* timerfd: readable when the grace time has passed; cancels what a worker waits for */
};

cp_code cpi_stop_init(struct cpi_stop *stop, cp_error *err);
void cpi_stop_fini(struct cpi_stop *stop);

/* Any thread; of several calls the one whose grace ends first counts. */
void cpi_stop_drain(struct cpi_stop *stop, int grace_ms);

/* The thread that has joined the producers. */
void cpi_stop_close(struct cpi_stop *stop);

/* Any thread. */
enum cpi_phase cpi_stop_phase(const struct cpi_stop *stop);
bool cpi_stop_sleep(const struct cpi_stop *stop, int timeout_ms); /* a producer; false: draining */
bool cpi_stop_grace_passed(const struct cpi_stop *stop);

#endif
