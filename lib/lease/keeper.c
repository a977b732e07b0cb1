#include "lease/keeper.h"

#include "base/backoff.h"
#include "base/bell.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "base/thread.h"
#include "lease/lock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 2000,
    LOOK_MS = 1000 /* between tries to get the lock from whoever has it */
};

_Static_assert(2 * CPI_LEASE_PING_MS < CPI_LEASE_SILENT_MS, "one late ping must not cost the lease");

struct cpi_keeper {
    struct cpi_lease *lease;
    const struct cpi_log *log;
    const struct cpi_thread_hooks *hooks;
    struct cpi_stats *stats;
    int database;
    struct cpi_thread thread;
    struct cpi_pulse pulse;
    struct cpi_bell bell;
    const struct cpi_stop *stop; /* the syncer's */
    struct cpi_stop released;    /* the keeper's own: draining means that the lease is to be let go */

    /* All below belongs to the thread. */
    struct cpi_pg pg;
    struct cpi_backoff backoff;
    int64_t due_ms;   /* when to ping, to try again or to connect */
    unsigned tries;   /* each with a token of its own */
    bool holds;       /* pg's session holds the lock, as far as we know */
    bool has_held;    /* once at least */
    bool standing_by; /* has been logged */
    struct cpi_outage outage;
    const char *host; /* Postgres, for messages */
};

static void set_state(struct cpi_keeper *keeper, enum cpi_lease_state state)
{
    cpi_stats_set(keeper->stats, CPI_STAT_WRITER, state == CPI_LEASE_HELD || state == CPI_LEASE_INHERITED);
    cpi_lease_set(keeper->lease, state);
}

/* ---- losing it ---- */

/* What another syncer has taken counts as taken until we have asked again. */
static void lose(struct cpi_keeper *keeper, const cp_error *why)
{
    if (cpi_stop_phase(&keeper->released) == CPI_RUNNING) {
        cpi_log_about(keeper->log, cpi_outage_note(&keeper->outage) ? CP_LOG_WARN : CP_LOG_DEBUG,
                      &(struct cpi_log_about){.host = keeper->host}, "lease: %s; connecting again", why->message);
    }
    cpi_pg_close(&keeper->pg);
    keeper->holds = false;
    if (cpi_lease_state(keeper->lease) != CPI_LEASE_TAKEN) {
        set_state(keeper, CPI_LEASE_NONE);
    }
    cpi_stats_set(keeper->stats, CPI_STAT_WRITER, 0);
    cpi_stats_add(keeper->stats, CPI_STAT_RETRIES, 1);
    cpi_stats_add_error(keeper->stats, why);
    cpi_pulse_fails(why);
    keeper->due_ms = cpi_now_ms() + cpi_backoff_next(&keeper->backoff);
}

/* ---- getting it ---- */

static void hold(struct cpi_keeper *keeper, const struct cpi_lease_session *session)
{
    if (keeper->standing_by) {
        cpi_log(keeper->log, CP_LOG_INFO, "lease: taking over");
        keeper->outage = (struct cpi_outage){.tries = 0};
    }
    cpi_outage_end(&keeper->outage, keeper->log, keeper->host, "lease: held again");
    keeper->standing_by = false;
    keeper->holds = true;
    cpi_stats_add(keeper->stats, CPI_STAT_RECONNECTS, keeper->has_held);
    keeper->has_held = true;
    cpi_backoff_reset(&keeper->backoff);
    cpi_stats_set(keeper->stats, CPI_STAT_WRITER, 1);
    cpi_lease_begin_term(keeper->lease, session);
    keeper->due_ms = cpi_now_ms() + CPI_LEASE_PING_MS;
}

static void keeper_stand_by(struct cpi_keeper *keeper, const struct cpi_lock_holder *holder)
{
    if (!keeper->standing_by || keeper->outage.tries > 0) { /* after an outage too: else the log would end with that */
        cpi_log(keeper->log, CP_LOG_INFO,
                "standing by: another cachepusher named \"%s\" is the writer (%s); one that writes other keys, or to "
                "another Redis, needs another name",
                keeper->lease->name, holder->line);
    }
    keeper->standing_by = true;
    keeper->outage = (struct cpi_outage){.tries = 0};
}

/* The lock is an advisory one, which any role may take. Nobody writes then, and nobody can be told to: what waits here
 * is kept. To end somebody else's session is not ours to decide. */
static void note_stranger(struct cpi_keeper *keeper, const struct cpi_lock_holder *holder)
{
    cpi_stats_add(keeper->stats, CPI_STAT_STRANGERS, 1);
    cpi_log_repeated(keeper->log, CPI_REPEAT_STRANGER, NULL, CP_LOG_ERROR, NULL,
                     "lease: its lock \"%s\" is held by %s, which is not our role: nothing is written until that ends "
                     "(select pg_terminate_backend(%s)); instances of one name need one role",
                     keeper->lease->name, holder->line, holder->pid);
    cpi_outage_note(&keeper->outage); /* so that it is said when it is over */
}

/* Postgres may take hours to notice that a client is gone without a word. Where we have no right to end its session we
 * wait, like everybody else. */
static void end_session(struct cpi_keeper *keeper, const struct cpi_lock_holder *holder, const char *whose)
{
    cp_error err;
    bool done = cpi_lock_end_session(&keeper->pg, holder->pid, &err) == CP_OK;
    cpi_log_repeated(keeper->log, CPI_REPEAT_ENDING, NULL, done ? CP_LOG_INFO : CP_LOG_WARN, NULL,
                     "ending the session of %s, Postgres process %s: %s", whose, holder->pid,
                     done ? "done" : err.message);
}

/* The lock is somebody's: of a session that we had before, which is told to end and under whose name we go on, since
 * nobody else can have the lock meanwhile; or of another syncer. */
static cp_code find_holder(struct cpi_keeper *keeper, cp_error *err)
{
    struct cpi_lease_session session;
    struct cpi_lock_holder holder;
    cpi_lease_read(keeper->lease, &session);
    if (cpi_lock_find_holder(&keeper->pg, keeper->lease->name, session.token, &holder, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    if (!holder.exists) { /* it has just been let go: the next try, at once, decides */
        keeper->due_ms = cpi_now_ms() + RETRY_BASE_MS;
        set_state(keeper, CPI_LEASE_NONE);
    } else if (holder.is_token) {
        end_session(keeper, &holder, "a former connection of ours");
        set_state(keeper, CPI_LEASE_INHERITED);
    } else if (!holder.is_ours) {
        note_stranger(keeper, &holder);
        set_state(keeper, CPI_LEASE_NONE);
    } else {
        if (holder.is_silent) {
            end_session(keeper, &holder, "a cachepusher that has gone silent");
        }
        keeper_stand_by(keeper, &holder);
        set_state(keeper, CPI_LEASE_TAKEN);
    }
    return CP_OK;
}

static cp_code try_lock(struct cpi_keeper *keeper, cp_error *err)
{
    struct cpi_lease_session session = {.token = ""};
    bool acquired = false;
    snprintf(session.token, sizeof session.token, "%s-%u", keeper->lease->token, ++keeper->tries);
    if (cpi_lock_try(&keeper->pg, keeper->lease->name, keeper->database, &session, &acquired, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    if (acquired) {
        hold(keeper, &session);
        return CP_OK;
    }
    keeper->due_ms = cpi_now_ms() + LOOK_MS;
    return find_holder(keeper, err);
}

/* ---- holding it ---- */

static cp_code ping(struct cpi_keeper *keeper, cp_error *err)
{
    static const char query[] = "select (pg_catalog.pg_notification_queue_usage()"
                                " operator(pg_catalog.*) 1000000::pg_catalog.float8)::pg_catalog.int8";
    struct cpi_rows *rows = cpi_pg_query(&keeper->pg, query, NULL, 0, false, err);
    if (rows != NULL && cpi_rows_count(rows) == 1 && cpi_rows_columns(rows) == 1) {
        cpi_stats_set(keeper->stats, CPI_STAT_QUEUE, strtoull(cpi_rows_value(rows, 0, 0), NULL, 10));
    }
    cpi_rows_free(rows);
    keeper->due_ms = cpi_now_ms() + CPI_LEASE_PING_MS;
    return rows != NULL ? CP_OK : CP_ERR_POSTGRES;
}

/* A worker that has asked Postgres may know more than this session, which looks healthy. */
static bool has_been_reported_lost(struct cpi_keeper *keeper)
{
    return keeper->holds && cpi_lease_state(keeper->lease) != CPI_LEASE_HELD;
}

/* The server never speaks first but to end the session, or to report a changed setting. */
static bool has_server_spoken(struct cpi_keeper *keeper)
{
    struct pollfd fd = {.fd = cpi_pg_fd(&keeper->pg), .events = POLLIN};
    return cpi_pg_is_open(&keeper->pg) && poll(&fd, 1, 0) > 0;
}

static cp_code step(struct cpi_keeper *keeper, cp_error *err)
{
    if (has_been_reported_lost(keeper)) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: the session that held the lease is gone");
    }
    if (keeper->holds) {
        return ping(keeper, err);
    }
    if (cpi_stop_phase(keeper->stop) != CPI_RUNNING && cpi_lease_state(keeper->lease) == CPI_LEASE_TAKEN) {
        keeper->due_ms = cpi_now_ms() + LOOK_MS; /* a syncer that stops has no use for another term */
        return CP_OK;
    }
    if (!cpi_pg_is_open(&keeper->pg) && cpi_pg_open(&keeper->pg, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    return try_lock(keeper, err);
}

static bool is_due(struct cpi_keeper *keeper)
{
    return cpi_now_ms() >= keeper->due_ms || has_been_reported_lost(keeper) || has_server_spoken(keeper);
}

static void keeper_rest(struct cpi_keeper *keeper)
{
    cpi_bell_arm(&keeper->bell);
    if (cpi_stop_phase(&keeper->released) == CPI_RUNNING && !has_been_reported_lost(keeper)) {
        cpi_bell_sleep(&keeper->bell, cpi_pg_is_open(&keeper->pg) ? cpi_pg_fd(&keeper->pg) : -1,
                       cpi_left_ms(keeper->due_ms));
    }
    cpi_bell_disarm(&keeper->bell);
}

static void *run_keeper(void *context)
{
    struct cpi_keeper *keeper = context;
    cpi_pulse_adopt(&keeper->pulse);
    cpi_pulse_does("keeping the lease");
    while (cpi_stop_phase(&keeper->released) == CPI_RUNNING) {
        cp_error err = {0};
        if (is_due(keeper)) {
            if (step(keeper, &err) == CP_OK) {
                cpi_pulse_succeeds();
            } else {
                lose(keeper, &err);
            }
        }
        cpi_repeats_tick(keeper->log, cpi_now_ms(), cpi_stats_get(keeper->stats, CPI_STAT_FAILING));
        keeper_rest(keeper);
    }
    cpi_pg_close(&keeper->pg);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_keeper *cpi_keeper_create(const struct cpi_keeper_parts *parts, cp_error *err)
{
    struct cpi_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    cpi_pulse_init(&keeper->pulse, "cp-lease");
    keeper->lease = parts->lease;
    keeper->log = parts->log;
    keeper->hooks = parts->hooks;
    keeper->host = parts->host;
    keeper->stats = parts->stats;
    keeper->stop = parts->stop;
    keeper->database = parts->database;
    keeper->pg = parts->pg;
    keeper->bell.fd = -1;
    cpi_backoff_init(&keeper->backoff, RETRY_BASE_MS, RETRY_CAP_MS, parts->seed ^ 6);
    if (cpi_stop_init(&keeper->released, err) != CP_OK || cpi_bell_init(&keeper->bell, err) != CP_OK) {
        cpi_keeper_destroy(keeper);
        return NULL;
    }
    keeper->pg.cancel_fd = keeper->released.drain_fd;
    return keeper;
}

cp_code cpi_keeper_start(struct cpi_keeper *keeper, cp_error *err)
{
    return cpi_thread_start(&keeper->thread, keeper->hooks, "cp-lease", run_keeper, keeper, err);
}

void cpi_keeper_wake(struct cpi_keeper *keeper)
{
    cpi_bell_ring(&keeper->bell);
}

void cpi_keeper_join(struct cpi_keeper *keeper)
{
    cpi_stop_drain(&keeper->released, 0);
    cpi_bell_ring(&keeper->bell);
    cpi_thread_join(&keeper->thread);
}

struct cpi_pulse *cpi_keeper_pulse(struct cpi_keeper *keeper)
{
    return &keeper->pulse;
}

void cpi_keeper_destroy(struct cpi_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    cpi_pulse_fini(&keeper->pulse);
    cpi_pg_close(&keeper->pg);
    cpi_bell_fini(&keeper->bell);
    cpi_stop_fini(&keeper->released);
    free(keeper);
}
