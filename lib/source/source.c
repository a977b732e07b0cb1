#include "source/source.h"

#include "base/clock.h"
#include "base/error.h"
#include "source/flush.h"
#include "source/subscribe.h"

#include <libpq-fe.h>

enum {
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 2000,
    LEASE_LOOK_MS = 1000, /* at whether whoever has it is gone */
    LISTEN_TIMEOUT_MS = 5000
};

void cpi_source_init(struct cpi_source *source, const struct cpi_env *env, struct cpi_resync *resync)
{
    *source = (struct cpi_source){.env = env, .resync = resync, .heartbeat = {.env = env}};
    source->pg = cpi_env_pg(env, "cachepusher listener", env->stop->drain_fd, LISTEN_TIMEOUT_MS);
    cpi_backoff_init(&source->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 1);
}

void cpi_source_close(struct cpi_source *source)
{
    cpi_pg_close(&source->pg);
    source->is_listening = false;
}

/* ---- connecting ---- */

void cpi_source_lose(struct cpi_source *source, const cp_error *why)
{
    cpi_pg_close(&source->pg);
    cpi_lease_lose(source->env->lease);
    cpi_stats_set(source->env->stats, CPI_STAT_WRITER, 0);
    source->is_listening = false;
    int wait_ms = cpi_backoff_next(&source->backoff);
    source->retry_at_ms = cpi_now_ms() + wait_ms;
    cpi_stats_add(source->env->stats, CPI_STAT_RETRIES, 1);
    if (cpi_stop_phase(source->env->stop) == CPI_RUNNING) {
        cpi_log(&source->env->log, source->away ? CP_LOG_DEBUG : CP_LOG_WARN, "listener: %s; connecting again",
                why->message);
        source->away = true;
    }
}

/* Another syncer writes. The connection is kept, to ask again and to pass on what is enqueued here. */
static void stand_by(struct cpi_source *source, const char *holder)
{
    if (!source->standing_by || source->away) { /* after an outage too: else the log would end with that */
        cpi_log(&source->env->log, CP_LOG_INFO,
                "standing by: another cachepusher named \"%s\" writes (%s); one that writes other keys, or to another "
                "Redis, needs another name",
                cpi_config_name(source->env->config), holder);
    }
    if (!source->flushed && source->env->config->flush) {
        cpi_log(&source->env->log, CP_LOG_WARN, "flush: left out, since another cachepusher came first");
        source->flushed = true; /* when that one's turn ends, in the middle of the night, is not when to flush */
    }
    source->standing_by = true;
    source->away = false;
}

static bool flush_once(struct cpi_source *source, cp_error *err)
{
    source->flushed =
        source->flushed || !source->env->config->flush || cpi_flush(source->env, &source->pg, err) == CP_OK;
    return source->flushed;
}

/* The order matters: the lease, so that nothing is done that another syncer does; LISTEN; and only then the resync. */
static bool take_over(struct cpi_source *source, cp_error *err)
{
    if (!flush_once(source, err) || cpi_subscribe(&source->pg, source->env, err) != CP_OK) {
        return false;
    }
    const struct cpi_env *env = source->env;
    bool was_standing_by = source->standing_by;
    cpi_backoff_reset(&source->backoff);
    if (source->away || source->standing_by) {
        cpi_log(&env->log, CP_LOG_INFO, "listener: %s", source->standing_by ? "taking over" : "listening again");
    }
    source->away = false;
    source->standing_by = false;
    source->is_listening = true;
    source->turns++;
    cpi_heartbeat_reset(&source->heartbeat);
    cpi_stats_set(env->stats, CPI_STAT_WRITER, 1);
    cpi_stats_add(env->stats, CPI_STAT_RECONNECTS, source->has_listened);
    /* Whoever wrote before may have left anything, whatever the warm-up is meant to be. */
    if (source->has_listened || was_standing_by) {
        cpi_resync_request(source->resync, CPI_ALL_ENTITIES, CP_CAUSE_LISTENER);
    }
    if (!source->has_listened) {
        cpi_resync_request(source->resync, CPI_ALL_ENTITIES, CP_CAUSE_START);
    }
    source->has_listened = true;
    for (uint32_t i = 0; i < env->config->threads; i++) {
        cpi_bell_ring(&env->lanes.items[i].bell); /* workers rest while another syncer writes */
    }
    return true;
}

static void connect_and_listen(struct cpi_source *source)
{
    cp_error err;
    enum cpi_lease_state state;
    char holder[CPI_HOLDER_BYTES];
    if ((!cpi_pg_is_open(&source->pg) && cpi_pg_open(&source->pg, &err) != CP_OK) ||
        cpi_lease_take(source->env->lease, &source->pg, &state, holder, &err) != CP_OK) {
        cpi_source_lose(source, &err);
        return;
    }
    source->retry_at_ms = cpi_now_ms() + LEASE_LOOK_MS;
    if (state == CPI_LEASE_TAKEN) {
        stand_by(source, holder);
    } else if (state != CPI_LEASE_NONE && !take_over(source, &err)) {
        cpi_source_lose(source, &err);
    }
}

/* ---- listening ---- */

/* While a former session has the lease, it may go to another syncer any time. False: it has, or the connection is lost.
 * The one query for which the listener waits, on a connection that has nothing else under way. */
static bool secure_lease(struct cpi_source *source, cp_error *err)
{
    enum cpi_lease_state state = cpi_lease_state(source->env->lease);
    char holder[CPI_HOLDER_BYTES];
    if (state != CPI_LEASE_INHERITED || cpi_now_ms() < source->retry_at_ms ||
        PQtransactionStatus(source->pg.connection) == PQTRANS_ACTIVE) {
        return true;
    }
    source->retry_at_ms = cpi_now_ms() + LEASE_LOOK_MS;
    if (cpi_lease_take(source->env->lease, &source->pg, &state, holder, err) != CP_OK) {
        return false;
    }
    if (state == CPI_LEASE_HELD) { /* and who knows whose it was in between */
        cpi_resync_request(source->resync, CPI_ALL_ENTITIES, CP_CAUSE_LISTENER);
    }
    if (state == CPI_LEASE_TAKEN) {
        cpi_error(err, CP_ERR_POSTGRES, true, "another cachepusher has taken over");
    }
    return state != CPI_LEASE_TAKEN;
}

/* A worker that asked Postgres may know more than this connection, which looks healthy. */
static bool has_lease(struct cpi_source *source, cp_error *err)
{
    bool held = cpi_lease_is_held(source->env->lease);
    if (!held) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: the session that held the right to write is gone");
    }
    return held;
}

bool cpi_source_read(struct cpi_source *source, cp_error *err)
{
    if (!source->is_listening && cpi_now_ms() >= source->retry_at_ms) {
        connect_and_listen(source);
    }
    *err = (cp_error){.code = CP_OK};
    if (source->is_listening && PQconsumeInput(source->pg.connection) == 0) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(source->pg.connection));
    }
    return source->is_listening;
}

void cpi_source_check(struct cpi_source *source, const cp_error *lost)
{
    cp_error err = *lost;
    if (err.code != CP_OK || !has_lease(source, &err) || !cpi_heartbeat_beat(&source->heartbeat, &source->pg, &err) ||
        !secure_lease(source, &err)) {
        cpi_source_lose(source, &err);
    }
}

int cpi_source_due_ms(const struct cpi_source *source)
{
    if (!source->is_listening) {
        return cpi_left_ms(source->retry_at_ms);
    }
    int due_ms = cpi_heartbeat_due_ms(&source->heartbeat);
    bool inherited = cpi_lease_state(source->env->lease) == CPI_LEASE_INHERITED;
    return inherited && due_ms > LEASE_LOOK_MS ? LEASE_LOOK_MS : due_ms;
}

/* ---- stopping ---- */

static void discard(struct cpi_source *source)
{
    PGnotify *notification;
    while ((notification = PQnotifies(source->pg.connection)) != NULL) {
        cpi_heartbeat_heard(&source->heartbeat);
        PQfreemem(notification);
    }
}

/* Without LISTEN: nothing more is taken in. */
static void get_lease_back(struct cpi_source *source)
{
    enum cpi_lease_state state = CPI_LEASE_NONE;
    char holder[CPI_HOLDER_BYTES];
    if ((!cpi_pg_is_open(&source->pg) && cpi_pg_open(&source->pg, NULL) != CP_OK) ||
        cpi_lease_take(source->env->lease, &source->pg, &state, holder, NULL) != CP_OK) {
        cpi_pg_close(&source->pg);
    }
    source->retry_at_ms = cpi_now_ms() + RETRY_BASE_MS;
}

/* One that only holds the lease and does not listen has no heartbeat to hear, but has to do something now and then. */
static void show_a_sign_of_life(struct cpi_source *source)
{
    struct cpi_rows *result =
        cpi_pg_is_open(&source->pg) ? cpi_pg_query(&source->pg, "select", NULL, 0, false, NULL) : NULL;
    if (result == NULL) {
        cpi_pg_close(&source->pg);
        cpi_lease_lose(source->env->lease);
    }
    cpi_rows_free(result);
    source->retry_at_ms = cpi_now_ms() + LEASE_LOOK_MS;
}

void cpi_source_hold(struct cpi_source *source)
{
    cp_error err;
    source->pg.cancel_fd = source->env->stop->grace_fd;
    if (source->is_listening) {
        bool listening = cpi_source_read(source, &err);
        if (listening) {
            discard(source);
            cpi_source_check(source, &err);
        }
        return;
    }
    if (cpi_now_ms() < source->retry_at_ms) {
        return;
    }
    switch (cpi_lease_state(source->env->lease)) {
    case CPI_LEASE_NONE:
    case CPI_LEASE_INHERITED:
        get_lease_back(source);
        break;
    case CPI_LEASE_HELD:
        show_a_sign_of_life(source);
        break;
    case CPI_LEASE_TAKEN:
        source->retry_at_ms = cpi_now_ms() + LEASE_LOOK_MS;
        break;
    }
}
