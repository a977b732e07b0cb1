/* Ready: that everything which was there at the start has settled, and waiting for that. Once it is, it stays so. */
#ifndef CPI_READY_H
#define CPI_READY_H

#include "base/stop.h"

#include <pthread.h>

struct cpi_ready {
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t changed;
    bool is_ready;
};

void cpi_ready_init(struct cpi_ready *ready);
void cpi_ready_fini(struct cpi_ready *ready);

/* Any thread. */
void cpi_ready_set(struct cpi_ready *ready);
bool cpi_ready_is(struct cpi_ready *ready);

/* Waits until it is, until the syncer stops, or for timeout_ms (-1: without limit). Whether it is. */
bool cpi_ready_wait(struct cpi_ready *ready, const struct cpi_stop *stop, int timeout_ms);

/* The syncer stops: whoever waits is to look. */
void cpi_ready_wake(struct cpi_ready *ready);

#endif
