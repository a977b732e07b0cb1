#include "resync/resync_steps.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/pulse.h"
#include "postgres/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_BASE_MS = 100,
    RETRY_CAP_MS = 2000,
    LOOK_LAST_MS = 50 /* while nothing moves, since a server may be away for hours */
};

/* ---- waiting ---- */

bool cpi_steps_wait(struct cpi_steps *steps, int *look_ms)
{
    /* The syncer that takes over reads everything, and so do we when a new term of ours begins. */
    bool going_on = cpi_stop_sleep(steps->env->stop, *look_ms) && cpi_lease_state(steps->env->lease) != CPI_LEASE_TAKEN;
    *look_ms = 2 * *look_ms < LOOK_LAST_MS ? 2 * *look_ms : LOOK_LAST_MS;
    steps->report(steps->report_context);
    return going_on;
}

/* After a failure. False: stopping. Logged once per outage, as long as nothing succeeds in between. */
static bool steps_wait_before_retry(struct cpi_steps *steps, const cp_error *why)
{
    if (cpi_stop_phase(steps->env->stop) != CPI_RUNNING) {
        return false;
    }
    cpi_log_about(&steps->env->log, steps->backoff.last_ms == 0 ? CP_LOG_WARN : CP_LOG_DEBUG,
                  &(struct cpi_log_about){.host = cpi_env_host(steps->env, why->code)}, "resync: %s; trying again",
                  why->message);
    cpi_stats_add_error(steps->env->stats, why);
    cpi_pulse_fails(why);
    return cpi_stop_sleep(steps->env->stop, cpi_backoff_next(&steps->backoff)) &&
           cpi_lease_state(steps->env->lease) != CPI_LEASE_TAKEN;
}

/* What to do after a failure. CPI_STEP_DONE: it has waited; try again. */
static enum cpi_step after_failure(struct cpi_steps *steps, const struct cpi_entity *entity, const char *what,
                                   const cp_error *why)
{
    if (!why->retriable && cpi_stop_phase(steps->env->stop) == CPI_RUNNING) {
        cpi_stats_add_error(steps->env->stats, why);
        cpi_pulse_fails(why);
        cpi_log_repeated(&steps->env->log, CPI_REPEAT_STEP, why->message, CP_LOG_WARN,
                         &(struct cpi_log_about){.entity = entity->name, .host = cpi_env_host(steps->env, why->code)},
                         "%s: %s: %s; will be retried", entity->name, what, why->message);
        return CPI_STEP_FAILED;
    }
    return steps_wait_before_retry(steps, why) ? CPI_STEP_DONE : CPI_STEP_STOPPING;
}

static bool push_staged(struct cpi_steps *steps)
{
    for (int look_ms = CPI_LOOK_FIRST_MS; !cpi_bulk_feed_push(&steps->bulk_feed);) {
        if (!cpi_steps_wait(steps, &look_ms)) {
            return false;
        }
    }
    return true;
}

static enum cpi_step ask_lanes(struct cpi_steps *steps, bool (*ask)(struct cpi_bulk_feed *bulk_feed))
{
    for (int look_ms = CPI_LOOK_FIRST_MS; !ask(&steps->bulk_feed);) {
        if (!cpi_steps_wait(steps, &look_ms)) {
            return CPI_STEP_STOPPING;
        }
    }
    for (int look_ms = CPI_LOOK_FIRST_MS;
         !cpi_bulk_feed_passed(&steps->bulk_feed, CPI_RING_BULK, steps->bulk_feed.barrier);) {
        if (!cpi_steps_wait(steps, &look_ms)) {
            return CPI_STEP_STOPPING;
        }
    }
    return CPI_STEP_DONE;
}

enum cpi_step cpi_steps_settle(struct cpi_steps *steps)
{
    return ask_lanes(steps, cpi_bulk_feed_barrier);
}

enum cpi_step cpi_steps_quiesce(struct cpi_steps *steps)
{
    return ask_lanes(steps, cpi_bulk_feed_quiesce);
}

/* ---- listing: ids from Postgres ---- */

/* See cpi_lease_term(). */
static bool is_of_current_term(void *context)
{
    const struct cpi_steps *steps = context;
    uint64_t term = cpi_lease_term(steps->env->lease);
    CPI_ASSERT(steps->term <= term);
    return steps->term == term;
}

cp_code cpi_steps_open(struct cpi_steps *steps, cp_error *err)
{
    uint64_t term = cpi_lease_term(steps->env->lease);
    uint64_t generation = cpi_requests_generation(steps->env->requests);
    if (cpi_pg_is_open(&steps->scan.pg) && steps->term == term && steps->generation == generation) {
        return CP_OK;
    }
    steps->term = term;
    steps->generation = generation;
    return cpi_pg_open(&steps->scan.pg, err);
}

/* Stages an id that is the caller's: a text id is copied. */
static bool stage_copy(struct cpi_steps *steps, uint32_t index, const union cpi_id *id, cp_error *err)
{
    enum cpi_id_type type = steps->env->config->entities[index].id_type;
    struct cpi_event event = {.entity = (uint16_t)index};
    if (!cpi_id_copy(type, id, &event.id)) {
        cpi_error_memory(err);
        return false;
    }
    if (!cpi_bulk_feed_stage(&steps->bulk_feed, &event)) {
        cpi_id_fini(type, &event.id);
        cpi_error_memory(err);
        return false;
    }
    return true;
}

static bool stage_rows(struct cpi_steps *steps, uint32_t index, const struct cpi_rows *result, cp_error *err)
{
    for (int row = 0; row < cpi_rows_count(result); row++) {
        union cpi_id id = cpi_fetch_id(&steps->env->config->entities[index], result, row, 0);
        if (!stage_copy(steps, index, &id, err)) {
            return false;
        }
    }
    return true;
}

/* The next ids, unless some of the last are left. What Postgres lists is not an orphan. */
static bool take_listed(struct cpi_steps *steps, cp_error *err)
{
    if (steps->slice.count > 0) {
        return true;
    }
    if (!cpi_scan_has_more(&steps->scan) && cpi_steps_open(steps, err) != CP_OK) {
        return false;
    }
    if (cpi_scan_next(&steps->scan, CPI_SLICE, &steps->slice, err) != CP_OK) {
        cpi_slice_clear(&steps->slice, steps->env->config->entities);
        return false;
    }
    for (uint32_t i = 0; i < steps->slice.count && steps->orphans.count > 0; i++) {
        cpi_orphans_strike(&steps->orphans, &steps->slice.ids[i]);
    }
    cpi_backoff_reset(&steps->backoff);
    return true;
}

/* The slice's ids become the feed's. On failure those that did not are left in it. */
static bool stage_slice(struct cpi_steps *steps, cp_error *err)
{
    struct cpi_slice *slice = &steps->slice;
    uint32_t n = 0;
    while (n < slice->count) {
        struct cpi_event event = {.id = slice->ids[n], .entity = (uint16_t)slice->entity};
        if (!cpi_bulk_feed_stage(&steps->bulk_feed, &event)) {
            break;
        }
        n++;
    }
    cpi_slice_drop_first(slice, n);
    if (slice->count > 0) {
        cpi_error_memory(err);
    }
    return slice->count == 0;
}

/* Puts every listed id through the lanes, a page at a time. A page that was lost is asked for again; it does not start
 * over. */
static enum cpi_step list_ids(struct cpi_steps *steps, uint32_t index)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    enum cpi_step step = CPI_STEP_DONE;
    cpi_scan_begin_entity(&steps->scan, CPI_FROM_POSTGRES, index);
    while (step == CPI_STEP_DONE && (steps->slice.count > 0 || !cpi_scan_is_done(&steps->scan))) {
        cp_error err = {0};
        if (!take_listed(steps, &err) || !stage_slice(steps, &err)) {
            step = after_failure(steps, entity, "listing", &err);
        } else if (!cpi_scan_has_more(&steps->scan)) {
            step = push_staged(steps) ? CPI_STEP_DONE : CPI_STEP_STOPPING;
        }
    }
    cpi_slice_clear(&steps->slice, steps->env->config->entities);
    cpi_scan_skip(&steps->scan); /* frees the page where it ended early */
    return step;
}

/* A worker reads each again and deletes the key if there is no document. */
static enum cpi_step push_orphans(struct cpi_steps *steps, uint32_t index)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    enum cpi_step step = CPI_STEP_DONE;
    const union cpi_id *id = NULL;
    while (step == CPI_STEP_DONE && (id = cpi_orphans_first(&steps->orphans)) != NULL) {
        cp_error err = {0};
        if (!stage_copy(steps, index, id, &err)) {
            step = after_failure(steps, entity, "sweeping", &err);
            continue;
        }
        cpi_orphans_strike(&steps->orphans, id);
        step = push_staged(steps) ? CPI_STEP_DONE : CPI_STEP_STOPPING;
    }
    return step;
}

enum cpi_step cpi_steps_list(struct cpi_steps *steps, uint32_t index)
{
    enum cpi_step step = list_ids(steps, index);
    steps->share.unlisted += cpi_orphans_left(&steps->orphans);
    if (step == CPI_STEP_DONE) {
        step = cpi_share_allows(&steps->share, steps->env, index) ? push_orphans(steps, index) : CPI_STEP_FAILED;
    }
    cpi_orphans_clear(&steps->orphans, CPI_ID_INTEGER);
    return step;
}

/* ---- sweeping: ids from Redis whose row is gone ---- */

/* Puts those of the probe's ids that Postgres does not list through the lanes, and empties it. */
static bool stage_missing(struct cpi_steps *steps, uint32_t index, cp_error *err)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    if (steps->probe.count == 0) {
        return true;
    }
    struct cpi_rows *missing =
        cpi_steps_open(steps, err) == CP_OK ? cpi_listing_missing(&steps->scan.pg, entity, &steps->probe, err) : NULL;
    bool staged = missing != NULL;
    if (staged) {
        steps->share.found += steps->probe.count;
        steps->share.unlisted += (uint64_t)cpi_rows_count(missing);
        staged = cpi_share_allows(&steps->share, steps->env, index);
        if (!staged) {
            cpi_error(err, CP_ERR_POSTGRES, false, "too few of its keys are listed");
        }
    }
    staged = staged && stage_rows(steps, index, missing, err);
    cpi_rows_free(missing);
    return staged && cpi_id_array_clear(&steps->probe, entity->id_type);
}

/* Takes over the id, also on failure. */
static bool keep_id(struct cpi_steps *steps, const struct cpi_entity *entity, union cpi_id *id, bool will_list)
{
    if (will_list && steps->orphans.count < steps->env->config->max_pending && cpi_orphans_add(&steps->orphans, id)) {
        return true;
    }
    bool added = cpi_id_array_add(&steps->probe, id);
    cpi_id_fini(entity->id_type, id);
    return added;
}

static bool keep_slice(struct cpi_steps *steps, const struct cpi_entity *entity, bool will_list, cp_error *err)
{
    bool kept = true;
    uint32_t n = 0;
    while (n < steps->slice.count && kept) {
        kept = keep_id(steps, entity, &steps->slice.ids[n++], will_list);
    }
    cpi_slice_drop_first(&steps->slice, n);
    if (!kept) {
        cpi_error_memory(err);
    }
    return kept;
}

/* Some of the ids of one SCAN. At the end of the SCAN they are looked up and pushed. */
static bool sweep_slice(struct cpi_steps *steps, uint32_t index, bool will_list, cp_error *err)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    if (cpi_scan_next(&steps->scan, CPI_SLICE, &steps->slice, err) != CP_OK ||
        !keep_slice(steps, entity, will_list, err)) {
        return false;
    }
    steps->report(steps->report_context);
    return cpi_scan_has_more(&steps->scan) || (stage_missing(steps, index, err) && push_staged(steps));
}

/* All keys of the entity. False with err set: start over, which does no harm. */
static bool sweep_once(struct cpi_steps *steps, uint32_t index, bool will_list, cp_error *err)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    steps->share = (struct cpi_share){0};
    cpi_orphans_clear(&steps->orphans, entity->id_type);
    cpi_scan_begin_entity(&steps->scan, CPI_FROM_REDIS, index);
    if (!cpi_id_array_clear(&steps->probe, entity->id_type)) {
        cpi_error_memory(err);
        return false;
    }
    bool fine = true;
    while (fine && !cpi_scan_is_done(&steps->scan)) {
        fine = sweep_slice(steps, index, will_list, err);
    }
    cpi_slice_clear(&steps->slice, steps->env->config->entities);
    cpi_scan_skip(&steps->scan);
    if (fine && !cpi_orphans_sort(&steps->orphans)) {
        cpi_error_memory(err);
        fine = false;
    }
    steps->share.found += steps->orphans.count;
    cpi_allowance_found(steps->env->allowance, index, steps->share.found); /* before any listed id is read again */
    return fine;
}

enum cpi_step cpi_steps_sweep(struct cpi_steps *steps, uint32_t index, bool will_list)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    cp_error err = {.retriable = true}; /* in case it ends because the syncer does */
    while (!sweep_once(steps, index, will_list, &err)) {
        enum cpi_step step = after_failure(steps, entity, "sweeping", &err);
        if (step != CPI_STEP_DONE) {
            cpi_orphans_clear(&steps->orphans, entity->id_type);
            return step;
        }
    }
    cpi_backoff_reset(&steps->backoff);
    steps->scan.target->ops->close(steps->scan.target); /* listing may take longer than an idle path stays open */
    if (steps->scan.unmanaged > 0) {
        cpi_log_about(&steps->env->log, CP_LOG_WARN,
                      &(struct cpi_log_about){.entity = entity->name, .count = steps->scan.unmanaged},
                      "%s: %llu key%s under \"%s\" %s left alone", entity->name,
                      (unsigned long long)steps->scan.unmanaged, cpi_plural(steps->scan.unmanaged), entity->key.before,
                      steps->scan.unmanaged == 1 ? "is no document of this entity and is"
                                                 : "are not documents of this entity and are");
    }
    return CPI_STEP_DONE;
}

/* ---- touching: let the triggers announce every document ---- */

/* On a connection of its own without a statement timeout, since a procedure may take long. */
static bool run_procedure(struct cpi_steps *steps, const char *name, cp_error *err)
{
    struct cpi_pg_parameter parameter = {.value = name};
    struct cpi_rows *kind = cpi_steps_open(steps, err) == CP_OK
                                ? cpi_pg_query(&steps->scan.pg,
                                               "select prokind from pg_catalog.pg_proc where oid operator(pg_catalog.=)"
                                               " $1::pg_catalog.regproc::pg_catalog.oid",
                                               &parameter, 1, false, err)
                                : NULL;
    if (kind == NULL) {
        return false;
    }
    bool is_procedure = cpi_rows_count(kind) == 1 && strcmp(cpi_rows_value(kind, 0, 0), "p") == 0;
    cpi_rows_free(kind);

    char *sql = NULL;
    if (asprintf(&sql, "%s %s()", is_procedure ? "call" : "select", name) < 0) {
        cpi_error_memory(err);
        return false;
    }
    struct cpi_pg untimed = steps->scan.pg;
    untimed.connection = NULL;
    untimed.statement_timeout_ms = 0;
    untimed.watch = NULL; /* given up here, it would go on in the server and keep its locks */
    struct cpi_rows *result =
        cpi_pg_open(&untimed, err) == CP_OK ? cpi_pg_query(&untimed, sql, NULL, 0, false, err) : NULL;
    free(sql);
    cpi_rows_free(result);
    cpi_pg_close(&untimed);
    return result != NULL;
}

enum cpi_step cpi_steps_touch(struct cpi_steps *steps, uint32_t index)
{
    const struct cpi_entity *entity = &steps->env->config->entities[index];
    cp_error err = {0};
    while (!run_procedure(steps, entity->warmup_procedure, &err)) {
        enum cpi_step step = after_failure(steps, entity, "warm-up procedure", &err);
        if (step != CPI_STEP_DONE) {
            return step;
        }
    }
    cpi_backoff_reset(&steps->backoff);
    return CPI_STEP_DONE;
}

uint64_t cpi_steps_estimate(struct cpi_steps *steps, uint32_t index)
{
    uint64_t estimate = 0;
    if (cpi_steps_open(steps, NULL) == CP_OK) {
        cpi_listing_estimate(&steps->scan.pg, &steps->env->config->entities[index], &estimate, NULL);
    }
    return estimate;
}

/* ---- lifecycle ---- */

cp_code cpi_steps_init(struct cpi_steps *steps, const struct cpi_env *env, void (*report)(void *context),
                       void *report_context, cp_error *err)
{
    *steps = (struct cpi_steps){.env = env, .report = report, .report_context = report_context};
    if (cpi_scan_init(&steps->scan, CPI_FROM_POSTGRES, env, "cachepusher resync", "cachepusher-resync", err) != CP_OK) {
        return CP_ERR_SYSTEM;
    }
    steps->scan.pg.watch = is_of_current_term;
    steps->scan.pg.watch_context = steps;
    cpi_backoff_init(&steps->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 2);
    return cpi_bulk_feed_init(&steps->bulk_feed, &env->lanes, err);
}

void cpi_steps_close(struct cpi_steps *steps)
{
    cpi_scan_close(&steps->scan);
}

void cpi_steps_fini(struct cpi_steps *steps)
{
    cpi_scan_fini(&steps->scan);
    cpi_orphans_clear(&steps->orphans, CPI_ID_INTEGER);
    cpi_id_array_fini(&steps->probe);
    cpi_bulk_feed_fini(&steps->bulk_feed);
}
