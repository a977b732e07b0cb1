#include "settler.h"

#include "error.h"
#include "fetch.h"
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>

/* After this many fetches of single ids in a row that failed, with none between them that did not, it is not the ids:
 * wait, rather than park one after the other. */
enum { SINGLES_IN_A_ROW = 4 };

/* What a batch should not exceed: 256 documents of 32 KiB. */
enum { BATCH_BYTES = 8 * 1024 * 1024 };

/* A command under way in Redis. */
struct sent {
    uint32_t handle;
    bool exists; /* SET, otherwise DEL */
    size_t bytes;
    enum { UNANSWERED, ACKNOWLEDGED, REFUSED } answer;
};

struct cpi_settler {
    const struct cpi_env *env;
    struct cpi_idset *set;
    struct cpi_pg pg;
    struct cpi_redis redis;
    struct cpi_id_array ids;
    uint32_t *group; /* those of the batch that belong to one entity */
    struct sent *sent;
    uint32_t sent_count;
    unsigned failed_singles;
    size_t usual_bytes; /* of a document: up at once, down slowly */
    bool pg_connected;  /* has been, once */
    bool redis_connected;
};

static const struct cpi_entity *entity_of(const struct cpi_settler *settler, uint32_t index)
{
    return &settler->env->config->entities[index];
}

static void count(struct cpi_settler *settler, enum cpi_stat stat, int64_t n)
{
    cpi_stats_add(settler->env->stats, stat, n);
}

/* The id fails by itself: out of the way of the others, to be tried alone. True: it had been already. */
static bool park(struct cpi_settler *settler, uint32_t handle, const char *why)
{
    struct cpi_event event = cpi_idset_get(settler->set, handle);
    const struct cpi_entity *entity = entity_of(settler, event.entity);
    bool again = cpi_idset_queue(settler->set, handle) == CPI_PARKED;
    char digits[CPI_ID_NUMBER_BYTES];
    cpi_log(&settler->env->log, again ? CP_LOG_DEBUG : CP_LOG_WARN, "%s %s: %s; trying again, alone", entity->name,
            cpi_id_text(entity->id_type, &event.id, digits), why);
    cpi_idset_move(settler->set, handle, CPI_PARKED);
    return again;
}

/* ---- reading from Postgres, appending for Redis ---- */

static bool append_command(struct cpi_settler *settler, const struct cpi_entity *entity, uint32_t handle,
                           const char *document, size_t length, cp_error *err)
{
    struct cpi_event event = cpi_idset_get(settler->set, handle);
    char digits[CPI_ID_NUMBER_BYTES];
    const char *id = cpi_id_text(entity->id_type, &event.id, digits);
    settler->sent[settler->sent_count++] =
        (struct sent){.handle = handle, .exists = document != NULL, .bytes = length, .answer = UNANSWERED};
    return (document != NULL
                ? cpi_redis_append_set(&settler->redis, &entity->key, id, document, length, entity->ttl_s, err)
                : cpi_redis_append_del(&settler->redis, &entity->key, id, err)) == CP_OK;
}

/* The member that a row is about. A scalar function's rows come in the order of the ids. */
static uint32_t find_handle(struct cpi_settler *settler, uint32_t entity, const union cpi_id *id, uint32_t likely)
{
    struct cpi_event event = cpi_idset_get(settler->set, likely);
    return cpi_id_equal(entity_of(settler, entity)->id_type, &event.id, id) ? likely
                                                                            : cpi_idset_find(settler->set, entity, id);
}

/* A mark on a member means: its row is still expected. A row for an id that was not asked for, or a second one for the
 * same id, changes nothing; an id that gets no row does not exist. */
static bool append_documents(struct cpi_settler *settler, uint32_t entity_index, const uint32_t *handles, uint32_t n,
                             const PGresult *result, cp_error *err)
{
    const struct cpi_entity *entity = entity_of(settler, entity_index);
    bool appended = true;
    for (uint32_t i = 0; i < n; i++) {
        cpi_idset_mark(settler->set, handles[i], true);
    }
    for (int row = 0; row < PQntuples(result) && appended; row++) {
        union cpi_id id = cpi_fetch_id(entity, result, row, 0);
        uint32_t handle = find_handle(settler, entity_index, &id, handles[(uint32_t)row < n ? (uint32_t)row : 0]);
        if (handle == 0 || !cpi_idset_mark(settler->set, handle, false)) {
            continue;
        }
        const char *document = PQgetisnull(result, row, 1) ? NULL : PQgetvalue(result, row, 1);
        appended = append_command(settler, entity, handle, document, (size_t)PQgetlength(result, row, 1), err);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (cpi_idset_mark(settler->set, handles[i], false) && appended) {
            appended = append_command(settler, entity, handles[i], NULL, 0, err);
        }
    }
    return appended;
}

static PGresult *fetch(struct cpi_settler *settler, uint32_t entity_index, const uint32_t *handles, uint32_t n,
                       cp_error *err)
{
    cpi_id_array_clear(&settler->ids, entity_of(settler, entity_index)->id_type);
    for (uint32_t i = 0; i < n; i++) {
        struct cpi_event event = cpi_idset_get(settler->set, handles[i]);
        if (!cpi_id_array_add(&settler->ids, &event.id)) {
            cpi_error_memory(err);
            return NULL;
        }
    }
    count(settler, CPI_STAT_FETCHES, 1);
    return cpi_fetch_run(&settler->pg, entity_index, &settler->ids, err);
}

/* Reads the documents of one entity's ids and appends the commands. When the statement itself fails, halves the batch
 * until the id that makes it fail is alone, so that its neighbours are served. False: stop here and wait; the server is
 * away, or everything fails. */
static bool read_group(struct cpi_settler *settler, uint32_t entity_index, const uint32_t *handles, uint32_t n,
                       cp_error *err)
{
    PGresult *result = fetch(settler, entity_index, handles, n, err);
    if (result != NULL) {
        settler->failed_singles = 0;
        bool appended = append_documents(settler, entity_index, handles, n, result, err);
        PQclear(result);
        return appended;
    }
    if (!cpi_pg_is_open(&settler->pg) || err->code != CP_ERR_POSTGRES) {
        count(settler, CPI_STAT_FAILURES, n);
        return false;
    }
    if (n == 1) {
        count(settler, CPI_STAT_FAILURES, 1);
        return park(settler, handles[0], err->message) || ++settler->failed_singles < SINGLES_IN_A_ROW;
    }
    return read_group(settler, entity_index, handles, n / 2, err) &&
           read_group(settler, entity_index, handles + n / 2, n - n / 2, err);
}

static bool read_batch(struct cpi_settler *settler, const uint32_t *handles, uint32_t n, cp_error *err)
{
    settler->sent_count = 0;
    for (uint32_t e = 0; e < settler->env->config->entity_count; e++) {
        uint32_t size = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (cpi_idset_get(settler->set, handles[i]).entity == e) {
                settler->group[size++] = handles[i];
            }
        }
        if (size > 0 && !read_group(settler, e, settler->group, size, err)) {
            return false;
        }
    }
    return true;
}

/* ---- settling ---- */

static void tell_settled(struct cpi_settler *settler, const struct sent *sent)
{
    const struct cpi_env *env = settler->env;
    if (env->settled == NULL) {
        return;
    }
    struct cpi_event event = cpi_idset_get(settler->set, sent->handle);
    const struct cpi_entity *entity = entity_of(settler, event.entity);
    char digits[CPI_ID_NUMBER_BYTES];
    char *key = NULL;
    if (asprintf(&key, "%s%s%s", entity->key.before, cpi_id_text(entity->id_type, &event.id, digits),
                 entity->key.after) < 0) {
        cpi_log(&env->log, CP_LOG_ERROR, "out of memory for a settled callback; the document itself is stored");
        return;
    }
    env->settled(env->settled_context,
                 &(cp_document){.entity = entity->name, .key = key, .bytes = sent->bytes, .exists = sent->exists});
    free(key);
}

/* Reads one reply. False: the connection is lost. */
static bool read_answer(struct cpi_settler *settler, struct sent *sent, enum cpi_reply_error *what, cp_error *err)
{
    redisReply *reply = NULL;
    if (cpi_redis_reply(&settler->redis, &reply, err) != CP_OK) {
        return false;
    }
    sent->answer = reply->type == (sent->exists ? REDIS_REPLY_STATUS : REDIS_REPLY_INTEGER) ? ACKNOWLEDGED : REFUSED;
    if (sent->answer == REFUSED) {
        bool is_error = reply->type == REDIS_REPLY_ERROR;
        *what = is_error ? cpi_reply_error(reply->str) : CPI_REPLY_RECONNECT;
        cpi_error(err, CP_ERR_REDIS, *what != CPI_REPLY_OPERATOR, "Redis: %s: %s", sent->exists ? "SET" : "DEL",
                  is_error ? reply->str : "not the reply this command has");
    }
    freeReplyObject(reply);
    return true;
}

/* Takes what was acknowledged out of the set. What Redis refused for a reason of its own, while it took others, is
 * parked; everything else stays where it is. False: wait before the next try. */
static bool settle(struct cpi_settler *settler, enum cpi_reply_error what, const cp_error *why)
{
    uint32_t stored = 0;
    uint32_t deleted = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < settler->sent_count; i++) {
        const struct sent *sent = &settler->sent[i];
        if (sent->answer == ACKNOWLEDGED) {
            tell_settled(settler, sent);
            cpi_idset_remove(settler->set, sent->handle);
            stored += sent->exists;
            deleted += !sent->exists;
            bytes += sent->bytes;
        }
    }
    uint32_t failed = settler->sent_count - stored - deleted;
    bool single_out = what == CPI_REPLY_OPERATOR && (stored + deleted > 0 || failed == 1);
    bool go_on = failed == 0 || (single_out && stored + deleted > 0);
    for (uint32_t i = 0; i < settler->sent_count && single_out; i++) {
        if (settler->sent[i].answer == REFUSED) {
            go_on = park(settler, settler->sent[i].handle, why->message) || go_on;
        }
    }
    size_t mean = stored > 0 ? bytes / stored : 0;
    settler->usual_bytes = mean > settler->usual_bytes ? mean : (3 * settler->usual_bytes + mean) / 4;
    count(settler, CPI_STAT_STORED, stored);
    count(settler, CPI_STAT_DELETED, deleted);
    count(settler, CPI_STAT_BYTES, (int64_t)bytes);
    count(settler, CPI_STAT_FAILURES, failed);
    return go_on;
}

/* Sends what has been appended and reads every reply. False: wait before the next try. */
static bool push(struct cpi_settler *settler, cp_error *err)
{
    if (settler->sent_count == 0) {
        return true;
    }
    enum cpi_reply_error what = CPI_REPLY_WAIT;
    bool alive = cpi_redis_is_open(&settler->redis) && cpi_redis_flush(&settler->redis, err) == CP_OK;
    for (uint32_t i = 0; i < settler->sent_count && alive; i++) {
        alive = read_answer(settler, &settler->sent[i], &what, err);
    }
    if (alive && what == CPI_REPLY_RECONNECT) {
        cpi_redis_close(&settler->redis);
    }
    return settle(settler, what, err);
}

/* ---- connections ---- */

static bool open_postgres(struct cpi_settler *settler, cp_error *err)
{
    if (cpi_pg_is_open(&settler->pg)) {
        return true;
    }
    if (cpi_pg_open(&settler->pg, err) != CP_OK) {
        return false;
    }
    for (uint32_t e = 0; e < settler->env->config->entity_count; e++) {
        if (cpi_fetch_prepare(&settler->pg, entity_of(settler, e), e, err) != CP_OK) {
            cpi_pg_close(&settler->pg);
            return false;
        }
    }
    count(settler, CPI_STAT_RECONNECTS, settler->pg_connected);
    settler->pg_connected = true;
    return true;
}

static bool open_redis(struct cpi_settler *settler, cp_error *err)
{
    if (cpi_redis_is_open(&settler->redis)) {
        return true;
    }
    if (cpi_redis_open(&settler->redis, err) != CP_OK) {
        return false;
    }
    count(settler, CPI_STAT_RECONNECTS, settler->redis_connected);
    settler->redis_connected = true;
    return true;
}

/* ---- the public part ---- */

bool cpi_settler_work(struct cpi_settler *settler, const uint32_t *handles, uint32_t n, cp_error *err)
{
    /* Redis first: a document that cannot be stored need not be read. */
    if (!open_redis(settler, err) || !open_postgres(settler, err)) {
        return false;
    }
    cp_error push_err;
    bool read = read_batch(settler, handles, n, err);
    push_err = *err; /* stands where appending was what failed */
    bool pushed = push(settler, &push_err);
    if (!pushed) {
        *err = push_err;
    }
    return read && pushed;
}

uint32_t cpi_settler_batch(const struct cpi_settler *settler)
{
    size_t fitting = BATCH_BYTES / (settler->usual_bytes + 1);
    size_t limit = settler->env->config->batch;
    return (uint32_t)(fitting < 1 ? 1 : fitting < limit ? fitting : limit);
}

void cpi_settler_close(struct cpi_settler *settler)
{
    cpi_pg_close(&settler->pg);
    cpi_redis_close(&settler->redis);
}

struct cpi_settler *cpi_settler_create(const struct cpi_env *env, struct cpi_idset *set)
{
    const struct cp_config *config = env->config;
    struct cpi_settler *settler = calloc(1, sizeof *settler);
    if (settler == NULL) {
        return NULL;
    }
    settler->env = env;
    settler->set = set;
    settler->pg = (struct cpi_pg){.config = config,
                                  .role = "cachepusher worker",
                                  .cancel_fd = env->stop->grace_fd,
                                  .statement_timeout_ms = config->fetch_timeout_ms};
    settler->redis =
        (struct cpi_redis){.config = config, .role = "cachepusher-worker", .cancel_fd = env->stop->grace_fd};
    settler->group = calloc(config->batch, sizeof *settler->group);
    settler->sent = calloc(config->batch, sizeof *settler->sent);
    if (settler->group == NULL || settler->sent == NULL) {
        cpi_settler_destroy(settler);
        return NULL;
    }
    return settler;
}

void cpi_settler_destroy(struct cpi_settler *settler)
{
    if (settler == NULL) {
        return;
    }
    cpi_settler_close(settler);
    cpi_id_array_fini(&settler->ids);
    free(settler->group);
    free(settler->sent);
    free(settler);
}
