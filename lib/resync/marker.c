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
    uint64_t hash = 0;
    for (size_t e = 0; e < env->config->entity_count; e++) {
        const struct cpi_key *key = &env->config->entities[e].key;
        union cpi_id before = {.text = key->before};
        union cpi_id after = {.text = key->after};
        hash = hash * 31 + cpi_id_hash(CPI_ID_TEXT, &before, 0);
        hash = hash * 31 + cpi_id_hash(CPI_ID_TEXT, &after, 1);
    }
    snprintf(marker->key, sizeof marker->key, "%s%016llx", CPI_MARKER_PREFIX, (unsigned long long)hash);
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

static cp_code read_epoch(struct cpi_marker *marker, char epoch[24], cp_error *err)
{
    return marker->target->ops->read_marker(marker->target, marker->key, epoch, 24, err);
}

/* Writes a new one, unless somebody else just has. */
static cp_code write_epoch(struct cpi_marker *marker, cp_error *err)
{
    unsigned long long random = 0;
    if (cpi_random_bytes(&random, sizeof random, err) != CP_OK) {
        return CP_ERR_SYSTEM;
    }
    char epoch[24];
    snprintf(epoch, sizeof epoch, "%016llx", random);
    return marker->target->ops->write_marker(marker->target, marker->key, epoch, err);
}

static bool data_may_differ(struct cpi_marker *marker, bool peek)
{
    return marker->target->ops->data_may_differ(marker->target, peek);
}

static bool plant(struct cpi_marker *marker, struct cpi_pg *pg, char epoch[24], bool *lost, cp_error *err)
{
    if (cpi_target_ensure_open(marker->target, err) != CP_OK || !marker_is_admitted(marker, pg, err) ||
        read_epoch(marker, epoch, err) != CP_OK) {
        return false;
    }
    /* Compared before another is written: that one is gone may have been noticed, and told, by the look before. */
    *lost = marker->planted && (data_may_differ(marker, true) || strcmp(epoch, marker->epoch) != 0);
    return epoch[0] != '\0' || (write_epoch(marker, err) == CP_OK && read_epoch(marker, epoch, err) == CP_OK);
}

static bool plant_or_do_without(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost)
{
    cp_error err = {0};
    char epoch[24] = "";
    bool done = plant(marker, pg, epoch, lost, &err);
    if (!done && should_retry(marker, &err)) {
        return false;
    }
    if (!done) { /* refused, and done without: what the server said of itself still counts */
        *lost = *lost || (marker->planted && data_may_differ(marker, true));
    }
    memcpy(marker->epoch, epoch, sizeof marker->epoch); /* "" when refused: what is left is the run_id */
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

/* True: data may have been lost since the last look; said once for each loss. */
static bool has_changed(struct cpi_marker *marker)
{
    cp_error err = {0};
    char epoch[24] = "";
    bool read = cpi_target_ensure_open(marker->target, &err) == CP_OK &&
                marker->target->ops->check_primary(marker->target, &err) == CP_OK &&
                read_epoch(marker, epoch, &err) == CP_OK;
    if (!read && should_retry(marker, &err)) {
        return false;
    }
    if (!read) {
        memcpy(epoch, marker->epoch, sizeof epoch);
    }
    marker->away = false;
    bool changed = data_may_differ(marker, false) || strcmp(epoch, marker->epoch) != 0;
    memcpy(marker->epoch, epoch, sizeof marker->epoch);
    return changed;
}

static void *run_marker(void *context)
{
    struct cpi_marker *marker = context;
    while (cpi_stop_sleep(marker->env->stop, LOOK_EVERY_MS)) {
        pthread_mutex_lock(&marker->mutex);
        bool changed = marker->planted && has_changed(marker);
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
