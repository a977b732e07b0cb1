#include "verify/compare.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an excerpt that show where the difference is. */
enum { BEFORE_DIFFERENCE = 12 };

/* What stands for "no key" and for a value that is no string. */
static const uint64_t NO_KEY = 0;
static const uint64_t NO_STRING = 1;

/* ---- lifecycle ---- */

cp_code cpi_compare_init(struct cpi_compare *compare, const struct cpi_env *env, const char *pg_role,
                         const char *redis_role, cp_error *err)
{
    *compare = (struct cpi_compare){.env = env};
    compare->fetch.pg = cpi_env_pg(env, pg_role, env->stop->drain_fd, env->config->fetch_timeout_ms);
    compare->fetch.entities = env->config->entities;
    compare->redis = cpi_env_redis(env, redis_role, env->stop->drain_fd);
    compare->reader =
        cpi_reader_create(&cpi_fetch_ops, &compare->fetch, env->config->entities, env->config->entity_count, CPI_SLICE);
    return compare->reader != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_compare_close(struct cpi_compare *compare)
{
    cpi_pg_close(&compare->fetch.pg);
    cpi_redis_close(&compare->redis);
}

void cpi_compare_fini(struct cpi_compare *compare)
{
    cpi_reader_destroy(compare->reader);
    compare->reader = NULL;
    cpi_fetch_fini(&compare->fetch);
    cpi_redis_close(&compare->redis);
}

cp_code cpi_compare_open_postgres(struct cpi_compare *compare, cp_error *err)
{
    bool is_open = cpi_reader_is_open(compare->reader) || cpi_reader_open(compare->reader, err) == CPI_FAILURE_NONE;
    return is_open ? CP_OK : CP_ERR_POSTGRES;
}

static cp_code open_redis(struct cpi_compare *compare, cp_error *err)
{
    return cpi_redis_is_open(&compare->redis) ? CP_OK : cpi_redis_open(&compare->redis, err);
}

uint32_t cpi_compare_limit(const struct cpi_compare *compare)
{
    uint32_t batch = compare->env->config->batch;
    return cpi_reader_limit(compare->reader, batch < CPI_SLICE ? batch : CPI_SLICE);
}

/* ---- one document against one value ---- */

/* FNV-1a; never what stands for something else. */
static uint64_t digest_of(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < length; i++) {
        hash ^= (unsigned char)bytes[i];
        hash *= UINT64_C(0x100000001B3);
    }
    return hash > NO_STRING ? hash : hash + 2;
}

static size_t first_difference(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t at = 0;
    while (at < a_length && at < b_length && a[at] == b[at]) {
        at++;
    }
    return at;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* A string of what stands around a byte, in whole characters where it is UTF-8. A NUL becomes a space. */
static void cut_excerpt(char out[CPI_EXCERPT], const char *bytes, size_t length, size_t at)
{
    size_t from = at > BEFORE_DIFFERENCE ? at - BEFORE_DIFFERENCE : 0;
    from = from < length ? from : length;
    while (from > 0 && from < length && is_continuation(bytes[from])) {
        from--;
    }
    size_t size = length - from < CPI_EXCERPT - 1 ? length - from : CPI_EXCERPT - 1;
    while (size > 0 && from + size < length && is_continuation(bytes[from + size])) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = bytes[from + i];
        if (out[i] == '\0') {
            out[i] = ' ';
        }
    }
    out[size] = '\0';
}

static void judge(struct cpi_compared *out, const char *document, size_t length, const redisReply *held)
{
    bool is_string = held->type == REDIS_REPLY_STRING;
    const char *value = is_string ? held->str : "";
    size_t value_length = is_string ? held->len : 0;
    if (held->type == REDIS_REPLY_NIL) {
        out->verdict = document != NULL ? CPI_MISSING : CPI_EQUAL;
        out->digest = NO_KEY;
    } else if (document == NULL) {
        out->verdict = CPI_ORPHAN;
        out->digest = is_string ? digest_of(value, value_length) : NO_STRING;
    } else if (is_string && value_length == length && memcmp(value, document, length) == 0) {
        out->verdict = CPI_EQUAL;
        return;
    } else {
        out->verdict = CPI_DIFFERENT;
        out->digest = is_string ? digest_of(value, value_length) : NO_STRING;
    }
    out->at = first_difference(document, document != NULL ? length : 0, value, value_length);
    cut_excerpt(out->document, document, document != NULL ? length : 0, out->at);
    cut_excerpt(out->held, value, value_length, out->at);
}

/* ---- Redis' side ---- */

/* False: an error reply that is not about this key alone. */
static bool is_value(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL ||
           (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE ", 10) == 0);
}

static cp_code not_a_value(struct cpi_compare *compare, const redisReply *reply, cp_error *err)
{
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    bool retriable = !is_error || cpi_reply_error(reply->str) != CPI_REPLY_OPERATOR;
    cpi_error(err, CP_ERR_REDIS, retriable, "Redis: GET: %s", is_error ? reply->str : "not the reply this command has");
    cpi_redis_close(&compare->redis); /* with replies under way */
    return CP_ERR_REDIS;
}

static cp_code compare_values(struct cpi_compare *compare, const struct cpi_entity *entity, const union cpi_id *ids,
                              uint32_t n, struct cpi_compared *out, cp_error *err)
{
    cp_code code = open_redis(compare, err);
    for (uint32_t i = 0; i < n && code == CP_OK; i++) {
        char digits[CPI_ID_NUMBER_BYTES];
        code = cpi_redis_append_get(&compare->redis, &entity->key, cpi_id_text(entity->id_type, &ids[i], digits), err);
    }
    code = code == CP_OK ? cpi_redis_flush(&compare->redis, err) : code;
    for (uint32_t i = 0; i < n && code == CP_OK; i++) {
        redisReply *reply = NULL;
        code = cpi_redis_reply(&compare->redis, &reply, err);
        if (code != CP_OK) {
            break;
        }
        if (is_value(reply)) {
            judge(&out[i], compare->documents[i].bytes, compare->documents[i].length, reply);
        } else {
            code = not_a_value(compare, reply, err);
        }
        freeReplyObject(reply);
    }
    return code;
}

/* ---- Postgres' side ---- */

/* A call of cpi_compare_run(), for the reader's sink. */
struct comparison {
    struct cpi_compare *compare;
    const struct cpi_entity *entity;
    const union cpi_id *ids;
    struct cpi_compared *out;
};

static bool compare_documents(void *context, uint32_t first, const struct cpi_document *documents, uint32_t n,
                              cp_error *err)
{
    const struct comparison *comparison = context;
    comparison->compare->documents = documents;
    return compare_values(comparison->compare, comparison->entity, comparison->ids + first, n, comparison->out + first,
                          err) == CP_OK;
}

static void note_unreadable(void *context, uint32_t position, const cp_error *why)
{
    const struct comparison *comparison = context;
    comparison->out[position] = (struct cpi_compared){.verdict = CPI_UNREADABLE};
    comparison->compare->unreadable = *why;
}

cp_code cpi_compare_run(struct cpi_compare *compare, uint32_t index, const union cpi_id *ids, uint32_t n,
                        struct cpi_compared *out, cp_error *err)
{
    struct comparison comparison = {
        .compare = compare, .entity = &compare->env->config->entities[index], .ids = ids, .out = out};
    const struct cpi_reader_sink sink = {
        .context = &comparison, .documents = compare_documents, .failed = note_unreadable};
    bool read = cpi_compare_open_postgres(compare, err) == CP_OK &&
                cpi_reader_read(compare->reader, index, ids, n, &sink, CPI_READER_NO_LIMIT, err) == CPI_FAILURE_NONE;
    return read ? CP_OK : err->code;
}

cp_code cpi_compare_drop_listed(struct cpi_compare *compare, struct cpi_slice *slice, cp_error *err)
{
    if (slice->count == 0) {
        return CP_OK;
    }
    cp_code code = cpi_compare_open_postgres(compare, err);
    return code == CP_OK ? cpi_slice_drop_listed(slice, compare->env->config->entities, &compare->fetch.pg,
                                                 &compare->fetch.ids, err)
                         : err->code;
}
