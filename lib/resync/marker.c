#include "resync/marker.h"

#include "base/error.h"
#include "base/random.h"
#include "lease/admission.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_EVERY_MS = 1000 };

cp_code cpi_marker_init(struct cpi_marker *marker, const struct cpi_env *env, cp_error *err)
{
    *marker = (struct cpi_marker){.env = env};
    pthread_mutex_init(&marker->mutex, NULL);
    marker->target = cpi_env_target(env, "cachepusher-marker", env->stop->drain_fd);
    cpi_config_marker_key(env->config, marker->key);
    return marker->target != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_marker_fini(struct cpi_marker *marker)
{
    cpi_target_destroy(marker->target);
    pthread_mutex_destroy(&marker->mutex);
}

static bool marker_is_admitted(struct cpi_marker *marker, struct cpi_pg *pg, cp_error *err)
{
    return marker->target->ops->is_admitted(marker->target) ||
           cpi_lease_admit(marker->env->lease, pg, marker->target, err) == CP_OK;
}

/* True: a failure that time may cure. Each kind is said once. */
static bool should_retry(struct cpi_marker *marker, const cp_error *err)
{
    bool *said = err->retriable ? &marker->away : &marker->refused;
    if (!*said && cpi_stop_phase(marker->env->stop) == CPI_RUNNING) {
        cpi_log(&marker->env->log, CP_LOG_WARN,
                err->retriable ? "marker: %s; trying again"
                               : "marker: %s; doing without, so that FLUSHALL or evictions go unnoticed",
                err->message);
        *said = true;
    }
    return err->retriable;
}

/* ---- values ---- */

/* False: it is none of a cachepusher's. */
static bool parse_value(const char *value, unsigned long long *epoch, unsigned long long *number)
{
    int length = 0;
    return sscanf(value, "%16llx.%llu%n", epoch, number, &length) == 2 && value[length] == '\0';
}

/* Whether a value is the one that we wrote last, or one that we have tried to write since without being answered. An
 * older one, and any other, is in a Redis that holds other data than it did. */
static bool is_known(const struct cpi_marker *marker, const char *value)
{
    unsigned long long epoch;
    unsigned long long number;
    return parse_value(value, &epoch, &number) && epoch == marker->epoch && number >= marker->written &&
           number <= marker->tried;
}

/* Goes on from a value that was found. False: there is none to go on from. */
static bool adopt(struct cpi_marker *marker, const char *value)
{
    unsigned long long number;
    bool is_ours = parse_value(value, &marker->epoch, &number);
    marker->written = is_ours ? number : 0;
    marker->tried = marker->written;
    return is_ours;
}

/* Writes the next value; before: the one that was there. */
static cp_code move_on(struct cpi_marker *marker, char before[CPI_MARKER_VALUE_BYTES], cp_error *err)
{
    char value[CPI_MARKER_VALUE_BYTES];
    snprintf(value, sizeof value, "%016llx.%llu", marker->epoch, ++marker->tried);
    cp_code code =
        marker->target->ops->exchange_marker(marker->target, marker->key, value, before, CPI_MARKER_VALUE_BYTES, err);
    return code;
}

static bool data_may_differ(struct cpi_marker *marker, bool peek)
{
    return marker->target->ops->data_may_differ(marker->target, peek);
}

/* ---- planting ---- */

static cp_code begin_epoch(struct cpi_marker *marker, cp_error *err)
{
    char before[CPI_MARKER_VALUE_BYTES];
    if (cpi_random_bytes(&marker->epoch, sizeof marker->epoch, err) != CP_OK) {
        return CP_ERR_SYSTEM;
    }
    marker->written = 0;
    marker->tried = 0;
    cp_code code = move_on(marker, before, err);
    marker->written = code == CP_OK ? marker->tried : marker->written;
    return code;
}

static bool plant(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost, cp_error *err)
{
    char value[CPI_MARKER_VALUE_BYTES];
    if (cpi_target_ensure_open(marker->target, err) != CP_OK || !marker_is_admitted(marker, pg, err) ||
        marker->target->ops->read_marker(marker->target, marker->key, value, sizeof value, err) != CP_OK) {
        return false;
    }
    /* Compared before another is written: that one is gone may have been noticed, and told, by the look before. */
    bool known = is_known(marker, value);
    *lost = marker->planted && (data_may_differ(marker, true) || !known);
    return known || adopt(marker, value) || begin_epoch(marker, err) == CP_OK;
}

static bool plant_or_do_without(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost)
{
    cp_error err = {0};
    bool done = plant(marker, pg, lost, &err);
    if (!done && should_retry(marker, &err)) {
        return false;
    }
    if (!done) { /* refused, and done without: what the server said of itself still counts */
        *lost = *lost || (marker->planted && data_may_differ(marker, true));
    }
    marker->without = !done;
    marker->planted = true;
    marker->away = false;
    data_may_differ(marker, false);
    return true;
}

bool cpi_marker_plant(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost)
{
    pthread_mutex_lock(&marker->mutex);
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

/* Reads the value and writes the next one, in one. False: not now, err says why. */
static bool look(struct cpi_marker *marker, bool *changed, cp_error *err)
{
    char before[CPI_MARKER_VALUE_BYTES];
    if (cpi_target_ensure_open(marker->target, err) != CP_OK ||
        marker->target->ops->check_primary(marker->target, err) != CP_OK) {
        return false;
    }
    if (marker->without) {
        *changed = data_may_differ(marker, false);
        return true;
    }
    if (!is_admitted_again(marker, err) || move_on(marker, before, err) != CP_OK) {
        return false;
    }
    marker->tried--; /* which is what was known when `before` was read */
    *changed = !is_known(marker, before);
    marker->written = ++marker->tried;
    *changed = data_may_differ(marker, false) || *changed;
    return true;
}

/* True: data may have been lost since the last look; said once for each loss. */
static bool has_changed(struct cpi_marker *marker)
{
    cp_error err = {0};
    bool changed = false;
    if (look(marker, &changed, &err)) {
        marker->away = false;
        return changed;
    }
    if (should_retry(marker, &err)) {
        return false;
    }
    marker->without = true;
    marker->away = false;
    return data_may_differ(marker, false);
}

/* Another syncer's marker is not ours to move, and what it does to it no loss. */
static bool is_ours_to_look_at(struct cpi_marker *marker)
{
    return marker->planted && cpi_lease_is_held(marker->env->lease);
}

static void *run_marker(void *context)
{
    struct cpi_marker *marker = context;
    while (cpi_stop_sleep(marker->env->stop, LOOK_EVERY_MS)) {
        pthread_mutex_lock(&marker->mutex);
        bool changed = is_ours_to_look_at(marker) && has_changed(marker);
        pthread_mutex_unlock(&marker->mutex);
        if (changed) {
            cpi_requests_resync(marker->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_REDIS);
        }
    }
    return NULL;
}

cp_code cpi_marker_start(struct cpi_marker *marker, cp_error *err)
{
    return cpi_thread_start(&marker->thread, "cp-marker", run_marker, marker, err);
}

void cpi_marker_join(struct cpi_marker *marker)
{
    cpi_thread_join(&marker->thread);
    marker->target->ops->close(marker->target);
}
