#include "base/pulse.h"

#include "base/clock.h"

#include <stdio.h>

static _Thread_local struct cpi_pulse *mine;

/* A thread that does not sleep and was not seen for so long is stuck. The host's store gives no sign of life in the
 * midst of a call. */
enum { STUCK_AFTER_MS = 3500, STUCK_IN_STORE_MS = 30000 };

void cpi_pulse_init(struct cpi_pulse *pulse, const char *name)
{
    snprintf(pulse->name, sizeof pulse->name, "%s", name);
    atomic_init(&pulse->doing, NULL);
    atomic_init(&pulse->waits_for, CP_WAIT_NONE);
    atomic_init(&pulse->since_ms, 0);
    atomic_init(&pulse->seen_ms, 0);
    pthread_mutex_init(&pulse->mutex, NULL);
    pulse->failed_ms = 0;
    pulse->error_ms = 0;
}

void cpi_pulse_fini(struct cpi_pulse *pulse)
{
    pthread_mutex_destroy(&pulse->mutex);
}

static void beat_at(int64_t now_ms)
{
    atomic_store_explicit(&mine->seen_ms, now_ms, memory_order_relaxed);
}

void cpi_pulse_beat(void)
{
    if (mine != NULL) {
        beat_at(cpi_now_ms());
    }
}

void cpi_pulse_adopt(struct cpi_pulse *pulse)
{
    if (mine != NULL) {
        atomic_store_explicit(&mine->waits_for, CP_WAIT_NONE, memory_order_relaxed);
        beat_at(0);
    }
    mine = pulse;
    cpi_pulse_beat();
}

void cpi_pulse_does(const char *doing)
{
    if (mine != NULL) {
        atomic_store_explicit(&mine->doing, doing, memory_order_relaxed);
        cpi_pulse_waits(CP_WAIT_NONE);
    }
}

void cpi_pulse_waits(cp_wait what)
{
    if (mine == NULL) {
        return;
    }
    int64_t now_ms = cpi_now_ms();
    beat_at(now_ms);
    atomic_store_explicit(&mine->since_ms, now_ms, memory_order_relaxed);
    /* release, pairs with the acquire in cpi_pulse_look(): whoever sees the wait sees no older time of one. */
    atomic_store_explicit(&mine->waits_for, (int)what, memory_order_release);
}

int cpi_pulse_slice(int timeout_ms)
{
    return timeout_ms < 0 || timeout_ms > CPI_PULSE_EVERY_MS ? CPI_PULSE_EVERY_MS : timeout_ms;
}

void cpi_pulse_fails(const cp_error *why)
{
    if (mine == NULL) {
        return;
    }
    pthread_mutex_lock(&mine->mutex);
    mine->error_ms = cpi_now_ms();
    mine->error = *why;
    mine->failed_ms = mine->failed_ms != 0 ? mine->failed_ms : mine->error_ms;
    pthread_mutex_unlock(&mine->mutex);
}

void cpi_pulse_succeeds(void)
{
    if (mine == NULL) {
        return;
    }
    pthread_mutex_lock(&mine->mutex);
    mine->failed_ms = 0;
    pthread_mutex_unlock(&mine->mutex);
}

static uint64_t time_since(int64_t then_ms, int64_t now_ms)
{
    return then_ms != 0 && now_ms > then_ms ? (uint64_t)(now_ms - then_ms) : 0;
}

void cpi_pulse_newer_error(struct cpi_pulse *pulse, int64_t *newest_ms, cp_error *error)
{
    pthread_mutex_lock(&pulse->mutex);
    if (pulse->error_ms > *newest_ms) {
        *newest_ms = pulse->error_ms;
        *error = pulse->error;
    }
    pthread_mutex_unlock(&pulse->mutex);
}

void cpi_pulse_look(struct cpi_pulse *pulse, cp_thread *out)
{
    *out = (cp_thread){.size = sizeof *out};
    snprintf(out->name, sizeof out->name, "%s", pulse->name);
    out->waits_for = (cp_wait)atomic_load_explicit(&pulse->waits_for, memory_order_acquire);
    int64_t since_ms = atomic_load_explicit(&pulse->since_ms, memory_order_relaxed);
    int64_t seen_ms = atomic_load_explicit(&pulse->seen_ms, memory_order_relaxed);
    out->doing = atomic_load_explicit(&pulse->doing, memory_order_relaxed);
    int64_t now_ms = cpi_now_ms(); /* after those, so that it is not before them */
    out->runs = seen_ms != 0;
    out->for_ms = time_since(since_ms, now_ms);
    out->silent_ms = time_since(seen_ms, now_ms);
    bool may_be_silent = out->waits_for == CP_WAIT_WORK || out->waits_for == CP_WAIT_THREAD;
    uint64_t limit_ms = out->waits_for == CP_WAIT_STORE ? STUCK_IN_STORE_MS : STUCK_AFTER_MS;
    out->stuck = out->runs && !may_be_silent && out->silent_ms >= limit_ms;
    pthread_mutex_lock(&pulse->mutex);
    out->failing_ms = time_since(pulse->failed_ms, now_ms);
    out->error_ms = time_since(pulse->error_ms, now_ms);
    out->failing = pulse->failed_ms != 0;
    out->code = pulse->error_ms != 0 ? pulse->error.code : CP_OK;
    snprintf(out->error, sizeof out->error, "%s", pulse->error_ms != 0 ? pulse->error.message : "");
    pthread_mutex_unlock(&pulse->mutex);
}
