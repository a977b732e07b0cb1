#include "verify/audit.h"

#include "base/backoff.h"
#include "scan/scan.h"
#include "base/clock.h"
#include "base/error.h"
#include "queue/recent.h"
#include "verify/suspects.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 250,
    LATE_MS = 1000, /* a tick later than this is not made up for */
    PATIENCE_MS = 3000,
    LOOKS = 12,
    /* Suspects are read again at each tick, four ticks a second. Allowing four seconds' worth of suspects means at most
     * sixteen times as many reads, while everything is wrong, and lets them be confirmed as fast as they are found. */
    SUSPECTS_FACTOR = 4,
    SUSPECTS_LEAST = 64,
    KEYS_TO_A_SCAN = 1000, /* keys that one SCAN looks at */
    RETRY_BASE_MS = 500,
    RETRY_CAP_MS = 10000
};

static const char PG_ROLE[] = "cachepusher audit";
static const char REDIS_ROLE[] = "cachepusher-audit";

struct cpi_audit {
    const struct cpi_env *env;
    struct cpi_inbox *inbox;
    struct cpi_thread thread;
    struct cpi_pulse pulse;

    /* All below belongs to the thread. */
    struct cpi_compare compare;
    struct cpi_scan listed; /* from Postgres */
    struct cpi_scan found;  /* from Redis */
    struct cpi_suspects suspects;
    struct cpi_compared compared[CPI_SLICE];
    struct cpi_slice slice;
    struct cpi_patience patience;
    struct cpi_backoff backoff;
    uint64_t generation; /* of Postgres sessions, of those that are open */
    int64_t ticked_ms;
    int64_t credit;      /* documents that are due, in thousandths */
    int64_t keys_credit; /* keys that are due */
    bool round_up;       /* whether recent ids get the odd one */
};

static const struct cpi_entity *audit_entity_of(const struct cpi_audit *audit, uint32_t index)
{
    return &audit->env->config->entities[index];
}

/* ---- when to audit ---- */

/* A mismatch means nothing while another syncer is the writer, a resync runs, or a backlog delays changes. */
static bool may_audit(struct cpi_audit *audit)
{
    const struct cp_config *config = audit->env->config;
    const struct cpi_stats *stats = audit->env->stats;
    uint64_t pending = cpi_stats_get(stats, CPI_STAT_PENDING);
    uint64_t failing = cpi_stats_get(stats, CPI_STAT_FAILING);
    bool has_backlog = pending > failing + (uint64_t)config->batch * config->threads;
    return cpi_lease_is_held(audit->env->lease) && cpi_requests_is_idle(audit->env->requests) && !has_backlog;
}

/* ---- collecting what to compare ---- */

static cp_code audit_add(struct cpi_audit *audit, uint32_t entity, const union cpi_id *id, cp_error *err)
{
    return cpi_suspects_add(&audit->suspects, entity, id) ? CP_OK : cpi_error_memory(err);
}

/* Takes half of what is due from the recent ids, as far as there are any. *due becomes the rest. */
static cp_code add_recent(struct cpi_audit *audit, int64_t *due, cp_error *err)
{
    struct cpi_event event;
    cp_code code = CP_OK;
    audit->round_up = !audit->round_up;
    for (int64_t left = (*due + audit->round_up) / 2;
         left > 0 && code == CP_OK && cpi_recent_take(audit->env->recent, &event); left--) {
        code = audit_add(audit, event.entity, &event.id, err);
        cpi_id_fini(audit_entity_of(audit, event.entity)->id_type, &event.id);
        (*due)--;
    }
    return code;
}

static cp_code add_slice(struct cpi_audit *audit, cp_error *err)
{
    cp_code code = CP_OK;
    for (uint32_t i = 0; i < audit->slice.count && code == CP_OK; i++) {
        code = audit_add(audit, audit->slice.entity, &audit->slice.ids[i], err);
    }
    cpi_slice_clear(&audit->slice, audit->env->config->entities);
    return code;
}

/* Goes through everything once at most, since there may be less than is due. */
static cp_code add_listed(struct cpi_audit *audit, int64_t due, cp_error *err)
{
    cp_code code = CP_OK;
    if (cpi_scan_is_done(&audit->listed)) {
        cpi_scan_begin(&audit->listed, CPI_FROM_POSTGRES);
    }
    while (due > 0 && code == CP_OK && !cpi_scan_is_done(&audit->listed)) {
        uint32_t limit = due < CPI_SLICE ? (uint32_t)due : CPI_SLICE;
        code = cpi_scan_next(&audit->listed, limit, &audit->slice, err);
        due -= audit->slice.count;
        code = code == CP_OK ? add_slice(audit, err) : code;
    }
    return code;
}

/* Keys whose id is not listed. The keys of a SCAN are all used before the next SCAN. */
static cp_code add_found(struct cpi_audit *audit, int64_t due, cp_error *err)
{
    cp_code code = CP_OK;
    audit->keys_credit += due;
    if (cpi_scan_is_done(&audit->found)) {
        cpi_scan_begin(&audit->found, CPI_FROM_REDIS);
    }
    while (code == CP_OK && !cpi_scan_is_done(&audit->found) &&
           (cpi_scan_has_more(&audit->found) || audit->keys_credit >= KEYS_TO_A_SCAN)) {
        audit->keys_credit -= cpi_scan_has_more(&audit->found) ? 0 : KEYS_TO_A_SCAN;
        code = cpi_scan_next(&audit->found, CPI_SLICE, &audit->slice, err);
        code = code == CP_OK ? cpi_compare_drop_listed(&audit->compare, &audit->slice, err) : code;
        code = code == CP_OK ? add_slice(audit, err) : code;
    }
    return code;
}

static cp_code collect(struct cpi_audit *audit, cp_error *err)
{
    int64_t now_ms = cpi_now_ms();
    int64_t passed_ms = now_ms - audit->ticked_ms < LATE_MS ? now_ms - audit->ticked_ms : LATE_MS;
    uint64_t per_second = audit->env->config->audit_per_second;
    audit->ticked_ms = now_ms;
    if (audit->suspects.count >= SUSPECTS_FACTOR * per_second + SUSPECTS_LEAST) {
        return CP_OK;
    }
    audit->credit += (int64_t)per_second * passed_ms;
    int64_t due = audit->credit / 1000;
    audit->credit %= 1000;
    int64_t keys_due = due;
    cp_code code = add_recent(audit, &due, err);
    code = code == CP_OK ? add_listed(audit, due, err) : code;
    code = code == CP_OK ? add_found(audit, keys_due, err) : code;
    cpi_suspects_sort(&audit->suspects);
    return code;
}

/* ---- looking ---- */

/* Has the id read again. False: no room for it now. */
static bool audit_send(struct cpi_audit *audit, const struct cpi_suspect *suspect)
{
    static const char *const kinds[] = {
        [CPI_MISSING] = "missing", [CPI_DIFFERENT] = "different", [CPI_ORPHAN] = "an orphan"};
    const struct cpi_entity *entity = audit_entity_of(audit, suspect->event.entity);
    struct cpi_event event = suspect->event;
    event.origin = CP_ORIGIN_REPAIR;
    if (!cpi_id_copy(entity->id_type, &suspect->event.id, &event.id)) {
        return false;
    }
    if (!cpi_inbox_put(audit->inbox, &event)) {
        cpi_id_fini(entity->id_type, &event.id);
        return false;
    }
    cpi_stats_add(audit->env->stats, CPI_STAT_STALE, 1);
    char digits[CPI_ID_NUMBER_BYTES];
    char key[CPI_ENV_KEY_BYTES];
    cpi_log_repeated(
        &audit->env->log, CPI_REPEAT_STALE, kinds[suspect->verdict], CP_LOG_WARN,
        &(struct cpi_log_about){.entity = entity->name, .key = cpi_env_key(entity, &suspect->event.id, key)},
        "audit: %s%s%s is %s; reading it again", entity->key.before,
        cpi_id_text(entity->id_type, &suspect->event.id, digits), entity->key.after, kinds[suspect->verdict]);
    return true;
}

static uint32_t count_of_one_entity(const struct cpi_suspects *suspects, size_t from, uint32_t limit)
{
    uint32_t n = 0;
    while (n < limit && from + n < suspects->count &&
           suspects->items[from + n].event.entity == suspects->items[from].event.entity) {
        n++;
    }
    return n;
}

static cp_code look(struct cpi_audit *audit, struct cpi_suspect *suspects, uint32_t n, cp_error *err)
{
    union cpi_id ids[CPI_SLICE];
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = suspects[i].event.id;
    }
    cp_code code = cpi_compare_run(&audit->compare, suspects->event.entity, ids, n, audit->compared, err);
    if (code != CP_OK) {
        return code;
    }
    int64_t now_ms = cpi_now_ms();
    int64_t fresh = 0;
    for (uint32_t i = 0; i < n; i++) {
        fresh += suspects[i].looks == 0;
        cpi_suspect_look(&suspects[i], audit_entity_of(audit, suspects->event.entity), &audit->compared[i],
                         &audit->patience, now_ms);
        if (suspects[i].outcome == CPI_CONFIRMED && !audit_send(audit, &suspects[i])) {
            suspects[i].outcome = CPI_LOOK_AGAIN;
        }
    }
    cpi_stats_add(audit->env->stats, CPI_STAT_AUDITED, fresh);
    return CP_OK;
}

static cp_code audit_look_at_all(struct cpi_audit *audit, cp_error *err)
{
    uint32_t n = 0;
    for (size_t from = 0; from < audit->suspects.count; from += n) {
        n = count_of_one_entity(&audit->suspects, from, cpi_compare_limit(&audit->compare));
        cp_code code = look(audit, &audit->suspects.items[from], n, err);
        if (code != CP_OK) {
            return code;
        }
    }
    cpi_suspects_keep(&audit->suspects, CPI_LOOK_AGAIN, NULL);
    return CP_OK;
}

/* ---- the thread ---- */

/* A server is away or an entity is broken, which workers and resync report. The suspects are dropped, since they may be
 * out of date when it is over. */
static void rest_after(struct cpi_audit *audit, const cp_error *why)
{
    cpi_slice_clear(&audit->slice, audit->env->config->entities);
    cpi_suspects_clear(&audit->suspects);
    cpi_compare_close(&audit->compare);
    cpi_scan_close(&audit->listed);
    cpi_scan_close(&audit->found);
    if (!why->retriable) {
        cpi_scan_skip(&audit->listed);
        cpi_scan_skip(&audit->found);
    }
    cpi_log_repeated(&audit->env->log, CPI_REPEAT_AUDIT, NULL, CP_LOG_DEBUG, NULL, "audit: %s", why->message);
    cpi_stop_sleep(audit->env->stop, cpi_backoff_next(&audit->backoff));
}

/* What our sessions got when they connected may be out of date. */
static void leave_old_sessions(struct cpi_audit *audit)
{
    uint64_t generation = cpi_requests_generation(audit->env->requests);
    if (audit->generation != generation) {
        cpi_reader_close(audit->compare.reader);
        cpi_pg_close(&audit->listed.pg);
        audit->generation = generation;
    }
}

static void *audit_run(void *context)
{
    struct cpi_audit *audit = context;
    cpi_pulse_adopt(&audit->pulse);
    audit->ticked_ms = cpi_now_ms();
    audit->keys_credit = KEYS_TO_A_SCAN;
    while (cpi_stop_sleep(audit->env->stop, TICK_MS)) {
        cp_error err = {0};
        leave_old_sessions(audit);
        if (!may_audit(audit)) {
            cpi_suspects_clear(&audit->suspects);
        } else if (collect(audit, &err) != CP_OK || audit_look_at_all(audit, &err) != CP_OK) {
            rest_after(audit, &err);
        } else {
            cpi_backoff_reset(&audit->backoff);
        }
    }
    cpi_compare_close(&audit->compare);
    cpi_scan_close(&audit->listed);
    cpi_scan_close(&audit->found);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_audit *cpi_audit_create(const struct cpi_env *env, struct cpi_inbox *inbox, cp_error *err)
{
    struct cpi_audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    cpi_pulse_init(&audit->pulse, "cp-audit");
    audit->env = env;
    audit->inbox = inbox;
    audit->suspects.entities = env->config->entities;
    audit->patience = (struct cpi_patience){.for_ms = PATIENCE_MS, .looks = LOOKS};
    cpi_backoff_init(&audit->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 5);
    if (cpi_scan_init(&audit->listed, CPI_FROM_POSTGRES, env, PG_ROLE, REDIS_ROLE, err) != CP_OK ||
        cpi_scan_init(&audit->found, CPI_FROM_REDIS, env, PG_ROLE, REDIS_ROLE, err) != CP_OK ||
        cpi_compare_init(&audit->compare, env, PG_ROLE, REDIS_ROLE, err) != CP_OK) {
        cpi_audit_destroy(audit);
        return NULL;
    }
    return audit;
}

cp_code cpi_audit_start(struct cpi_audit *audit, cp_error *err)
{
    return cpi_thread_start(&audit->thread, &audit->env->hooks, "cp-audit", audit_run, audit, err);
}

void cpi_audit_join(struct cpi_audit *audit)
{
    if (audit != NULL) {
        cpi_thread_join(&audit->thread);
    }
}

struct cpi_pulse *cpi_audit_pulse(struct cpi_audit *audit)
{
    return &audit->pulse;
}

void cpi_audit_destroy(struct cpi_audit *audit)
{
    if (audit == NULL) {
        return;
    }
    cpi_pulse_fini(&audit->pulse);
    cpi_compare_fini(&audit->compare);
    cpi_scan_fini(&audit->listed);
    cpi_scan_fini(&audit->found);
    cpi_suspects_fini(&audit->suspects);
    cpi_slice_clear(&audit->slice, audit->env->config->entities);
    free(audit);
}
