#include "mapping/mapper_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CROWD_FROM = 512, /* documents of one job: those beyond take turns with everything else (event.h) */
    LIVE_JOBS_IN_A_ROW = 16,
    HANGS_MS = 100,     /* a value that takes so long until it fails by itself would do so to others */
    LOSSES_IN_A_ROW = 3 /* after so many connections lost over a single value it is parked, too */
};

/* ---- the session ---- */

/* See cpi_lease_term(). */
static bool is_current_term(void *context)
{
    struct cpi_mapper *mapper = context;
    return mapper->term == cpi_lease_term(mapper->env->lease);
}

enum cpi_failure cpi_map_open(struct cpi_mapper *mapper, cp_error *err)
{
    const struct cpi_mapping_ops *ops = mapper->session.ops;
    uint64_t generation = cpi_requests_generation(mapper->env->requests);
    bool is_open = ops->is_open(mapper->session.connection);
    if (is_open && is_current_term(mapper) && mapper->generation == generation && !mapper->is_doubted) {
        return CPI_FAILURE_NONE;
    }
    bool was_lost = mapper->was_connected && !is_open;
    mapper->term = cpi_lease_term(mapper->env->lease);
    mapper->generation = generation;
    mapper->opened_ms = cpi_now_ms();
    mapper->is_doubted = false;
    for (size_t i = 0; i < mapper->env->config->mapping_count; i++) {
        mapper->states[i].is_prepared = false;
    }
    ops->watch(mapper->session.connection, is_current_term, mapper);
    enum cpi_failure failure = ops->open(mapper->session.connection, err);
    if (failure == CPI_FAILURE_NONE) {
        cpi_stats_add(mapper->env->stats, CPI_STAT_RECONNECTS, was_lost);
        mapper->was_connected = true;
    }
    return failure;
}

/* ---- jobs ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t cpi_map_in_jobs(const struct cpi_mapper *mapper)
{
    size_t count = 0;
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        count += mapper->jobs[i].ids.count - mapper->jobs[i].at;
    }
    return (uint32_t)count;
}

static struct cpi_map_job *free_job(struct cpi_mapper *mapper)
{
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        if (!mapper->jobs[i].is_active) {
            return &mapper->jobs[i];
        }
    }
    return NULL;
}

static unsigned marks_left(const struct cpi_mapper *mapper, uint32_t left[CPI_MAP_MARKS])
{
    unsigned changed = 0;
    for (unsigned k = 0; k < CPI_MAP_MARKS; k++) {
        uint32_t now = cpi_idset_barrier_left(mapper->set, k);
        changed |= now != left[k] ? 1u << k : 0;
        left[k] = now;
    }
    return changed;
}

/* What waits for a member of the set waits for the job that has it now. */
static void take_into(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t handle)
{
    uint32_t left[CPI_MAP_MARKS] = {0};
    uint32_t failed = cpi_idset_failed(mapper->set);
    marks_left(mapper, left);
    struct cpi_event event = cpi_idset_take(mapper->set, handle);
    job->marks |= marks_left(mapper, left);
    job->failed += failed - cpi_idset_failed(mapper->set);
    job->ids.items[job->ids.count++] = event; /* there is room: see cpi_map_begin() */
}

struct cpi_map_job *cpi_map_begin(struct cpi_mapper *mapper, enum cpi_queue queue, uint32_t most)
{
    struct cpi_map_job *job = free_job(mapper);
    uint32_t batch = least(mapper->env->config->batch, most);
    uint32_t n = job != NULL ? cpi_idset_peek(mapper->set, queue, mapper->handles, batch) : 0;
    if (n == 0) {
        return NULL;
    }
    struct cpi_events ids = {.items = malloc(n * sizeof *ids.items), .capacity = n};
    if (ids.items == NULL) {
        return NULL;
    }
    *job = (struct cpi_map_job){.is_active = true, .retries = queue == CPI_PARKED, .ids = ids};
    uint32_t entity = cpi_idset_get(mapper->set, mapper->handles[0]).entity;
    most = least(most, cpi_map_state(mapper, entity)->limit);
    for (uint32_t i = 0; i < n && job->ids.count < most; i++) {
        if (cpi_idset_get(mapper->set, mapper->handles[i]).entity == entity) {
            take_into(mapper, job, mapper->handles[i]);
        }
    }
    job->n = (uint32_t)job->ids.count;
    return job;
}

void cpi_map_end(struct cpi_mapper *mapper, struct cpi_map_job *job)
{
    for (size_t i = job->at; i < job->ids.count; i++) {
        cpi_id_fini(mapper->env->config->entities[job->ids.items[i].entity].id_type, &job->ids.items[i].id);
    }
    free(job->ids.items);
    free(job->after);
    *job = (struct cpi_map_job){0};
}

/* ---- a page ---- */

static void note_no_id(struct cpi_mapper *mapper, uint32_t index, const struct cpi_mapped *row, const char *digits)
{
    const struct cp_config *config = mapper->env->config;
    const struct cpi_entity *target = cpi_map_target(mapper, index);
    const char *table = cpi_config_mapped_watch(config, index)->table;
    char shown[64];
    snprintf(shown, sizeof shown, "%.*s", row->length < sizeof shown ? (int)row->length : (int)sizeof shown - 1,
             digits != NULL ? digits : row->text);
    cpi_stats_add(mapper->env->stats, CPI_STAT_UNREADABLE, 1);
    cpi_log_repeated(&mapper->env->log, CPI_REPEAT_LISTING, NULL, CP_LOG_WARN,
                     &(struct cpi_log_about){.entity = target->name, .host = mapper->env->postgres_host},
                     "entity \"%s\": the query that maps rows of %.*s gives \"%.*s\", which is not a valid %s id; left "
                     "out",
                     target->name, cpi_shown(table), table, cpi_shown(shown), shown, cpi_id_type_name(target->id_type));
}

/* Takes a row in as an event of the target. False: out of memory. */
static bool add_found(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index, const struct cpi_mapped *row)
{
    const struct cpi_entity *target = cpi_map_target(mapper, index);
    const struct cpi_event *first = &job->ids.items[job->at];
    struct cpi_event event = {.entity = mapper->env->config->entities[index].target,
                              .id = {.number = row->number},
                              .in_crowd = first->in_crowd || ++job->found > CROWD_FROM,
                              .arrived = first->arrived};
    bool no_memory = false;
    bool is_text = cpi_id_is_text(target->id_type);
    bool is_id = is_text ? cpi_id_parse(target->id_type, row->text, row->length, &event.id, &no_memory)
                         : cpi_id_is_valid(target->id_type, &event.id);
    if (!is_id && !no_memory) {
        char digits[CPI_ID_NUMBER_BYTES];
        note_no_id(mapper, index, row, is_text ? NULL : cpi_id_text(CPI_ID_BIGINT, &event.id, digits));
        return true;
    }
    if (!is_id || !cpi_events_add(&mapper->found, &event)) {
        if (is_id) {
            cpi_id_fini(target->id_type, &event.id);
        }
        return false;
    }
    return true;
}

/* Where the next page begins. False: out of memory. */
static bool note_after(struct cpi_map_job *job, bool is_text, const struct cpi_mapped *last)
{
    char *after = malloc((is_text ? last->length : CPI_ID_NUMBER_BYTES) + 1);
    if (after == NULL) {
        return false;
    }
    if (is_text) {
        memcpy(after, last->text, last->length);
        after[last->length] = '\0';
    } else {
        snprintf(after, CPI_ID_NUMBER_BYTES, "%lld", (long long)last->number);
    }
    free(job->after);
    job->after = after;
    return true;
}

/* The rows of a page into mapper->found. *rows: how many. A page that is not taken whole is asked for again. */
static enum cpi_failure read_rows(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index, uint32_t *rows,
                                  cp_error *err)
{
    const struct cpi_mapping_ops *ops = mapper->session.ops;
    bool is_text = cpi_id_is_text(cpi_map_target(mapper, index)->id_type);
    bool has_row = true;
    for (*rows = 0; has_row; *rows += has_row) {
        struct cpi_mapped row;
        enum cpi_failure failure = ops->next(mapper->session.connection, index, &row, &has_row, err);
        if (failure != CPI_FAILURE_NONE) {
            return failure;
        }
        bool fits = !has_row || add_found(mapper, job, index, &row);
        if (fits && has_row && *rows + 1 == CPI_MAPPING_PAGE) {
            fits = note_after(job, is_text, &row);
        }
        if (!fits) {
            ops->close(mapper->session.connection); /* rows are under way */
            cpi_error_memory(err);
            return CPI_FAILURE_MEMORY;
        }
    }
    return CPI_FAILURE_NONE;
}

static int timeout_of(const struct cpi_mapper *mapper, const struct cpi_map_job *job)
{
    int configured_ms = mapper->env->config->fetch_timeout_ms;
    int wanted_ms = job->retries    ? mapper->parked_timeout_ms
                    : job->searches ? CPI_MAP_SEARCH_TIMEOUT_MS
                                    : CPI_MAP_BATCH_TIMEOUT_MS;
    return wanted_ms < configured_ms ? wanted_ms : configured_ms;
}

/* *ran: the statement could be made, at least. */
static enum cpi_failure run_page(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index, uint32_t *rows,
                                 bool *ran, cp_error *err)
{
    const struct cpi_mapping_ops *ops = mapper->session.ops;
    void *connection = mapper->session.connection;
    struct cpi_map_state *state = cpi_map_state(mapper, index);
    if (!state->is_prepared) {
        enum cpi_failure failure = ops->prepare(connection, index, err);
        if (failure != CPI_FAILURE_NONE) {
            return failure;
        }
        state->is_prepared = true;
    }
    *ran = true;
    ops->limit(connection, timeout_of(mapper, job));
    enum cpi_failure failure = ops->run(connection, index, &job->ids.items[job->at], job->n, job->after, err);
    return failure == CPI_FAILURE_NONE ? read_rows(mapper, job, index, rows, err) : failure;
}

/* ---- what comes of it ---- */

static void end_job(struct cpi_mapper *mapper, struct cpi_map_job *job, bool worked)
{
    struct cpi_map_job ended = *job;
    cpi_map_end(mapper, job);
    if (ended.retries) {
        cpi_map_retried(mapper, worked);
    }
}

/* The n values are done with: on to the others of the job. */
static void advance(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index)
{
    struct cpi_map_state *state = cpi_map_state(mapper, index);
    uint32_t n = job->n;
    for (uint32_t i = 0; i < n; i++, job->at++) {
        cpi_id_fini(mapper->env->config->entities[index].id_type, &job->ids.items[job->at].id);
    }
    free(job->after);
    job->after = NULL;
    job->losses = 0;
    job->n = least(2 * n, (uint32_t)(job->ids.count - job->at));
    state->limit = job->searches ? state->limit : least(2 * state->limit, mapper->env->config->batch);
    if (job->at == job->ids.count) {
        end_job(mapper, job, true);
    }
}

/* The value it stands at goes aside, and the job on without it. */
static void park_one(struct cpi_mapper *mapper, struct cpi_map_job *job, bool hangs, const cp_error *why)
{
    cpi_map_park(mapper, job, hangs, why);
    free(job->after);
    job->after = NULL;
    job->losses = 0;
    job->n = 1;
    if (job->at == job->ids.count) {
        end_job(mapper, job, false);
    }
}

/* Fewer at a time, until the culprit is alone. */
static void halve(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index)
{
    free(job->after);
    job->after = NULL;
    job->n /= 2;
    cpi_map_state(mapper, index)->limit = job->n;
}

static void statement_failed(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index, int64_t took_ms,
                             const cp_error *why)
{
    /* What fails may work in another session: the next try gets one. */
    mapper->is_doubted = cpi_now_ms() - mapper->opened_ms >= CPI_RENEWAL_EVERY_MS;
    job->searches = true;
    if (job->n > 1) {
        halve(mapper, job, index);
    } else {
        park_one(mapper, job, took_ms >= HANGS_MS, why);
    }
}

/* The mapping is broken for all of them. */
static void park_all(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index, const cp_error *why)
{
    if (!job->retries) { /* else what it stands for has been read again */
        cpi_map_owe(mapper, index, CP_CAUSE_UNREADABLE);
    }
    mapper->is_doubted = cpi_now_ms() - mapper->opened_ms >= CPI_RENEWAL_EVERY_MS;
    while (job->is_active) {
        park_one(mapper, job, false, why);
    }
}

/* Over a value that crashes the server a connection is lost each time: find it. */
static void learn_from_loss(struct cpi_mapper *mapper, struct cpi_map_job *job, uint32_t index, const cp_error *why)
{
    if (job->n > 1) {
        halve(mapper, job, index);
    } else if (++job->losses == LOSSES_IN_A_ROW) {
        park_one(mapper, job, true, why);
    }
}

/* Runs one page. False: Postgres is away, or memory is short. */
static bool work_on(struct cpi_mapper *mapper, struct cpi_map_job *job, cp_error *err)
{
    uint32_t index = job->ids.items[job->at].entity;
    uint32_t rows = 0;
    bool ran = false;
    enum cpi_failure failure = cpi_map_open(mapper, err);
    if (failure != CPI_FAILURE_NONE) {
        return false;
    }
    int64_t began_ms = cpi_now_ms();
    cpi_pulse_does("mapping rows to documents");
    failure = run_page(mapper, job, index, &rows, &ran, err);
    bool brought = cpi_mail_bring(&mapper->mail, &mapper->found);
    if (failure == CPI_FAILURE_NONE && !brought) {
        cpi_error_memory(err);
        failure = CPI_FAILURE_MEMORY;
    }
    if (failure == CPI_FAILURE_STATEMENT && !ran) {
        park_all(mapper, job, index, err);
    } else if (failure == CPI_FAILURE_STATEMENT) {
        statement_failed(mapper, job, index, cpi_now_ms() - began_ms, err);
    } else if (failure == CPI_FAILURE_CONNECTION && ran) {
        learn_from_loss(mapper, job, index, err);
    } else if (failure == CPI_FAILURE_NONE && rows < CPI_MAPPING_PAGE) {
        advance(mapper, job, index);
    }
    return failure == CPI_FAILURE_NONE || failure == CPI_FAILURE_STATEMENT;
}

/* ---- in turn ---- */

/* Live goes before crowd, except now and then. */
static void begin_some(struct cpi_mapper *mapper)
{
    bool is_crowds_turn = mapper->live_jobs >= LIVE_JOBS_IN_A_ROW && cpi_idset_count(mapper->set, CPI_CROWD) > 0;
    enum cpi_queue queue = is_crowds_turn || cpi_idset_count(mapper->set, CPI_LIVE) == 0 ? CPI_CROWD : CPI_LIVE;
    mapper->live_jobs = queue == CPI_LIVE ? mapper->live_jobs + 1 : 0;
    cpi_map_begin(mapper, queue, mapper->env->config->batch);
}

/* Those that have begun with their pages, or the others, which may well have no more than one. */
static bool work_on_each(struct cpi_mapper *mapper, bool begun, cp_error *err)
{
    for (int i = 0; i < CPI_MAP_JOBS && cpi_mail_may_bring(&mapper->mail, begun); i++) {
        struct cpi_map_job *job = &mapper->jobs[mapper->turn++ % CPI_MAP_JOBS];
        if (job->is_active && (job->after != NULL) == begun && !work_on(mapper, job, err)) {
            return false;
        }
    }
    return true;
}

bool cpi_map_work(struct cpi_mapper *mapper, cp_error *err)
{
    begin_some(mapper);
    if (cpi_map_in_jobs(mapper) == 0) { /* although something waits */
        return cpi_error_memory(err) == CP_OK;
    }
    return work_on_each(mapper, false, err) && work_on_each(mapper, true, err);
}

bool cpi_map_may_work(struct cpi_mapper *mapper)
{
    bool is_waiting = cpi_idset_count(mapper->set, CPI_LIVE) + cpi_idset_count(mapper->set, CPI_CROWD) > 0;
    bool may = is_waiting && free_job(mapper) != NULL && cpi_mail_may_bring(&mapper->mail, false);
    for (int i = 0; i < CPI_MAP_JOBS && !may; i++) {
        const struct cpi_map_job *job = &mapper->jobs[i];
        may = job->is_active && cpi_mail_may_bring(&mapper->mail, job->after != NULL);
    }
    return may;
}
