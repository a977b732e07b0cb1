#include "source/checkpoint.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "lease/admission.h"
#include "source/checkpoint_key.h"
#include "source/checkpoint_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_BASE_MS = 50, RETRY_CAP_MS = 2000, MARKER_LOOK_MS = 50 };

/* What is to be written, or has been. */
struct wish {
    uint64_t position;
    bool complete;    /* false: the key is to be deleted */
    uint64_t failing; /* a hash of the ids that do */
};

struct cpi_checkpoint {
    const struct cpi_env *env;
    struct cpi_checkpoint_marker marker;
    struct cpi_bell *written_bell;
    struct cpi_bell bell; /* wakes the thread */
    struct cpi_thread thread;
    struct cpi_pulse pulse;
    struct cpi_checkpoint_key key;

    /* Of the thread. */
    struct cpi_target *target;
    struct cpi_backoff backoff;
    int64_t retry_at_ms;
    struct cpi_outage outage;
    bool refused; /* the same of one that may not be */

    pthread_mutex_t mutex; /* over all below; never held while anything is waited for */
    uint64_t stream;       /* which one, counted */
    char identity[176];    /* of the stream: system, slot, and what is published; "": there is none */
    uint64_t known;        /* a hash of what stands in the key as far as is known; 0: nothing */
    uint64_t trying;       /* of what was sent and may not have been answered */
    char *failing;         /* the ids that do, if what is wanted is complete and not from before the stream began */
    struct wish wanted;
    struct wish written;
};

/* ---- Redis ---- */

static cp_code open_target(struct cpi_checkpoint *checkpoint, cp_error *err)
{
    struct cpi_target *target = checkpoint->target;
    cp_code code = cpi_target_ensure_open(target, err);
    if (code != CP_OK || target->ops->is_admitted(target)) {
        return code;
    }
    struct cpi_pg pg = cpi_env_pg(checkpoint->env, "cachepusher checkpoint", checkpoint->env->stop->drain_fd,
                                  checkpoint->env->config->fetch_timeout_ms);
    code = cpi_pg_open(&pg, err);
    code = code == CP_OK ? cpi_lease_admit(checkpoint->env->lease, &pg, target, err) : code;
    cpi_pg_close(&pg);
    return code;
}

/* ---- the thread ---- */

struct work {
    uint64_t stream;
    struct wish wish;
    bool is_lost; /* Redis has lost data: what is wanted by now was wanted before that was known */
    char *text;   /* to be written; NULL: the key is to be deleted */
    char *found;  /* what stood there */
};

static void free_work(struct work *work)
{
    free(work->text);
    free(work->found);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* 0: there is no text. */
static uint64_t hash_of(const char *text)
{
    union cpi_id id = {.text = (char *)(uintptr_t)text};
    return text != NULL ? cpi_id_hash(CPI_ID_TEXT, &id, 0) | 1 : 0;
}

static bool same_wish(struct wish a, struct wish b)
{
    return a.position == b.position && a.complete == b.complete && (!a.complete || a.failing == b.failing);
}

static bool has_work(const struct cpi_checkpoint *checkpoint)
{
    return checkpoint->identity[0] != '\0' && !same_wish(checkpoint->wanted, checkpoint->written);
}

/* Not before the marker has been planted. Until then the key is all that tells of a loss: the first look at it after
 * the marker shows whether it is still what a stream began with. Meanwhile nothing is confirmed either. Without
 * memory for the text nothing is complete. */
static bool take_work(struct cpi_checkpoint *checkpoint, struct work *work)
{
    char head[CPI_CHECKPOINT_HEAD_BYTES];
    pthread_mutex_lock(&checkpoint->mutex);
    bool any = has_work(checkpoint) && cpi_requests_has_marker(checkpoint->env->requests);
    *work = (struct work){.stream = checkpoint->stream, .wish = checkpoint->wanted};
    if (any && work->wish.complete) {
        cpi_checkpoint_print_head(checkpoint->env->config, checkpoint->identity,
                                  cpi_requests_fingerprint(checkpoint->env->requests), head);
        work->text = cpi_checkpoint_print(head, work->wish.position, checkpoint->failing);
        work->wish.complete = work->text != NULL;
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    return any;
}

enum found { FOUND_KNOWN, FOUND_OTHER, FOUND_LATE };

/* Whether what was found is what is known to stand there, or may; or the stream has ended. If it is known it may become
 * work's text from here on, whether or not an answer comes. */
static enum found note_found(struct cpi_checkpoint *checkpoint, const struct work *work)
{
    uint64_t hash = hash_of(work->found);
    pthread_mutex_lock(&checkpoint->mutex);
    bool is_known = checkpoint->known == 0 || checkpoint->known == hash || checkpoint->trying == hash;
    enum found found = checkpoint->stream != work->stream ? FOUND_LATE : is_known ? FOUND_KNOWN : FOUND_OTHER;
    if (found == FOUND_KNOWN) {
        checkpoint->known = hash;
        checkpoint->trying = hash_of(work->text);
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    return found;
}

static void note_lost(struct work *work)
{
    free(work->text);
    work->text = NULL;
    work->wish.complete = false;
    work->is_lost = true;
}

/* What has settled may be lost since, with a server that ended, and the key with it, or not. A server that ends after
 * the look takes our connection along. */
static cp_code look_at_marker(struct cpi_checkpoint *checkpoint, struct work *work, cp_error *err)
{
    bool same = true;
    cp_code code = work->text != NULL ? checkpoint->marker.look(checkpoint->marker.context, &same, err) : CP_OK;
    if (code == CP_OK && !same) {
        note_lost(work);
    }
    return code;
}

/* Redis holds other data than it did, if the key has become another one: then nothing is complete. */
static cp_code do_work(struct cpi_checkpoint *checkpoint, struct work *work, cp_error *err)
{
    cp_code code = open_target(checkpoint, err);
    code = code == CP_OK ? look_at_marker(checkpoint, work, err) : code;
    code = code == CP_OK ? cpi_checkpoint_key_read(&checkpoint->key, checkpoint->target, &work->found, err) : code;
    enum found found = code == CP_OK ? note_found(checkpoint, work) : FOUND_LATE;
    if (found == FOUND_OTHER) {
        cpi_requests_resync(checkpoint->env->requests, CPI_ALL_ENTITIES, CP_CAUSE_REDIS);
        note_lost(work);
    }
    if (found == FOUND_LATE || same_text(work->found, work->text)) {
        return code;
    }
    return cpi_checkpoint_key_write(&checkpoint->key, checkpoint->target, work->text, err);
}

static void say_refused(struct cpi_checkpoint *checkpoint, const cp_error *err)
{
    if (!checkpoint->refused) {
        cpi_log(&checkpoint->env->log, CP_LOG_WARN,
                "checkpoint: %s; without it each start reads everything (ACL SETUSER NAME +get +set +del "
                "~cachepusher:marker:*)",
                err->message);
    }
    checkpoint->refused = true;
}

static void note_written(struct cpi_checkpoint *checkpoint, const struct work *work)
{
    pthread_mutex_lock(&checkpoint->mutex);
    if (checkpoint->stream == work->stream) {
        checkpoint->known = hash_of(work->text);
        bool was_as_wanted = checkpoint->wanted.position == work->wish.position;
        checkpoint->written = work->wish;
        checkpoint->wanted.complete =
            checkpoint->wanted.complete && !work->is_lost && (work->wish.complete || !was_as_wanted);
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    cpi_bell_ring(checkpoint->written_bell);
}

/* A right is missing. Then the slot goes on without: a key that there may be is left behind it. */
static bool does_without(struct cpi_checkpoint *checkpoint, struct work *work, const cp_error *err)
{
    if (err->retriable || !checkpoint->target->ops->is_admitted(checkpoint->target)) {
        return false;
    }
    say_refused(checkpoint, err);
    work->wish.complete = false;
    free(work->text);
    work->text = NULL;
    return true;
}

static void checkpoint_once(struct cpi_checkpoint *checkpoint)
{
    struct work work;
    cp_error err = {0};
    if (cpi_now_ms() < checkpoint->retry_at_ms || !take_work(checkpoint, &work)) {
        return;
    }
    bool done = do_work(checkpoint, &work, &err) == CP_OK || does_without(checkpoint, &work, &err);
    if (done) {
        note_written(checkpoint, &work);
    }
    free_work(&work);
    if (done) {
        cpi_backoff_reset(&checkpoint->backoff);
        cpi_pulse_succeeds();
        cpi_outage_end(&checkpoint->outage, &checkpoint->env->log, checkpoint->env->redis_host,
                       "checkpoint: written again");
        return;
    }
    cpi_stats_add_error(checkpoint->env->stats, &err);
    cpi_pulse_fails(&err);
    checkpoint->retry_at_ms = cpi_now_ms() + cpi_backoff_next(&checkpoint->backoff);
    if (cpi_stop_phase(checkpoint->env->stop) == CPI_RUNNING) {
        cpi_log_about(&checkpoint->env->log, cpi_outage_note(&checkpoint->outage) ? CP_LOG_WARN : CP_LOG_DEBUG,
                      &(struct cpi_log_about){.host = cpi_env_host(checkpoint->env, err.code)},
                      "checkpoint: %s; trying again, and Postgres keeps its log until then", err.message);
    }
}

static int wait_ms(struct cpi_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    bool any = has_work(checkpoint);
    pthread_mutex_unlock(&checkpoint->mutex);
    int left_ms = cpi_left_ms(checkpoint->retry_at_ms);
    bool waits = left_ms < MARKER_LOOK_MS && !cpi_requests_has_marker(checkpoint->env->requests);
    return !any ? -1 : waits ? MARKER_LOOK_MS : left_ms;
}

static void *run_checkpoint(void *context)
{
    struct cpi_checkpoint *checkpoint = context;
    cpi_pulse_adopt(&checkpoint->pulse);
    cpi_pulse_does("writing a checkpoint");
    while (cpi_stop_phase(checkpoint->env->stop) == CPI_RUNNING) {
        checkpoint_once(checkpoint);
        cpi_bell_arm(&checkpoint->bell);
        if (wait_ms(checkpoint) != 0) {
            cpi_bell_sleep(&checkpoint->bell, checkpoint->env->stop->drain_fd, wait_ms(checkpoint));
        }
        cpi_bell_disarm(&checkpoint->bell);
    }
    checkpoint->target->ops->close(checkpoint->target);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- the listener ---- */

/* What is in the way of Redis having everything up to where the slot stands; NULL: nothing. The ids that fail are added
 * to `failing`. */
static const char *disagreement(const struct cpi_checkpoint *checkpoint, const char *found, uint64_t confirmed,
                                uint64_t end_lsn, struct cpi_events *failing)
{
    const struct cpi_env *env = checkpoint->env;
    char head[CPI_CHECKPOINT_HEAD_BYTES];
    const char *ids = NULL;
    uint64_t position = 0;
    uint64_t fingerprint = cpi_requests_fingerprint(env->requests);
    if (found == NULL) {
        return "there is no checkpoint in Redis";
    }
    /* What could not be looked at may have changed; what is not to be looked at is taken to be the same. */
    if (env->config->catalog_check_ms != 0 && fingerprint == 0) {
        return "what documents hang on could not be looked at, or has just changed";
    }
    cpi_checkpoint_print_head(env->config, checkpoint->identity, fingerprint, head);
    if (!cpi_checkpoint_read(found, head, &position, &ids)) {
        return cpi_checkpoint_difference(found, head);
    }
    if (position < confirmed) {
        return "the checkpoint in Redis is older than what the slot has let go";
    }
    if (position > end_lsn) {
        return "the checkpoint in Redis is ahead of Postgres' log";
    }
    return cpi_checkpoint_read_failing(env->config, ids, failing) ? NULL : "the checkpoint in Redis cannot be read";
}

cp_code cpi_checkpoint_begin(struct cpi_checkpoint *checkpoint, const struct cpi_checkpoint_stream *stream,
                             struct cpi_events *failing, const char **why, cp_error *err)
{
    char *found = NULL;
    struct cpi_target *target = cpi_env_target(checkpoint->env, "cachepusher-start", checkpoint->env->stop->drain_fd);
    if (target == NULL) {
        return cpi_error_memory(err);
    }
    cp_code code = target->ops->open(target, err);
    bool is_open = code == CP_OK;
    code = is_open ? cpi_checkpoint_key_read(&checkpoint->key, target, &found, err) : code;
    cpi_target_destroy(target);
    bool is_forbidden = is_open && code != CP_OK && !err->retriable; /* the thread will say so */
    if (code != CP_OK && !is_forbidden) {
        return code;
    }
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->stream++;
    snprintf(checkpoint->identity, sizeof checkpoint->identity, "%s %s %s %s", stream->system, stream->slot,
             stream->published, stream->since);
    *why = disagreement(checkpoint, found, stream->confirmed, stream->end_lsn, failing);
    checkpoint->known = *why == NULL ? hash_of(found) : 0;
    checkpoint->trying = checkpoint->known; /* nothing else, not even that there is none */
    checkpoint->written = (struct wish){.position = 0, .complete = found != NULL}; /* one that disagrees has to go */
    checkpoint->wanted = (struct wish){.position = 0, .complete = *why == NULL};
    pthread_mutex_unlock(&checkpoint->mutex);
    free(found);
    return CP_OK;
}

void cpi_checkpoint_end(struct cpi_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->stream++;
    checkpoint->identity[0] = '\0';
    checkpoint->written = (struct wish){0};
    checkpoint->wanted = checkpoint->written;
    pthread_mutex_unlock(&checkpoint->mutex);
}

void cpi_checkpoint_put(struct cpi_checkpoint *checkpoint, uint64_t position, bool complete)
{
    const struct cpi_env *env = checkpoint->env;
    char *failing = complete ? cpi_checkpoint_print_failing(env->config, &env->lanes) : NULL;
    pthread_mutex_lock(&checkpoint->mutex);
    if (position > checkpoint->wanted.position) {
        checkpoint->wanted.position = position;
    }
    checkpoint->wanted.complete = failing != NULL;
    checkpoint->wanted.failing = hash_of(failing);
    free(checkpoint->failing);
    checkpoint->failing = failing;
    pthread_mutex_unlock(&checkpoint->mutex);
    cpi_bell_ring(&checkpoint->bell);
}

bool cpi_checkpoint_is_complete(struct cpi_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    bool complete = checkpoint->wanted.complete || checkpoint->written.complete;
    pthread_mutex_unlock(&checkpoint->mutex);
    return complete;
}

uint64_t cpi_checkpoint_written(struct cpi_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    uint64_t position = checkpoint->written.position;
    pthread_mutex_unlock(&checkpoint->mutex);
    return position;
}

/* ---- lifecycle ---- */

struct cpi_checkpoint *cpi_checkpoint_create(const struct cpi_env *env, const struct cpi_checkpoint_marker *marker,
                                             struct cpi_bell *written, cp_error *err)
{
    struct cpi_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    cpi_checkpoint_key_make(&checkpoint->key, env);
    cpi_pulse_init(&checkpoint->pulse, "cp-checkpoint");
    checkpoint->env = env;
    checkpoint->marker = *marker;
    checkpoint->written_bell = written;
    checkpoint->bell.fd = -1;
    pthread_mutex_init(&checkpoint->mutex, NULL);
    cpi_backoff_init(&checkpoint->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 5);
    checkpoint->target = cpi_env_target(env, "cachepusher-checkpoint", env->stop->drain_fd);
    if (checkpoint->target == NULL) {
        cpi_error_memory(err);
    }
    if (checkpoint->target == NULL || cpi_bell_init(&checkpoint->bell, err) != CP_OK) {
        cpi_checkpoint_destroy(checkpoint);
        return NULL;
    }
    return checkpoint;
}

cp_code cpi_checkpoint_start(struct cpi_checkpoint *checkpoint, cp_error *err)
{
    return cpi_thread_start(&checkpoint->thread, &checkpoint->env->hooks, "cp-checkpoint", run_checkpoint, checkpoint,
                            err);
}

void cpi_checkpoint_join(struct cpi_checkpoint *checkpoint)
{
    if (checkpoint != NULL) {
        cpi_bell_ring(&checkpoint->bell);
        cpi_thread_join(&checkpoint->thread);
    }
}

struct cpi_pulse *cpi_checkpoint_pulse(struct cpi_checkpoint *checkpoint)
{
    return &checkpoint->pulse;
}

void cpi_checkpoint_destroy(struct cpi_checkpoint *checkpoint)
{
    if (checkpoint == NULL) {
        return;
    }
    cpi_pulse_fini(&checkpoint->pulse);
    free(checkpoint->failing);
    cpi_target_destroy(checkpoint->target);
    cpi_bell_fini(&checkpoint->bell);
    pthread_mutex_destroy(&checkpoint->mutex);
    free(checkpoint);
}
