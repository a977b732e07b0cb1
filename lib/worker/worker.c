#include "worker/worker.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "queue/idset.h"
#include "base/thread.h"
#include "worker/applier.h"
#include "worker/intake.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 2000,
    PARKED_RETRY_CAP_MS = 30000,
    /* Live goes before bulk. But if live never ends, a resync still has to progress. */
    LIVE_BATCHES_IN_A_ROW = 16,
    /* While live ids come, they wait for at most this many others, which take a few milliseconds. */
    OTHERS_BESIDE_LIVE = 64,
    LIVE_FOR_MS = 100, /* after the last live ids */
    /* How long others may wait for one document that does not come. It is set aside then, and gets more time each time
     * that all of those set aside have been tried, up to what is configured. */
    BATCH_TIMEOUT_MS = 5000,
    PARKED_TIMEOUT_MS = 1000,
    /* Parked ids are tried one by one, the whole queue in turn, for a tenth of the time: each is tried within ten times
     * what trying all of them takes, and PARKED_RETRY_CAP_MS, however many they are. */
    PARKED_FOR_MS = 20,
    PARKED_BESIDE_MS = 2, /* while others wait */
    PARKED_REST = 9,      /* times what was spent */
    /* The rest instead, after a try that ended because a server went away, however long it took: on a silent way that
     * is no fault of the document's, and one that ends its session is not to do so all the time. */
    LOST_REST_MS = 5000,
    /* Parked ids that were dropped are read again by a resync, at the latest after this. */
    FORGOTTEN_FOR_MS = 600000
};

struct cpi_worker {
    const struct cpi_env *env;
    struct cpi_lane *lane;
    uint32_t index;
    uint32_t capacity; /* of the set */
    struct cpi_thread thread;
    struct cpi_pulse pulse;

    /* All below belongs to the worker's thread. */
    struct cpi_idset *set;
    struct cpi_intake intake;
    struct cpi_servers *servers;
    struct cpi_applier *applier;
    uint32_t *batch;       /* config->batch handles */
    unsigned live_batches; /* in a row */
    int64_t live_until_ms; /* other batches are kept small until then */
    enum cpi_queue other;  /* whose turn is next: CPI_CROWD or CPI_BULK */

    struct cpi_backoff backoff; /* a server is away */
    int64_t retry_at_ms;
    struct cpi_backoff parked_backoff; /* ids that fail by themselves */
    int64_t parked_at_ms;
    int parked_timeout_ms;
    uint64_t tried_session; /* of Postgres: the last in which the parked ids had a turn, or others were read */
    uint32_t parked_left;   /* of the turn under way, to be tried yet */
    bool away;              /* a server was, at the last try */
    uint64_t
        forgotten; /* parked ids dropped, because there were too many, since a resync was last requested for them */
    int64_t forgotten_ms; /* since when */
};

static void worker_count(struct cpi_worker *worker, enum cpi_stat stat, int64_t n)
{
    cpi_stats_add(worker->env->stats, stat, n);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- failing ---- */

/* A server is away. Said once per outage by one of the workers; counters show the rest. */
static void worker_wait_before_retry(struct cpi_worker *worker, const cp_error *why)
{
    int wait_ms = cpi_backoff_next(&worker->backoff);
    worker->retry_at_ms = cpi_now_ms() + wait_ms;
    worker_count(worker, CPI_STAT_RETRIES, 1);
    cpi_stats_add_error(worker->env->stats, why);
    cpi_pulse_fails(why);
    if (!cpi_stop_grace_passed(worker->env->stop)) { /* given up, it does not try again */
        cpi_log_away(&worker->env->log, worker->index, cpi_env_host(worker->env, why->code), why);
    }
    worker->away = true;
}

static void note_success(struct cpi_worker *worker)
{
    cpi_backoff_reset(&worker->backoff);
    worker->retry_at_ms = 0;
    if (worker->away) {
        cpi_pulse_succeeds();
        cpi_log_back(&worker->env->log, worker->index);
        worker->away = false;
    }
}

/* ---- the cycle ---- */

/* The session may have been what was wrong: where others have been read in a new one, a turn of what is parked begins.
 */
static void note_session(struct cpi_worker *worker, bool has_settled)
{
    uint64_t session = cpi_applier_session(worker->applier);
    if (has_settled && session != worker->tried_session) {
        worker->tried_session = session;
        worker->intake.recalled = worker->intake.recalled || cpi_idset_count(worker->set, CPI_PARKED) > 0;
    }
}

/* Until when it rests after a try that has just ended: what fails is not to take this time all the time. */
static int64_t rests_until_ms(int64_t began_ms, bool worked)
{
    int64_t now_ms = cpi_now_ms();
    return now_ms + (worked ? PARKED_REST * (now_ms - began_ms) : LOST_REST_MS);
}

static void work_on(struct cpi_worker *worker, uint32_t n, int timeout_ms)
{
    cp_error err = {0};
    uint32_t before = cpi_idset_total(worker->set);
    uint32_t parked = cpi_idset_count(worker->set, CPI_PARKED);
    int64_t began_ms = cpi_now_ms();
    bool worked = cpi_applier_work(worker->applier, worker->batch, n, timeout_ms, &err);
    note_session(worker, cpi_idset_total(worker->set) < before);
    if (cpi_idset_count(worker->set, CPI_PARKED) > parked) {
        worker->intake.rested_ms = rests_until_ms(began_ms, worked);
    }
    if (worked) {
        note_success(worker);
        return;
    }
    if (cpi_idset_total(worker->set) < before) { /* some ids have settled */
        cpi_backoff_reset(&worker->backoff);
    }
    worker_wait_before_retry(worker, &err);
}

/* Parked ids over the bound are dropped, and owed a resync. */
static void bound_parked(struct cpi_worker *worker)
{
    uint32_t forgotten = 0;
    uint32_t handle = 0;
    while (cpi_idset_count(worker->set, CPI_PARKED) > worker->capacity / 2 &&
           cpi_idset_peek(worker->set, CPI_PARKED, &handle, 1) == 1) {
        cpi_idset_remove(worker->set, handle);
        forgotten++;
    }
    if (forgotten > 0) {
        worker_count(worker, CPI_STAT_OVERFLOWS, 1);
        cpi_log_repeated(
            &worker->env->log, CPI_REPEAT_FORGOTTEN, NULL, CP_LOG_WARN, &(struct cpi_log_about){.count = forgotten},
            "worker %u: max_pending exceeded: dropping %u ids that fail; a resync finds them once others succeed",
            worker->index, forgotten);
        worker->forgotten_ms = worker->forgotten == 0 ? cpi_now_ms() : worker->forgotten_ms;
        worker->forgotten += forgotten;
        worker->intake.owes = true;
    }
}

/* What was dropped may work again when another one does, or when none is left that fails. Else it is found out in time.
 */
static void pay_debt(struct cpi_worker *worker, bool has_succeeded)
{
    bool is_due = has_succeeded || cpi_idset_count(worker->set, CPI_PARKED) == 0 ||
                  cpi_now_ms() - worker->forgotten_ms >= FORGOTTEN_FOR_MS;
    if (worker->forgotten > 0 && is_due) {
        worker->forgotten = 0;
        cpi_requests_resync(worker->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_OVERFLOW);
        worker->intake.owes = false;
    }
}

/* An id that failed has succeeded, so others may succeed, too: moves a batch of them back to live. Those that still
 * fail are parked again. Those that hang are tried by themselves: in a batch they would cost the others its time. */
static void unpark_some(struct cpi_worker *worker)
{
    uint32_t n = cpi_idset_peek(worker->set, CPI_PARKED, worker->batch, worker->env->config->batch);
    for (uint32_t i = 0; i < n; i++) {
        if (!cpi_idset_is_held(worker->set, worker->batch[i])) {
            cpi_idset_move(worker->set, worker->batch[i], CPI_LIVE); /* as stale as any */
        }
    }
}

/* Tries the next of the turn. Those that fail again go to the end of the queue. Returns how many. */
static uint32_t try_parked(struct cpi_worker *worker, int64_t until_ms)
{
    uint32_t n = 0;
    while (n < worker->parked_left && cpi_now_ms() >= worker->retry_at_ms && (n == 0 || cpi_now_ms() < until_ms) &&
           cpi_idset_peek(worker->set, CPI_PARKED, worker->batch, 1) == 1) {
        work_on(worker, 1, worker->parked_timeout_ms);
        n++;
    }
    return n;
}

static int64_t parked_due_ms(const struct cpi_worker *worker)
{
    int64_t rested_ms = worker->intake.rested_ms;
    return worker->intake.recalled && rested_ms < worker->parked_at_ms ? rested_ms : worker->parked_at_ms;
}

/* Retries some of the parked ids when it is time. */
static void retry_parked(struct cpi_worker *worker, int for_ms)
{
    uint32_t before = cpi_idset_total(worker->set);
    int64_t began_ms = cpi_now_ms();
    if (cpi_idset_count(worker->set, CPI_PARKED) == 0 || began_ms < parked_due_ms(worker) ||
        began_ms < worker->retry_at_ms) {
        return;
    }
    worker->intake.recalled = false;
    worker->parked_left = worker->parked_left == 0 ? cpi_idset_count(worker->set, CPI_PARKED) : worker->parked_left;
    worker->parked_left = least(worker->parked_left, cpi_idset_count(worker->set, CPI_PARKED));
    worker->parked_left -= try_parked(worker, began_ms + for_ms);
    worker->tried_session = cpi_applier_session(worker->applier);
    if (cpi_idset_total(worker->set) < before) {
        cpi_backoff_reset(&worker->parked_backoff);
        worker->parked_at_ms = 0;
        worker->parked_left = 0;
        worker->parked_timeout_ms = PARKED_TIMEOUT_MS;
        unpark_some(worker);
        pay_debt(worker, true);
        return;
    }
    bool others_wait = cpi_intake_waiting(&worker->intake) > 0 || !cpi_lane_is_empty(worker->lane);
    bool rests = others_wait || worker->parked_left > 0 || worker->away;
    worker->parked_at_ms = (rests ? rests_until_ms(began_ms, !worker->away) : cpi_now_ms()) + 1;
    worker->intake.rested_ms = worker->parked_at_ms;
    if (worker->parked_left == 0) {
        worker->parked_at_ms += cpi_backoff_next(&worker->parked_backoff);
        worker->parked_timeout_ms = 2 * worker->parked_timeout_ms < worker->env->config->fetch_timeout_ms
                                        ? 2 * worker->parked_timeout_ms
                                        : worker->env->config->fetch_timeout_ms;
    }
}

/* Crowd and bulk in turn, whatever either holds. */
static uint32_t choose_others(struct cpi_worker *worker, uint32_t limit)
{
    worker->other = worker->other == CPI_CROWD ? CPI_BULK : CPI_CROWD;
    uint32_t n = cpi_idset_peek(worker->set, worker->other, worker->batch, limit);
    enum cpi_queue second = worker->other == CPI_CROWD ? CPI_BULK : CPI_CROWD;
    return n > 0 ? n : cpi_idset_peek(worker->set, second, worker->batch, limit);
}

static uint32_t choose_batch(struct cpi_worker *worker)
{
    uint32_t limit = cpi_applier_batch(worker->applier);
    uint32_t others = cpi_idset_count(worker->set, CPI_CROWD) + cpi_idset_count(worker->set, CPI_BULK);
    bool is_others_turn = worker->live_batches >= LIVE_BATCHES_IN_A_ROW && others > 0;
    uint32_t n = is_others_turn ? 0 : cpi_idset_peek(worker->set, CPI_LIVE, worker->batch, limit);
    worker->live_batches = n > 0 ? worker->live_batches + 1 : 0;
    if (n > 0) {
        /* A full batch means a backlog, which small batches of others would only make longer. */
        worker->live_until_ms = n < limit ? cpi_now_ms() + LIVE_FOR_MS : 0;
        return n;
    }
    bool is_live = !is_others_turn && cpi_now_ms() < worker->live_until_ms;
    return choose_others(worker, is_live ? least(limit, OTHERS_BESIDE_LIVE) : limit);
}

/* Another syncer is the writer. Its resync reads what waits here, or ours does if its term ends. */
static bool is_standing_by(const struct cpi_worker *worker)
{
    return cpi_lease_state(worker->env->lease) == CPI_LEASE_TAKEN;
}

/* Milliseconds until there is something to do without being woken; -1: never. */
static int idle_ms(const struct cpi_worker *worker)
{
    bool waiting = cpi_intake_waiting(&worker->intake) > 0;
    bool parked = cpi_idset_count(worker->set, CPI_PARKED) > 0;
    if ((!waiting && !parked) || is_standing_by(worker)) {
        return -1;
    }
    int64_t parked_ms = parked_due_ms(worker);
    int64_t at_ms = waiting || parked_ms < worker->retry_at_ms ? worker->retry_at_ms : parked_ms;
    return cpi_left_ms(at_ms);
}

static bool is_finished(const struct cpi_worker *worker)
{
    if (cpi_stop_grace_passed(worker->env->stop)) {
        return true;
    }
    if (cpi_stop_phase(worker->env->stop) != CPI_CLOSED) {
        return false;
    }
    bool is_empty = cpi_lane_is_empty(worker->lane) && cpi_intake_waiting(&worker->intake) == 0;
    return is_empty || is_standing_by(worker);
}

static void rest(struct cpi_worker *worker)
{
    if (idle_ms(worker) == 0) {
        return;
    }
    cpi_bell_arm(&worker->lane->bell);
    int timeout_ms = idle_ms(worker); /* after arming, since a change of the lease rings the bell */
    if (timeout_ms != 0 && !cpi_intake_can_drain(&worker->intake) && !is_finished(worker)) {
        cpi_bell_sleep(&worker->lane->bell, worker->env->stop->grace_fd, timeout_ms);
    }
    cpi_bell_disarm(&worker->lane->bell);
}

void cpi_worker_cycle(struct cpi_worker *worker)
{
    cpi_intake_drain(&worker->intake);
    cpi_intake_report(&worker->intake);
    if (cpi_now_ms() < worker->retry_at_ms || is_standing_by(worker)) {
        return;
    }
    uint32_t n = choose_batch(worker);
    if (n > 0) {
        int configured_ms = worker->env->config->fetch_timeout_ms;
        work_on(worker, n, configured_ms < BATCH_TIMEOUT_MS ? configured_ms : BATCH_TIMEOUT_MS);
    }
    retry_parked(worker, n > 0 ? PARKED_BESIDE_MS : PARKED_FOR_MS);
    bound_parked(worker);
    pay_debt(worker, false);
    cpi_parked_forget_settled(cpi_applier_parked(worker->applier), worker->set);
    cpi_idset_compact(worker->set);
    cpi_intake_report(&worker->intake);
}

static void *worker_run(void *context)
{
    struct cpi_worker *worker = context;
    cpi_pulse_adopt(&worker->pulse);
    while (!is_finished(worker)) {
        cpi_worker_cycle(worker);
        rest(worker);
    }
    cpi_applier_close(worker->applier);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_worker *cpi_worker_create(const struct cpi_env *env, uint32_t index, struct cpi_servers *servers,
                                     cp_error *err)
{
    const struct cp_config *config = env->config;
    struct cpi_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || servers == NULL) {
        cpi_servers_destroy(servers);
        free(worker);
        cpi_error_memory(err);
        return NULL;
    }
    char name[16];
    snprintf(name, sizeof name, "cp-worker-%u", index);
    cpi_pulse_init(&worker->pulse, name);
    worker->servers = servers;
    worker->env = env;
    worker->lane = &env->lanes.items[index];
    worker->index = index;
    worker->capacity = env->lanes.capacity;
    worker->other = CPI_BULK;
    worker->parked_timeout_ms = PARKED_TIMEOUT_MS;
    cpi_backoff_init(&worker->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed + 16 + index);
    cpi_backoff_init(&worker->parked_backoff, RETRY_BASE_MS, PARKED_RETRY_CAP_MS, env->seed + 128 + index);
    worker->set = cpi_idset_create(config->entities);
    worker->batch = calloc(config->batch, sizeof *worker->batch);
    worker->applier = cpi_applier_create(env, servers, worker->set);
    cpi_intake_init(&worker->intake, env, index, worker->set);
    if (worker->set == NULL || worker->batch == NULL || worker->applier == NULL) {
        cpi_worker_destroy(worker);
        cpi_error_memory(err);
        return NULL;
    }
    return worker;
}

cp_code cpi_worker_start(struct cpi_worker *worker, cp_error *err)
{
    return cpi_thread_start(&worker->thread, &worker->env->hooks, worker->pulse.name, worker_run, worker, err);
}

void cpi_worker_join(struct cpi_worker *worker)
{
    cpi_thread_join(&worker->thread);
}

uint64_t cpi_worker_unsettled(const struct cpi_worker *worker)
{
    return cpi_idset_total(worker->set) + worker->forgotten + worker->intake.crowded_out +
           cpi_ring_count_ids(worker->lane->rings[CPI_RING_LIVE]) +
           cpi_ring_count_ids(worker->lane->rings[CPI_RING_BULK]);
}

struct cpi_parked *cpi_worker_parked(struct cpi_worker *worker)
{
    return cpi_applier_parked(worker->applier);
}

struct cpi_pulse *cpi_worker_pulse(struct cpi_worker *worker)
{
    return &worker->pulse;
}

void cpi_worker_destroy(struct cpi_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    cpi_pulse_fini(&worker->pulse);
    cpi_intake_fini(&worker->intake);
    cpi_idset_destroy(worker->set);
    cpi_applier_destroy(worker->applier);
    cpi_servers_destroy(worker->servers);
    free(worker->batch);
    free(worker);
}
