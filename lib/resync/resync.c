#include "resync/resync.h"

#include "base/clock.h"
#include "base/error.h"
#include "resync/marker.h"
#include "resync/ready.h"
#include "resync/resync_steps.h"
#include "base/thread.h"

#include <stdlib.h>

enum {
    REPORT_EVERY_MS = 10000,
    /* Between tries of an entity whose listing, sweep or procedure fails by itself. */
    FAILED_BASE_MS = 1000,
    FAILED_CAP_MS = 60000,
    PLANT_BASE_MS = 50,
    PLANT_CAP_MS = 2000
};

struct cpi_resync {
    const struct cpi_env *env;
    struct cpi_thread thread;
    struct cpi_pulse pulse;
    struct cpi_marker *marker;

    /* Of the thread: the run under way. */
    struct cpi_steps steps;
    bool *running;   /* by entity: to be listed and swept */
    bool resuming;   /* nothing has been missed, and what is announced is caught up with */
    bool touching;   /* every entity's warm-up procedure is called, and all are swept */
    bool *failed;    /* by entity: failed in this run; repeated at retry_at_ms */
    bool *announced; /* by entity: a "*" was heard, so that many deletions are meant; until a run went through */
    bool any_failed;
    int64_t retry_at_ms;
    struct cpi_backoff backoff; /* between such runs */
    int64_t began_ms;
    int64_t reported_ms;
    uint64_t settled_before;
    unsigned taken; /* causes of runs since the last completed one */

    struct cpi_ready ready;
};

/* ---- requests ---- */

static bool is_writer(struct cpi_resync *resync)
{
    return cpi_lease_is_held(resync->env->lease);
}

/* Nothing is listed before the listener has listened for the first time, nor while another syncer is the writer, since
 * then its resyncs count. */
static bool can_run(struct cpi_resync *resync)
{
    return cpi_requests_may_begin(resync->env->requests) && is_writer(resync);
}

/* Takes the requests. What the warm-up does is configured. */
static unsigned take_requests(struct cpi_resync *resync)
{
    enum cpi_warmup warmup = resync->env->config->warmup;
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        resync->running[e] = resync->failed[e];
        resync->failed[e] = false;
    }
    unsigned causes = cpi_requests_take(resync->env->requests, resync->running);
    cpi_requests_take_announced(resync->env->requests, resync->announced);
    bool is_warmup = (causes & (1u << CP_CAUSE_START)) != 0;
    for (uint32_t e = 0; e < resync->env->config->entity_count && is_warmup && warmup == CPI_WARMUP_SCAN; e++) {
        resync->running[e] = true;
    }
    resync->resuming = (causes & 1u << CP_CAUSE_RESUME) != 0;
    resync->touching = is_warmup && warmup == CPI_WARMUP_TOUCH;
    resync->taken |= causes;
    resync->any_failed = false;
    return causes;
}

/* ---- a run ---- */

static uint64_t settled_so_far(const struct cpi_resync *resync)
{
    const struct cpi_stats *stats = resync->env->stats;
    return cpi_stats_get(stats, CPI_STAT_STORED) + cpi_stats_get(stats, CPI_STAT_DELETED) - resync->settled_before;
}

/* Called by the steps of a run whenever they wait. */
static void report_progress(void *context)
{
    struct cpi_resync *resync = context;
    cpi_pulse_adopt(&resync->pulse);
    int64_t now_ms = cpi_now_ms();
    if (now_ms - resync->reported_ms >= REPORT_EVERY_MS) {
        resync->reported_ms = now_ms;
        uint64_t estimate = cpi_stats_get(resync->env->stats, CPI_STAT_RESYNC_ESTIMATE);
        cpi_log_about(&resync->env->log, CP_LOG_INFO, &(struct cpi_log_about){.count = settled_so_far(resync)},
                      "resync: %llu of about %llu document%s settled", (unsigned long long)settled_so_far(resync),
                      (unsigned long long)estimate, cpi_plural(estimate));
    }
}

static void estimate_all(struct cpi_resync *resync)
{
    uint64_t sum = 0;
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        if (resync->running[e] || resync->touching) {
            sum += cpi_steps_estimate(&resync->steps, e);
        }
    }
    cpi_stats_set(resync->env->stats, CPI_STAT_RESYNC_ESTIMATE, sum);
}

/* Takes note of how a step has ended. False: stopping. */
static bool note_step(struct cpi_resync *resync, uint32_t entity, enum cpi_step step)
{
    if (step == CPI_STEP_FAILED) {
        resync->failed[entity] = true;
        resync->any_failed = true;
    }
    return step != CPI_STEP_STOPPING;
}

/* Waits until everything that is announced by now has settled. A request may mean that announcements were lost, and the
 * barrier with them. False: stopping. */
static bool catch_up(struct cpi_resync *resync)
{
    uint64_t ticket = cpi_tickets_take(resync->env->tickets);
    for (int look_ms = CPI_LOOK_FIRST_MS;
         !cpi_tickets_is_through(resync->env->tickets, ticket) && !cpi_requests_has_any(resync->env->requests);) {
        if (!cpi_steps_wait(&resync->steps, &look_ms)) {
            return false;
        }
    }
    return true;
}

/* Makes the triggers announce every document and waits until these have settled. If an entity's procedure fails, the
 * entity is listed instead, and everything is where announcements may have been lost. False: stopping. */
static bool touch(struct cpi_resync *resync)
{
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        enum cpi_step step = cpi_steps_touch(&resync->steps, e);
        if (step == CPI_STEP_STOPPING) {
            return false;
        }
        resync->running[e] = resync->running[e] || step == CPI_STEP_FAILED;
    }
    if (!catch_up(resync)) {
        return false;
    }
    for (uint32_t e = 0; e < resync->env->config->entity_count && cpi_requests_has_any(resync->env->requests); e++) {
        resync->running[e] = true;
    }
    return true;
}

/* Keeps trying while it is unknown who holds the lease, since no new term or request need follow. False: stopping, or
 * another syncer is the writer. */
static bool plant_marker(struct cpi_resync *resync)
{
    bool lost = false;
    struct cpi_backoff backoff;
    cpi_backoff_init(&backoff, PLANT_BASE_MS, PLANT_CAP_MS, resync->env->seed ^ 3);
    while (cpi_steps_open(&resync->steps, NULL) != CP_OK ||
           !cpi_marker_plant(resync->marker, &resync->steps.scan.pg, &lost)) {
        if (!cpi_stop_sleep(resync->env->stop, cpi_backoff_next(&backoff)) ||
            cpi_lease_state(resync->env->lease) == CPI_LEASE_TAKEN) {
            return false;
        }
    }
    if (lost) { /* of all entities, but this run may be for one only */
        cpi_requests_resync(resync->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_REDIS);
    }
    cpi_requests_note_marker(resync->env->requests);
    return true;
}

static bool go_through(struct cpi_resync *resync, uint32_t entity)
{
    bool list = resync->running[entity];
    if (!list && !resync->touching) {
        return true;
    }
    cpi_allowance_begin(resync->env->allowance, entity, resync->announced[entity]);
    return note_step(resync, entity, cpi_steps_sweep(&resync->steps, entity, list)) &&
           (!list || note_step(resync, entity, cpi_steps_list(&resync->steps, entity)));
}

static bool go_through_all(struct cpi_resync *resync)
{
    uint64_t before = cpi_stats_get(resync->env->stats, CPI_STAT_RESYNC_IDS);
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        if (!go_through(resync, e)) {
            return false;
        }
    }
    if (!resync->touching) { /* the number is known now */
        cpi_stats_set(resync->env->stats, CPI_STAT_RESYNC_ESTIMATE,
                      cpi_stats_get(resync->env->stats, CPI_STAT_RESYNC_IDS) - before);
    }
    return true;
}

/* When everything has settled. What the workers have withheld is a failure, and a "*" counts once it has been done. */
static void end_entities(struct cpi_resync *resync)
{
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        bool went_through = (resync->running[e] || resync->touching) && !resync->failed[e];
        if (went_through) {
            bool all_gone = cpi_share_ends(resync->env, e);
            note_step(resync, e, all_gone ? CPI_STEP_DONE : CPI_STEP_FAILED);
            resync->announced[e] = resync->announced[e] && !all_gone;
            if (all_gone) {
                cpi_requests_note_filled(resync->env->requests, e);
            }
        }
    }
}

/* A document read before the listener listened (again) has to reach Redis before the sweep looks there: its row may
 * have been deleted since, without an announcement. So the workers finish their batches first. */
static bool run_steps(struct cpi_resync *resync)
{
    return plant_marker(resync) && cpi_steps_quiesce(&resync->steps) == CPI_STEP_DONE &&
           (!resync->resuming || catch_up(resync)) && (!resync->touching || touch(resync)) && go_through_all(resync) &&
           cpi_steps_settle(&resync->steps) == CPI_STEP_DONE;
}

/* ", 3 fail and are being retried: WHY"; "": none does. */
static void describe_failures(const struct cpi_resync *resync, uint64_t failing, char *text, size_t size)
{
    char why[CPI_REPEAT_REASON_BYTES];
    text[0] = '\0';
    if (failing > 0) {
        cpi_repeats_reason(&resync->env->log, CPI_REPEAT_PARKED, why);
        snprintf(text, size, ", %llu %s being retried%s%s", (unsigned long long)failing,
                 failing == 1 ? "fails and is" : "fail and are", why[0] != '\0' ? ": " : "", why);
    }
}

static void report_ready(struct cpi_resync *resync)
{
    double seconds = (double)(cpi_now_ms() - resync->began_ms) / 1000.0;
    uint64_t settled = settled_so_far(resync);
    uint64_t failing = cpi_stats_get(resync->env->stats, CPI_STAT_FAILING);
    bool only_resumed = resync->taken == 1u << CP_CAUSE_RESUME;
    const char *what = only_resumed ? "resumed" : cpi_ready_is(&resync->ready) ? "resync done" : "ready";
    char failures[256];
    describe_failures(resync, failing, failures, sizeof failures);
    cpi_log_about(&resync->env->log, failing > 0 ? CP_LOG_WARN : CP_LOG_INFO,
                  &(struct cpi_log_about){.duration_ms = cpi_now_ms() - resync->began_ms + 1, .count = settled},
                  "%s: %llu document%s in %.1f s (%.0f/s)%s", what, (unsigned long long)settled, cpi_plural(settled),
                  seconds, seconds > 0 ? (double)settled / seconds : (double)settled, failures);
    cpi_stats_add(resync->env->stats, CPI_STAT_RESYNCS, only_resumed ? 0 : 1);
    cpi_histogram_add(&resync->env->stats->histograms[CPI_HISTOGRAM_RESYNC], 1000 * (cpi_now_ms() - resync->began_ms));

    resync->taken = 0;
    /* If an id of this run was dropped because memory ran out, only the next run makes ready. */
    bool is_next_run_needed = only_resumed ? cpi_requests_has_any(resync->env->requests)
                                           : cpi_requests_has(resync->env->requests, CP_CAUSE_OVERFLOW);
    if (!is_next_run_needed) {
        cpi_stats_set(resync->env->stats, CPI_STAT_READY, 1);
        cpi_ready_set(&resync->ready);
    }
}

/* What failed is repeated after a while; until then the syncer is not ready. */
static void schedule_retry(struct cpi_resync *resync)
{
    int wait_ms = cpi_backoff_next(&resync->backoff);
    resync->retry_at_ms = cpi_now_ms() + wait_ms;
    cpi_log(&resync->env->log, CP_LOG_WARN, "resync incomplete: retrying what failed in %.1f s", wait_ms / 1000.0);
}

/* Milliseconds until there is something to do without being woken; -1: never. */
static int resync_due_ms(const struct cpi_resync *resync)
{
    return resync->any_failed ? cpi_left_ms(resync->retry_at_ms) : -1;
}

static void request_due(struct cpi_resync *resync)
{
    if (!resync->any_failed || cpi_left_ms(resync->retry_at_ms) > 0) {
        return;
    }
    resync->any_failed = false;
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        if (resync->failed[e]) {
            cpi_requests_resync(resync->env->requests, e, CP_CAUSE_RETRY);
        }
    }
}

static void note_causes(struct cpi_resync *resync, unsigned causes)
{
    for (int cause = 0; cause < CP_CAUSES; cause++) {
        if ((causes & (1u << cause)) != 0) {
            cpi_stats_add_cause(resync->env->stats, (cp_cause)cause);
            cpi_log(&resync->env->log, CP_LOG_INFO, "resync: %s", cp_cause_name((cp_cause)cause));
        }
    }
}

static void run_once(struct cpi_resync *resync)
{
    cpi_pulse_does("reading everything again");
    note_causes(resync, take_requests(resync));
    resync->began_ms = cpi_now_ms();
    resync->reported_ms = resync->began_ms;
    resync->settled_before = 0;
    resync->settled_before = settled_so_far(resync);

    estimate_all(resync);
    bool done = run_steps(resync);
    if (done) {
        end_entities(resync);
        if (resync->any_failed) {
            schedule_retry(resync);
        } else {
            cpi_pulse_succeeds();
            cpi_backoff_reset(&resync->backoff);
            report_ready(resync);
        }
    }
    cpi_steps_close(&resync->steps); /* until the next run, which may be weeks away */
    cpi_requests_end_run(resync->env->requests, !done || resync->any_failed);
}

static bool is_stopping(const struct cpi_resync *resync)
{
    return cpi_stop_phase(resync->env->stop) != CPI_RUNNING;
}

static void *run_resync(void *context)
{
    struct cpi_resync *resync = context;
    struct cpi_bell *bell = &resync->env->requests->resync_bell;
    while (!is_stopping(resync)) {
        if (can_run(resync)) {
            run_once(resync);
            continue;
        }
        request_due(resync);
        cpi_bell_arm(bell);
        if (!can_run(resync) && !is_stopping(resync)) {
            cpi_bell_sleep(bell, resync->env->stop->drain_fd, resync_due_ms(resync));
        }
        cpi_bell_disarm(bell);
    }
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_resync *cpi_resync_create(const struct cpi_env *env, struct cpi_marker *marker, cp_error *err)
{
    struct cpi_resync *resync = calloc(1, sizeof *resync);
    if (resync == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    cpi_ready_init(&resync->ready);
    cpi_pulse_init(&resync->pulse, "cp-resync");
    resync->env = env;
    resync->marker = marker;
    resync->running = calloc(env->config->entity_count, sizeof *resync->running);
    resync->failed = calloc(env->config->entity_count, sizeof *resync->failed);
    resync->announced = calloc(env->config->entity_count, sizeof *resync->announced);
    cpi_backoff_init(&resync->backoff, FAILED_BASE_MS, FAILED_CAP_MS, env->seed ^ 4);
    if (cpi_steps_init(&resync->steps, env, report_progress, resync, err) != CP_OK) {
        cpi_resync_destroy(resync);
        return NULL;
    }
    if (resync->running == NULL || resync->failed == NULL || resync->announced == NULL) {
        cpi_resync_destroy(resync);
        cpi_error_memory(err);
        return NULL;
    }
    return resync;
}

cp_code cpi_resync_start(struct cpi_resync *resync, cp_error *err)
{
    return cpi_thread_start(&resync->thread, &resync->env->hooks, "cp-resync", run_resync, resync, err);
}

bool cpi_resync_wait_ready(struct cpi_resync *resync, int timeout_ms)
{
    return cpi_ready_wait(&resync->ready, resync->env->stop, timeout_ms);
}

void cpi_resync_wake(struct cpi_resync *resync)
{
    cpi_bell_ring(&resync->env->requests->resync_bell);
    cpi_ready_wake(&resync->ready);
}

void cpi_resync_join(struct cpi_resync *resync)
{
    cpi_thread_join(&resync->thread);
}

/* Causes that are requested, or of a run that has not been completed; one bit each. */
static unsigned owed_causes(const struct cpi_resync *resync)
{
    unsigned owed = resync->taken;
    for (int cause = 0; cause < CP_CAUSES; cause++) {
        owed |= cpi_requests_has(resync->env->requests, (cp_cause)cause) ? 1u << cause : 0;
    }
    return owed;
}

bool cpi_resync_owes_events(const struct cpi_resync *resync)
{
    unsigned received = 1u << CP_CAUSE_OVERFLOW | 1u << CP_CAUSE_TRUNCATE | 1u << CP_CAUSE_UNREADABLE;
    return (owed_causes(resync) & received) != 0;
}

bool cpi_resync_is_cut_short(struct cpi_resync *resync)
{
    return cpi_ready_is(&resync->ready) && (owed_causes(resync) & ~(1u << CP_CAUSE_START)) != 0;
}

struct cpi_pulse *cpi_resync_pulse(struct cpi_resync *resync)
{
    return &resync->pulse;
}

void cpi_resync_destroy(struct cpi_resync *resync)
{
    if (resync == NULL) {
        return;
    }
    cpi_pulse_fini(&resync->pulse);
    cpi_steps_fini(&resync->steps);
    cpi_ready_fini(&resync->ready);
    free(resync->running);
    free(resync->failed);
    free(resync->announced);
    free(resync);
}
