#include "worker/applier.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "worker/round.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* How long the search for the ids that fail may keep those of other entities, and newer ones, waiting. */
    SEARCH_MS = 3000,
    /* An id that takes so long until it fails by itself would do so to others. */
    HANGS_MS = 100,
    /* After this many connections in a row that were lost over one single id it is parked, too. */
    LOSSES_IN_A_ROW = 3
};

struct cpi_applier {
    const struct cpi_env *env;
    struct cpi_idset *set;
    struct cpi_servers *servers;
    struct cpi_reader *reader; /* the servers' */
    struct cpi_target *target; /* the servers' */
    uint64_t term;             /* of the lease when the reader was opened */
    uint64_t generation;       /* of Postgres sessions, the same */
    uint64_t session;          /* how often it has been opened */
    int64_t opened_ms;         /* when */
    int64_t began_ms;          /* the last statement */
    bool is_doubted;           /* a statement has failed by itself, and the session is not new */

    /* Those of the batch that belong to one entity. */
    uint32_t group_entity;
    uint32_t *group;   /* handles */
    union cpi_id *ids; /* the set's */

    struct cpi_round round;
    bool has_put_off;  /* some of this batch */
    uint32_t limit;    /* of a batch: halved when a connection is lost over one, doubled when one has gone through */
    unsigned losses;   /* in a row, of a connection over a single id */
    bool pg_connected; /* has been, once */
    bool target_connected;
};

static const struct cpi_entity *applier_entity_of(const struct cpi_applier *applier, uint32_t index)
{
    return &applier->env->config->entities[index];
}

static void applier_count(struct cpi_applier *applier, enum cpi_stat stat, int64_t n)
{
    cpi_stats_add(applier->env->stats, stat, n);
}

/* ---- reading from Postgres, appending for Redis ---- */

static void note_statement(void *context)
{
    struct cpi_applier *applier = context;
    applier->began_ms = cpi_now_ms();
    applier_count(applier, CPI_STAT_FETCHES, 1);
}

/* What has been appended is stored first if this one would make the round too large. */
static bool make_room(struct cpi_applier *applier, size_t length, cp_error *err)
{
    size_t bytes = applier->round.bytes;
    return bytes == 0 || bytes + length <= applier->env->config->batch_bytes || cpi_round_push(&applier->round, err);
}

static void park_too_large(struct cpi_applier *applier, uint32_t handle, size_t length)
{
    char why[128];
    snprintf(why, sizeof why, "the document has %zu bytes, and Redis takes %zu", length, CPI_TARGET_VALUE_MAX);
    cpi_round_park(&applier->round, handle, why);
}

/* One that the host's transform fails for is parked. False: no more can be appended now. */
static bool append_document(struct cpi_applier *applier, uint32_t position, const struct cpi_document *document,
                            cp_error *err)
{
    const struct cpi_entity *entity = applier_entity_of(applier, applier->group_entity);
    uint32_t handle = applier->group[position];
    bool appended = true;
    cp_output made;
    cp_error why = {.code = CP_OK};
    if (cpi_transform_run(&applier->env->transform, entity, &applier->ids[position], document->bytes, document->length,
                          &made, &why) != CP_OK) {
        cpi_round_park(&applier->round, handle, why.message);
        return true;
    }
    if (made.length > CPI_TARGET_VALUE_MAX) {
        park_too_large(applier, handle, made.length);
    } else {
        appended = make_room(applier, made.length, err) &&
                   cpi_round_append(&applier->round, handle, made.bytes, made.length, err);
    }
    cpi_transform_release(&made);
    return appended;
}

static bool append_documents(void *context, const uint32_t *positions, const struct cpi_document *documents, uint32_t n,
                             cp_error *err)
{
    struct cpi_applier *applier = context;
    bool appended = true;
    for (uint32_t i = 0; i < n && appended; i++) {
        appended = append_document(applier, positions[i], &documents[i], err);
    }
    if (applier->env->transform.make != NULL) {
        cpi_pulse_does("reading documents");
    }
    return appended;
}

static void note_doubled(void *context, uint32_t position)
{
    struct cpi_applier *applier = context;
    const struct cpi_entity *entity = applier_entity_of(applier, applier->group_entity);
    char digits[CPI_ID_NUMBER_BYTES];
    char key[CPI_ENV_KEY_BYTES];
    applier_count(applier, CPI_STAT_DOUBLED, 1);
    cpi_log_repeated(
        &applier->env->log, CPI_REPEAT_DOUBLED, NULL, CP_LOG_WARN,
        &(struct cpi_log_about){.entity = entity->name, .key = cpi_env_key(entity, &applier->ids[position], key)},
        "%s %s: fetch function %s gives more than one document; the first is stored", entity->name,
        cpi_id_text(entity->id_type, &applier->ids[position], digits), entity->fetch);
}

static void park_culprit(void *context, uint32_t position, const cp_error *why)
{
    struct cpi_applier *applier = context;
    int64_t now_ms = cpi_now_ms();
    cpi_round_park(&applier->round, applier->group[position], why->message);
    if (now_ms - applier->began_ms >= HANGS_MS) {
        cpi_idset_hold(applier->set, applier->group[position]);
    }
    /* What fails may work in another session: the next try gets one. */
    applier->is_doubted = now_ms - applier->opened_ms >= CPI_RENEWAL_EVERY_MS;
}

/* To the end of their own queue: they have not been tried and are not parked. Smaller batches are searched sooner. */
static void put_off(void *context, const uint32_t *positions, uint32_t n)
{
    struct cpi_applier *applier = context;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t handle = applier->group[positions[i]];
        cpi_idset_move(applier->set, handle, cpi_idset_queue(applier->set, handle));
    }
    applier->has_put_off = true;
    applier->limit = n;
}

/* Reads the documents of the group and appends the commands. False: a connection is lost, or memory is short. */
static bool read_group(struct cpi_applier *applier, uint32_t n, cp_error *err)
{
    const struct cpi_reader_sink sink = {.context = applier,
                                         .statement = note_statement,
                                         .documents = append_documents,
                                         .doubled = note_doubled,
                                         .failed = park_culprit,
                                         .untried = put_off};
    int64_t began_us = cpi_now_us();
    cpi_pulse_does("reading documents");
    enum cpi_failure failure =
        cpi_reader_read(applier->reader, applier->group_entity, applier->ids, n, &sink, SEARCH_MS, err);
    cpi_histogram_add(&applier->env->stats->histograms[CPI_HISTOGRAM_FETCH], cpi_now_us() - began_us);
    if (failure != CPI_FAILURE_STATEMENT) {
        return failure == CPI_FAILURE_NONE;
    }
    applier->began_ms = cpi_now_ms();  /* no id has been tried */
    for (uint32_t i = 0; i < n; i++) { /* the entity's statement is broken for all of them */
        park_culprit(applier, i, err);
    }
    return true;
}

/* Those of an entity that can be read in time. The others stay where they are, for the next batch. */
static uint32_t gather_group(struct cpi_applier *applier, uint32_t entity, const uint32_t *handles, uint32_t n)
{
    uint32_t most = cpi_reader_entity_limit(applier->reader, entity);
    uint32_t size = 0;
    applier->group_entity = entity;
    for (uint32_t i = 0; i < n && size < most; i++) {
        struct cpi_event event = cpi_idset_get(applier->set, handles[i]);
        if (event.entity == entity) {
            applier->group[size] = handles[i];
            applier->ids[size++] = event.id;
        }
    }
    return size;
}

static bool read_batch(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, cp_error *err)
{
    applier->has_put_off = false;
    for (uint32_t e = 0; e < applier->env->config->entity_count; e++) {
        uint32_t size = gather_group(applier, e, handles, n);
        if (size > 0 && !read_group(applier, size, err)) {
            return false;
        }
    }
    return true;
}

/* ---- connections ---- */

/* See cpi_lease_term(). */
static bool is_current_term(void *context)
{
    struct cpi_applier *applier = context;
    uint64_t term = cpi_lease_term(applier->env->lease);
    CPI_ASSERT(applier->term <= term);
    return applier->term == term;
}

static bool open_postgres(struct cpi_applier *applier, cp_error *err)
{
    uint64_t generation = cpi_requests_generation(applier->env->requests);
    if (cpi_reader_is_open(applier->reader) && is_current_term(applier) && applier->generation == generation &&
        !applier->is_doubted) {
        return true;
    }
    bool was_lost = applier->pg_connected && !cpi_reader_is_open(applier->reader);
    applier->term = cpi_lease_term(applier->env->lease);
    applier->generation = generation;
    applier->opened_ms = cpi_now_ms();
    applier->is_doubted = false;
    if (cpi_reader_open(applier->reader, err) != CPI_FAILURE_NONE) {
        return false;
    }
    applier_count(applier, CPI_STAT_RECONNECTS, was_lost);
    applier->pg_connected = true;
    applier->session++;
    return true;
}

static bool open_target(struct cpi_applier *applier, cp_error *err)
{
    if (applier->target->ops->is_open(applier->target)) {
        return true;
    }
    if (applier->target->ops->open(applier->target, err) != CP_OK) {
        return false;
    }
    applier_count(applier, CPI_STAT_RECONNECTS, applier->target_connected);
    applier->target_connected = true;
    return true;
}

static bool applier_is_admitted(struct cpi_applier *applier, cp_error *err)
{
    return applier->target->ops->is_admitted(applier->target) ||
           applier->servers->admit(applier->servers, err) == CP_OK;
}

/* ---- the public part ---- */

/* Over a document that is too large, or that crashes the server, a connection is lost each time: find it. */
static void learn_from_loss(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, const cp_error *why)
{
    if (n > 1) {
        applier->limit = n / 2;
    } else if (++applier->losses == LOSSES_IN_A_ROW) {
        applier->losses = 0;
        cpi_round_park(&applier->round, handles[0], why->message);
    }
}

static void learn_from_success(struct cpi_applier *applier)
{
    uint32_t most = applier->env->config->batch;
    applier->limit = applier->limit < most / 2 ? 2 * applier->limit : most;
    applier->losses = 0;
}

bool cpi_applier_work(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, int timeout_ms, cp_error *err)
{
    cpi_reader_set_timeout(applier->reader, timeout_ms);
    /* Redis first: a document that cannot be stored need not be read. */
    if (!open_target(applier, err) || !open_postgres(applier, err) || !applier_is_admitted(applier, err)) {
        return false;
    }
    uint32_t before = cpi_idset_total(applier->set) - cpi_idset_count(applier->set, CPI_PARKED);
    bool read = read_batch(applier, handles, n, err);
    cp_error push_err = *err; /* stands where appending was what failed */
    bool pushed = cpi_round_push(&applier->round, &push_err);
    if (!pushed) {
        *err = push_err;
    }
    cpi_round_remove_settled(&applier->round);
    bool advanced = cpi_idset_total(applier->set) - cpi_idset_count(applier->set, CPI_PARKED) < before;
    if (read && pushed && !applier->has_put_off) {
        learn_from_success(applier);
    } else if (!(read && pushed) && !advanced &&
               !(cpi_reader_is_open(applier->reader) && applier->target->ops->is_open(applier->target))) {
        learn_from_loss(applier, handles, n, err);
    }
    return read && pushed;
}

uint32_t cpi_applier_batch(const struct cpi_applier *applier)
{
    return cpi_reader_limit(applier->reader, applier->limit);
}

uint64_t cpi_applier_session(const struct cpi_applier *applier)
{
    return applier->session;
}

struct cpi_parked *cpi_applier_parked(struct cpi_applier *applier)
{
    return &applier->round.parked;
}

void cpi_applier_close(struct cpi_applier *applier)
{
    cpi_reader_close(applier->reader);
    applier->target->ops->close(applier->target);
}

struct cpi_applier *cpi_applier_create(const struct cpi_env *env, struct cpi_servers *servers, struct cpi_idset *set)
{
    const struct cp_config *config = env->config;
    struct cpi_applier *applier = calloc(1, sizeof *applier);
    if (applier == NULL) {
        return NULL;
    }
    applier->env = env;
    applier->set = set;
    applier->servers = servers;
    applier->reader = servers->reader;
    applier->target = servers->target;
    applier->limit = config->batch;
    applier->ids = calloc(config->batch, sizeof *applier->ids);
    applier->group = calloc(config->batch, sizeof *applier->group);
    bool has_round = cpi_round_init(&applier->round, env, set, servers->target);
    if (!has_round || applier->ids == NULL || applier->group == NULL) {
        cpi_applier_destroy(applier);
        return NULL;
    }
    cpi_reader_watch(applier->reader, is_current_term, applier);
    return applier;
}

void cpi_applier_destroy(struct cpi_applier *applier)
{
    if (applier == NULL) {
        return;
    }
    free(applier->ids);
    free(applier->group);
    cpi_round_fini(&applier->round);
    free(applier);
}
