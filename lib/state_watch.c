#include "state_watch.h"

#include "base/clock.h"
#include "base/thread.h"

#include <stdlib.h>

enum { LOOK_EVERY_MS = 100 };

struct cpi_state_watch {
    void (*tell)(void *context, const cp_health *health);
    void *context;
    struct cpi_pulse pulse;
    struct cpi_thread thread;
    struct cpi_health_view view;
    cp_health told; /* the newest; the thread's, once it runs */

    pthread_mutex_t mutex; /* over all below */
    pthread_cond_t woken;
    bool is_woken;
    bool has_ended; /* the other threads */
};

struct cpi_state_watch *cpi_state_watch_create(void (*tell)(void *context, const cp_health *health), void *context)
{
    struct cpi_state_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&watch->mutex, NULL);
    cpi_pulse_init(&watch->pulse, "cp-state");
    watch->tell = tell;
    watch->context = context;
    return watch;
}

void cpi_state_watch_destroy(struct cpi_state_watch *watch)
{
    if (watch != NULL) {
        cpi_pulse_fini(&watch->pulse);
        pthread_cond_destroy(&watch->woken);
        pthread_mutex_destroy(&watch->mutex);
        free(watch);
    }
}

struct cpi_pulse *cpi_state_watch_pulse(struct cpi_state_watch *watch)
{
    return watch != NULL ? &watch->pulse : NULL;
}

/* ---- its thread ---- */

static void tell_health(struct cpi_state_watch *watch, const cp_health *health)
{
    watch->told = *health;
    cpi_pulse_does("telling the host its state");
    watch->tell(watch->context, &watch->told);
    cpi_pulse_waits(CP_WAIT_NONE);
}

static void look_and_tell(struct cpi_state_watch *watch)
{
    cp_health health;
    cpi_health_look(&watch->view, &health);
    if (health.state != watch->told.state || health.alive != watch->told.alive || health.ready != watch->told.ready) {
        tell_health(watch, &health);
    }
}

/* False: the other threads have ended. */
static bool sleep_until_next(struct cpi_state_watch *watch)
{
    int64_t until_ms = cpi_now_ms() + LOOK_EVERY_MS;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int waited = 0;
    cpi_pulse_waits(CP_WAIT_WORK);
    pthread_mutex_lock(&watch->mutex);
    while (!watch->is_woken && waited == 0) {
        waited = pthread_cond_timedwait(&watch->woken, &watch->mutex, &until);
    }
    watch->is_woken = false;
    bool goes_on = !watch->has_ended;
    pthread_mutex_unlock(&watch->mutex);
    cpi_pulse_waits(CP_WAIT_NONE);
    return goes_on;
}

static void *run_state_watch(void *context)
{
    struct cpi_state_watch *watch = context;
    cpi_pulse_adopt(&watch->pulse);
    tell_health(watch, &watch->told);
    while (sleep_until_next(watch)) {
        look_and_tell(watch);
    }
    look_and_tell(watch); /* it is stopping, if there was no time to tell */
    watch->view.has_ended = true;
    look_and_tell(watch);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- the thread that starts and stops the syncer ---- */

cp_code cpi_state_watch_start(struct cpi_state_watch *watch, const struct cpi_health_view *view,
                              const struct cpi_thread_hooks *hooks, cp_error *err)
{
    if (watch == NULL) {
        return CP_OK;
    }
    watch->view = *view;
    cpi_health_look(view, &watch->told);
    return cpi_thread_start(&watch->thread, hooks, "cp-state", run_state_watch, watch, err);
}

static void wake_state_watch(struct cpi_state_watch *watch, bool has_ended)
{
    pthread_mutex_lock(&watch->mutex);
    watch->is_woken = true;
    watch->has_ended = has_ended;
    pthread_cond_signal(&watch->woken);
    pthread_mutex_unlock(&watch->mutex);
}

void cpi_state_watch_wake(struct cpi_state_watch *watch)
{
    if (watch != NULL) {
        wake_state_watch(watch, false);
    }
}

void cpi_state_watch_join(struct cpi_state_watch *watch)
{
    if (watch != NULL) {
        wake_state_watch(watch, true);
        cpi_thread_join(&watch->thread);
    }
}
