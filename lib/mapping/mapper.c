#include "mapping/mapper_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>

enum {
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 2000,
    PARKED_BASE_MS = 1000,
    PARKED_CAP_MS = 30000,
    SHARE = 8 /* of max_pending */
};

/* ---- what comes in ---- */

static void take_mark(struct cpi_mapper *mapper, const struct cpi_event *event)
{
    unsigned mark = event->entity == CPI_BARRIER ? CPI_MAP_BARRIER : CPI_MAP_POSITION;
    mapper->marks[mark] = event->id.number;
    cpi_idset_set_barrier(mapper->set, mark);
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        mapper->jobs[i].marks |= mapper->jobs[i].is_active ? 1u << mark : 0;
    }
}

static void take_value(struct cpi_mapper *mapper, struct cpi_event *event)
{
    switch (cpi_idset_add(mapper->set, event, event->in_crowd ? CPI_CROWD : CPI_LIVE)) {
    case CPI_ADDED:
        break;
    case CPI_COALESCED:
    case CPI_RECALLED:
        cpi_stats_add(mapper->env->stats, CPI_STAT_COALESCED, 1);
        break;
    case CPI_NO_MEMORY:
        cpi_stats_add(mapper->env->stats, CPI_STAT_OVERFLOWS, 1);
        cpi_log(&mapper->env->log, CP_LOG_ERROR, "mapper: out of memory for an event: requesting a resync");
        cpi_map_owe(mapper, event->entity, CP_CAUSE_OVERFLOW);
        cpi_id_fini(mapper->env->config->entities[event->entity].id_type, &event->id);
        break;
    }
}

static void forget_all(struct cpi_mapper *mapper)
{
    uint32_t handle = 0;
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        cpi_map_end(mapper, &mapper->jobs[i]);
    }
    for (int q = 0; q < CPI_QUEUES; q++) {
        while (cpi_idset_peek(mapper->set, (enum cpi_queue)q, &handle, 1) == 1) {
            cpi_idset_remove(mapper->set, handle);
        }
    }
    mapper->marks[CPI_MAP_BARRIER] = 0;
    mapper->marks[CPI_MAP_POSITION] = 0;
}

/* Between two pages: a value that has been taken out of the set is mapped once more if it comes again. */
static void collect(struct cpi_mapper *mapper)
{
    bool forgets = false;
    cpi_mail_collect(&mapper->mail, &mapper->in, &forgets);
    if (forgets) {
        forget_all(mapper);
    }
    for (size_t i = 0; i < mapper->in.count; i++) {
        struct cpi_event *event = &mapper->in.items[i];
        if (cpi_event_is_id(event)) {
            take_value(mapper, event);
        } else {
            take_mark(mapper, event);
        }
    }
    mapper->in.count = 0;
}

/* ---- what goes back ---- */

static bool is_waited_for(const struct cpi_mapper *mapper, unsigned mark)
{
    bool waits = cpi_idset_barrier_left(mapper->set, mark) > 0;
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        waits = waits || (mapper->jobs[i].marks & (1u << mark)) != 0;
    }
    return waits;
}

/* A mark is passed once what was dropped before it is owed a resync. */
static void pass_marks(struct cpi_mapper *mapper, bool owes_nothing)
{
    int64_t *barrier = &mapper->marks[CPI_MAP_BARRIER];
    int64_t *position = &mapper->marks[CPI_MAP_POSITION];
    if (*barrier != 0 && owes_nothing && !is_waited_for(mapper, CPI_MAP_BARRIER) &&
        cpi_mail_pass(&mapper->mail, CPI_BARRIER, *barrier, false)) {
        *barrier = 0;
    }
    bool is_partial = mapper->is_partial || cpi_map_failing(mapper) > 0;
    if (*position != 0 && owes_nothing && !is_waited_for(mapper, CPI_MAP_POSITION) &&
        cpi_mail_pass(&mapper->mail, CPI_POSITION, *position, is_partial)) {
        *position = 0;
        mapper->is_partial = false;
    }
}

static uint32_t waiting(const struct cpi_mapper *mapper)
{
    return cpi_idset_count(mapper->set, CPI_LIVE) + cpi_idset_count(mapper->set, CPI_CROWD) + cpi_map_in_jobs(mapper);
}

static cpi_ticks older(cpi_ticks a, cpi_ticks b)
{
    cpi_ticks now = cpi_now_ticks();
    return a == 0 || (b != 0 && cpi_ticks_since_us(b, now) > cpi_ticks_since_us(a, now)) ? b : a;
}

static cpi_ticks oldest(const struct cpi_mapper *mapper)
{
    cpi_ticks came = older(cpi_idset_oldest(mapper->set, CPI_LIVE), cpi_idset_oldest(mapper->set, CPI_CROWD));
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        const struct cpi_map_job *job = &mapper->jobs[i];
        came = job->is_active && !job->retries ? older(came, job->ids.items[job->at].arrived) : came;
    }
    return came;
}

static void report(struct cpi_mapper *mapper)
{
    struct cpi_stats *stats = mapper->env->stats;
    uint32_t pending = cpi_idset_total(mapper->set) + cpi_map_in_jobs(mapper);
    uint32_t failing = cpi_map_failing(mapper);
    cpi_stats_add(stats, CPI_STAT_PENDING, (int64_t)pending - mapper->reported_pending);
    cpi_stats_add(stats, CPI_STAT_FAILING, (int64_t)failing - mapper->reported_failing);
    mapper->reported_pending = pending;
    mapper->reported_failing = failing;
    cpi_stats_unmapped(stats, oldest(mapper));
    cpi_mail_report(&mapper->mail, pending, waiting(mapper) > 0);
}

/* ---- the cycle ---- */

static void note_failure(struct cpi_mapper *mapper, const cp_error *why)
{
    const struct cpi_env *env = mapper->env;
    mapper->retry_at_ms = cpi_now_ms() + cpi_backoff_next(&mapper->backoff);
    cpi_stats_add(env->stats, CPI_STAT_RETRIES, 1);
    cpi_stats_add_error(env->stats, why);
    cpi_pulse_fails(why);
    if (!cpi_stop_grace_passed(env->stop) && cpi_outage_note(&mapper->outage)) {
        cpi_log(&env->log, CP_LOG_WARN, "mapper: %s; trying again", why->message);
    }
}

static void note_success(struct cpi_mapper *mapper)
{
    cpi_backoff_reset(&mapper->backoff);
    mapper->retry_at_ms = 0;
    if (mapper->outage.tries > 0) {
        cpi_pulse_succeeds();
        cpi_outage_end(&mapper->outage, &mapper->env->log, mapper->env->postgres_host, "mapper: mapping again");
    }
}

/* Another syncer is the writer, and hears the same. */
static bool is_standing_by(const struct cpi_mapper *mapper)
{
    return cpi_lease_state(mapper->env->lease) == CPI_LEASE_TAKEN;
}

void cpi_mapper_cycle(struct cpi_mapper *mapper)
{
    cp_error err = {0};
    collect(mapper);
    if (cpi_now_ms() >= mapper->retry_at_ms && !is_standing_by(mapper)) {
        cpi_map_retry(mapper);
        if (waiting(mapper) == 0 || cpi_map_work(mapper, &err)) {
            note_success(mapper);
        } else {
            note_failure(mapper, &err);
        }
    }
    cpi_map_bound(mapper);
    pass_marks(mapper, cpi_map_pay(mapper, false));
    cpi_parked_forget_settled(&mapper->parked, mapper->set);
    cpi_idset_compact(mapper->set);
    report(mapper);
}

/* ---- the thread ---- */

static bool is_finished(struct cpi_mapper *mapper)
{
    return cpi_stop_grace_passed(mapper->env->stop) || cpi_mail_is_closed(&mapper->mail);
}

/* Milliseconds until there is something to do without being woken; -1: never. */
static int idle_ms(struct cpi_mapper *mapper)
{
    enum { OWED_LOOK_MS = 1000 };
    bool works = cpi_map_may_work(mapper);
    bool parked = cpi_idset_count(mapper->set, CPI_PARKED) > 0;
    if (is_standing_by(mapper)) {
        return -1;
    }
    if (works) {
        return cpi_left_ms(mapper->retry_at_ms);
    }
    int owed_ms = cpi_map_pay(mapper, false) ? -1 : OWED_LOOK_MS;
    if (!parked) {
        return owed_ms;
    }
    int64_t at_ms = cpi_map_parked_due_ms(mapper);
    int parked_ms = cpi_left_ms(at_ms > mapper->retry_at_ms ? at_ms : mapper->retry_at_ms);
    return owed_ms >= 0 && owed_ms < parked_ms ? owed_ms : parked_ms;
}

static void rest(struct cpi_mapper *mapper)
{
    struct cpi_bell *bell = &mapper->mail.bell;
    if (idle_ms(mapper) == 0) {
        return;
    }
    cpi_bell_arm(bell);
    int timeout_ms = idle_ms(mapper); /* after arming, since a change of the lease rings the bell */
    if (timeout_ms != 0 && !cpi_mail_is_waiting(&mapper->mail) && !is_finished(mapper)) {
        cpi_bell_sleep(bell, mapper->env->stop->grace_fd, timeout_ms);
    }
    cpi_bell_disarm(bell);
}

static void *mapper_run(void *context)
{
    struct cpi_mapper *mapper = context;
    cpi_pulse_adopt(&mapper->pulse);
    while (!is_finished(mapper)) {
        cpi_mapper_cycle(mapper);
        rest(mapper);
    }
    cpi_map_pay(mapper, true); /* so that it is known what has not been read again */
    mapper->session.ops->close(mapper->session.connection);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- lifecycle ---- */

static void destroy_session(void *connection)
{
    if (connection != NULL) {
        cpi_mapping_fini(connection);
        free(connection);
    }
}

struct cpi_mapper_session cpi_mapper_session(const struct cpi_env *env)
{
    struct cpi_mapping *mapping = calloc(1, sizeof *mapping);
    if (mapping != NULL) {
        mapping->fetch.pg = cpi_env_pg(env, "cachepusher mapper", env->stop->grace_fd, env->config->fetch_timeout_ms);
        mapping->fetch.entities = env->config->entities;
    }
    return (struct cpi_mapper_session){.ops = &cpi_mapping_ops, .connection = mapping, .destroy = destroy_session};
}

static bool create_states(struct cpi_mapper *mapper)
{
    const struct cp_config *config = mapper->env->config;
    mapper->states = calloc(config->mapping_count, sizeof *mapper->states);
    for (size_t i = 0; mapper->states != NULL && i < config->mapping_count; i++) {
        mapper->states[i].limit = config->batch;
    }
    mapper->set = cpi_idset_create(config->entities);
    mapper->handles = calloc(config->batch, sizeof *mapper->handles);
    return mapper->states != NULL && mapper->set != NULL && mapper->handles != NULL;
}

struct cpi_mapper *cpi_mapper_create(const struct cpi_env *env, const struct cpi_mapper_session *session,
                                     struct cpi_bell *listener_bell, cp_error *err)
{
    const struct cp_config *config = env->config;
    struct cpi_mapper *mapper = calloc(1, sizeof *mapper);
    if (mapper == NULL) {
        session->destroy(session->connection);
        cpi_error_memory(err);
        return NULL;
    }
    mapper->env = env;
    mapper->session = *session;
    cpi_pulse_init(&mapper->pulse, "cp-mapper");
    bool remembers = cpi_parked_init(&mapper->parked, config->entities);
    cp_code code = cpi_mail_init(&mapper->mail, config->entities, config->entity_count, config->max_pending / SHARE,
                                 listener_bell, err);
    cpi_backoff_init(&mapper->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed + 2);
    cpi_backoff_init(&mapper->parked_backoff, PARKED_BASE_MS, PARKED_CAP_MS, env->seed + 3);
    mapper->parked_timeout_ms = CPI_MAP_PARKED_TIMEOUT_MS;
    bool has_states = create_states(mapper);
    if (code != CP_OK || !has_states || !remembers || session->connection == NULL) {
        if (code == CP_OK) {
            cpi_error_memory(err);
        }
        cpi_mapper_destroy(mapper);
        return NULL;
    }
    return mapper;
}

cp_code cpi_mapper_start(struct cpi_mapper *mapper, cp_error *err)
{
    return cpi_thread_start(&mapper->thread, &mapper->env->hooks, mapper->pulse.name, mapper_run, mapper, err);
}

void cpi_mapper_join(struct cpi_mapper *mapper)
{
    if (mapper != NULL) {
        cpi_mail_close(&mapper->mail);
        cpi_thread_join(&mapper->thread);
    }
}

uint64_t cpi_mapper_unsettled(struct cpi_mapper *mapper)
{
    return mapper != NULL ? cpi_mail_count(&mapper->mail) : 0;
}

struct cpi_mail *cpi_mapper_mail(struct cpi_mapper *mapper)
{
    return &mapper->mail;
}

struct cpi_pulse *cpi_mapper_pulse(struct cpi_mapper *mapper)
{
    return &mapper->pulse;
}

struct cpi_parked *cpi_mapper_parked(struct cpi_mapper *mapper)
{
    return &mapper->parked;
}

void cpi_mapper_destroy(struct cpi_mapper *mapper)
{
    if (mapper == NULL) {
        return;
    }
    for (int i = 0; i < CPI_MAP_JOBS; i++) {
        cpi_map_end(mapper, &mapper->jobs[i]);
    }
    cpi_events_fini(&mapper->in, mapper->env->config->entities);
    cpi_events_fini(&mapper->found, mapper->env->config->entities);
    cpi_mail_fini(&mapper->mail);
    cpi_parked_fini(&mapper->parked);
    cpi_idset_destroy(mapper->set);
    cpi_pulse_fini(&mapper->pulse);
    mapper->session.destroy(mapper->session.connection);
    free(mapper->handles);
    free(mapper->states);
    free(mapper);
}
