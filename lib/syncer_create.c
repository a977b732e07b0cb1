#include "cachepusher.h"

#include "base/abi.h"
#include "base/error.h"
#include "base/random.h"
#include "postgres/conninfo.h"
#include "redis/host_store.h"
#include "source/source_notify.h"
#include "source/source_wal.h"
#include "syncer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For one statement of the lease's session. */
enum { LEASE_TIMEOUT_MS = 5000 };

static bool choose_token(struct cp_syncer *syncer, cp_error *err)
{
    unsigned long long random[4] = {0};
    if (cpi_random_bytes(random, sizeof random, err) != CP_OK) {
        return false;
    }
    snprintf(syncer->token, sizeof syncer->token, "%016llx", random[0]);
    /* The token stands in the names of our connections to Redis, which its other clients can read. Whoever knew the
     * channel could answer our barriers. */
    snprintf(syncer->lease_name, sizeof syncer->lease_name, "follower %s", syncer->token);
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
    cpi_config_lease_role(syncer->config, syncer->lease_role);
    struct cpi_keeper_parts parts = {.lease = &syncer->lease,
                                     .log = &syncer->env.log,
                                     .hooks = &syncer->env.hooks,
                                     .host = syncer->postgres_host,
                                     .stats = &syncer->stats,
                                     .stop = &syncer->stop,
                                     .pg = cpi_env_pg(&syncer->env, syncer->lease_role, -1, LEASE_TIMEOUT_MS),
                                     .database = syncer->config->redis_address.database,
                                     .seed = syncer->env.seed};
    syncer->keeper = cpi_keeper_create(&parts, err);
    return syncer->keeper != NULL;
}

static cp_code look_at_marker(void *context, bool *same, cp_error *err)
{
    return cpi_marker_look(context, same, err);
}

static bool create_mapper(struct cp_syncer *syncer, cp_error *err)
{
    if (syncer->config->mapping_count == 0) {
        return true;
    }
    struct cpi_mapper_session session = cpi_mapper_session(&syncer->env);
    syncer->mapper = cpi_mapper_create(&syncer->env, &session, &syncer->requests.listener_bell, err);
    return syncer->mapper != NULL;
}

static bool create_listener(struct cp_syncer *syncer, cp_error *err)
{
    const struct cpi_checkpoint_marker marker = {.context = &syncer->marker, .look = look_at_marker};
    struct cpi_source *source = NULL;
    if (syncer->config->source == CPI_SOURCE_NOTIFY) {
        source = cpi_source_notify_create(&syncer->env);
    } else {
        syncer->checkpoint = cpi_checkpoint_create(&syncer->env, &marker, &syncer->requests.listener_bell, err);
        source = syncer->checkpoint != NULL ? cpi_source_wal_create(&syncer->env, syncer->checkpoint) : NULL;
    }
    if (source == NULL) {
        cpi_error_memory(err);
        return false;
    }
    syncer->listener = cpi_listener_create(&syncer->env, &syncer->inbox, source, syncer->mapper, err);
    return syncer->listener != NULL;
}

/* Workers first: health.c finds that of a lane by its number. */
static bool gather_pulses(struct cp_syncer *syncer, cp_error *err)
{
    enum { OTHERS = 9 };
    syncer->pulses = calloc(syncer->config->threads + OTHERS, sizeof *syncer->pulses);
    if (syncer->pulses == NULL) {
        cpi_error_memory(err);
        return false;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        syncer->pulses[n++] = cpi_worker_pulse(syncer->workers[i]);
    }
    syncer->pulses[n++] = cpi_listener_pulse(syncer->listener);
    syncer->pulses[n++] = cpi_resync_pulse(syncer->resync);
    syncer->pulses[n++] = &syncer->marker.pulse;
    syncer->pulses[n++] = cpi_keeper_pulse(syncer->keeper);
    syncer->pulses[n++] = cpi_catalog_pulse(syncer->catalog);
    if (syncer->checkpoint != NULL) {
        syncer->pulses[n++] = cpi_checkpoint_pulse(syncer->checkpoint);
    }
    if (syncer->mapper != NULL) {
        syncer->pulses[n++] = cpi_mapper_pulse(syncer->mapper);
    }
    if (syncer->audit != NULL) {
        syncer->pulses[n++] = cpi_audit_pulse(syncer->audit);
    }
    if (syncer->state_watch != NULL) {
        syncer->pulses[n++] = cpi_state_watch_pulse(syncer->state_watch);
    }
    syncer->pulse_count = n;
    return true;
}

static bool create_parts(struct cp_syncer *syncer, cp_error *err)
{
    if (!choose_token(syncer, err) || cpi_stop_init(&syncer->stop, err) != CP_OK ||
        cpi_requests_init(&syncer->requests, (uint32_t)syncer->config->entity_count, err) != CP_OK ||
        cpi_allowance_init(&syncer->allowance, (uint32_t)syncer->config->entity_count,
                           syncer->config->max_delete_percent, err) != CP_OK ||
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
    return syncer->resync != NULL && create_workers(syncer, err) && create_mapper(syncer, err) &&
           create_listener(syncer, err) && create_audit(syncer, err) && cpi_syncer_join_host(syncer, err) &&
           gather_pulses(syncer, err);
}

static void free_syncer(struct cp_syncer *syncer)
{
    cpi_audit_destroy(syncer->audit);
    cpi_listener_destroy(syncer->listener);
    cpi_mapper_destroy(syncer->mapper);
    cpi_checkpoint_destroy(syncer->checkpoint);
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
    cpi_tickets_fini(&syncer->tickets);
    cpi_allowance_fini(&syncer->allowance);
    cpi_requests_fini(&syncer->requests);
    cpi_recent_fini(&syncer->recent);
    cpi_lease_fini(&syncer->lease);
    cpi_kept_keys_fini(&syncer->kept);
    cpi_stop_fini(&syncer->stop);
    pthread_mutex_destroy(&syncer->lifecycle);
    cpi_stats_fini(&syncer->stats);
    free(syncer->pulses);
    cpi_syncer_leave_host(syncer);
    cpi_repeats_fini(&syncer->repeats);
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
    if (syncer->mapper != NULL) {
        cpi_bell_ring(&cpi_mapper_mail(syncer->mapper)->bell);
    }
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_bell_ring(&syncer->lanes[i].bell);
    }
}

static void name_servers(struct cp_syncer *syncer)
{
    cpi_conninfo_name(syncer->config->postgres, syncer->postgres_host, sizeof syncer->postgres_host);
    if (syncer->env.store == NULL) {
        cpi_redis_address_name(&syncer->config->redis_address, syncer->redis_host, sizeof syncer->redis_host);
    } else {
        cpi_fold(syncer->redis_host, sizeof syncer->redis_host,
                 syncer->store.name != NULL ? syncer->store.name : "the host's store");
        syncer->store.name = syncer->redis_host;
    }
    syncer->env.postgres_host = syncer->postgres_host;
    syncer->env.redis_host = syncer->redis_host;
}

/* What needs no memory, and cannot fail but for the figures. */
static bool wire(struct cp_syncer *syncer, struct cp_config *config, const cp_callbacks *wanted)
{
    syncer->config = config;
    syncer->process = getpid();
    syncer->stop.drain_fd = -1;
    syncer->stop.grace_fd = -1;
    syncer->env = (struct cpi_env){.config = config,
                                   .stats = &syncer->stats,
                                   .stop = &syncer->stop,
                                   .lease = &syncer->lease,
                                   .requests = &syncer->requests,
                                   .tickets = &syncer->tickets,
                                   .allowance = &syncer->allowance,
                                   .announcer = config->source == CPI_SOURCE_WAL ? &cpi_announce_by_message
                                                                                 : &cpi_announce_by_notify,
                                   .channel = syncer->channel,
                                   .store = wanted->store != NULL ? &syncer->store : NULL};
    syncer->store = wanted->store != NULL ? *wanted->store : (cp_store){0};
    syncer->requests.resync_bell.fd = -1;
    syncer->requests.listener_bell.fd = -1;
    cpi_repeats_init(&syncer->repeats);
    cpi_syncer_wire_host(syncer, wanted);
    name_servers(syncer);
    bool follows = config->role == CPI_ROLE_FOLLOW;
    cpi_kept_keys_init(&syncer->kept);
    syncer->env.kept = follows || wanted->store != NULL ? &syncer->kept : NULL;
    cpi_lease_init(&syncer->lease, follows ? syncer->lease_name : cpi_config_name(config), syncer->token, wake_all,
                   syncer);
    cpi_inbox_init(&syncer->inbox, config->entities, &syncer->requests.listener_bell);
    cpi_tickets_init(&syncer->tickets, &syncer->requests.listener_bell);
    cpi_recent_init(&syncer->recent, config->entities);
    syncer->env.recent = config->audit_per_second > 0 ? &syncer->recent : NULL;
    pthread_mutex_init(&syncer->lifecycle, NULL);
    atomic_init(&syncer->was_started, false);
    atomic_init(&syncer->has_ended, false);
    return cpi_stats_init(&syncer->stats, config->entity_count);
}

/* Makes the callbacks' store one of this library's version. */
static cp_code read_store(cp_callbacks *wanted, cp_store *store, cp_error *err)
{
    if (wanted->store == NULL) {
        return CP_OK;
    }
    cp_code code = cpi_abi_read(store, sizeof *store, wanted->store, "cp_store", err);
    wanted->store = store;
    return code == CP_OK ? cpi_host_store_check(store, err) : code;
}

/* What is configured, and what the host lacks for it. */
static cp_code check_callbacks(const struct cp_config *config, const cp_callbacks *wanted, cp_error *err)
{
    const cp_store *store = wanted->store;
    bool has_get = store == NULL || store->get != NULL;
    bool has_marker = store == NULL || store->advance_marker != NULL;
    const char *wrong =
        config->role == CPI_ROLE_FOLLOW && !cpi_syncer_wants_documents(wanted)
            ? "role: follow is of no use to a host that sets no callback \"settled\", and no results that want "
              "documents"
        : config->role == CPI_ROLE_FOLLOW && store != NULL ? "role: follow stores nothing, and a cp_store was given"
        : config->audit_per_second > 0 && !has_get         ? "audit_per_second: the cp_store has no get"
        : config->source == CPI_SOURCE_WAL && !(has_get && has_marker)
            ? "source: wal keeps in the store where it goes on after a restart, and the cp_store lacks get or a marker"
        : config->warmup == CPI_WARMUP_NONE && !has_marker ? "warmup: with none, the cp_store needs a marker"
                                                           : NULL;
    return wrong != NULL ? cpi_error(err, CP_ERR_CONFIG, false, "%s", wrong) : CP_OK;
}

cp_syncer *cp_syncer_create(cp_config *config, const cp_callbacks *callbacks, cp_error *err)
{
    if (cpi_config_check_change(config, "cp_syncer_create", err) != CP_OK) {
        return NULL;
    }
    cp_callbacks wanted = {0};
    cp_store store = {0};
    if ((callbacks != NULL && cpi_abi_read(&wanted, sizeof wanted, callbacks, "cp_callbacks", err) != CP_OK) ||
        cpi_config_finish(config, err) != CP_OK || read_store(&wanted, &store, err) != CP_OK ||
        check_callbacks(config, &wanted, err) != CP_OK) {
        return NULL;
    }
    struct cp_syncer *syncer = calloc(1, sizeof *syncer);
    if (syncer == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    bool wired = wire(syncer, config, &wanted);
    if (!wired) {
        cpi_error_memory(err);
    }
    if (!wired || !create_parts(syncer, err)) {
        free_syncer(syncer); /* config stays the caller's */
        return NULL;
    }
    cpi_syncer_enter(syncer);
    config->is_owned = true;
    return syncer;
}

void cp_syncer_destroy(cp_syncer *syncer)
{
    if (syncer == NULL) {
        return;
    }
    if (cpi_syncer_check_process(syncer, NULL) != CP_OK) {
        cpi_syncer_abandon(syncer);
        return;
    }
    cp_syncer_stop(syncer, 0, NULL);
    cpi_syncer_leave(syncer);
    struct cp_config *config = syncer->config;
    free_syncer(syncer);
    config->is_owned = false;
    cp_config_destroy(config);
}
