#include "cachepusher.h"

#include "base/error.h"
#include "base/secret.h"
#include "base/thread.h"
#include "preflight.h"
#include "syncer_internal.h"

#include <stdio.h>
#include <string.h>

struct check {
    const struct cpi_env *env;
    struct cpi_catalog *catalog;
    cp_code code;
    cp_error *err;
};

static void *run_check(void *context)
{
    struct check *check = context;
    check->code = cpi_preflight(check->env, check->err);
    if (check->code == CP_OK) {
        cpi_catalog_begin(check->catalog);
    }
    return NULL;
}

/* In a thread of its own, with signals blocked: the caller's may be of any kind. */
static cp_code check_servers(struct cp_syncer *syncer, cp_error *err)
{
    struct check check = {.env = &syncer->env, .catalog = syncer->catalog, .err = err};
    struct cpi_thread thread = {0};
    cp_code code = cpi_thread_start(&thread, &syncer->env.hooks, "cp-start", run_check, &check, err);
    cpi_thread_join(&thread);
    return code == CP_OK ? check.code : code;
}

/* Ends all threads that run, once draining. The producers first, so that the workers find everything that there will
 * be; the keeper last, since the workers need the lease. */
static void end_threads(struct cp_syncer *syncer)
{
    cpi_syncer_wake_host(syncer);
    cpi_resync_wake(syncer->resync);
    cpi_tickets_wake(&syncer->tickets);
    cpi_bell_ring(&syncer->requests.listener_bell);
    cpi_audit_join(syncer->audit);
    cpi_catalog_join(syncer->catalog);
    cpi_resync_join(syncer->resync);
    cpi_listener_join(syncer->listener);
    cpi_mapper_join(syncer->mapper);
    cpi_checkpoint_join(syncer->checkpoint);
    cpi_marker_join(&syncer->marker); /* once nobody looks at it any more: a checkpoint does before it is written */

    cpi_stop_close(&syncer->stop);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_bell_ring(&syncer->lanes[i].bell);
    }
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_worker_join(syncer->workers[i]);
    }
    cpi_keeper_join(syncer->keeper);
    cpi_repeats_finish(&syncer->env.log);
}

/* Whoever is told that it has been stopped finds it so. */
static void end_telling(struct cp_syncer *syncer)
{
    atomic_store(&syncer->has_ended, true);
    cpi_state_watch_join(syncer->state_watch);
}

static cp_code start_threads(struct cp_syncer *syncer, cp_error *err)
{
    struct cpi_health_view view = cpi_syncer_view(syncer);
    cp_code code = cpi_state_watch_start(syncer->state_watch, &view, &syncer->env.hooks, err);
    code = code == CP_OK ? cpi_keeper_start(syncer->keeper, err) : code;
    for (uint32_t i = 0; i < syncer->config->threads && code == CP_OK; i++) {
        code = cpi_worker_start(syncer->workers[i], err);
    }
    code = code == CP_OK ? cpi_catalog_start(syncer->catalog, err) : code;
    code = code == CP_OK ? cpi_marker_start(&syncer->marker, err) : code;
    code = code == CP_OK ? cpi_resync_start(syncer->resync, err) : code;
    code = code == CP_OK && syncer->checkpoint != NULL ? cpi_checkpoint_start(syncer->checkpoint, err) : code;
    code = code == CP_OK && syncer->mapper != NULL ? cpi_mapper_start(syncer->mapper, err) : code;
    code = code == CP_OK ? cpi_listener_start(syncer->listener, err) : code;
    return code == CP_OK && syncer->audit != NULL ? cpi_audit_start(syncer->audit, err) : code;
}

/* What a log begins with; a start that is tried again is the same one. */
static void introduce(struct cp_syncer *syncer)
{
    char entities[256] = "";
    const struct cp_config *config = syncer->config;
    for (size_t e = 0; e < config->entity_count; e++) {
        size_t length = strlen(entities);
        snprintf(entities + length, sizeof entities - length, "%s%s", e > 0 ? ", " : "", config->entities[e].name);
    }
    if (!syncer->introduced) {
        bool follows = config->role == CPI_ROLE_FOLLOW;
        cpi_log(&syncer->env.log, CP_LOG_INFO, "cachepusher " CP_VERSION ": from Postgres %s to %s%s, %s %s",
                syncer->postgres_host,
                follows                     ? "the host alone"
                : syncer->env.store != NULL ? ""
                                            : "Redis ",
                follows ? "" : syncer->redis_host, config->entity_count == 1 ? "entity" : "entities", entities);
    }
}

/* Passwords in files: a file that is not there is a mistake now, and something that passes later. */
static cp_code check_secrets(const struct cp_syncer *syncer, cp_error *err)
{
    const char *const files[][2] = {{"postgres_password_file", syncer->config->postgres_password_file},
                                    {"redis_password_file", syncer->config->redis_password_file}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char password[CPI_SECRET_BYTES];
        bool is_open = false;
        bool is_of_redis = i == 1;
        if (*files[i][1] == '\0' || (is_of_redis && syncer->env.store != NULL)) {
            continue;
        }
        cp_code code = cpi_secret_read(files[i][0], files[i][1], password, &is_open, err);
        cpi_secret_wipe(password);
        if (code != CP_OK) {
            return code;
        }
        if (is_open && !syncer->introduced) {
            cpi_log(&syncer->env.log, CP_LOG_WARN, "%s: everybody on this machine can read %s", files[i][0],
                    files[i][1]);
        }
    }
    return CP_OK;
}

static uint64_t count_unsettled(struct cp_syncer *syncer)
{
    bool is_taken = cpi_lease_state(syncer->env.lease) == CPI_LEASE_TAKEN;
    uint64_t unsettled = cpi_inbox_end(&syncer->inbox) + cpi_listener_unannounced(syncer->listener, is_taken);
    if (is_taken) { /* the syncer that has taken over has read everything else again */
        return unsettled;
    }
    unsettled += cpi_listener_unsettled(syncer->listener) + cpi_mapper_unsettled(syncer->mapper);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        unsettled += cpi_worker_unsettled(syncer->workers[i]);
    }
    return unsettled;
}

/* What was received and has not been read is a failure of the stop, as ids are that have not settled, although the wal
 * source brings both again. Everything else, for instance a listener that was away, is only said: nothing that is
 * stopped follows Postgres. */
static void note_resync_cut_short(struct cp_syncer *syncer)
{
    bool is_ours = cpi_lease_state(&syncer->lease) != CPI_LEASE_TAKEN;
    syncer->resync_incomplete = is_ours && cpi_resync_owes_events(syncer->resync);
    if (is_ours && !syncer->resync_incomplete && cpi_resync_is_cut_short(syncer->resync)) {
        cpi_log(&syncer->env.log, CP_LOG_WARN,
                "stopping in the middle of a resync: what it has not read is out of date until the next warm-up");
    }
}

/* Of a syncer that runs, or whose start failed in the middle, and is draining; or that never ran. */
static void end(struct cp_syncer *syncer)
{
    if (syncer->state == RUNNING) {
        end_threads(syncer);
        note_resync_cut_short(syncer);
    }
    syncer->unsettled = count_unsettled(syncer);
    syncer->state = STOPPED;
    end_telling(syncer);
    cpi_resync_wake(syncer->resync); /* whoever waits for ready, of a syncer that never ran */
    cpi_tickets_wake(&syncer->tickets);
}

/* Once threads have run, the syncer cannot be started a second time: another one can be made. */
static void not_again(cp_error *err)
{
    if (err != NULL) {
        err->retriable = false;
    }
}

cp_code cp_syncer_start(cp_syncer *syncer, cp_error *err)
{
    cp_code code = cpi_syncer_check_process(syncer, err);
    if (code != CP_OK) {
        return code;
    }
    pthread_mutex_lock(&syncer->lifecycle);
    if (syncer->state != CREATED) {
        code = syncer->state == RUNNING ? cpi_error(err, CP_ERR_ARGUMENT, false, "the syncer runs already")
                                        : cpi_error(err, CP_ERR_STOPPED, false, "the syncer has been stopped already");
    } else {
        introduce(syncer);
        code = check_secrets(syncer, err);
        code = code == CP_OK ? check_servers(syncer, err) : code;
        syncer->introduced = true;
        if (code == CP_OK) {
            cpi_syncer_stop_at_exit(); /* before any thread that exit() would have to wait for */
            syncer->state = RUNNING;
            atomic_store(&syncer->was_started, true);
            code = start_threads(syncer, err);
            if (code != CP_OK) {
                not_again(err);
                cpi_stop_drain(&syncer->stop, 0);
                end(syncer);
            }
        }
    }
    pthread_mutex_unlock(&syncer->lifecycle);
    return code;
}

cp_code cp_syncer_stop(cp_syncer *syncer, int grace_ms, cp_error *err)
{
    cp_code code = cpi_syncer_check_process(syncer, err);
    if (code != CP_OK) {
        return code;
    }
    cpi_stop_drain(&syncer->stop, grace_ms > 0 ? grace_ms : 0); /* before the lock: a start under way gives up */
    pthread_mutex_lock(&syncer->lifecycle);
    if (syncer->state != STOPPED) {
        end(syncer);
    }
    uint64_t unsettled = syncer->unsettled;
    bool resync_incomplete = syncer->resync_incomplete;
    pthread_mutex_unlock(&syncer->lifecycle);

    if (unsettled == 0 && resync_incomplete) {
        return cpi_error(err, CP_ERR_TIMEOUT, false,
                         "a resync that events called for was cut short; the next warm-up takes its place");
    }
    if (unsettled == 0) {
        return CP_OK;
    }
    return cpi_error(err, CP_ERR_TIMEOUT, false, "%llu id%s had not settled; the next warm-up repairs %s",
                     (unsigned long long)unsettled, cpi_plural(unsettled), unsettled == 1 ? "it" : "them");
}
