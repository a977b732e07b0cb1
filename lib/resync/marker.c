#include "resync/marker.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/pulse.h"
#include "base/random.h"
#include "lease/admission.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_EVERY_MS = 1000 };

cp_code cpi_marker_init(struct cpi_marker *marker, const struct cpi_env *env, cp_error *err)
{
    *marker = (struct cpi_marker){.env = env};
    pthread_mutex_init(&marker->mutex, NULL);
    cpi_pulse_init(&marker->pulse, "cp-marker");
    marker->target = cpi_env_target(env, "cachepusher-marker", env->stop->drain_fd);
    cpi_config_marker_key(env->config, marker->key);
    return marker->target != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_marker_fini(struct cpi_marker *marker)
{
    cpi_pulse_fini(&marker->pulse);
    cpi_target_destroy(marker->target);
    pthread_mutex_destroy(&marker->mutex);
}

/* Whoever has it may be waiting for Redis. */
static void lock_marker(struct cpi_marker *marker)
{
    cpi_pulse_waits(CP_WAIT_THREAD);
    pthread_mutex_lock(&marker->mutex);
    cpi_pulse_waits(CP_WAIT_NONE);
}

static bool marker_is_admitted(struct cpi_marker *marker, struct cpi_pg *pg, cp_error *err)
{
    return marker->target->ops->is_admitted(marker->target) ||
           cpi_lease_admit(marker->env->lease, pg, marker->target, err) == CP_OK;
}

static void end_outage(struct cpi_marker *marker)
{
    cpi_outage_end(&marker->outage, &marker->env->log, marker->env->redis_host, "marker: Redis answers again");
}

/* True: a failure that time may cure. Each kind is said once. */
static bool should_retry(struct cpi_marker *marker, const cp_error *err)
{
    if (cpi_stop_phase(marker->env->stop) != CPI_RUNNING) {
        return err->retriable;
    }
    const struct cpi_log_about about = {.host = cpi_env_host(marker->env, err->code)};
    if (err->retriable) {
        cpi_log_about(&marker->env->log, cpi_outage_note(&marker->outage) ? CP_LOG_WARN : CP_LOG_DEBUG, &about,
                      "marker: %s; trying again", err->message);
    } else if (!marker->refused) {
        cpi_log_about(&marker->env->log, CP_LOG_WARN, &about,
                      "marker: %s; doing without, so that FLUSHALL or evictions go unnoticed", err->message);
        marker->refused = true;
    }
    if (err->retriable) { /* without one it does well enough to be well */
        cpi_stats_add_error(marker->env->stats, err);
        cpi_pulse_fails(err);
    }
    return err->retriable;
}

/* ---- numbers ---- */

/* Whether a number that was incremented just now is one more than the one we know of, or than one of those that we have
 * tried to make of it without being answered. A smaller one, and any other, is in a Redis that holds other data than it
 * did. */
static bool is_next(const struct cpi_marker *marker, int64_t number)
{
    return marker->known > 0 && number > marker->known && number <= marker->known + 1 + marker->unanswered;
}

/* Random, and far from any that another epoch, or counting from 0, comes to. */
static cp_code begin_epoch(struct cpi_marker *marker, cp_error *err)
{
    enum { EPOCH_BITS = 30 }; /* a number a second lasts for decades */
    uint64_t random = 0;
    if (cpi_random_bytes(&random, sizeof random, err) != CP_OK) {
        return CP_ERR_SYSTEM;
    }
    int64_t first = (int64_t)((random >> (EPOCH_BITS + 2)) + 1) << EPOCH_BITS;
    cp_code code = marker->target->ops->write_marker(marker->target, marker->key, first, err);
    if (code == CP_OK) {
        marker->known = first;
        marker->unanswered = 0;
    }
    return code;
}

/* Moves the marker on. *same: it was where we left it; otherwise another epoch has begun. */
static cp_code move_on(struct cpi_marker *marker, bool *same, cp_error *err)
{
    int64_t number = 0;
    marker->unanswered++;
    cp_code code = marker->target->ops->advance_marker(marker->target, marker->key, &number, err);
    if (code == CP_OK || marker->target->ops->is_open(marker->target)) { /* answered, with an error perhaps */
        marker->unanswered--;
    }
    if (code != CP_OK) {
        return code;
    }
    *same = is_next(marker, number);
    if (!*same) {
        marker->known = 0; /* whatever it is when writing fails, it is not ours */
        return begin_epoch(marker, err);
    }
    marker->known = number;
    marker->unanswered = 0;
    return CP_OK;
}

static bool data_may_differ(struct cpi_marker *marker, bool peek)
{
    return marker->target->ops->data_may_differ(marker->target, peek);
}

/* ---- planting ---- */

static bool plant(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost, cp_error *err)
{
    bool same = false;
    if (cpi_target_ensure_open(marker->target, err) != CP_OK || !marker_is_admitted(marker, pg, err)) {
        return false;
    }
    cp_code code = move_on(marker, &same, err);
    /* That one is gone may have been noticed, and told, by the look before: then it is the same again. */
    *lost = *lost || (marker->planted && (data_may_differ(marker, true) || !same));
    return code == CP_OK;
}

static bool plant_or_do_without(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost)
{
    cp_error err = {0};
    bool done = plant(marker, pg, lost, &err);
    if (!done && should_retry(marker, &err)) {
        return false;
    }
    cpi_pulse_succeeds();
    marker->planted = true;
    end_outage(marker);
    marker->refused = marker->refused && !done;
    data_may_differ(marker, false);
    return true;
}

bool cpi_marker_plant(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost)
{
    lock_marker(marker);
    bool planted = plant_or_do_without(marker, pg, lost);
    pthread_mutex_unlock(&marker->mutex);
    return planted;
}

/* ---- looking ---- */

/* After its connection was lost, the thread has it admitted by itself: without a marker that moves on, an older copy of
 * the data could not be told. */
static bool is_admitted_again(struct cpi_marker *marker, cp_error *err)
{
    if (marker->target->ops->is_admitted(marker->target)) {
        return true;
    }
    struct cpi_pg pg = cpi_env_pg(marker->env, "cachepusher marker", marker->env->stop->drain_fd,
                                  marker->env->config->fetch_timeout_ms);
    bool admitted = cpi_pg_open(&pg, err) == CP_OK && marker_is_admitted(marker, &pg, err);
    cpi_pg_close(&pg);
    return admitted;
}

/* False: not now, err says why. */
static bool look(struct cpi_marker *marker, bool *changed, cp_error *err)
{
    bool same = true;
    CPI_ASSERT(!marker->has_ended);
    if (cpi_target_ensure_open(marker->target, err) != CP_OK ||
        marker->target->ops->check_primary(marker->target, err) != CP_OK) {
        return false;
    }
    cp_code code = is_admitted_again(marker, err) ? move_on(marker, &same, err) : err->code;
    *changed = !same;
    return code == CP_OK;
}

/* True: data may have been lost since the last look; said once for each loss. */
static bool has_changed(struct cpi_marker *marker)
{
    cp_error err = {0};
    bool changed = false;
    if (look(marker, &changed, &err)) {
        end_outage(marker);
        marker->refused = false;
        cpi_pulse_succeeds();
    } else if (should_retry(marker, &err)) {
        return changed;
    }
    return data_may_differ(marker, false) || changed; /* what the server says of itself counts in any case */
}

/* Another syncer's marker is not ours to move, and what it does to it no loss. */
static bool is_ours_to_look_at(struct cpi_marker *marker)
{
    return marker->planted && cpi_lease_is_held(marker->env->lease);
}

cp_code cpi_marker_look(struct cpi_marker *marker, bool *same, cp_error *err)
{
    bool changed = false;
    lock_marker(marker);
    bool is_ours = is_ours_to_look_at(marker);
    bool looked = is_ours && look(marker, &changed, err);
    changed = is_ours && (data_may_differ(marker, false) || changed);
    pthread_mutex_unlock(&marker->mutex);
    if (changed) {
        cpi_requests_resync(marker->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_REDIS);
    }
    *same = looked && !changed;
    return !is_ours || looked ? CP_OK : err->code;
}

static void *run_marker(void *context)
{
    struct cpi_marker *marker = context;
    cpi_pulse_adopt(&marker->pulse);
    cpi_pulse_does("looking at the marker");
    while (cpi_stop_sleep(marker->env->stop, LOOK_EVERY_MS)) {
        lock_marker(marker);
        bool changed = is_ours_to_look_at(marker) && has_changed(marker);
        pthread_mutex_unlock(&marker->mutex);
        if (changed) {
            cpi_requests_resync(marker->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_REDIS);
        }
    }
    cpi_pulse_adopt(NULL);
    return NULL;
}

cp_code cpi_marker_start(struct cpi_marker *marker, cp_error *err)
{
    return cpi_thread_start(&marker->thread, &marker->env->hooks, "cp-marker", run_marker, marker, err);
}

void cpi_marker_join(struct cpi_marker *marker)
{
    cpi_thread_join(&marker->thread);
    lock_marker(marker);
    marker->has_ended = true;
    marker->target->ops->close(marker->target);
    pthread_mutex_unlock(&marker->mutex);
}
