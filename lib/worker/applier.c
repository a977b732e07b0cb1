#include "worker/applier.h"

#include "base/clock.h"
#include "base/error.h"
#include "lease/admission.h"
#include "postgres/fetch.h"
#include "queue/recent.h"
#include "redis/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* How long the search for the ids that fail may keep those of other entities, and newer ones, waiting. */
    SEARCH_MS = 1000,
    /* After this many connections in a row that were lost over one single id it is parked, too. */
    LOSSES_IN_A_ROW = 3
};

/* What a batch should not exceed: 256 documents of 32 KiB. */
enum { BATCH_BYTES = 8 * 1024 * 1024 };

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
    struct cpi_pg pg;
    uint64_t term; /* of the lease when pg was opened */
    struct cpi_redis redis;
    struct cpi_id_array ids;
    bool *prepared;  /* by entity: its statement, on this connection */
    uint32_t *group; /* those of the batch that belong to one entity */
    struct sent *sent;
    uint32_t sent_count;
    size_t sent_bytes;
    int64_t search_until_ms; /* of one group */
    bool has_put_off;        /* some of this batch */
    size_t usual_bytes;      /* of a document: up at once, down slowly */
    uint32_t limit;  /* of a batch: halved when a connection is lost over one, doubled when one has gone through */
    unsigned losses; /* in a row, of a connection over a single id */
    struct cpi_log_limit parking;
    bool pg_connected; /* has been, once */
    bool redis_connected;
};

static const struct cpi_entity *entity_of(const struct cpi_applier *applier, uint32_t index)
{
    return &applier->env->config->entities[index];
}

static void count(struct cpi_applier *applier, enum cpi_stat stat, int64_t n)
{
    cpi_stats_add(applier->env->stats, stat, n);
}

/* The id fails by itself: out of the way of the others, to be tried alone later. */
static void park(struct cpi_applier *applier, uint32_t handle, const char *why)
{
    struct cpi_event event = cpi_idset_get(applier->set, handle);
    const struct cpi_entity *entity = entity_of(applier, event.entity);
    char digits[CPI_ID_NUMBER_BYTES];
    if (cpi_idset_queue(applier->set, handle) != CPI_PARKED) {
        cpi_log_limited(&applier->env->log, &applier->parking, CP_LOG_WARN, "%s %s: %s; set aside, to be tried again",
                        entity->name, cpi_id_text(entity->id_type, &event.id, digits), why);
    }
    count(applier, CPI_STAT_FAILURES, 1);
    cpi_idset_move(applier->set, handle, CPI_PARKED);
}

/* ---- reading from Postgres, appending for Redis ---- */

static bool append_command(struct cpi_applier *applier, const struct cpi_entity *entity, uint32_t handle,
                           const char *document, size_t length, cp_error *err)
{
    struct cpi_event event = cpi_idset_get(applier->set, handle);
    char digits[CPI_ID_NUMBER_BYTES];
    const char *id = cpi_id_text(entity->id_type, &event.id, digits);
    applier->sent[applier->sent_count++] =
        (struct sent){.handle = handle, .exists = document != NULL, .bytes = length, .answer = UNANSWERED};
    applier->sent_bytes += length;
    return (document != NULL
                ? cpi_redis_append_set(&applier->redis, &entity->key, id, document, length, entity->ttl_s, err)
                : cpi_redis_append_del(&applier->redis, &entity->key, id, err)) == CP_OK;
}

/* The member that a row is about. A scalar function's rows come in the order of the ids. */
static uint32_t find_handle(struct cpi_applier *applier, uint32_t entity, const union cpi_id *id, uint32_t likely)
{
    struct cpi_event event = cpi_idset_get(applier->set, likely);
    return cpi_id_equal(entity_of(applier, entity)->id_type, &event.id, id) ? likely
                                                                            : cpi_idset_find(applier->set, entity, id);
}

/* A mark on a member means: its row is still expected. A row for an id that was not asked for, or a second one for the
 * same id, changes nothing; an id that gets no row does not exist. */
static bool append_documents(struct cpi_applier *applier, uint32_t entity_index, const uint32_t *handles, uint32_t n,
                             const struct cpi_rows *result, cp_error *err)
{
    const struct cpi_entity *entity = entity_of(applier, entity_index);
    bool appended = true;
    for (uint32_t i = 0; i < n; i++) {
        cpi_idset_mark(applier->set, handles[i], true);
    }
    for (int row = 0; row < cpi_rows_count(result) && appended; row++) {
        union cpi_id id = cpi_fetch_id(entity, result, row, 0);
        uint32_t handle = find_handle(applier, entity_index, &id, handles[(uint32_t)row < n ? (uint32_t)row : 0]);
        if (handle == 0 || !cpi_idset_mark(applier->set, handle, false)) {
            continue;
        }
        const char *document = cpi_rows_is_null(result, row, 1) ? NULL : cpi_rows_value(result, row, 1);
        appended = append_command(applier, entity, handle, document, cpi_rows_length(result, row, 1), err);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (cpi_idset_mark(applier->set, handles[i], false) && appended) {
            appended = append_command(applier, entity, handles[i], NULL, 0, err);
        }
    }
    return appended;
}

/* NULL: the connection is lost, or the statement failed by itself and the connection is still open. */
static struct cpi_rows *fetch(struct cpi_applier *applier, uint32_t entity_index, const uint32_t *handles, uint32_t n,
                              cp_error *err)
{
    const struct cpi_entity *entity = entity_of(applier, entity_index);
    if (!applier->prepared[entity_index]) {
        if (cpi_fetch_prepare(&applier->pg, entity, entity_index, err) != CP_OK) {
            return NULL;
        }
        applier->prepared[entity_index] = true;
    }
    bool fits = cpi_id_array_clear(&applier->ids, entity->id_type);
    for (uint32_t i = 0; i < n && fits; i++) {
        struct cpi_event event = cpi_idset_get(applier->set, handles[i]);
        fits = cpi_id_array_add(&applier->ids, &event.id);
    }
    if (!fits) {
        cpi_error_memory(err);
        return NULL;
    }
    count(applier, CPI_STAT_FETCHES, 1);
    return cpi_fetch_run(&applier->pg, entity_index, &applier->ids, err);
}

/* To the end of their own queue: they have not been tried and are not parked. Smaller batches are searched sooner. */
static void put_off(struct cpi_applier *applier, const uint32_t *handles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        cpi_idset_move(applier->set, handles[i], cpi_idset_queue(applier->set, handles[i]));
    }
    applier->has_put_off = true;
    applier->limit = n;
}

/* Reads the documents of one entity's ids and appends the commands. When the statement itself fails, halves the ids
 * until each that makes it fail is alone, so that its neighbours are served; at least one is found each time, the rest
 * is put off when it takes long. False: a connection is lost. */
static bool read_group(struct cpi_applier *applier, uint32_t entity_index, const uint32_t *handles, uint32_t n,
                       cp_error *err)
{
    struct cpi_rows *result = fetch(applier, entity_index, handles, n, err);
    if (result != NULL) {
        bool appended = append_documents(applier, entity_index, handles, n, result, err);
        cpi_rows_free(result);
        return appended;
    }
    if (!cpi_pg_is_open(&applier->pg) || err->code != CP_ERR_POSTGRES) {
        return false;
    }
    if (n == 1) {
        park(applier, handles[0], err->message);
        return true;
    }
    if (!read_group(applier, entity_index, handles, n / 2, err)) {
        return false;
    }
    if (cpi_now_ms() > applier->search_until_ms) {
        put_off(applier, handles + n / 2, n - n / 2);
        return true;
    }
    return read_group(applier, entity_index, handles + n / 2, n - n / 2, err);
}

static bool read_batch(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, cp_error *err)
{
    applier->sent_count = 0;
    applier->sent_bytes = 0;
    applier->has_put_off = false;
    for (uint32_t e = 0; e < applier->env->config->entity_count; e++) {
        uint32_t size = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (cpi_idset_get(applier->set, handles[i]).entity == e) {
                applier->group[size++] = handles[i];
            }
        }
        applier->search_until_ms = cpi_now_ms() + SEARCH_MS;
        if (size > 0 && !read_group(applier, e, applier->group, size, err)) {
            return false;
        }
    }
    return true;
}

/* ---- settling ---- */

static void tell_settled(struct cpi_applier *applier, const struct sent *sent)
{
    const struct cpi_env *env = applier->env;
    if (env->settled == NULL) {
        return;
    }
    struct cpi_event event = cpi_idset_get(applier->set, sent->handle);
    const struct cpi_entity *entity = entity_of(applier, event.entity);
    char digits[CPI_ID_NUMBER_BYTES];
    char *key = NULL;
    if (asprintf(&key, "%s%s%s", entity->key.before, cpi_id_text(entity->id_type, &event.id, digits),
                 entity->key.after) < 0) {
        cpi_log(&env->log, CP_LOG_ERROR, "out of memory for a settled callback; the document itself is stored");
        return;
    }
    env->settled(env->settled_context, &(cp_document){.size = sizeof(cp_document),
                                                      .entity = entity->name,
                                                      .key = key,
                                                      .bytes = sent->bytes,
                                                      .exists = sent->exists});
    free(key);
}

static void tell_auditor(struct cpi_applier *applier, const struct sent *sent)
{
    if (applier->env->recent != NULL) {
        struct cpi_event event = cpi_idset_get(applier->set, sent->handle);
        cpi_recent_offer(applier->env->recent, &event);
    }
}

/* Reads one reply. False: the connection is lost. */
static bool read_answer(struct cpi_applier *applier, struct sent *sent, cp_error *err)
{
    redisReply *reply = NULL;
    if (cpi_redis_reply(&applier->redis, &reply, err) != CP_OK) {
        return false;
    }
    bool in_sync = true;
    const char *command = sent->exists ? "SET" : "DEL";
    if (reply->type == (sent->exists ? REDIS_REPLY_STATUS : REDIS_REPLY_INTEGER)) {
        sent->answer = ACKNOWLEDGED;
    } else if (reply->type == REDIS_REPLY_ERROR) {
        enum cpi_reply_error what = cpi_reply_error(reply->str);
        sent->answer = what == CPI_REPLY_OPERATOR ? REFUSED : PUT_OFF;
        in_sync = what != CPI_REPLY_RECONNECT;
        cpi_error(err, CP_ERR_REDIS, true, "Redis: %s: %s", command, reply->str);
    } else {
        in_sync = false;
        cpi_error(err, CP_ERR_REDIS, true, "Redis: %s: not the reply this command has", command);
    }
    freeReplyObject(reply);
    return in_sync;
}

/* Takes what was acknowledged out of the set and parks what was refused; everything else stays where it is. True: there
 * is nothing else. */
static bool settle(struct cpi_applier *applier, const cp_error *why)
{
    uint32_t stored = 0;
    uint32_t deleted = 0;
    uint32_t refused = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < applier->sent_count; i++) {
        const struct sent *sent = &applier->sent[i];
        if (sent->answer == ACKNOWLEDGED) {
            tell_settled(applier, sent);
            tell_auditor(applier, sent);
            cpi_idset_remove(applier->set, sent->handle);
            stored += sent->exists;
            deleted += !sent->exists;
            bytes += sent->bytes;
        } else if (sent->answer == REFUSED) {
            park(applier, sent->handle, why->message);
            refused++;
        }
    }
    uint32_t left = applier->sent_count - stored - deleted - refused;
    count(applier, CPI_STAT_STORED, stored);
    count(applier, CPI_STAT_DELETED, deleted);
    count(applier, CPI_STAT_BYTES, (int64_t)bytes);
    count(applier, CPI_STAT_FAILURES, left);
    return left == 0;
}

/* Sends what has been appended and reads every reply. False: something is neither done nor parked. */
static bool push(struct cpi_applier *applier, cp_error *err)
{
    if (applier->sent_count == 0) {
        return true;
    }
    size_t mean = applier->sent_bytes / applier->sent_count;
    applier->usual_bytes = mean > applier->usual_bytes ? mean : (3 * applier->usual_bytes + mean) / 4;

    bool alive = cpi_redis_is_open(&applier->redis) && cpi_redis_flush(&applier->redis, err) == CP_OK;
    for (uint32_t i = 0; i < applier->sent_count && alive; i++) {
        alive = read_answer(applier, &applier->sent[i], err);
    }
    if (!alive) {
        cpi_redis_close(&applier->redis);
    }
    return settle(applier, err);
}

/* ---- connections ---- */

/* See cpi_lease_term(). */
static bool is_current_term(void *context)
{
    struct cpi_applier *applier = context;
    return applier->term == cpi_lease_term(applier->env->lease);
}

static bool open_postgres(struct cpi_applier *applier, cp_error *err)
{
    if (cpi_pg_is_open(&applier->pg) && is_current_term(applier)) {
        return true;
    }
    applier->term = cpi_lease_term(applier->env->lease);
    if (cpi_pg_open(&applier->pg, err) != CP_OK) {
        return false;
    }
    memset(applier->prepared, 0, applier->env->config->entity_count * sizeof *applier->prepared);
    count(applier, CPI_STAT_RECONNECTS, applier->pg_connected);
    applier->pg_connected = true;
    return true;
}

static bool open_redis(struct cpi_applier *applier, cp_error *err)
{
    if (cpi_redis_is_open(&applier->redis)) {
        return true;
    }
    if (cpi_redis_open(&applier->redis, err) != CP_OK) {
        return false;
    }
    count(applier, CPI_STAT_RECONNECTS, applier->redis_connected);
    applier->redis_connected = true;
    return true;
}

static bool is_admitted(struct cpi_applier *applier, cp_error *err)
{
    return applier->redis.may_write ||
           cpi_lease_admit(applier->env->lease, &applier->pg, &applier->redis, err) == CP_OK;
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

bool cpi_applier_work(struct cpi_applier *applier, const uint32_t *handles, uint32_t n, cp_error *err)
{
    /* Redis first: a document that cannot be stored need not be read. */
    if (!open_redis(applier, err) || !open_postgres(applier, err) || !is_admitted(applier, err)) {
        return false;
    }
    uint32_t before = cpi_idset_total(applier->set) - cpi_idset_count(applier->set, CPI_PARKED);
    bool read = read_batch(applier, handles, n, err);
    cp_error push_err = *err; /* stands where appending was what failed */
    bool pushed = push(applier, &push_err);
    if (!pushed) {
        *err = push_err;
    }
    bool advanced = cpi_idset_total(applier->set) - cpi_idset_count(applier->set, CPI_PARKED) < before;
    if (read && pushed && !applier->has_put_off) {
        learn_from_success(applier);
    } else if (!(read && pushed) && !advanced &&
               !(cpi_pg_is_open(&applier->pg) && cpi_redis_is_open(&applier->redis))) {
        learn_from_loss(applier, handles, n, err);
    }
    return read && pushed;
}

uint32_t cpi_applier_batch(const struct cpi_applier *applier)
{
    size_t fitting = BATCH_BYTES / (applier->usual_bytes + 1);
    size_t limit = applier->limit;
    return (uint32_t)(fitting < 1 ? 1 : fitting < limit ? fitting : limit);
}

void cpi_applier_close(struct cpi_applier *applier)
{
    cpi_pg_close(&applier->pg);
    cpi_redis_close(&applier->redis);
}

struct cpi_applier *cpi_applier_create(const struct cpi_env *env, struct cpi_idset *set)
{
    const struct cp_config *config = env->config;
    struct cpi_applier *applier = calloc(1, sizeof *applier);
    if (applier == NULL) {
        return NULL;
    }
    applier->env = env;
    applier->set = set;
    applier->pg = cpi_env_pg(env, "cachepusher worker", env->stop->grace_fd, config->fetch_timeout_ms);
    applier->pg.watch = is_current_term;
    applier->pg.watch_context = applier;
    applier->redis = cpi_env_redis(env, "cachepusher-worker", env->stop->grace_fd);
    applier->limit = config->batch;
    applier->prepared = calloc(config->entity_count, sizeof *applier->prepared);
    applier->group = calloc(config->batch, sizeof *applier->group);
    applier->sent = calloc(config->batch, sizeof *applier->sent);
    if (applier->prepared == NULL || applier->group == NULL || applier->sent == NULL) {
        cpi_applier_destroy(applier);
        return NULL;
    }
    return applier;
}

void cpi_applier_destroy(struct cpi_applier *applier)
{
    if (applier == NULL) {
        return;
    }
    cpi_applier_close(applier);
    cpi_id_array_fini(&applier->ids);
    free(applier->prepared);
    free(applier->group);
    free(applier->sent);
    free(applier);
}
