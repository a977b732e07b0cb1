#include "worker/applier.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "worker/settled.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* How long the search for the ids that fail may keep those of other entities, and newer ones, waiting. */
    SEARCH_MS = 3000,
    /* After this many connections in a row that were lost over one single id it is parked, too. */
    LOSSES_IN_A_ROW = 3
};

/* A command under way in Redis. */
struct sent {
    uint32_t handle;
    bool exists; /* SET, otherwise DEL */
    size_t bytes;
    enum { UNANSWERED, ACKNOWLEDGED, PUT_OFF, REFUSED } answer;
};

struct cpi_applier {
    const struct cpi_env *env;
    struct cpi_idset *set;
    struct cpi_servers *servers;
    struct cpi_reader *reader; /* the servers' */
    struct cpi_target *target; /* the servers' */
    uint64_t term;             /* of the lease when the reader was opened */
    uint64_t generation;       /* of Postgres sessions, the same */
    int64_t opened_ms;         /* when */
    bool is_doubted;           /* a statement has failed by itself, and the session is not new */

    /* Those of the batch that belong to one entity. */
    uint32_t group_entity;
    uint32_t *group;   /* handles */
    union cpi_id *ids; /* the set's */

    /* Settled while a statement is being read, whose ids have to stay until it is done with them. */
    uint32_t *done;
    uint32_t done_count;

    struct sent *sent;
    uint32_t sent_count;
    size_t round_bytes; /* of the documents of these */
    cp_error refusal;   /* of the round: why something is parked */
    bool has_put_off;   /* some of this batch */
    uint32_t limit;     /* of a batch: halved when a connection is lost over one, doubled when one has gone through */
    unsigned losses;    /* in a row, of a connection over a single id */
    struct cpi_log_limit parking;
    struct cpi_log_limit doubling;
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

/* The id fails by itself: out of the way of the others, to be tried alone later. */
static void park(struct cpi_applier *applier, uint32_t handle, const char *why)
{
    struct cpi_event event = cpi_idset_get(applier->set, handle);
    const struct cpi_entity *entity = applier_entity_of(applier, event.entity);
    char digits[CPI_ID_NUMBER_BYTES];
    if (cpi_idset_queue(applier->set, handle) != CPI_PARKED) {
        cpi_log_limited(&applier->env->log, &applier->parking, CP_LOG_WARN, "%s %s: %s; set aside, to be tried again",
                        entity->name, cpi_id_text(entity->id_type, &event.id, digits), why);
    }
    applier_count(applier, CPI_STAT_FAILURES, 1);
    cpi_idset_move(applier->set, handle, CPI_PARKED);
}

/* ---- settling ---- */

/* Takes the result of the i-th command. err: why something is neither done nor refused. */
static void take_result(struct cpi_applier *applier, uint32_t i, cp_error *err)
{
    struct sent *sent = &applier->sent[i];
    struct cpi_result result = applier->target->ops->result(applier->target, i);
    switch (result.answer) {
    case CPI_ANSWER_DONE:
        sent->answer = ACKNOWLEDGED;
        return;
    case CPI_ANSWER_REFUSED:
        sent->answer = REFUSED;
        cpi_error(&applier->refusal, CP_ERR_REDIS, false, "%s", result.message);
        return;
    case CPI_ANSWER_WAIT:
    case CPI_ANSWER_RECONNECT:
    case CPI_ANSWER_NONSENSE:
        sent->answer = PUT_OFF;
        break;
    case CPI_ANSWER_NONE:
        sent->answer = UNANSWERED;
        break;
    }
    cpi_error(err, CP_ERR_REDIS, true, "%s", result.message);
}

/* Takes what was acknowledged out of the set and parks what was refused; everything else stays where it is. True: there
 * is nothing else. */
static bool settle(struct cpi_applier *applier)
{
    uint32_t stored = 0;
    uint32_t deleted = 0;
    uint32_t refused = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < applier->sent_count; i++) {
        const struct sent *sent = &applier->sent[i];
        if (sent->answer == ACKNOWLEDGED) {
            struct cpi_event event = cpi_idset_get(applier->set, sent->handle);
            cpi_tell_settled(applier->env, &event, sent->exists, sent->bytes);
            applier->done[applier->done_count++] = sent->handle;
            stored += sent->exists;
            deleted += !sent->exists;
            bytes += sent->bytes;
        } else if (sent->answer == REFUSED) {
            park(applier, sent->handle, applier->refusal.message);
            refused++;
        }
    }
    uint32_t left = applier->sent_count - stored - deleted - refused;
    applier->sent_count = 0;
    applier->round_bytes = 0;
    applier_count(applier, CPI_STAT_STORED, stored);
    applier_count(applier, CPI_STAT_DELETED, deleted);
    applier_count(applier, CPI_STAT_BYTES, (int64_t)bytes);
    applier_count(applier, CPI_STAT_FAILURES, left);
    return left == 0;
}

/* Sends what has been appended and takes every result. False: something is neither done nor parked. */
static bool push(struct cpi_applier *applier, cp_error *err)
{
    if (applier->sent_count == 0) {
        return true;
    }
    if (applier->target->ops->is_open(applier->target) && applier->target->ops->flush(applier->target, err) == CP_OK) {
        for (uint32_t i = 0; i < applier->sent_count; i++) {
            take_result(applier, i, err);
        }
    }
    return settle(applier);
}

/* ---- reading from Postgres, appending for Redis ---- */

static bool append_command(struct cpi_applier *applier, const struct cpi_entity *entity, uint32_t handle,
                           const char *document, size_t length, cp_error *err)
{
    struct cpi_event event = cpi_idset_get(applier->set, handle);
    char digits[CPI_ID_NUMBER_BYTES];
    const char *id = cpi_id_text(entity->id_type, &event.id, digits);
    struct cpi_target *target = applier->target;
    cp_code code = document != NULL ? target->ops->set(target, &entity->key, id, document, length, entity->ttl_s, err)
                                    : target->ops->del(target, &entity->key, id, err);
    if (code == CP_OK) {
        applier->sent[applier->sent_count++] =
            (struct sent){.handle = handle, .exists = document != NULL, .bytes = length, .answer = UNANSWERED};
        applier->round_bytes += length;
    }
    return code == CP_OK;
}

static void count_statement(void *context)
{
    applier_count(context, CPI_STAT_FETCHES, 1);
}

/* What has been appended is stored first if this one would make the round too large. */
static bool make_room(struct cpi_applier *applier, size_t length, cp_error *err)
{
    return applier->round_bytes == 0 || applier->round_bytes + length <= applier->env->config->batch_bytes ||
           push(applier, err);
}

static void park_too_large(struct cpi_applier *applier, uint32_t handle, size_t length)
{
    char why[128];
    snprintf(why, sizeof why, "the document has %zu bytes, and Redis takes %zu", length, CPI_TARGET_VALUE_MAX);
    park(applier, handle, why);
}

static bool append_documents(void *context, const uint32_t *positions, const struct cpi_document *documents, uint32_t n,
                             cp_error *err)
{
    struct cpi_applier *applier = context;
    const struct cpi_entity *entity = applier_entity_of(applier, applier->group_entity);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t handle = applier->group[positions[i]];
        if (documents[i].length > CPI_TARGET_VALUE_MAX) {
            park_too_large(applier, handle, documents[i].length);
        } else if (!make_room(applier, documents[i].length, err) ||
                   !append_command(applier, entity, handle, documents[i].bytes, documents[i].length, err)) {
            return false;
        }
    }
    return true;
}

static void note_doubled(void *context, uint32_t position)
{
    struct cpi_applier *applier = context;
    const struct cpi_entity *entity = applier_entity_of(applier, applier->group_entity);
    char digits[CPI_ID_NUMBER_BYTES];
    applier_count(applier, CPI_STAT_DOUBLED, 1);
    cpi_log_limited(&applier->env->log, &applier->doubling, CP_LOG_WARN,
                    "%s %s: fetch function %s gives more than one document; the first is stored", entity->name,
                    cpi_id_text(entity->id_type, &applier->ids[position], digits), entity->fetch);
}

static void park_culprit(void *context, uint32_t position, const cp_error *why)
{
    struct cpi_applier *applier = context;
    park(applier, applier->group[position], why->message);
    /* What fails may work in another session: the next try gets one. */
    applier->is_doubted = cpi_now_ms() - applier->opened_ms >= CPI_RENEWAL_EVERY_MS;
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
                                         .statement = count_statement,
                                         .documents = append_documents,
                                         .doubled = note_doubled,
                                         .failed = park_culprit,
                                         .untried = put_off};
    enum cpi_failure failure =
        cpi_reader_read(applier->reader, applier->group_entity, applier->ids, n, &sink, SEARCH_MS, err);
    if (failure != CPI_FAILURE_STATEMENT) {
        return failure == CPI_FAILURE_NONE;
    }
    for (uint32_t i = 0; i < n; i++) { /* the entity's statement is broken for all of them */
        park_culprit(applier, i, err);
    }
    return true;
}

static uint32_t gather_group(struct cpi_applier *applier, uint32_t entity, const uint32_t *handles, uint32_t n)
{
    uint32_t size = 0;
    applier->group_entity = entity;
    for (uint32_t i = 0; i < n; i++) {
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

static void remove_done(struct cpi_applier *applier)
{
    for (uint32_t i = 0; i < applier->done_count; i++) {
        cpi_idset_remove(applier->set, applier->done[i]);
    }
    applier->done_count = 0;
}

/* ---- the public part ---- */

/* Over a document that is too large, or that crashes the server, a connection is lost each time: find it. */
static void learn_from_loss(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, const cp_error *why)
{
    if (n > 1) {
        applier->limit = n / 2;
    } else if (++applier->losses == LOSSES_IN_A_ROW) {
        applier->losses = 0;
        park(applier, handles[0], why->message);
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
    bool pushed = push(applier, &push_err);
    if (!pushed) {
        *err = push_err;
    }
    remove_done(applier);
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
    applier->sent = calloc(config->batch, sizeof *applier->sent);
    applier->done = calloc(config->batch, sizeof *applier->done);
    if (applier->done == NULL || applier->ids == NULL || applier->group == NULL || applier->sent == NULL) {
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
    free(applier->sent);
    free(applier->done);
    free(applier);
}
