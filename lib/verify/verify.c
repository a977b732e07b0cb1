#include "verify/verify_internal.h"

#include "postgres/announce.h"
#include "base/clock.h"
#include "base/error.h"
#include "lease/lock.h"
#include "postgres/listing.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SUSPECTS_MAX = 1000000, /* of about 50 bytes each; with more than this, Redis holds another database */
    UNREADABLE_MAX = 1000,  /* each costs statements of its own */
    RECHECK_MS = 2000,
    RECHECK_MS_MAX = 3600000,
    /* Each look at a suspect reads its document again. With many suspects the result is plain, and does not depend on
     * a single row that flips between two values. */
    FEW_SUSPECTS = 10000,
    LOOKS_AT_FEW = 16,
    LOOKS_AT_MANY = 3,
    REPAIR_FACTOR = 15, /* give up after this many times recheck_ms without progress */
    REPAIR_LOOK_MS = 100,
    ANNOUNCE_EVERY_MS = 5000 /* announce again what is not repaired yet, since the writer may have been away */
};

/* ---- the first look ---- */

/* Counts an id that is not a suspect, or no longer one. The mutex is held. */
static void count_outcome(struct cpi_verify *verify, enum cpi_outcome outcome)
{
    cp_verify_result *so_far = &verify->so_far;
    so_far->equal += outcome == CPI_CLEARED;
    so_far->in_flight += outcome == CPI_IN_FLIGHT;
    so_far->expired += outcome == CPI_EXPIRED;
    so_far->unreadable += outcome == CPI_NOT_READ;
}

static void note_first_looks(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    const struct cpi_slice *slice = &checker->slice;
    const struct cpi_entity *entity = &verify->env->config->entities[slice->entity];
    cp_error err = {0};
    bool fits = true;
    pthread_mutex_lock(&verify->mutex);
    for (uint32_t i = 0; i < slice->count && fits; i++) {
        struct cpi_suspect look = {.event = {.id = slice->ids[i], .entity = (uint16_t)slice->entity}};
        cpi_suspect_look(&look, entity, &checker->compared[i], &verify->patience, cpi_now_ms());
        count_outcome(verify, (enum cpi_outcome)look.outcome);
        if (look.outcome == CPI_LOOK_AGAIN) {
            fits = cpi_suspects_add(&verify->suspects, slice->entity, &slice->ids[i]);
        }
    }
    verify->so_far.compared += slice->count;
    verify->so_far.rechecking = verify->suspects.count;
    verify->so_far.incomplete = verify->suspects.count >= SUSPECTS_MAX;
    bool readable = verify->so_far.unreadable < UNREADABLE_MAX;
    pthread_mutex_unlock(&verify->mutex);
    if (!fits) {
        cpi_error_memory(&err);
        cpi_verify_fail(verify, &err);
    } else if (!readable) {
        cpi_error(&err, CP_ERR_POSTGRES, false, "%d documents cannot be read; the last one: %s", UNREADABLE_MAX,
                  checker->compare.unreadable.message);
        cpi_verify_fail(verify, &err);
    }
}

static bool drop_listed(struct cpi_checker *checker)
{
    cp_error err = {0};
    for (unsigned tries = 0; cpi_compare_drop_listed(&checker->compare, &checker->slice, &err) != CP_OK;) {
        if (!cpi_checker_retry(checker, &tries, &err)) {
            return false;
        }
    }
    return true;
}

static void compare_all(struct cpi_checker *checker)
{
    struct cpi_slice *slice = &checker->slice;
    while (cpi_checker_take(checker)) {
        if ((checker->verify->scan.kind == CPI_FROM_REDIS && !drop_listed(checker)) ||
            !cpi_checker_compare(checker, slice->entity, slice->ids, slice->count)) {
            return;
        }
        note_first_looks(checker);
        cpi_slice_clear(slice, checker->verify->env->config->entities);
    }
}

/* One checker. An estimate that fails is left at 0. */
static void estimate(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    struct cpi_pg *pg = &checker->compare.fetch.pg;
    uint64_t sum = 0;
    if (cpi_compare_open_postgres(&checker->compare, NULL) != CP_OK) {
        return;
    }
    for (uint32_t e = 0; e < verify->env->config->entity_count && cpi_pg_is_open(pg); e++) {
        uint64_t count = 0;
        cpi_listing_estimate(pg, &verify->env->config->entities[e], &count, NULL);
        sum += count;
    }
    pthread_mutex_lock(&verify->mutex);
    verify->so_far.expected = sum;
    pthread_mutex_unlock(&verify->mutex);
}

/* From Postgres, or from Redis. */
static void begin_scan(struct cpi_verify *verify, enum cpi_scan_kind kind)
{
    cpi_scan_begin(&verify->scan, kind);
}

static bool verify_look_at_all(struct cpi_verify *verify)
{
    if (!cpi_verify_run(verify, estimate, 1)) {
        return false;
    }
    begin_scan(verify, CPI_FROM_POSTGRES);
    if (!cpi_verify_run(verify, compare_all, SIZE_MAX)) {
        return false;
    }
    verify->so_far.unfit = verify->scan.unfit;
    begin_scan(verify, CPI_FROM_REDIS);
    bool compared = cpi_verify_run(verify, compare_all, SIZE_MAX);
    verify->so_far.unmanaged = verify->scan.unmanaged;
    return compared;
}

/* ---- a sample ---- */

/* One checker. Any `sample` ids of the scan become suspects, each with the same chance (reservoir sampling). */
static void pick_some(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    struct cpi_suspects *picked = &verify->suspects;
    const struct cpi_slice *slice = &checker->slice;
    uint64_t size = verify->options->sample;
    size_t before = picked->count; /* picked from the other scan */
    uint64_t seen = 0;
    while (cpi_checker_take(checker)) {
        for (uint32_t i = 0; i < slice->count; i++) {
            uint64_t place = seen < size ? seen : cpi_verify_random(verify) % (seen + 1);
            seen++;
            if (place >= size) {
                continue;
            }
            if (!cpi_suspects_put(picked, before + place, slice->entity, &slice->ids[i])) {
                cp_error err;
                cpi_error_memory(&err);
                cpi_verify_fail(verify, &err);
                return;
            }
        }
        cpi_slice_clear(&checker->slice, verify->env->config->entities);
    }
}

static bool pick_sample(struct cpi_verify *verify)
{
    begin_scan(verify, CPI_FROM_POSTGRES);
    if (!cpi_verify_run(verify, pick_some, 1)) {
        return false;
    }
    verify->so_far.unfit = verify->scan.unfit;
    begin_scan(verify, CPI_FROM_REDIS);
    if (!cpi_verify_run(verify, pick_some, 1)) {
        return false;
    }
    verify->so_far.unmanaged = verify->scan.unmanaged;
    cpi_suspects_sort(&verify->suspects);
    verify->so_far.expected = verify->suspects.count;
    return true;
}

/* ---- looking again ---- */

static void tell_difference(struct cpi_verify *verify, const struct cpi_suspect *suspect,
                            const struct cpi_compared *compared)
{
    const struct cpi_entity *entity = &verify->env->config->entities[suspect->event.entity];
    cp_difference_kind kind = compared->verdict == CPI_MISSING     ? CP_MISSING
                              : compared->verdict == CPI_DIFFERENT ? CP_DIFFERENT
                                                                   : CP_ORPHAN;
    verify->so_far.missing += kind == CP_MISSING;
    verify->so_far.different += kind == CP_DIFFERENT;
    verify->so_far.orphans += kind == CP_ORPHAN;
    if (verify->options->difference == NULL) {
        return;
    }
    char *key = cpi_key_text(&entity->key, entity->id_type, &suspect->event.id);
    if (key == NULL) {
        cpi_log(&verify->env->log, CP_LOG_ERROR, "out of memory for a difference; it is counted");
        return;
    }
    verify->options->difference(verify->options->context, &(cp_difference){.size = sizeof(cp_difference),
                                                                           .kind = kind,
                                                                           .entity = entity->name,
                                                                           .key = key,
                                                                           .at = compared->at,
                                                                           .document = compared->document,
                                                                           .held = compared->redis_value});
    free(key);
}

/* While repairing, one look that finds both sides equal is enough. */
static void verify_classify(struct cpi_verify *verify, struct cpi_suspect *suspect, const struct cpi_compared *compared)
{
    const struct cpi_entity *entity = &verify->env->config->entities[suspect->event.entity];
    if (verify->so_far.stage != CP_VERIFY_REPAIRING) {
        cpi_suspect_look(suspect, entity, compared, &verify->patience, cpi_now_ms());
        return;
    }
    bool expired = compared->verdict == CPI_MISSING && entity->ttl_s > 0;
    suspect->outcome = compared->verdict == CPI_EQUAL || expired ? CPI_CLEARED : CPI_LOOK_AGAIN;
}

static void note_look(struct cpi_verify *verify, const struct cpi_suspect *suspect, bool is_first,
                      const struct cpi_compared *compared)
{
    enum cpi_outcome outcome = (enum cpi_outcome)suspect->outcome;
    if (verify->so_far.stage == CP_VERIFY_REPAIRING) {
        verify->so_far.repaired += outcome == CPI_CLEARED;
        return;
    }
    verify->so_far.compared += is_first;
    verify->so_far.rechecking += is_first;
    verify->so_far.rechecking -= outcome != CPI_LOOK_AGAIN;
    count_outcome(verify, outcome);
    if (outcome == CPI_CONFIRMED) {
        tell_difference(verify, suspect, compared);
    }
}

/* Takes some suspects of one entity, which then belong to the checker. 0: all are taken. */
static uint32_t take_suspects(struct cpi_checker *checker, struct cpi_suspect **first)
{
    struct cpi_verify *verify = checker->verify;
    uint32_t limit = cpi_compare_limit(&checker->compare);
    uint32_t n = 0;
    pthread_mutex_lock(&verify->mutex);
    *first = verify->suspects.items + verify->next;
    while (n < limit && verify->next + n < verify->suspects.count &&
           (*first)[n].event.entity == (*first)->event.entity) {
        n++;
    }
    verify->next += n;
    pthread_mutex_unlock(&verify->mutex);
    return n;
}

static void look_again(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    struct cpi_suspect *suspects;
    for (uint32_t n; (n = take_suspects(checker, &suspects)) > 0;) {
        union cpi_id ids[CPI_SLICE];
        for (uint32_t i = 0; i < n; i++) {
            ids[i] = suspects[i].event.id;
        }
        if (!cpi_checker_compare(checker, suspects->event.entity, ids, n)) {
            return;
        }
        pthread_mutex_lock(&verify->mutex);
        for (uint32_t i = 0; i < n; i++) {
            bool is_first = suspects[i].looks == 0 && verify->options->sample > 0;
            verify_classify(verify, &suspects[i], &checker->compared[i]);
            note_look(verify, &suspects[i], is_first, &checker->compared[i]);
        }
        pthread_mutex_unlock(&verify->mutex);
    }
}

/* One look at every suspect. Those that need another look stay. */
static bool look_once(struct cpi_verify *verify)
{
    verify->next = 0;
    if (!cpi_verify_run(verify, look_again, verify->suspects.count / CPI_SLICE + 1)) {
        return false;
    }
    if (!cpi_suspects_keep(&verify->suspects, CPI_LOOK_AGAIN, verify->options->repair ? &verify->confirmed : NULL)) {
        cp_error err;
        cpi_error_memory(&err);
        cpi_verify_fail(verify, &err);
        return false;
    }
    return true;
}

/* Half to one and a half times as long, so that the looks do not keep in step with a row that changes regularly. */
static int jitter(struct cpi_verify *verify, int ms)
{
    return ms / 2 + (int)(cpi_verify_random(verify) % (uint64_t)(ms + 1));
}

/* An id can come twice: listed, and found in Redis after its row was deleted. SCAN may also return a key twice. */
static void drop_duplicates(struct cpi_verify *verify)
{
    size_t before = verify->suspects.count;
    cpi_suspects_sort(&verify->suspects);
    verify->so_far.compared -= before - verify->suspects.count;
    verify->so_far.rechecking = verify->suspects.count;
}

static bool recheck(struct cpi_verify *verify)
{
    verify->so_far.stage = CP_VERIFY_RECHECKING;
    verify->patience.looks = verify->suspects.count > FEW_SUSPECTS ? LOOKS_AT_MANY : LOOKS_AT_FEW;
    while (verify->suspects.count > 0) {
        if (!look_once(verify) ||
            (verify->suspects.count > 0 &&
             !cpi_verify_rest(verify, jitter(verify, cpi_patience_interval_ms(&verify->patience))))) {
            return false;
        }
    }
    return true;
}

/* ---- repairing ---- */

static void verify_announce(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    const struct cpi_suspects *suspects = &verify->suspects;
    struct cpi_pg *pg = &checker->compare.fetch.pg;
    cp_error err = {0};
    unsigned tries = 0;
    if (suspects->count == 0) {
        return;
    }
    while (cpi_compare_open_postgres(&checker->compare, &err) != CP_OK ||
           verify->env->announcer->ids(pg, verify->env->config->entities, &suspects->items[0].event,
                                       sizeof *suspects->items, suspects->count, &err) != CP_OK) {
        if (!cpi_checker_retry(checker, &tries, &err)) {
            return;
        }
    }
}

/* One checker. Where it cannot be told, the repair shows. */
static void look_at_writer(struct cpi_checker *checker)
{
    struct cpi_verify *verify = checker->verify;
    char role[CPI_LEASE_ROLE_BYTES];
    bool differs = false;
    cp_error ignored;
    cpi_config_lease_role(verify->env->config, role);
    if (cpi_compare_open_postgres(&checker->compare, &ignored) == CP_OK) {
        cpi_lock_differs(&checker->compare.fetch.pg, verify->env->lease->name, role, &differs, &ignored);
    }
    pthread_mutex_lock(&verify->mutex);
    verify->so_far.writer_differs = differs;
    pthread_mutex_unlock(&verify->mutex);
}

static bool repair(struct cpi_verify *verify)
{
    struct cpi_suspects empty = verify->suspects;
    verify->suspects = verify->confirmed;
    verify->confirmed = empty;
    cpi_suspects_sort(&verify->suspects);
    verify->so_far.stage = CP_VERIFY_REPAIRING;
    size_t left = verify->suspects.count;
    if (left > 0 && !cpi_verify_run(verify, look_at_writer, 1)) {
        return false;
    }
    int repair_ms = (verify->so_far.writer_differs ? 1 : REPAIR_FACTOR) * verify->patience.for_ms;
    int64_t until_ms = cpi_now_ms() + repair_ms;
    int64_t announce_at_ms = 0;
    while (left > 0 && cpi_now_ms() < until_ms) {
        if (cpi_now_ms() >= announce_at_ms) {
            if (!cpi_verify_run(verify, verify_announce, 1)) {
                return false;
            }
            announce_at_ms = cpi_now_ms() + ANNOUNCE_EVERY_MS;
        }
        if (!cpi_verify_rest(verify, REPAIR_LOOK_MS) || !look_once(verify)) {
            return false;
        }
        if (verify->suspects.count < left) {
            left = verify->suspects.count;
            until_ms = cpi_now_ms() + repair_ms;
        }
    }
    return true;
}

/* ---- the whole ---- */

cp_code cpi_verify(const struct cpi_env *env, const cp_verify_options *options, cp_verify_result *result, cp_error *err)
{
    struct cpi_verify verify;
    if (options->sample > SUSPECTS_MAX || options->recheck_ms < 0 || options->recheck_ms > RECHECK_MS_MAX) {
        *result = (cp_verify_result){.size = sizeof *result};
        return cpi_error(err, CP_ERR_ARGUMENT, false, "verify: %s",
                         options->sample > SUSPECTS_MAX ? "sample is larger than a million"
                                                        : "recheck_ms is not from 0 to an hour");
    }
    cp_code code = cpi_verify_init(&verify, env, options, err);
    if (code == CP_OK) {
        verify.patience = (struct cpi_patience){.for_ms = options->recheck_ms > 0 ? options->recheck_ms : RECHECK_MS,
                                                .looks = LOOKS_AT_FEW};
        if ((options->sample > 0 ? pick_sample(&verify) && look_once(&verify) : verify_look_at_all(&verify))) {
            drop_duplicates(&verify);
            bool decided = recheck(&verify);
            if (decided && options->repair) {
                repair(&verify);
            }
        }
        code = verify.code;
        if (code != CP_OK && err != NULL) {
            *err = verify.err;
        }
    }
    *result = verify.so_far;
    cpi_verify_fini(&verify);
    return code;
}
