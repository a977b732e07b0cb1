#include "resync.h"

#include "bell.h"
#include "clock.h"
#include "error.h"
#include "marker.h"
#include "pass.h"
#include "thread.h"

#include <errno.h>
#include <stdlib.h>

enum { REPORT_EVERY_MS = 10000 };

struct cpi_resync {
    const struct cpi_env *env;
    struct cpi_thread thread;
    struct cpi_bell bell;

    /* Of the thread: the marker, and the run under way. */
    struct cpi_marker marker;
    struct cpi_pass pass;
    bool *running; /* by entity: to be listed and swept */
    bool touching; /* every entity's warm-up procedure is called, and all are swept */
    int64_t began_ms;
    int64_t reported_ms;
    uint64_t settled_before;

    /* Under the mutex: what the next run is to do, and what waiters wait for. */
    pthread_mutex_t mutex;
    pthread_cond_t became_ready;
    bool *wanted; /* by entity */
    bool touch_wanted;
    bool started; /* CPI_CAUSE_START has come */
    unsigned causes;
    bool ready; /* written by the thread alone, which may thus read it without */
};

/* ---- requests ---- */

static const char *cause_name(enum cpi_cause cause)
{
    static const char *const names[CPI_CAUSES] = {"start",    "listener connected again", "truncate",
                                                  "overflow", "Redis has lost data",      "request"};
    return names[cause];
}

void cpi_resync_request(struct cpi_resync *resync, uint32_t entity, enum cpi_cause cause)
{
    enum cpi_warmup warmup = resync->env->config->warmup;
    pthread_mutex_lock(&resync->mutex);
    resync->causes |= 1u << cause;
    if (cause == CPI_CAUSE_START) {
        resync->started = true;
        resync->touch_wanted = warmup == CPI_WARMUP_TOUCH;
    }
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        if ((entity == CPI_ALL_ENTITIES || entity == e) && (cause != CPI_CAUSE_START || warmup == CPI_WARMUP_SCAN)) {
            resync->wanted[e] = true;
        }
    }
    pthread_mutex_unlock(&resync->mutex);
    cpi_bell_ring(&resync->bell);
}

static bool has_requests(struct cpi_resync *resync)
{
    pthread_mutex_lock(&resync->mutex);
    bool any = resync->causes != 0;
    pthread_mutex_unlock(&resync->mutex);
    return any;
}

/* Takes over what has been asked for. */
static unsigned take_requests(struct cpi_resync *resync)
{
    pthread_mutex_lock(&resync->mutex);
    unsigned causes = resync->causes;
    resync->causes = 0;
    resync->touching = resync->touch_wanted;
    resync->touch_wanted = false;
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        resync->running[e] = resync->wanted[e];
        resync->wanted[e] = false;
    }
    pthread_mutex_unlock(&resync->mutex);
    return causes;
}

/* ---- a run ---- */

static uint64_t settled_so_far(const struct cpi_resync *resync)
{
    const struct cpi_stats *stats = resync->env->stats;
    return cpi_stats_get(stats, CPI_STAT_STORED) + cpi_stats_get(stats, CPI_STAT_DELETED) - resync->settled_before;
}

static void look_after_redis(struct cpi_resync *resync)
{
    if (cpi_marker_has_changed(&resync->marker)) {
        cpi_resync_request(resync, CPI_ALL_ENTITIES, CPI_CAUSE_REDIS);
    }
}

/* Called by the steps of a run whenever they wait. */
static void report_progress(void *context)
{
    struct cpi_resync *resync = context;
    look_after_redis(resync);
    int64_t now_ms = cpi_now_ms();
    if (now_ms - resync->reported_ms >= REPORT_EVERY_MS) {
        resync->reported_ms = now_ms;
        cpi_log(&resync->env->log, CP_LOG_INFO, "resync: %llu of about %llu documents settled",
                (unsigned long long)settled_so_far(resync),
                (unsigned long long)cpi_stats_get(resync->env->stats, CPI_STAT_RESYNC_ESTIMATE));
    }
}

static void estimate_all(struct cpi_resync *resync)
{
    uint64_t sum = 0;
    for (uint32_t e = 0; e < resync->env->config->entity_count; e++) {
        if (resync->running[e] || resync->touching) {
            sum += cpi_pass_estimate(&resync->pass, e);
        }
    }
    cpi_stats_set(resync->env->stats, CPI_STAT_RESYNC_ESTIMATE, sum);
}

/* Has the triggers announce every document and waits until these have settled. When the announcement got lost, somebody
 * has asked for a resync on that account: false, the next run does what this one could not. */
static bool touch(struct cpi_resync *resync)
{
    int64_t fence = 0;
    if (!cpi_pass_touch(&resync->pass, &fence)) {
        return false;
    }
    for (int look_ms = CPI_LOOK_FIRST_MS; !cpi_pass_touched(&resync->pass, fence);) {
        if (has_requests(resync) || !cpi_pass_wait(&resync->pass, &look_ms)) {
            return false;
        }
    }
    return true;
}

static bool plant_marker(struct cpi_resync *resync)
{
    int look_ms = CPI_LOOK_FIRST_MS;
    while (!cpi_marker_plant(&resync->marker)) {
        if (!cpi_pass_wait(&resync->pass, &look_ms)) {
            return false;
        }
    }
    return true;
}

static bool run_steps(struct cpi_resync *resync)
{
    uint32_t entities = (uint32_t)resync->env->config->entity_count;
    bool going_on = plant_marker(resync) && (!resync->touching || touch(resync));
    uint64_t listed_before = cpi_stats_get(resync->env->stats, CPI_STAT_RESYNC_IDS);
    for (uint32_t e = 0; e < entities && going_on; e++) {
        going_on = !resync->running[e] || cpi_pass_list(&resync->pass, e);
    }
    if (going_on && !resync->touching) { /* what was estimated is known now */
        cpi_stats_set(resync->env->stats, CPI_STAT_RESYNC_ESTIMATE,
                      cpi_stats_get(resync->env->stats, CPI_STAT_RESYNC_IDS) - listed_before);
    }
    for (uint32_t e = 0; e < entities && going_on; e++) {
        going_on = !(resync->running[e] || resync->touching) || cpi_pass_sweep(&resync->pass, e);
    }
    return going_on && cpi_pass_settle(&resync->pass);
}

static void announce(struct cpi_resync *resync)
{
    double seconds = (double)(cpi_now_ms() - resync->began_ms) / 1000.0;
    uint64_t settled = settled_so_far(resync);
    uint64_t failing = cpi_stats_get(resync->env->stats, CPI_STAT_FAILING);
    cpi_log(&resync->env->log, CP_LOG_INFO, "%s: %llu documents in %.1f s (%.0f/s)",
            resync->ready ? "resync done" : "ready", (unsigned long long)settled, seconds,
            seconds > 0 ? (double)settled / seconds : (double)settled);
    if (failing > 0) {
        cpi_log(&resync->env->log, CP_LOG_WARN, "%llu documents fail and are tried again and again",
                (unsigned long long)failing);
    }
    cpi_stats_add(resync->env->stats, CPI_STAT_RESYNCS, 1);

    pthread_mutex_lock(&resync->mutex);
    resync->ready = resync->started;
    cpi_stats_set(resync->env->stats, CPI_STAT_READY, resync->ready);
    pthread_cond_broadcast(&resync->became_ready);
    pthread_mutex_unlock(&resync->mutex);
}

static void log_causes(struct cpi_resync *resync, unsigned causes)
{
    for (int cause = 0; cause < CPI_CAUSES; cause++) {
        if ((causes & (1u << cause)) != 0) {
            cpi_log(&resync->env->log, CP_LOG_INFO, "resync: %s", cause_name((enum cpi_cause)cause));
        }
    }
}

static void run_once(struct cpi_resync *resync)
{
    log_causes(resync, take_requests(resync));
    resync->began_ms = cpi_now_ms();
    resync->reported_ms = resync->began_ms;
    resync->settled_before = 0;
    resync->settled_before = settled_so_far(resync);

    estimate_all(resync);
    if (run_steps(resync)) {
        announce(resync);
    }
    cpi_pass_close(&resync->pass); /* until the next run, which may be weeks away */
}

static bool is_stopping(const struct cpi_resync *resync)
{
    return cpi_stop_phase(resync->env->stop) != CPI_RUNNING;
}

static void *run(void *context)
{
    struct cpi_resync *resync = context;
    while (!is_stopping(resync)) {
        if (has_requests(resync)) {
            run_once(resync);
            continue;
        }
        look_after_redis(resync);
        cpi_bell_arm(&resync->bell);
        if (!has_requests(resync) && !is_stopping(resync)) {
            cpi_bell_sleep(&resync->bell, resync->env->stop->drain_fd, cpi_marker_due_ms(&resync->marker));
        }
        cpi_bell_disarm(&resync->bell);
    }
    cpi_marker_fini(&resync->marker);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_resync *cpi_resync_create(const struct cpi_env *env, cp_error *err)
{
    struct cpi_resync *resync = calloc(1, sizeof *resync);
    if (resync == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&resync->became_ready, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&resync->mutex, NULL);

    resync->env = env;
    cpi_marker_init(&resync->marker, env);
    resync->bell.fd = -1;
    resync->running = calloc(env->config->entity_count, sizeof *resync->running);
    resync->wanted = calloc(env->config->entity_count, sizeof *resync->wanted);
    if (cpi_pass_init(&resync->pass, env, report_progress, resync, err) != CP_OK ||
        cpi_bell_init(&resync->bell, err) != CP_OK) {
        cpi_resync_destroy(resync);
        return NULL;
    }
    if (resync->running == NULL || resync->wanted == NULL) {
        cpi_resync_destroy(resync);
        cpi_error_memory(err);
        return NULL;
    }
    return resync;
}

cp_code cpi_resync_start(struct cpi_resync *resync, cp_error *err)
{
    return cpi_thread_start(&resync->thread, "cp-resync", run, resync, err);
}

bool cpi_resync_wait_ready(struct cpi_resync *resync, int timeout_ms)
{
    int64_t until_ms = cpi_now_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&resync->mutex);
    int waited = 0;
    while (!resync->ready && !is_stopping(resync) && waited != ETIMEDOUT) {
        waited = timeout_ms < 0 ? pthread_cond_wait(&resync->became_ready, &resync->mutex)
                                : pthread_cond_timedwait(&resync->became_ready, &resync->mutex, &until);
    }
    bool ready = resync->ready;
    pthread_mutex_unlock(&resync->mutex);
    return ready;
}

void cpi_resync_wake(struct cpi_resync *resync)
{
    cpi_bell_ring(&resync->bell);
    pthread_mutex_lock(&resync->mutex);
    pthread_cond_broadcast(&resync->became_ready);
    pthread_mutex_unlock(&resync->mutex);
}

void cpi_resync_join(struct cpi_resync *resync)
{
    cpi_thread_join(&resync->thread);
}

void cpi_resync_destroy(struct cpi_resync *resync)
{
    if (resync == NULL) {
        return;
    }
    cpi_pass_fini(&resync->pass);
    cpi_bell_fini(&resync->bell);
    pthread_cond_destroy(&resync->became_ready);
    pthread_mutex_destroy(&resync->mutex);
    free(resync->running);
    free(resync->wanted);
    free(resync);
}
