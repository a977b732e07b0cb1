#include "source/source_notify.h"

#include "base/clock.h"
#include "base/error.h"
#include "lease/admission.h"
#include "lease/lock.h"
#include "source/crowd.h"
#include "source/heartbeat.h"
#include "source/subscribe.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTEN_TIMEOUT_MS = 5000 };

struct notify {
    struct cpi_source source; /* first: the two are cast into each other */
    const struct cpi_env *env;
    struct cpi_pg pg;
    struct cpi_heartbeat heartbeat;
    int64_t barrier;       /* that has not come back yet; 0: none */
    int64_t barrier_at_ms; /* when it is to be sent, once more if need be */
    struct cpi_crowds crowds;
    int64_t now_ms; /* of the read under way */
};

static struct notify *notify_of(struct cpi_source *source)
{
    return (struct notify *)source;
}

/* ---- payloads ---- */

static void note_unread(struct notify *notify, uint32_t entity, const PGnotify *notification,
                        const struct cpi_unread *unread)
{
    cpi_stats_add(notify->env->stats, CPI_STAT_BAD_PAYLOADS, 1);
    cpi_stats_add(notify->env->stats, CPI_STAT_UNREADABLE, unread->impossible + unread->unreadable);
    cpi_log_repeated(&notify->env->log, CPI_REPEAT_PAYLOAD, NULL, CP_LOG_WARN,
                     &(struct cpi_log_about){.entity = notify->env->config->entities[entity].name},
                     "channel %s: payload \"%.*s\": \"%s\" is not a valid %s id; %s", notification->relname,
                     cpi_shown(notification->extra), notification->extra, unread->first,
                     cpi_id_type_name(notify->env->config->entities[entity].id_type),
                     unread->unreadable > 0 ? "requesting a resync" : "left out");
}

static void mark_crowd(struct notify *notify, const PGnotify *notification, struct cpi_events *events, size_t from)
{
    if (cpi_crowds_count(&notify->crowds, notification->be_pid, events->count - from, notify->now_ms)) {
        for (size_t i = from; i < events->count; i++) {
            events->items[i].in_crowd = true;
        }
    }
}

static void receive_for(struct notify *notify, uint32_t entity, const PGnotify *notification,
                        struct cpi_arrivals *arrivals)
{
    const struct cpi_entity *entities = notify->env->config->entities;
    size_t target = cpi_config_target(notify->env->config, entity);
    size_t before = arrivals->events.count;
    struct cpi_unread unread;
    switch (cpi_event_parse(&entities[entity], entity, notification->extra, &arrivals->events, entities, &unread)) {
    case CPI_PAYLOAD_IDS:
        mark_crowd(notify, notification, &arrivals->events, before);
        arrivals->unreadable[target] = arrivals->unreadable[target] || unread.unreadable > 0;
        if (unread.impossible + unread.unreadable > 0) {
            note_unread(notify, entity, notification, &unread);
        }
        break;
    case CPI_PAYLOAD_EVERYTHING:
        arrivals->everything[target] = true;
        break;
    case CPI_PAYLOAD_AGAIN:
        arrivals->again[target] = true;
        break;
    case CPI_PAYLOAD_NO_MEMORY:
        arrivals->lost[target] = true;
        break;
    }
}

/* Only the one that is waited for counts, and once: others may send to our channel, too. */
static void receive_barrier(struct notify *notify, int64_t number, struct cpi_arrivals *arrivals)
{
    if (number == notify->barrier) {
        arrivals->barrier = number;
        notify->barrier = 0;
    }
}

static void receive(struct notify *notify, const PGnotify *notification, struct cpi_arrivals *arrivals)
{
    const struct cp_config *config = notify->env->config;
    cpi_heartbeat_heard(&notify->heartbeat);
    if (strcmp(notification->relname, notify->env->channel) == 0) {
        if (!cpi_heartbeat_is(notification->extra)) {
            receive_barrier(notify, strtoll(notification->extra, NULL, 10), arrivals);
        }
        return;
    }
    for (uint32_t e = 0; e < config->entity_count + config->mapping_count; e++) {
        for (size_t c = 0; c < config->entities[e].channel_count; c++) {
            if (strcmp(notification->relname, config->entities[e].channels[c]) == 0) {
                receive_for(notify, e, notification, arrivals);
            }
        }
    }
}

/* ---- the barrier ---- */

static void notify_barrier(struct cpi_source *source, int64_t number)
{
    struct notify *notify = notify_of(source);
    notify->barrier = number;
    notify->barrier_at_ms = 0;
}

/* While a notification of ours is under way, which a commit may hold up for long, it waits: that one's end is read. */
static bool can_send_barrier(const struct notify *notify)
{
    return notify->barrier != 0 && PQtransactionStatus(notify->pg.connection) != PQTRANS_ACTIVE;
}

/* Postgres delivers notifications in order of commit: this one comes behind all that were committed before it. It may
 * fail (a lock it waits for, a full queue), so it is sent again until it comes back; twice does no harm. */
static cp_code send_barrier(struct notify *notify, cp_error *err)
{
    if (!can_send_barrier(notify) || cpi_now_ms() < notify->barrier_at_ms) {
        return CP_OK;
    }
    char sql[96];
    snprintf(sql, sizeof sql, "notify %s, '%lld'", notify->env->channel, (long long)notify->barrier);
    notify->barrier_at_ms = cpi_now_ms() + CPI_HEARTBEAT_INTERVAL_MS;
    return PQsendQuery(notify->pg.connection, sql) != 0
               ? CP_OK
               : cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(notify->pg.connection));
}

/* ---- the interface ---- */

static void notify_close(struct cpi_source *source)
{
    struct notify *notify = notify_of(source);
    cpi_pg_close(&notify->pg);
    notify->barrier = 0;
}

/* The lock only tells our sessions from each other: whoever takes it must not make us deaf. */
static cp_code claim_listening(struct notify *notify, cp_error *err)
{
    const struct cpi_env *env = notify->env;
    struct cpi_lock_holder stranger;
    cp_code code = cpi_lock_claim_listening(&notify->pg, env->lease->name, &stranger, err);
    if (code == CP_OK && stranger.exists) {
        cpi_stats_add(env->stats, CPI_STAT_STRANGERS, 1);
        cpi_log(&env->log, CP_LOG_ERROR,
                "listener: its lock is held or waited for by %s, which is not our role: listening without it "
                "(select pg_terminate_backend(%s))",
                stranger.line, stranger.pid);
    }
    return code;
}

/* What is listened to has to be the database that the lease is held in: an address may lead elsewhere than before. */
static cp_code notify_open(struct cpi_source *source, bool *resumed, cp_error *err)
{
    struct notify *notify = notify_of(source);
    *resumed = false; /* what nobody listened to is lost */
    cp_code code = cpi_pg_open(&notify->pg, err);
    code = code == CP_OK ? claim_listening(notify, err) : code;
    code = code == CP_OK ? cpi_subscribe(&notify->pg, notify->env, err) : code;
    code = code == CP_OK ? cpi_lease_confirm(notify->env->lease, &notify->pg, err) : code;
    if (code != CP_OK) {
        notify_close(source);
        return code;
    }
    cpi_heartbeat_reset(&notify->heartbeat);
    return CP_OK;
}

static void receive_all(struct notify *notify, struct cpi_arrivals *arrivals)
{
    PGnotify *notification;
    notify->now_ms = cpi_now_ms();
    while ((notification = PQnotifies(notify->pg.connection)) != NULL) {
        receive(notify, notification, arrivals);
        PQfreemem(notification);
    }
}

static cp_code notify_read(struct cpi_source *source, struct cpi_arrivals *arrivals, cp_error *err)
{
    struct notify *notify = notify_of(source);
    cp_code code = CP_OK;
    if (PQconsumeInput(notify->pg.connection) == 0) {
        code = cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(notify->pg.connection));
    }
    receive_all(notify, arrivals);
    cpi_stats_heard(notify->env->stats, notify->heartbeat.heard_at_ms);
    if (code == CP_OK && !cpi_heartbeat_beat(&notify->heartbeat, &notify->pg, err)) {
        code = CP_ERR_POSTGRES;
    }
    code = code == CP_OK ? send_barrier(notify, err) : code;
    receive_all(notify, arrivals); /* what stood behind the heartbeat's own result */
    if (code != CP_OK) {
        notify_close(source);
    }
    return code;
}

static int notify_fd(const struct cpi_source *source)
{
    return cpi_pg_fd(&((const struct notify *)source)->pg);
}

static int notify_due_ms(const struct cpi_source *source)
{
    const struct notify *notify = (const struct notify *)source;
    int due_ms = cpi_heartbeat_due_ms(&notify->heartbeat);
    int barrier_ms = can_send_barrier(notify) ? cpi_left_ms(notify->barrier_at_ms) : due_ms;
    return barrier_ms < due_ms ? barrier_ms : due_ms;
}

/* What was heard is forgotten by Postgres at once. */
static void notify_confirm(struct cpi_source *source, uint64_t position, bool complete)
{
    (void)source;
    (void)position;
    (void)complete;
}

static void notify_destroy(struct cpi_source *source)
{
    notify_close(source);
    free(source);
}

struct cpi_source *cpi_source_notify_create(const struct cpi_env *env)
{
    static const struct cpi_source_ops ops = {.open = notify_open,
                                              .read = notify_read,
                                              .fd = notify_fd,
                                              .due_ms = notify_due_ms,
                                              .barrier = notify_barrier,
                                              .confirm = notify_confirm,
                                              .close = notify_close,
                                              .destroy = notify_destroy};
    struct notify *notify = calloc(1, sizeof *notify);
    if (notify == NULL) {
        return NULL;
    }
    notify->source.ops = &ops;
    notify->env = env;
    notify->heartbeat.env = env;
    notify->pg = cpi_env_pg(env, "cachepusher listener", env->stop->drain_fd, LISTEN_TIMEOUT_MS);
    return &notify->source;
}
