#include "resync/ready.h"

#include "base/clock.h"

#include <errno.h>

void cpi_ready_init(struct cpi_ready *ready)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ready->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&ready->mutex, NULL);
    ready->is_ready = false;
}

void cpi_ready_fini(struct cpi_ready *ready)
{
    pthread_cond_destroy(&ready->changed);
    pthread_mutex_destroy(&ready->mutex);
}

void cpi_ready_set(struct cpi_ready *ready)
{
    pthread_mutex_lock(&ready->mutex);
    ready->is_ready = true;
    pthread_cond_broadcast(&ready->changed);
    pthread_mutex_unlock(&ready->mutex);
}

bool cpi_ready_is(struct cpi_ready *ready)
{
    pthread_mutex_lock(&ready->mutex);
    bool is_ready = ready->is_ready;
    pthread_mutex_unlock(&ready->mutex);
    return is_ready;
}

bool cpi_ready_wait(struct cpi_ready *ready, const struct cpi_stop *stop, int timeout_ms)
{
    int64_t until_ms = cpi_now_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&ready->mutex);
    int waited = 0;
    while (!ready->is_ready && cpi_stop_phase(stop) == CPI_RUNNING && waited != ETIMEDOUT) {
        waited = timeout_ms < 0 ? pthread_cond_wait(&ready->changed, &ready->mutex)
                                : pthread_cond_timedwait(&ready->changed, &ready->mutex, &until);
    }
    bool is_ready = ready->is_ready;
    pthread_mutex_unlock(&ready->mutex);
    return is_ready;
}

void cpi_ready_wake(struct cpi_ready *ready)
{
    pthread_mutex_lock(&ready->mutex);
    pthread_cond_broadcast(&ready->changed);
    pthread_mutex_unlock(&ready->mutex);
}
