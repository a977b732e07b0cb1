#include "cachepusher.h"

#include "base/abi.h"
#include "base/error.h"
#include "base/random.h"
#include "base/thread.h"
#include "preflight.h"
#include "source/source_notify.h"
#include "syncer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For one statement of the lease's session. */
enum { LEASE_TIMEOUT_MS = 5000 };

/* ---- create, destroy ---- */

static bool choose_token(struct cp_syncer *syncer, cp_error *err)
{
    unsigned long long random[4] = {0};
    if (cpi_random_bytes(random, sizeof random, err) != CP_OK) {
        return false;
    }
    snprintf(syncer->token, sizeof syncer->token, "%016llx", random[0]);
    /* The token stands in the names of our connections to Redis, which its other clients can read. Whoever knew the
     * channel could answer our barriers. */
    snprintf(syncer->channel, sizeof syncer->channel, "cachepusher_%016llx%016llx", random[2], random[3]);
    syncer->env.seed = random[1];
    return true;
}

static bool create_lanes(struct cp_syncer *syncer, cp_error *err)
{
    syncer->lanes = aligned_alloc(64, (syncer->config->threads * sizeof *syncer->lanes + 63) / 64 * 64);
    if (syncer->lanes == NULL) {
        cpi_error_memory(err);
        return false;
    }
    memset(syncer->lanes, 0, syncer->config->threads * sizeof *syncer->lanes);
    bool created = true;
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        syncer->lanes[i].bell.fd = -1;
    }
    for (uint32_t i = 0; i < syncer->config->threads && created; i++) {
        created = cpi_lane_init(&syncer->lanes[i], err) == CP_OK;
    }
    syncer->env.lanes = (struct cpi_lanes){.items = syncer->lanes,
                                           .count = syncer->config->threads,
                                           .capacity = syncer->config->max_pending / syncer->config->threads,
                                           .entities = syncer->config->entities,
                                           .stats = &syncer->stats};
    return created;
}

static bool create_workers(struct cp_syncer *syncer, cp_error *err)
{
    syncer->workers = calloc(syncer->config->threads, sizeof(struct cpi_worker *));
    if (syncer->workers == NULL) {
        cpi_error_memory(err);
        return false;
    }
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        syncer->workers[i] = cpi_worker_create(&syncer->env, i, cpi_servers_create(&syncer->env), err);
        if (syncer->workers[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool create_audit(struct cp_syncer *syncer, cp_error *err)
{
    if (syncer->config->audit_per_second == 0) {
        return true;
    }
    syncer->audit = cpi_audit_create(&syncer->env, &syncer->inbox, err);
    return syncer->audit != NULL;
}

static bool create_keeper(struct cp_syncer *syncer, cp_error *err)
{
    struct cpi_keeper_parts parts = {.lease = &syncer->lease,
                                     .log = &syncer->env.log,
                                     .stats = &syncer->stats,
                                     .stop = &syncer->stop,
                                     .pg = cpi_env_pg(&syncer->env, "cachepusher lease", -1, LEASE_TIMEOUT_MS),
                                     .database = syncer->config->redis_address.database,
                                     .seed = syncer->env.seed};
    syncer->keeper = cpi_keeper_create(&parts, err);
    return syncer->keeper != NULL;
}

static bool create_listener(struct cp_syncer *syncer, cp_error *err)
{
    struct cpi_source *source = cpi_source_notify_create(&syncer->env);
    if (source == NULL) {
        cpi_error_memory(err);
        return false;
    }
    syncer->listener = cpi_listener_create(&syncer->env, &syncer->inbox, source, err);
    return syncer->listener != NULL;
}

static bool create_parts(struct cp_syncer *syncer, cp_error *err)
{
    if (!choose_token(syncer, err) || cpi_stop_init(&syncer->stop, err) != CP_OK ||
        cpi_requests_init(&syncer->requests, (uint32_t)syncer->config->entity_count, err) != CP_OK ||
        !create_lanes(syncer, err) || !create_keeper(syncer, err)) {
        return false;
    }
    if (cpi_marker_init(&syncer->marker, &syncer->env, err) != CP_OK) {
        return false;
    }
    syncer->catalog = cpi_catalog_create(&syncer->env, err);
    if (syncer->catalog == NULL) {
        return false;
    }
    syncer->resync = cpi_resync_create(&syncer->env, &syncer->marker, err);
    return syncer->resync != NULL && create_workers(syncer, err) && create_listener(syncer, err) &&
           create_audit(syncer, err);
}

static void free_syncer(struct cp_syncer *syncer)
{
    cpi_audit_destroy(syncer->audit);
    cpi_listener_destroy(syncer->listener);
    for (uint32_t i = 0; syncer->workers != NULL && i < syncer->config->threads; i++) {
        cpi_worker_destroy(syncer->workers[i]);
    }
    cpi_catalog_destroy(syncer->catalog);
    cpi_resync_destroy(syncer->resync);
    cpi_marker_fini(&syncer->marker);
    cpi_keeper_destroy(syncer->keeper);
    for (uint32_t i = 0; syncer->lanes != NULL && i < syncer->config->threads; i++) {
        cpi_lane_fini(&syncer->lanes[i], syncer->config->entities);
    }
    cpi_inbox_fini(&syncer->inbox);
    cpi_requests_fini(&syncer->requests);
    cpi_recent_fini(&syncer->recent);
    cpi_lease_fini(&syncer->lease);
    cpi_stop_fini(&syncer->stop);
    pthread_mutex_destroy(&syncer->lifecycle);
    free(syncer->workers);
    free(syncer->lanes);
    free(syncer);
}

/* The lease has changed: the keeper may not know, workers rest while another syncer writes, the resync waits for the
 * lease, and the listener begins or ends to listen. */
static void wake_all(void *context)
{
    struct cp_syncer *syncer = context;
    cpi_keeper_wake(syncer->keeper);
    cpi_bell_ring(&syncer->requests.listener_bell);
    cpi_bell_ring(&syncer->requests.resync_bell);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_bell_ring(&syncer->lanes[i].bell);
    }
}

cp_syncer *cp_syncer_create(cp_config *config, const cp_callbacks *callbacks, cp_error *err)
{
    if (config == NULL) {
        cpi_error(err, CP_ERR_ARGUMENT, false, "cp_syncer_create: config is NULL");
        return NULL;
    }
    cp_callbacks wanted = {0};
    if ((callbacks != NULL && cpi_abi_read(&wanted, sizeof wanted, callbacks, "cp_callbacks", err) != CP_OK) ||
        cpi_config_finish(config, err) != CP_OK) {
        return NULL;
    }
    struct cp_syncer *syncer = calloc(1, sizeof *syncer);
    if (syncer == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    syncer->config = config;
    syncer->stop.drain_fd = -1;
    syncer->stop.grace_fd = -1;
    syncer->env = (struct cpi_env){.config = config,
                                   .stats = &syncer->stats,
                                   .stop = &syncer->stop,
                                   .lease = &syncer->lease,
                                   .requests = &syncer->requests,
                                   .announcer = &cpi_announce_by_notify,
                                   .channel = syncer->channel,
                                   .log = {.write = wanted.log, .context = wanted.context},
                                   .settled = wanted.settled,
                                   .settled_context = wanted.context};
    syncer->requests.resync_bell.fd = -1;
    syncer->requests.listener_bell.fd = -1;
    cpi_stats_init(&syncer->stats);
    cpi_lease_init(&syncer->lease, cpi_config_name(config), syncer->token, wake_all, syncer);
    cpi_inbox_init(&syncer->inbox, config->entities, &syncer->requests.listener_bell);
    cpi_recent_init(&syncer->recent, config->entities);
    syncer->env.recent = config->audit_per_second > 0 ? &syncer->recent : NULL;
    pthread_mutex_init(&syncer->lifecycle, NULL);

    if (!create_parts(syncer, err)) {
        free_syncer(syncer); /* config stays the caller's */
        return NULL;
    }
    return syncer;
}

void cp_syncer_destroy(cp_syncer *syncer)
{
    if (syncer == NULL) {
        return;
    }
    cp_syncer_stop(syncer, 0, NULL);
    struct cp_config *config = syncer->config;
    free_syncer(syncer);
    cp_config_destroy(config);
}

/* ---- start, stop ---- */

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
    cp_code code = cpi_thread_start(&thread, "cp-start", run_check, &check, err);
    cpi_thread_join(&thread);
    return code == CP_OK ? check.code : code;
}

/* Ends all threads that run, once draining. The producers first, so that the workers find everything that there will
 * be; the keeper last, since the workers need the lease. */
static void end_threads(struct cp_syncer *syncer)
{
    cpi_resync_wake(syncer->resync);
    cpi_bell_ring(&syncer->requests.listener_bell);
    cpi_audit_join(syncer->audit);
    cpi_catalog_join(syncer->catalog);
    cpi_resync_join(syncer->resync);
    cpi_marker_join(&syncer->marker);
    cpi_listener_join(syncer->listener);

    cpi_stop_close(&syncer->stop);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_bell_ring(&syncer->lanes[i].bell);
    }
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_worker_join(syncer->workers[i]);
    }
    cpi_keeper_join(syncer->keeper);
}

static cp_code start_threads(struct cp_syncer *syncer, cp_error *err)
{
    cp_code code = cpi_keeper_start(syncer->keeper, err);
    for (uint32_t i = 0; i < syncer->config->threads && code == CP_OK; i++) {
        code = cpi_worker_start(syncer->workers[i], err);
    }
    code = code == CP_OK ? cpi_catalog_start(syncer->catalog, err) : code;
    code = code == CP_OK ? cpi_marker_start(&syncer->marker, err) : code;
    code = code == CP_OK ? cpi_resync_start(syncer->resync, err) : code;
    code = code == CP_OK ? cpi_listener_start(syncer->listener, err) : code;
    return code == CP_OK && syncer->audit != NULL ? cpi_audit_start(syncer->audit, err) : code;
}

cp_code cp_syncer_start(cp_syncer *syncer, cp_error *err)
{
    pthread_mutex_lock(&syncer->lifecycle);
    cp_code code = CP_OK;
    if (syncer->state != CREATED) {
        code = cpi_error(err, CP_ERR_ARGUMENT, false, "the syncer %s already",
                         syncer->state == RUNNING ? "runs" : "has been stopped");
    } else {
        code = check_servers(syncer, err);
        if (code == CP_OK) {
            code = start_threads(syncer, err);
            syncer->state = RUNNING;
            if (code != CP_OK) {
                cpi_stop_drain(&syncer->stop, 0);
                end_threads(syncer);
                syncer->state = STOPPED;
            }
        }
    }
    pthread_mutex_unlock(&syncer->lifecycle);
    return code;
}

static uint64_t count_unsettled(const struct cp_syncer *syncer)
{
    bool is_taken = cpi_lease_state(syncer->env.lease) == CPI_LEASE_TAKEN;
    uint64_t unsettled = cpi_listener_unannounced(syncer->listener, is_taken);
    if (is_taken) { /* the syncer that has taken over has read everything else again */
        return unsettled;
    }
    unsettled += cpi_listener_unsettled(syncer->listener);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        unsettled += cpi_worker_unsettled(syncer->workers[i]);
    }
    return unsettled;
}

/* What was received and has not been read is a failure of the stop. Everything else, for instance a listener that was
 * away, is only said: nothing that is stopped follows Postgres. */
static void note_resync_cut_short(struct cp_syncer *syncer)
{
    bool is_ours = cpi_lease_state(&syncer->lease) != CPI_LEASE_TAKEN;
    syncer->resync_incomplete = is_ours && cpi_resync_owes_events(syncer->resync);
    if (is_ours && !syncer->resync_incomplete && cpi_resync_is_cut_short(syncer->resync)) {
        cpi_log(&syncer->env.log, CP_LOG_WARN,
                "stopping in the middle of a resync: what it has not read is out of date until the next warm-up");
    }
}

cp_code cp_syncer_stop(cp_syncer *syncer, int grace_ms, cp_error *err)
{
    cpi_stop_drain(&syncer->stop, grace_ms > 0 ? grace_ms : 0); /* before the lock: a start under way gives up */
    pthread_mutex_lock(&syncer->lifecycle);
    if (syncer->state == RUNNING) {
        end_threads(syncer);
        syncer->unsettled = count_unsettled(syncer);
        note_resync_cut_short(syncer);
    }
    syncer->state = STOPPED;
    cpi_resync_wake(syncer->resync); /* whoever waits for ready, of a syncer that never ran */
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
    return cpi_error(err, CP_ERR_TIMEOUT, false, "%llu ids had not settled; the next warm-up repairs them",
                     (unsigned long long)unsettled);
}
