#include "listener.h"

#include "announce.h"
#include "backoff.h"
#include "clock.h"
#include "error.h"
#include "flush.h"
#include "heartbeat.h"
#include "pg.h"
#include "spill.h"
#include "subscribe.h"
#include "thread.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 2000,
    /* Between looks at full rings: a worker empties one in about the time of a batch. */
    SPILL_LOOK_MS = 5,
    LEASE_LOOK_MS = 1000, /* at whether whoever has it is gone */
    LISTEN_TIMEOUT_MS = 5000
};

struct cpi_listener {
    const struct cpi_env *env;
    struct cpi_inbox *inbox;
    struct cpi_resync *resync;
    struct cpi_thread thread;
    struct cpi_bell bell;

    /* Of the thread. */
    struct cpi_pg pg;
    struct cpi_backoff backoff;
    int64_t retry_at_ms;
    struct cpi_heartbeat heartbeat;
    struct cpi_log_limit bad; /* payloads */
    struct cpi_log_limit overflowing;
    bool is_listening;    /* the connection is open, holds the lease and listens */
    bool has_listened;    /* at least once */
    bool standing_by;     /* has been logged */
    bool away;            /* an outage has been logged */
    bool flushed;         /* or need not */
    uint64_t unannounced; /* ids enqueued here of which the syncer that writes, if it is another, may not know */
    struct cpi_spill *spill;
    struct cpi_events events; /* received and not yet routed; empty between turns */
    bool spilled;             /* the spill holds something */
};

/* ---- events ---- */

static void route(struct cpi_listener *listener)
{
    if (listener->events.count == 0) {
        return;
    }
    cpi_stats_add(listener->env->stats, CPI_STAT_EVENTS, (int64_t)listener->events.count);
    if (!cpi_spill_put(listener->spill, &listener->events)) {
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
    cpi_heartbeat_heard(&listener->heartbeat);
    if (strcmp(notification->relname, listener->env->channel) == 0) {
        if (cpi_heartbeat_is(notification->extra)) {
            return;
        }
        route(listener); /* what came before the fence has to be before it */
        cpi_spill_fence(listener->spill, strtoll(notification->extra, NULL, 10));
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
    while ((notification = PQnotifies(listener->pg.connection)) != NULL) {
        receive(listener, notification);
        PQfreemem(notification);
    }
    route(listener);
}

/* ---- the connection ---- */

static void lose(struct cpi_listener *listener, const cp_error *why)
{
    cpi_pg_close(&listener->pg);
    cpi_lease_lose(listener->env->lease);
    cpi_stats_set(listener->env->stats, CPI_STAT_WRITER, 0);
    listener->is_listening = false;
    int wait_ms = cpi_backoff_next(&listener->backoff);
    listener->retry_at_ms = cpi_now_ms() + wait_ms;
    cpi_stats_add(listener->env->stats, CPI_STAT_RETRIES, 1);
    if (cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        cpi_log(&listener->env->log, listener->away ? CP_LOG_DEBUG : CP_LOG_WARN, "listener: %s; connecting again",
                why->message);
        listener->away = true;
    }
}

/* Another syncer writes. The connection is kept, to ask again and to pass on what is enqueued here. */
static void stand_by(struct cpi_listener *listener, const char *holder)
{
    if (!listener->standing_by || listener->away) { /* after an outage too: else the log would end with that */
        cpi_log(&listener->env->log, CP_LOG_INFO,
                "standing by: another cachepusher named \"%s\" writes (%s); one that writes other keys, or to another "
                "Redis, needs another name",
                cpi_config_name(listener->env->config), holder);
    }
    listener->standing_by = true;
    listener->away = false;
}

static bool flush_once(struct cpi_listener *listener, cp_error *err)
{
    listener->flushed =
        listener->flushed || !listener->env->config->flush || cpi_flush(listener->env, &listener->pg, err) == CP_OK;
    return listener->flushed;
}

/* The order matters: the lease, so that nothing is done that another syncer does; LISTEN; and only then the resync. */
static bool take_over(struct cpi_listener *listener, cp_error *err)
{
    if (!flush_once(listener, err) || cpi_subscribe(&listener->pg, listener->env, err) != CP_OK) {
        return false;
    }
    const struct cpi_env *env = listener->env;
    cpi_backoff_reset(&listener->backoff);
    if (listener->away || listener->standing_by) {
        cpi_log(&env->log, CP_LOG_INFO, "listener: %s", listener->standing_by ? "taking over" : "listening again");
    }
    listener->away = false;
    listener->standing_by = false;
    listener->is_listening = true;
    listener->unannounced = 0; /* a resync follows */
    cpi_heartbeat_reset(&listener->heartbeat);
    cpi_stats_set(env->stats, CPI_STAT_WRITER, 1);
    cpi_stats_add(env->stats, CPI_STAT_RECONNECTS, listener->has_listened);
    cpi_resync_request(listener->resync, CPI_ALL_ENTITIES, listener->has_listened ? CP_CAUSE_LISTENER : CP_CAUSE_START);
    listener->has_listened = true;
    for (uint32_t i = 0; i < env->config->threads; i++) {
        cpi_bell_ring(&env->lanes[i].bell); /* workers rest while another syncer writes */
    }
    return true;
}

static void connect_and_listen(struct cpi_listener *listener)
{
    cp_error err;
    enum cpi_lease_state state;
    char holder[CPI_HOLDER_BYTES];
    if ((!cpi_pg_is_open(&listener->pg) && cpi_pg_open(&listener->pg, &err) != CP_OK) ||
        cpi_lease_take(listener->env->lease, &listener->pg, &state, holder, &err) != CP_OK) {
        lose(listener, &err);
        return;
    }
    listener->retry_at_ms = cpi_now_ms() + LEASE_LOOK_MS;
    if (state == CPI_LEASE_TAKEN) {
        stand_by(listener, holder);
    } else if (state != CPI_LEASE_NONE && !take_over(listener, &err)) {
        lose(listener, &err);
    }
}

/* While a former session has the lease, it may go to another syncer any time. False: it has, or the connection is lost.
 * The one query for which the listener waits, on a connection that has nothing else under way. */
static bool secure_lease(struct cpi_listener *listener, cp_error *err)
{
    enum cpi_lease_state state = cpi_lease_state(listener->env->lease);
    char holder[CPI_HOLDER_BYTES];
    if (state != CPI_LEASE_INHERITED || cpi_now_ms() < listener->retry_at_ms ||
        PQtransactionStatus(listener->pg.connection) == PQTRANS_ACTIVE) {
        return true;
    }
    listener->retry_at_ms = cpi_now_ms() + LEASE_LOOK_MS;
    if (cpi_lease_take(listener->env->lease, &listener->pg, &state, holder, err) != CP_OK) {
        return false;
    }
    if (state == CPI_LEASE_TAKEN) {
        cpi_error(err, CP_ERR_POSTGRES, true, "another cachepusher has taken over");
    }
    return state != CPI_LEASE_TAKEN;
}

/* ---- what is enqueued by hand ---- */

/* Tells the syncer that writes. What was enqueued while it was not known who that is may have come after the resync
 * with which the other one has taken over, and an announcement may fail: then it is to read everything. */
static void pass_on(struct cpi_listener *listener)
{
    const struct cp_config *config = listener->env->config;
    cp_error err = {0};
    size_t count = listener->events.count;
    if (count > 0 &&
        (!cpi_pg_is_open(&listener->pg) || cpi_announce(&listener->pg, config, listener->events.items,
                                                        sizeof *listener->events.items, count, &err) != CP_OK)) {
        listener->unannounced += count;
    }
    cpi_events_truncate(&listener->events, 0, config->entities);
    if (listener->unannounced > 0 && cpi_pg_is_open(&listener->pg) &&
        cpi_announce_everything(&listener->pg, config, &err) == CP_OK) {
        listener->unannounced = 0;
    }
    if (err.code != CP_OK) {
        lose(listener, &err);
    }
}

static void deal_with_enqueued(struct cpi_listener *listener)
{
    switch (cpi_lease_state(listener->env->lease)) {
    case CPI_LEASE_TAKEN:
        pass_on(listener);
        break;
    case CPI_LEASE_NONE:
        listener->unannounced += listener->events.count;
        route(listener);
        break;
    case CPI_LEASE_HELD:
    case CPI_LEASE_INHERITED:
        route(listener);
        break;
    }
}

static void take_inbox(struct cpi_listener *listener)
{
    cpi_inbox_take(listener->inbox, &listener->events);
    deal_with_enqueued(listener);
}

/* ---- the thread ---- */

/* A worker that asked Postgres may know more than this connection, which looks healthy. */
static bool has_lease(struct cpi_listener *listener, cp_error *err)
{
    bool held = cpi_lease_is_held(listener->env->lease);
    if (!held) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: the session that held the right to write is gone");
    }
    return held;
}

static void read_source(struct cpi_listener *listener)
{
    if (!listener->is_listening) {
        if (cpi_now_ms() >= listener->retry_at_ms) {
            connect_and_listen(listener);
        }
        if (!listener->is_listening) {
            return;
        }
    }
    cp_error err;
    bool alive = PQconsumeInput(listener->pg.connection) != 0;
    if (!alive) {
        cpi_error(&err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(listener->pg.connection));
    }
    receive_all(listener);
    if (!alive || !has_lease(listener, &err) || !cpi_heartbeat_beat(&listener->heartbeat, &listener->pg, &err) ||
        !secure_lease(listener, &err)) {
        lose(listener, &err);
    }
}

/* Sleeps until Postgres has sent something, somebody has rung, or it is time to look again. */
static void rest(struct cpi_listener *listener)
{
    bool listening = listener->is_listening;
    int timeout_ms = cpi_left_ms(listening ? listener->heartbeat.beat_at_ms : listener->retry_at_ms);
    if (cpi_lease_state(listener->env->lease) == CPI_LEASE_INHERITED && timeout_ms > LEASE_LOOK_MS) {
        timeout_ms = LEASE_LOOK_MS;
    }
    if (listener->spilled && timeout_ms > SPILL_LOOK_MS) {
        timeout_ms = SPILL_LOOK_MS;
    }
    cpi_bell_arm(&listener->bell);
    bool doubted = listening && !cpi_lease_is_held(listener->env->lease);
    if (!doubted && cpi_inbox_is_empty(listener->inbox) && cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        cpi_bell_sleep(&listener->bell, listening ? PQsocket(listener->pg.connection) : -1, timeout_ms);
    }
    cpi_bell_disarm(&listener->bell);
}

/* While the workers have something to settle, they may need the lease, and a connection may have been lost just now. */
static void finish_lease(struct cpi_listener *listener)
{
    const struct cpi_env *env = listener->env;
    enum cpi_lease_state state = cpi_lease_state(env->lease);
    while (state == CPI_LEASE_NONE && !cpi_stop_grace_passed(env->stop) &&
           cpi_stats_get(env->stats, CPI_STAT_PENDING) > cpi_stats_get(env->stats, CPI_STAT_FAILING)) {
        char holder[CPI_HOLDER_BYTES];
        if ((!cpi_pg_is_open(&listener->pg) && cpi_pg_open(&listener->pg, NULL) != CP_OK) ||
            cpi_lease_take(env->lease, &listener->pg, &state, holder, NULL) != CP_OK) {
            cpi_pg_close(&listener->pg);
        }
        poll(NULL, 0, state == CPI_LEASE_NONE ? RETRY_BASE_MS : 0);
    }
}

static void *run(void *context)
{
    struct cpi_listener *listener = context;
    while (cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        read_source(listener);
        take_inbox(listener);
        listener->spilled = listener->spilled && !cpi_spill_flush(listener->spill);
        rest(listener);
    }
    /* What has been received is settled; nothing more is received. The connection stays, and the lease with it, until
     * the workers have ended. */
    listener->pg.cancel_fd = listener->env->stop->grace_fd;
    cpi_inbox_close(listener->inbox, &listener->events);
    if (listener->standing_by && !cpi_pg_is_open(&listener->pg) && listener->events.count + listener->unannounced > 0) {
        cpi_pg_open(&listener->pg, NULL); /* it may have been given up just now, because we are stopping */
    }
    deal_with_enqueued(listener);
    while (!cpi_spill_flush(listener->spill) && !cpi_stop_grace_passed(listener->env->stop)) {
        poll(NULL, 0, SPILL_LOOK_MS);
    }
    finish_lease(listener);
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
    listener->heartbeat.env = env;
    listener->pg = (struct cpi_pg){.config = env->config,
                                   .log = &env->log,
                                   .role = "cachepusher listener",
                                   .cancel_fd = env->stop->drain_fd,
                                   .statement_timeout_ms = LISTEN_TIMEOUT_MS};
    cpi_backoff_init(&listener->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 1);
    listener->spill = cpi_spill_create(env);
    if (listener->spill == NULL) {
        cpi_error_memory(err);
    }
    if (listener->spill == NULL || cpi_bell_init(&listener->bell, err) != CP_OK) {
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

void cpi_listener_join(struct cpi_listener *listener)
{
    cpi_thread_join(&listener->thread);
}

uint64_t cpi_listener_unsettled(const struct cpi_listener *listener)
{
    return cpi_spill_count(listener->spill);
}

uint64_t cpi_listener_unannounced(const struct cpi_listener *listener)
{
    return listener->unannounced;
}

void cpi_listener_release(struct cpi_listener *listener)
{
    cpi_pg_close(&listener->pg);
}

void cpi_listener_destroy(struct cpi_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    cpi_pg_close(&listener->pg);
    cpi_spill_destroy(listener->spill);
    cpi_events_fini(&listener->events, listener->env->config->entities);
    cpi_bell_fini(&listener->bell);
    free(listener);
}
