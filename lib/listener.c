#include "listener.h"

#include "backoff.h"
#include "clock.h"
#include "error.h"
#include "pg.h"
#include "spill.h"
#include "thread.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 5000,
    /* Between looks at full rings: a worker empties one in about the time of a batch. */
    SPILL_LOOK_MS = 5,
    /* A connection can look healthy and bring nothing: a peer that is gone without a word, a frozen server, a pooler
     * that took our LISTEN elsewhere. So the listener notifies itself and expects to hear it. */
    BEAT_EVERY_MS = 3000,
    DEAF_AFTER_MS = 9000,
    LISTEN_TIMEOUT_MS = 5000
};

/* The payload of a heartbeat; those of fences are numbers. */
static const char BEAT[] = "beat";

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
    int64_t heard_at_ms;          /* the last notification */
    int64_t beat_at_ms;           /* when the next is to be sent */
    struct cpi_log_limit bad;     /* payloads */
    struct cpi_log_limit held_up; /* notifications */
    struct cpi_log_limit overflowing;
    bool has_listened; /* at least once */
    bool away;         /* an outage has been logged */
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
        cpi_resync_request(listener->resync, CPI_ALL_ENTITIES, CPI_CAUSE_OVERFLOW);
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
        cpi_resync_request(listener->resync, index, CPI_CAUSE_TRUNCATE);
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
        cpi_resync_request(listener->resync, index, CPI_CAUSE_OVERFLOW);
        break;
    }
}

static void receive(struct cpi_listener *listener, const PGnotify *notification)
{
    const struct cp_config *config = listener->env->config;
    listener->heard_at_ms = cpi_now_ms(); /* of any: behind a long queue the heartbeat itself comes late */
    if (strcmp(notification->relname, listener->env->channel) == 0) {
        if (strcmp(notification->extra, BEAT) == 0) {
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
    int wait_ms = cpi_backoff_next(&listener->backoff);
    listener->retry_at_ms = cpi_now_ms() + wait_ms;
    if (cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        cpi_log(&listener->env->log, listener->away ? CP_LOG_DEBUG : CP_LOG_WARN, "listener: %s; connecting again",
                why->message);
        listener->away = true;
    }
}

static bool listen_to(struct cpi_listener *listener, const char *channel, cp_error *err)
{
    char *quoted = PQescapeIdentifier(listener->pg.connection, channel, strlen(channel));
    char sql[256];
    bool fits = quoted != NULL && snprintf(sql, sizeof sql, "listen %s", quoted) < (int)sizeof sql;
    PQfreemem(quoted);
    if (!fits) {
        cpi_error_memory(err);
        return false;
    }
    PGresult *result = cpi_pg_query(&listener->pg, sql, NULL, 0, false, err);
    PQclear(result);
    return result != NULL;
}

static bool listen_to_all(struct cpi_listener *listener, cp_error *err)
{
    const struct cp_config *config = listener->env->config;
    for (uint32_t e = 0; e < config->entity_count; e++) {
        for (size_t c = 0; c < config->entities[e].channel_count; c++) {
            if (!listen_to(listener, config->entities[e].channels[c], err)) {
                return false;
            }
        }
    }
    /* A heartbeat needs no durability, and must not wait for a standby. */
    PGresult *result = cpi_pg_query(&listener->pg, "set synchronous_commit = off", NULL, 0, false, err);
    PQclear(result);
    return result != NULL && listen_to(listener, listener->env->channel, err);
}

/* Whether our notification waits for a lock: all notifying commits queue up behind one that waits for a synchronous
 * standby, say. Then the connection is not deaf, and connecting again would be no cure. Asked on another connection,
 * once every DEAF_AFTER_MS. */
static bool is_held_up(struct cpi_listener *listener)
{
    if (PQtransactionStatus(listener->pg.connection) != PQTRANS_ACTIVE) {
        return false;
    }
    char pid[16];
    snprintf(pid, sizeof pid, "%d", PQbackendPID(listener->pg.connection));
    struct cpi_pg_parameter parameter = {.value = pid};
    struct cpi_pg other = listener->pg;
    other.connection = NULL;
    PGresult *result = cpi_pg_open(&other, NULL) != CP_OK
                           ? NULL
                           : cpi_pg_query(&other,
                                          "select from pg_catalog.pg_stat_activity where pid = $1::int and"
                                          " state = 'active' and wait_event_type in ('Lock', 'IPC')",
                                          &parameter, 1, false, NULL);
    bool held_up = PQntuples(result) > 0;
    PQclear(result);
    cpi_pg_close(&other);
    return held_up;
}

/* Sends a heartbeat when one is due. Only the notification tells that it has arrived; its result is thrown away. False:
 * the connection is lost or deaf. */
static bool beat(struct cpi_listener *listener, cp_error *err)
{
    PGconn *connection = listener->pg.connection;
    while (PQisBusy(connection) == 0) {
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            break;
        }
        PQclear(result);
    }
    int64_t now_ms = cpi_now_ms();
    if (now_ms - listener->heard_at_ms >= DEAF_AFTER_MS && is_held_up(listener)) {
        cpi_log_limited(&listener->env->log, &listener->held_up, CP_LOG_WARN,
                        "listener: notifications are held up in Postgres, by a commit that waits");
        listener->heard_at_ms = now_ms;
    }
    if (now_ms - listener->heard_at_ms >= DEAF_AFTER_MS) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: no notification has come back for %d s", DEAF_AFTER_MS / 1000);
        return false;
    }
    if (now_ms < listener->beat_at_ms) {
        return true;
    }
    listener->beat_at_ms = now_ms + BEAT_EVERY_MS;
    if (PQtransactionStatus(connection) == PQTRANS_ACTIVE) {
        return true; /* the one before is still under way */
    }
    char sql[64];
    snprintf(sql, sizeof sql, "notify %s, '%s'", listener->env->channel, BEAT);
    if (PQsendQuery(connection, sql) == 0) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(connection));
        return false;
    }
    return true;
}

static void connect_and_listen(struct cpi_listener *listener)
{
    cp_error err;
    if (cpi_pg_open(&listener->pg, &err) != CP_OK || !listen_to_all(listener, &err)) {
        lose(listener, &err);
        return;
    }
    cpi_backoff_reset(&listener->backoff);
    if (listener->away) {
        cpi_log(&listener->env->log, CP_LOG_INFO, "listener: listening again");
        listener->away = false;
    }
    cpi_stats_add(listener->env->stats, CPI_STAT_RECONNECTS, listener->has_listened);
    cpi_resync_request(listener->resync, CPI_ALL_ENTITIES,
                       listener->has_listened ? CPI_CAUSE_LISTENER : CPI_CAUSE_START);
    listener->has_listened = true;
    listener->heard_at_ms = cpi_now_ms();
    listener->beat_at_ms = listener->heard_at_ms;
}

/* ---- the thread ---- */

static void take_inbox(struct cpi_listener *listener)
{
    cpi_inbox_take(listener->inbox, &listener->events);
    route(listener);
}

static void read_source(struct cpi_listener *listener)
{
    if (!cpi_pg_is_open(&listener->pg)) {
        if (cpi_now_ms() >= listener->retry_at_ms) {
            connect_and_listen(listener);
        }
        if (!cpi_pg_is_open(&listener->pg)) {
            return;
        }
    }
    cp_error err;
    bool alive = PQconsumeInput(listener->pg.connection) != 0;
    if (!alive) {
        cpi_error(&err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(listener->pg.connection));
    }
    receive_all(listener);
    if (!alive || !beat(listener, &err)) {
        lose(listener, &err);
    }
}

/* Sleeps until Postgres has sent something, somebody has rung, or it is time to look again. */
static void rest(struct cpi_listener *listener)
{
    bool open = cpi_pg_is_open(&listener->pg);
    int timeout_ms = cpi_left_ms(open ? listener->beat_at_ms : listener->retry_at_ms);
    if (listener->spilled && timeout_ms > SPILL_LOOK_MS) {
        timeout_ms = SPILL_LOOK_MS;
    }
    cpi_bell_arm(&listener->bell);
    if (cpi_inbox_is_empty(listener->inbox) && cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        cpi_bell_sleep(&listener->bell, open ? PQsocket(listener->pg.connection) : -1, timeout_ms);
    }
    cpi_bell_disarm(&listener->bell);
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
    cpi_pg_close(&listener->pg);

    /* What has been received is settled; nothing more is received. */
    cpi_inbox_close(listener->inbox, &listener->events);
    route(listener);
    while (!cpi_spill_flush(listener->spill) && !cpi_stop_grace_passed(listener->env->stop)) {
        poll(NULL, 0, SPILL_LOOK_MS);
    }
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

void cpi_listener_destroy(struct cpi_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    cpi_spill_destroy(listener->spill);
    cpi_events_fini(&listener->events, listener->env->config->entities);
    cpi_bell_fini(&listener->bell);
    free(listener);
}
