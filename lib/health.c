#include "health.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    /* A server that has not answered for so long is said to be away, by whoever asks simple things of it. */
    SILENT_SERVER_MS = 2500,
    /* Postgres is heard every two seconds at least while somebody listens to it. */
    SILENT_SOURCE_MS = 4000,
    /* A worker that does not take what waits for it. */
    UNTAKEN_MS = 3500
};

static void say(cp_health *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first reason is the one that is told. */
static void say(cp_health *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (out->why[0] == '\0') {
        cpi_format(out->why, sizeof out->why, format, arguments);
    }
    va_end(arguments);
}

static double seconds(uint64_t ms)
{
    return (double)ms / 1000.0;
}

/* ---- threads ---- */

static bool is_called(const cp_thread *thread, const char *name)
{
    return strncmp(thread->name, name, strlen(name)) == 0;
}

/* What a batch asks of Postgres, or a listing, or a look at thousands of partitions, may take its time: the lag tells
 * of the first. */
static bool asks_simple_things(const cp_thread *thread)
{
    return !is_called(thread, "cp-worker") && !is_called(thread, "cp-resync") && !is_called(thread, "cp-catalog") &&
           !is_called(thread, "cp-audit") && !is_called(thread, "cp-mapper");
}

/* Whether what it fails at keeps documents from being current. Whoever stands by has nothing else to do than to ask for
 * the lease; and a thread that failed and has nothing to do any more has not been well since, but need not be. */
static bool matters(const struct cpi_health_view *view, size_t index, const cp_thread *thread)
{
    const struct cpi_lanes *lanes = &view->env->lanes;
    if (cpi_lease_state(view->env->lease) == CPI_LEASE_TAKEN) {
        return is_called(thread, "cp-lease");
    }
    if (index < lanes->count) {
        cp_lane lane = {.size = sizeof lane};
        cpi_lane_look(&lanes->items[index], &lane);
        return lane.in_ring + lane.live + lane.crowd + lane.bulk > 0;
    }
    return !is_called(thread, "cp-catalog") && !is_called(thread, "cp-audit");
}

static void judge_thread(const cp_thread *thread, bool matters, cp_health *out, bool *is_away)
{
    bool is_silent = thread->for_ms >= SILENT_SERVER_MS;
    if (thread->waits_for == CP_WAIT_REDIS && is_silent) {
        say(out, "Redis has not answered %s for %.1f s", thread->name, seconds(thread->for_ms));
        *is_away = true;
    } else if (thread->waits_for == CP_WAIT_STORE && is_silent) {
        say(out, "the store has not answered %s for %.1f s", thread->name, seconds(thread->for_ms));
        *is_away = true;
    } else if (thread->waits_for == CP_WAIT_POSTGRES && is_silent && asks_simple_things(thread)) {
        say(out, "Postgres has not answered %s for %.1f s", thread->name, seconds(thread->for_ms));
        *is_away = true;
    } else if (thread->waits_for == CP_WAIT_HOST && is_silent) {
        say(out, "the host takes no results, or too few: %s has waited for room for %.1f s", thread->name,
            seconds(thread->for_ms));
        *is_away = true;
    } else if (thread->failing && matters) {
        say(out, "%s: %s (for %.1f s)", thread->name, thread->error, seconds(thread->failing_ms));
        *is_away = true;
    }
}

static void judge_stuck(const cp_thread *thread, cp_health *out)
{
    if (thread->runs && thread->stuck) {
        say(out, "%s is stuck: nothing for %.1f s%s%s", thread->name, seconds(thread->silent_ms),
            thread->doing != NULL ? " of " : "", thread->doing != NULL ? thread->doing : "");
        out->alive = false;
    }
}

/* Whoever is stuck comes first, since waiting does not help. */
static bool judge_threads(const struct cpi_health_view *view, cp_health *out)
{
    bool is_away = false;
    for (size_t i = 0; i < view->pulse_count; i++) {
        cp_thread thread;
        cpi_pulse_look(view->pulses[i], &thread);
        judge_stuck(&thread, out);
    }
    for (size_t i = 0; i < view->pulse_count; i++) {
        cp_thread thread;
        cpi_pulse_look(view->pulses[i], &thread);
        if (thread.runs) {
            judge_thread(&thread, matters(view, i, &thread), out, &is_away);
        }
    }
    return is_away;
}

/* ---- lanes ---- */

/* A worker that says it has nothing to do, and does not see what waits for it, is stuck as well. While it stands by it
 * is meant to leave things. */
static void judge_lanes(const struct cpi_health_view *view, cp_health *out)
{
    const struct cpi_lanes *lanes = &view->env->lanes;
    bool stands_by = cpi_lease_state(view->env->lease) == CPI_LEASE_TAKEN;
    for (uint32_t i = 0; i < lanes->count && !stands_by; i++) {
        uint64_t age_us = (uint64_t)cpi_lane_age_us(&lanes->items[i]);
        int64_t untaken_ms = cpi_lane_untaken_us(&lanes->items[i]) / 1000;
        cp_thread worker;
        out->lag_us = age_us > out->lag_us ? age_us : out->lag_us;
        cpi_pulse_look(view->pulses[i], &worker);
        bool sleeps = worker.waits_for == CP_WAIT_WORK && worker.for_ms >= UNTAKEN_MS && !worker.failing;
        if (untaken_ms >= UNTAKEN_MS && sleeps) {
            say(out, "%s is stuck: it has not taken what has waited for it for %.1f s", worker.name,
                (double)untaken_ms / 1000.0);
            out->alive = false;
        }
    }
}

/* What is to be mapped is behind as well. */
static void judge_mapping(const struct cpi_health_view *view, cp_health *out)
{
    cpi_ticks oldest = atomic_load_explicit(&view->env->stats->unmapped, memory_order_relaxed);
    uint64_t age_us = oldest != 0 ? (uint64_t)cpi_ticks_since_us(oldest, cpi_now_ticks()) : 0;
    bool stands_by = cpi_lease_state(view->env->lease) == CPI_LEASE_TAKEN;
    out->lag_us = !stands_by && age_us > out->lag_us ? age_us : out->lag_us;
}

/* ---- all of it ---- */

static void judge_source(const struct cpi_health_view *view, cp_health *out, bool is_writer, bool *is_degraded)
{
    int64_t heard_ms = atomic_load_explicit(&view->env->stats->heard_ms, memory_order_relaxed);
    int64_t silence_ms = heard_ms != 0 ? cpi_now_ms() - heard_ms : 0;
    out->silence_ms = silence_ms > 0 ? (uint64_t)silence_ms : 0;
    if (!is_writer) {
        return;
    }
    if (out->silence_ms >= SILENT_SOURCE_MS) {
        say(out, "the listener has heard nothing from Postgres for %.1f s", seconds(out->silence_ms));
        *is_degraded = true;
    }
    if (cpi_stats_get(view->env->stats, CPI_STAT_LISTENING) == 0 && cpi_stats_get(view->env->stats, CPI_STAT_READY)) {
        say(out, "changes are not listened for");
        *is_degraded = true;
    }
}

/* What has been lost or missed: documents are missing, or nobody knows which of them are old. For what else is read
 * again a change is known to wait, as for any other. */
static bool is_owed_too_much(const struct cpi_health_view *view, cp_health *out)
{
    static const unsigned at_once = 1u << CP_CAUSE_REDIS | 1u << CP_CAUSE_LISTENER | 1u << CP_CAUSE_OVERFLOW |
                                    1u << CP_CAUSE_UNREADABLE | 1u << CP_CAUSE_RETRY;
    static const unsigned in_time = 1u << CP_CAUSE_TRUNCATE | 1u << CP_CAUSE_CATALOG;
    int64_t since_ms = 0;
    unsigned owed = cpi_requests_owed(view->env->requests, &since_ms);
    int64_t owed_for_ms = cpi_now_ms() - since_ms;
    owed &= at_once | (owed_for_ms > view->env->config->max_lag_ms ? in_time : 0);
    for (int cause = 0; cause < CP_CAUSES; cause++) {
        if ((owed & (1u << cause)) != 0) {
            say(out, "everything is being read again: %s, %.1f s ago", cp_cause_name((cp_cause)cause),
                (double)owed_for_ms / 1000);
        }
    }
    return owed != 0;
}

/* A document that fails is its own affair. Where half of them do, or a hundred that are a tenth, it is ours. */
static bool fails_too_much(const struct cpi_health_view *view, cp_health *out)
{
    uint64_t failing = cpi_stats_get(view->env->stats, CPI_STAT_FAILING);
    uint64_t expected = cpi_stats_get(view->env->stats, CPI_STAT_RESYNC_ESTIMATE);
    bool is_much = failing > 0 && (2 * failing > expected ? expected > 0 || failing >= 100
                                                          : failing >= 100 && 10 * failing > expected);
    if (is_much) {
        say(out, "%llu document%s, of about %llu", (unsigned long long)failing,
            failing == 1 ? " fails by itself" : "s fail by themselves", (unsigned long long)expected);
    }
    return is_much;
}

static cp_state state_of_running(const struct cpi_health_view *view, cp_health *out, bool is_degraded)
{
    const struct cpi_stats *stats = view->env->stats;
    enum cpi_lease_state lease = cpi_lease_state(view->env->lease);
    uint64_t settled = cpi_stats_get(stats, CPI_STAT_STORED) + cpi_stats_get(stats, CPI_STAT_DELETED);
    if (is_degraded || !out->alive) {
        return CP_STATE_DEGRADED;
    }
    if (lease == CPI_LEASE_TAKEN) {
        return CP_STATE_STANDBY;
    }
    if (lease == CPI_LEASE_NONE) {
        say(out, "who writes is not known yet");
        return CP_STATE_STARTING;
    }
    if (cpi_stats_get(stats, CPI_STAT_READY) == 0) {
        uint64_t expected = cpi_stats_get(stats, CPI_STAT_RESYNC_ESTIMATE);
        say(out, "filling Redis: %llu of about %llu document%s", (unsigned long long)settled,
            (unsigned long long)expected, cpi_plural(expected));
        return CP_STATE_WARMING;
    }
    if (is_owed_too_much(view, out)) {
        return CP_STATE_WARMING;
    }
    if (fails_too_much(view, out)) {
        return CP_STATE_DEGRADED;
    }
    if (out->lag_us > 1000 * (uint64_t)view->env->config->max_lag_ms) {
        say(out, "behind by %.1f s", (double)out->lag_us / 1e6);
        return CP_STATE_LAGGING;
    }
    return CP_STATE_READY;
}

void cpi_health_look(const struct cpi_health_view *view, cp_health *out)
{
    *out = (cp_health){.size = sizeof *out, .alive = true, .term = cpi_lease_term(view->env->lease)};
    if (view->has_ended || !view->was_started) {
        out->state = view->has_ended ? CP_STATE_STOPPED : CP_STATE_CREATED;
        out->alive = !view->has_ended;
        say(out, view->has_ended ? "it has been stopped" : "it has not been started");
        return;
    }
    bool is_writer = cpi_lease_is_held(view->env->lease);
    judge_lanes(view, out);
    judge_mapping(view, out);
    bool is_degraded = judge_threads(view, out);
    judge_source(view, out, is_writer, &is_degraded);
    if (cpi_stop_phase(view->env->stop) != CPI_RUNNING) {
        out->state = CP_STATE_STOPPING;
        say(out, "it is stopping");
        return;
    }
    out->state = state_of_running(view, out, is_degraded);
    out->ready = out->state == CP_STATE_READY || out->state == CP_STATE_STANDBY;
}
