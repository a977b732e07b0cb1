#include "verify/verify_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* If a server is away for longer than these take, the verification fails. */
    TRIES = 7,
    RETRY_BASE_MS = 100,
    RETRY_CAP_MS = 2000,
    PROGRESS_EVERY_MS = 100
};

static const char PG_ROLE[] = "cachepusher verify";
static const char REDIS_ROLE[] = "cachepusher-verify";

uint64_t cpi_verify_random(struct cpi_verify *verify)
{
    return cpi_random_next(&verify->random);
}

/* ---- failing ---- */

void cpi_verify_fail(struct cpi_verify *verify, const cp_error *why)
{
    pthread_mutex_lock(&verify->mutex);
    if (verify->code == CP_OK) {
        verify->code = why->code;
        verify->err = *why;
    }
    pthread_mutex_unlock(&verify->mutex);
}

bool cpi_verify_has_failed(struct cpi_verify *verify)
{
    pthread_mutex_lock(&verify->mutex);
    bool failed = verify->code != CP_OK;
    pthread_mutex_unlock(&verify->mutex);
    return failed;
}

static void fail_stopping(struct cpi_verify *verify)
{
    cp_error why;
    cpi_error(&why, CP_ERR_STOPPED, false, "the syncer is stopping");
    cpi_verify_fail(verify, &why);
}

/* ---- trying again ---- */

static void note_read(struct cpi_verify *verify, bool postgres, bool redis)
{
    pthread_mutex_lock(&verify->mutex);
    verify->has_read_postgres = verify->has_read_postgres || postgres;
    verify->has_read_redis = verify->has_read_redis || redis;
    pthread_mutex_unlock(&verify->mutex);
}

/* Nobody listens at an address that has never answered: to wait would be to keep the caller from correcting it. */
static bool is_wrong_address(struct cpi_verify *verify, const cp_error *why)
{
    pthread_mutex_lock(&verify->mutex);
    bool has_read = why->code == CP_ERR_POSTGRES ? verify->has_read_postgres : verify->has_read_redis;
    pthread_mutex_unlock(&verify->mutex);
    return !has_read &&
           (strstr(why->message, strerror(ECONNREFUSED)) != NULL || strstr(why->message, strerror(ENOENT)) != NULL);
}

/* The first time is said: somebody waits for the result. */
static void tell_retry(struct cpi_verify *verify, const cp_error *why)
{
    pthread_mutex_lock(&verify->mutex);
    bool has_told = verify->has_told;
    verify->has_told = true;
    pthread_mutex_unlock(&verify->mutex);
    cpi_log_about(&verify->env->log, has_told ? CP_LOG_DEBUG : CP_LOG_WARN,
                  &(struct cpi_log_about){.host = cpi_env_host(verify->env, why->code)},
                  "verify: %s; trying again, for some seconds", why->message);
}

bool cpi_checker_retry(struct cpi_checker *checker, unsigned *tries, const cp_error *why)
{
    struct cpi_verify *verify = checker->verify;
    const struct cpi_env *env = verify->env;
    if (cpi_stop_phase(env->stop) != CPI_RUNNING) {
        fail_stopping(verify);
        return false;
    }
    if (!why->retriable || ++*tries == TRIES || is_wrong_address(verify, why)) {
        cpi_verify_fail(verify, why);
        return false;
    }
    if (*tries == 1) {
        cpi_backoff_reset(&checker->backoff);
    }
    tell_retry(verify, why);
    cpi_stop_sleep(env->stop, cpi_backoff_next(&checker->backoff));
    return !cpi_verify_has_failed(verify);
}

/* ---- what checkers do ---- */

bool cpi_checker_compare(struct cpi_checker *checker, uint32_t entity, const union cpi_id *ids, uint32_t n)
{
    cp_error err = {0};
    for (unsigned tries = 0; cpi_compare_run(&checker->compare, entity, ids, n, checker->compared, &err) != CP_OK;) {
        if (!cpi_checker_retry(checker, &tries, &err)) {
            return false;
        }
    }
    note_read(checker->verify, true, true);
    return true;
}

/* False: no more ids are needed. */
static bool is_wanted(struct cpi_verify *verify)
{
    pthread_mutex_lock(&verify->mutex);
    bool wanted = verify->code == CP_OK && !verify->so_far.incomplete;
    pthread_mutex_unlock(&verify->mutex);
    return wanted;
}

bool cpi_checker_take(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    uint32_t limit = verify->scan.kind == CPI_FROM_REDIS ? CPI_SLICE : cpi_compare_limit(&checker->compare);
    cp_error err = {0};
    unsigned tries = 0;
    pthread_mutex_lock(&verify->scan_mutex);
    while (checker->slice.count == 0 && !cpi_scan_is_done(&verify->scan) && is_wanted(verify)) {
        if (cpi_scan_next(&verify->scan, limit, &checker->slice, &err) == CP_OK) {
            tries = 0;
            note_read(verify, verify->scan.kind == CPI_FROM_POSTGRES, verify->scan.kind == CPI_FROM_REDIS);
        } else {
            cpi_slice_clear(&checker->slice, verify->env->config->entities);
            cpi_checker_retry(checker, &tries, &err);
        }
    }
    pthread_mutex_unlock(&verify->scan_mutex);
    return checker->slice.count > 0;
}

/* ---- the caller's thread ---- */

static void report(struct cpi_verify *verify)
{
    pthread_mutex_lock(&verify->mutex);
    cp_verify_result so_far = verify->so_far;
    pthread_mutex_unlock(&verify->mutex);
    if (verify->options->progress != NULL) {
        verify->options->progress(verify->options->context, &so_far);
    }
}

bool cpi_verify_rest(struct cpi_verify *verify, int rest_ms)
{
    int64_t until_ms = cpi_now_ms() + rest_ms;
    for (int left_ms; (left_ms = cpi_left_ms(until_ms)) > 0;) {
        if (!cpi_stop_sleep(verify->env->stop, left_ms < PROGRESS_EVERY_MS ? left_ms : PROGRESS_EVERY_MS)) {
            fail_stopping(verify);
            return false;
        }
        report(verify);
    }
    return true;
}

static void *run_checker(void *context)
{
    struct cpi_checker *checker = context;
    struct cpi_verify *verify = checker->verify;
    verify->stage(checker);
    cpi_slice_clear(&checker->slice, verify->env->config->entities);
    pthread_mutex_lock(&verify->mutex);
    verify->running--;
    pthread_cond_signal(&verify->ended);
    pthread_mutex_unlock(&verify->mutex);
    return NULL;
}

static void wait_for_all(struct cpi_verify *verify)
{
    pthread_mutex_lock(&verify->mutex);
    while (verify->running > 0) {
        int64_t until_ms = cpi_now_ms() + PROGRESS_EVERY_MS;
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        int waited = 0;
        while (verify->running > 0 && waited != ETIMEDOUT) {
            waited = pthread_cond_timedwait(&verify->ended, &verify->mutex, &until);
        }
        pthread_mutex_unlock(&verify->mutex);
        report(verify);
        pthread_mutex_lock(&verify->mutex);
    }
    pthread_mutex_unlock(&verify->mutex);
}

bool cpi_verify_run(struct cpi_verify *verify, void (*stage)(struct cpi_checker *checker), size_t n)
{
    unsigned count = n < verify->env->config->threads ? (unsigned)n : verify->env->config->threads;
    verify->stage = stage;
    verify->running = count; /* no other thread yet */
    for (unsigned i = 0; i < count; i++) {
        cp_error err;
        if (cpi_thread_start(&verify->checkers[i].thread, &verify->env->hooks, "cp-verify", run_checker,
                             &verify->checkers[i], &err) != CP_OK) {
            cpi_verify_fail(verify, &err);
            pthread_mutex_lock(&verify->mutex);
            verify->running--;
            pthread_mutex_unlock(&verify->mutex);
        }
    }
    wait_for_all(verify);
    for (unsigned i = 0; i < count; i++) {
        cpi_thread_join(&verify->checkers[i].thread);
    }
    if (cpi_stop_phase(verify->env->stop) != CPI_RUNNING) {
        fail_stopping(verify);
    }
    return verify->code == CP_OK;
}

/* ---- lifecycle ---- */

cp_code cpi_verify_init(struct cpi_verify *verify, const struct cpi_env *env, const cp_verify_options *options,
                        cp_error *err)
{
    *verify = (struct cpi_verify){.env = env, .options = options, .so_far = {.size = sizeof(cp_verify_result)}};
    verify->random = env->seed ^ (uint64_t)cpi_now_ms();
    verify->suspects.entities = env->config->entities;
    verify->confirmed.entities = env->config->entities;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&verify->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&verify->mutex, NULL);
    pthread_mutex_init(&verify->scan_mutex, NULL);

    verify->checkers = calloc(env->config->threads, sizeof *verify->checkers);
    cp_code code = verify->checkers != NULL ? CP_OK : cpi_error_memory(err);
    code = code == CP_OK ? cpi_scan_init(&verify->scan, CPI_FROM_POSTGRES, env, PG_ROLE, REDIS_ROLE, err) : code;
    for (unsigned i = 0; i < env->config->threads && code == CP_OK; i++) {
        struct cpi_checker *checker = &verify->checkers[i];
        checker->verify = verify;
        cpi_backoff_init(&checker->backoff, RETRY_BASE_MS, RETRY_CAP_MS, verify->random + i);
        code = cpi_compare_init(&checker->compare, env, PG_ROLE, REDIS_ROLE, err);
    }
    return code;
}

void cpi_verify_fini(struct cpi_verify *verify)
{
    for (unsigned i = 0; verify->checkers != NULL && i < verify->env->config->threads; i++) {
        cpi_compare_fini(&verify->checkers[i].compare);
    }
    free(verify->checkers);
    cpi_scan_fini(&verify->scan);
    cpi_suspects_fini(&verify->suspects);
    cpi_suspects_fini(&verify->confirmed);
    pthread_cond_destroy(&verify->ended);
    pthread_mutex_destroy(&verify->mutex);
    pthread_mutex_destroy(&verify->scan_mutex);
}
