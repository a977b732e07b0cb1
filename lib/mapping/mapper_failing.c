#include "mapping/mapper_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PARKED_REST = 9,     /* times what a try took: for at most a tenth of the time */
    OWED_EVERY_MS = 5000 /* a resync, at most this often for one mapping */
};

uint32_t cpi_map_failing(const struct cpi_mapper *mapper)
{
    uint32_t failing = cpi_idset_failed(mapper->set);
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        failing += mapper->jobs[i].failed;
    }
    return failing;
}

/* ---- owing a resync ---- */

void cpi_map_owe(struct cpi_mapper *mapper, uint32_t mapping, cp_cause cause)
{
    cpi_map_state(mapper, mapping)->owed = cause;
    mapper->is_partial = true;
}

bool cpi_map_pay(struct cpi_mapper *mapper, bool now)
{
    const struct cp_config *config = mapper->env->config;
    int64_t now_ms = cpi_now_ms();
    bool all = true;
    for (size_t i = 0; i < config->mapping_count; i++) {
        struct cpi_map_state *state = &mapper->states[i];
        bool is_due = now || state->asked_ms == 0 || now_ms - state->asked_ms >= OWED_EVERY_MS;
        if (state->owed != CP_CAUSE_START && is_due) {
            cpi_requests_resync(mapper->env->requests, config->entities[config->entity_count + i].target, state->owed);
            state->owed = CP_CAUSE_START;
            state->asked_ms = now_ms;
        }
        all = all && state->owed == CP_CAUSE_START;
    }
    return all;
}

void cpi_map_bound(struct cpi_mapper *mapper)
{
    uint32_t forgotten = 0;
    uint32_t handle = 0;
    while (cpi_idset_count(mapper->set, CPI_PARKED) > mapper->mail.capacity / 2 &&
           cpi_idset_peek(mapper->set, CPI_PARKED, &handle, 1) == 1) {
        cpi_map_owe(mapper, cpi_idset_get(mapper->set, handle).entity, CP_CAUSE_OVERFLOW);
        cpi_idset_remove(mapper->set, handle);
        forgotten++;
    }
    if (forgotten > 0) {
        cpi_stats_add(mapper->env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_log_repeated(
            &mapper->env->log, CPI_REPEAT_FORGOTTEN, NULL, CP_LOG_WARN, &(struct cpi_log_about){.count = forgotten},
            "mapper: max_pending exceeded: dropping %u rows that cannot be mapped; a resync follows", forgotten);
    }
}

/* ---- parking ---- */

static void log_parked(struct cpi_mapper *mapper, const struct cpi_event *event, const char *why)
{
    const struct cpi_entity *target = cpi_map_target(mapper, event->entity);
    const struct cpi_watch *watch = cpi_config_mapped_watch(mapper->env->config, event->entity);
    cpi_log_repeated(&mapper->env->log, CPI_REPEAT_PARKED, why, CP_LOG_WARN,
                     &(struct cpi_log_about){.entity = target->name, .host = mapper->env->postgres_host},
                     "entity \"%s\": rows of %.*s whose %.64s is \"%.*s\" cannot be mapped: %s; set aside, to be tried "
                     "again",
                     target->name, cpi_shown(watch->table), watch->table, watch->columns.items[0],
                     cpi_shown(event->id.text), event->id.text, why);
}

/* Back into the set. A newer event of the same value that is there covers this one, too. */
static void set_aside(struct cpi_mapper *mapper, struct cpi_event *event, bool hangs)
{
    uint32_t index = event->entity;
    struct cpi_event copy = *event;
    switch (cpi_idset_add(mapper->set, event, CPI_LIVE)) {
    case CPI_ADDED: {
        uint32_t handle = cpi_idset_find(mapper->set, index, &copy.id);
        cpi_idset_move(mapper->set, handle, CPI_PARKED);
        if (hangs) {
            cpi_idset_hold(mapper->set, handle);
        }
        break;
    }
    case CPI_COALESCED:
    case CPI_RECALLED:
        break;
    case CPI_NO_MEMORY:
        cpi_id_fini(mapper->env->config->entities[index].id_type, &event->id);
        cpi_stats_add(mapper->env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_map_owe(mapper, index, CP_CAUSE_OVERFLOW);
        break;
    }
}

void cpi_map_park(struct cpi_mapper *mapper, struct cpi_map_job *job, bool hangs, const cp_error *why)
{
    struct cpi_event *event = &job->ids.items[job->at];
    const struct cpi_watch *watch = cpi_config_mapped_watch(mapper->env->config, event->entity);
    char reason[sizeof why->message];
    snprintf(reason, sizeof reason, "rows of %.*s cannot be mapped: %.400s", cpi_shown(watch->table), watch->table,
             why->message);
    if (!job->retries) {
        log_parked(mapper, event, why->message);
    }
    cpi_stats_add(mapper->env->stats, CPI_STAT_FAILURES, 1);
    cpi_stats_add_entity(mapper->env->stats, mapper->env->config->entities[event->entity].target, CPI_ENTITY_FAILURES,
                         1);
    cpi_parked_note(&mapper->parked, event, reason);
    set_aside(mapper, event, hangs);
    job->at++;
}

/* ---- trying again ---- */

static bool is_retrying(const struct cpi_mapper *mapper)
{
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        if (mapper->jobs[i].retries) {
            return true;
        }
    }
    return false;
}

int64_t cpi_map_parked_due_ms(const struct cpi_mapper *mapper)
{
    return mapper->parked_at_ms;
}

/* One at a time, the whole queue in turn: those that fail again go to its end. */
void cpi_map_retry(struct cpi_mapper *mapper)
{
    uint32_t parked = cpi_idset_count(mapper->set, CPI_PARKED);
    int64_t now_ms = cpi_now_ms();
    if (parked == 0 || is_retrying(mapper)) {
        return;
    }
    if (mapper->parked_at_ms == 0) { /* the first since none was */
        mapper->parked_at_ms = now_ms + cpi_backoff_next(&mapper->parked_backoff);
    }
    if (now_ms < mapper->parked_at_ms) {
        return;
    }
    mapper->parked_left = mapper->parked_left == 0 || mapper->parked_left > parked ? parked : mapper->parked_left;
    if (cpi_map_begin(mapper, CPI_PARKED, 1) != NULL) {
        mapper->parked_began_ms = now_ms;
    }
}

/* What failed has succeeded, so others may, too: a batch of them is as live as any. Those that hang are tried by
 * themselves. */
static void unpark_some(struct cpi_mapper *mapper)
{
    uint32_t n = cpi_idset_peek(mapper->set, CPI_PARKED, mapper->handles, mapper->env->config->batch);
    for (uint32_t i = 0; i < n; i++) {
        if (!cpi_idset_is_held(mapper->set, mapper->handles[i])) {
            cpi_idset_move(mapper->set, mapper->handles[i], CPI_LIVE);
        }
    }
}

void cpi_map_retried(struct cpi_mapper *mapper, bool worked)
{
    int64_t now_ms = cpi_now_ms();
    if (worked) {
        cpi_backoff_reset(&mapper->parked_backoff);
        mapper->parked_at_ms = now_ms; /* the next one at once */
        mapper->parked_left = 0;
        mapper->parked_timeout_ms = CPI_MAP_PARKED_TIMEOUT_MS;
        unpark_some(mapper);
    } else {
        int longer_ms = 2 * mapper->parked_timeout_ms;
        /* While the server was away it took nobody's time. */
        int64_t began_ms = mapper->opened_ms > mapper->parked_began_ms ? mapper->opened_ms : mapper->parked_began_ms;
        mapper->parked_left -= mapper->parked_left > 0;
        mapper->parked_at_ms = now_ms + PARKED_REST * (now_ms - began_ms) + 1;
        if (mapper->parked_left == 0) {
            mapper->parked_at_ms += cpi_backoff_next(&mapper->parked_backoff);
            mapper->parked_timeout_ms =
                longer_ms < mapper->env->config->fetch_timeout_ms ? longer_ms : mapper->env->config->fetch_timeout_ms;
        }
    }
    if (cpi_idset_count(mapper->set, CPI_PARKED) == 0) {
        cpi_backoff_reset(&mapper->parked_backoff);
        mapper->parked_at_ms = 0;
        mapper->parked_left = 0;
    }
}
