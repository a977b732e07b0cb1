#include "source/listener.h"

#include "postgres/announce.h"
#include "base/error.h"
#include "source/source.h"
#include "queue/live_feed.h"
#include "base/thread.h"

#include <libpq-fe.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between looks at full rings: a worker empties one in about the time of a batch. */
enum { SPILL_LOOK_MS = 5 };

struct cpi_listener {
    const struct cpi_env *env;
    struct cpi_inbox *inbox;
    struct cpi_resync *resync;
    struct cpi_thread thread;
    struct cpi_bell bell;

    pthread_mutex_t mutex; /* over the next four */
    pthread_cond_t drained;
    bool is_drained;   /* nothing more will come into the lanes */
    bool is_released;  /* nobody needs the lease any more */
    bool relay_wanted; /* a resync, by the syncer that writes */

    /* Of the thread. */
    struct cpi_source source;
    struct cpi_log_limit bad; /* payloads */
    struct cpi_log_limit overflowing;
    uint64_t routed;      /* ids enqueued here, since we have begun to listen, that were settled here */
    uint64_t unannounced; /* those of which the syncer that writes, when it is another, may not know */
    uint64_t turns;       /* of the source, when these were counted */
    struct cpi_live_feed *live_feed;
    struct cpi_events events; /* received and not yet routed; empty between turns */
    bool spilled;             /* the live_feed holds something */
};

/* ---- events ---- */

static void route(struct cpi_listener *listener)
{
    if (listener->events.count == 0) {
        return;
    }
    cpi_stats_add(listener->env->stats, CPI_STAT_EVENTS, (int64_t)listener->events.count);
    if (!cpi_live_feed_put(listener->live_feed, &listener->events)) {
        cpi_log_limited(&listener->env->log, &listener->overflowing, CP_LOG_WARN,
                        "more ids are waiting than max_pending allows: forgetting them in favour of a resync");
        cpi_resync_request(listener->resync, CPI_ALL_ENTITIES, CP_CAUSE_OVERFLOW);
    }
    listener->spilled = true; /* perhaps; the next flush tells */
}

static void receive_for(struct cpi_listener *listener, uint32_t index, const PGnotify *notification)
{
    const struct cp_config *config = listener->env->config;
    switch (
        cpi_event_parse(&config->entities[index], index, notification->extra, &listener->events, config->entities)) {
    case CPI_PAYLOAD_IDS:
        break;
    case CPI_PAYLOAD_EVERYTHING:
        cpi_resync_request(listener->resync, index, CP_CAUSE_TRUNCATE);
        break;
    case CPI_PAYLOAD_BAD:
        cpi_stats_add(listener->env->stats, CPI_STAT_BAD_PAYLOADS, 1);
        cpi_log_limited(&listener->env->log, &listener->bad, CP_LOG_WARN,
                        "channel %s: payload \"%.*s\" is neither %s id, nor a JSON array of them, nor *; ignored",
                        notification->relname, cpi_shown(notification->extra), notification->extra,
                        cpi_id_type_name(config->entities[index].id_type));
        break;
    case CPI_PAYLOAD_NO_MEMORY:
        cpi_stats_add(listener->env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_log(&listener->env->log, CP_LOG_ERROR, "out of memory for a notification: a resync takes its place");
        cpi_resync_request(listener->resync, index, CP_CAUSE_OVERFLOW);
        break;
    }
}

static void receive(struct cpi_listener *listener, const PGnotify *notification)
{
    const struct cp_config *config = listener->env->config;
    cpi_heartbeat_heard(&listener->source.heartbeat);
    if (strcmp(notification->relname, listener->env->channel) == 0) {
        if (cpi_heartbeat_is(notification->extra)) {
            return;
        }
        route(listener); /* what came before the barrier has to be before it */
        cpi_live_feed_barrier(listener->live_feed, strtoll(notification->extra, NULL, 10));
        listener->spilled = true;
        return;
    }
    for (uint32_t e = 0; e < config->entity_count; e++) {
        for (size_t c = 0; c < config->entities[e].channel_count; c++) {
            if (strcmp(notification->relname, config->entities[e].channels[c]) == 0) {
                receive_for(listener, e, notification);
            }
        }
    }
}

/* Takes everything that libpq has read. The workers are woken once for all of it. */
static void receive_all(struct cpi_listener *listener)
{
    PGnotify *notification;
    while ((notification = PQnotifies(listener->source.pg.connection)) != NULL) {
        receive(listener, notification);
        PQfreemem(notification);
    }
    route(listener);
}

/* ---- what is enqueued by hand ---- */

/* Tells the syncer that writes. What was routed here before may have come after the resync with which the other one has
 * taken over, and an announcement may fail: then it is to read everything. */
static void pass_on(struct cpi_listener *listener)
{
    const struct cp_config *config = listener->env->config;
    struct cpi_pg *pg = &listener->source.pg;
    struct cpi_events *events = &listener->events;
    cp_error err = {0};
    listener->unannounced += listener->routed;
    listener->routed = 0;
    if (events->count > 0 &&
        (!cpi_pg_is_open(pg) ||
         cpi_announce(pg, config->entities, events->items, sizeof *events->items, events->count, &err) != CP_OK)) {
        listener->unannounced += events->count;
    }
    cpi_events_truncate(events, 0, config->entities);
    if (listener->unannounced > 0 && cpi_pg_is_open(pg) &&
        cpi_announce_everything(pg, config->entities, config->entity_count, &err) == CP_OK) {
        listener->unannounced = 0;
    }
    if (err.code != CP_OK) {
        cpi_source_lose(&listener->source, &err);
    }
}

static void deal_with_enqueued(struct cpi_listener *listener)
{
    if (listener->turns != listener->source.turns) { /* a resync has been asked for since */
        listener->turns = listener->source.turns;
        listener->routed = 0;
        listener->unannounced = 0;
    }
    if (cpi_lease_state(listener->env->lease) == CPI_LEASE_TAKEN) {
        pass_on(listener);
    } else {
        listener->routed += listener->events.count;
        route(listener);
    }
}

static void take_inbox(struct cpi_listener *listener)
{
    cpi_inbox_take(listener->inbox, &listener->events);
    pthread_mutex_lock(&listener->mutex);
    listener->unannounced += listener->relay_wanted;
    listener->relay_wanted = false;
    pthread_mutex_unlock(&listener->mutex);
    deal_with_enqueued(listener);
}

/* ---- the thread ---- */

static bool has_requests(struct cpi_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    bool any = listener->relay_wanted;
    pthread_mutex_unlock(&listener->mutex);
    return any || !cpi_inbox_is_empty(listener->inbox) || cpi_stop_phase(listener->env->stop) != CPI_RUNNING;
}

/* Sleeps until Postgres has sent something, somebody has rung, or it is time to look again. */
static void rest(struct cpi_listener *listener)
{
    const struct cpi_source *source = &listener->source;
    int timeout_ms = cpi_source_due_ms(source);
    if (listener->spilled && timeout_ms > SPILL_LOOK_MS) {
        timeout_ms = SPILL_LOOK_MS;
    }
    cpi_bell_arm(&listener->bell);
    bool doubted = source->is_listening && !cpi_lease_is_held(listener->env->lease);
    if (!doubted && !has_requests(listener)) {
        cpi_bell_sleep(&listener->bell, source->is_listening ? PQsocket(source->pg.connection) : -1, timeout_ms);
    }
    cpi_bell_disarm(&listener->bell);
}

static void finish_inbox(struct cpi_listener *listener)
{
    struct cpi_pg *pg = &listener->source.pg;
    pg->cancel_fd = listener->env->stop->grace_fd;
    cpi_inbox_close(listener->inbox, &listener->events);
    if (listener->source.standing_by && !cpi_pg_is_open(pg) && listener->events.count + listener->unannounced > 0) {
        cpi_pg_open(pg, NULL); /* it may have been given up just now, because we are stopping */
    }
    deal_with_enqueued(listener);
    while (!cpi_live_feed_flush(listener->live_feed) && !cpi_stop_grace_passed(listener->env->stop)) {
        poll(NULL, 0, SPILL_LOOK_MS);
    }
}

static bool is_released(struct cpi_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    bool released = listener->is_released;
    pthread_mutex_unlock(&listener->mutex);
    return released;
}

/* What has been received is settled by the workers, which need the lease for it. Nothing more is received. */
static void hold_lease(struct cpi_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    listener->is_drained = true;
    pthread_cond_signal(&listener->drained);
    pthread_mutex_unlock(&listener->mutex);
    while (!is_released(listener)) {
        cpi_source_hold(&listener->source);
        cpi_bell_arm(&listener->bell);
        if (!is_released(listener)) {
            cpi_bell_sleep(&listener->bell, -1, cpi_source_due_ms(&listener->source));
        }
        cpi_bell_disarm(&listener->bell);
    }
    cpi_source_close(&listener->source);
}

static void *run(void *context)
{
    struct cpi_listener *listener = context;
    while (cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        cp_error lost;
        if (cpi_source_read(&listener->source, &lost)) {
            receive_all(listener);
            cpi_source_check(&listener->source, &lost);
        }
        take_inbox(listener);
        listener->spilled = listener->spilled && !cpi_live_feed_flush(listener->live_feed);
        rest(listener);
    }
    finish_inbox(listener);
    hold_lease(listener);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_listener *cpi_listener_create(const struct cpi_env *env, struct cpi_inbox *inbox, struct cpi_resync *resync,
                                         cp_error *err)
{
    struct cpi_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    listener->env = env;
    listener->inbox = inbox;
    listener->resync = resync;
    listener->bell.fd = -1;
    pthread_mutex_init(&listener->mutex, NULL);
    pthread_cond_init(&listener->drained, NULL);
    cpi_source_init(&listener->source, env, resync);
    listener->live_feed = cpi_live_feed_create(&env->lanes);
    if (listener->live_feed == NULL) {
        cpi_error_memory(err);
    }
    if (listener->live_feed == NULL || cpi_bell_init(&listener->bell, err) != CP_OK) {
        cpi_listener_destroy(listener);
        return NULL;
    }
    cpi_lease_set_bell(env->lease, &listener->bell);
    return listener;
}

cp_code cpi_listener_start(struct cpi_listener *listener, cp_error *err)
{
    return cpi_thread_start(&listener->thread, "cp-listener", run, listener, err);
}

void cpi_listener_wake(struct cpi_listener *listener)
{
    cpi_bell_ring(&listener->bell);
}

void cpi_listener_relay_resync(struct cpi_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    listener->relay_wanted = true;
    pthread_mutex_unlock(&listener->mutex);
    cpi_bell_ring(&listener->bell);
}

void cpi_listener_drain(struct cpi_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    while (listener->thread.started && !listener->is_drained) {
        pthread_cond_wait(&listener->drained, &listener->mutex);
    }
    pthread_mutex_unlock(&listener->mutex);
}

void cpi_listener_join(struct cpi_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    listener->is_released = true;
    pthread_mutex_unlock(&listener->mutex);
    cpi_bell_ring(&listener->bell);
    cpi_thread_join(&listener->thread);
}

uint64_t cpi_listener_unsettled(const struct cpi_listener *listener)
{
    return cpi_live_feed_count(listener->live_feed);
}

uint64_t cpi_listener_unannounced(const struct cpi_listener *listener)
{
    return listener->unannounced + listener->routed;
}

void cpi_listener_destroy(struct cpi_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    cpi_source_close(&listener->source);
    pthread_cond_destroy(&listener->drained);
    pthread_mutex_destroy(&listener->mutex);
    cpi_live_feed_destroy(listener->live_feed);
    cpi_events_fini(&listener->events, listener->env->config->entities);
    cpi_bell_fini(&listener->bell);
    free(listener);
}
