#include "verify/compare.h"

#include "base/error.h"
#include "postgres/listing.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLICE_BYTES = 8 * 1024 * 1024, /* of documents, which are held in memory while they are compared */
    BEFORE_DIFFERENCE = 12         /* bytes of an excerpt that show where it is */
};

_Static_assert((int)BEFORE_DIFFERENCE < (int)CPI_EXCERPT, "the difference is in the excerpt");

/* What stands for "no key" and for a value that is no string. */
static const uint64_t NO_KEY = 0;
static const uint64_t NO_STRING = 1;

/* ---- slices ---- */

bool cpi_slice_add(struct cpi_slice *slice, const struct cpi_entity *entity, const union cpi_id *id)
{
    union cpi_id copy = *id;
    if (slice->count == CPI_SLICE) {
        return false;
    }
    if (cpi_id_is_text(entity->id_type)) {
        copy.text = strdup(id->text);
        if (copy.text == NULL) {
            return false;
        }
    }
    slice->ids[slice->count++] = copy;
    return true;
}

void cpi_slice_clear(struct cpi_slice *slice, const struct cpi_entity *entities)
{
    for (uint32_t i = 0; i < slice->count; i++) {
        cpi_id_fini(entities[slice->entity].id_type, &slice->ids[i]);
    }
    slice->count = 0;
}

/* ---- lifecycle ---- */

cp_code cpi_compare_init(struct cpi_compare *compare, const struct cpi_env *env, const char *pg_role,
                         const char *redis_role, cp_error *err)
{
    *compare = (struct cpi_compare){.env = env};
    compare->pg = cpi_env_pg(env, pg_role, env->stop->drain_fd, env->config->fetch_timeout_ms);
    compare->redis = cpi_env_redis(env, redis_role, env->stop->drain_fd);
    compare->prepared = calloc(env->config->entity_count, sizeof *compare->prepared);
    return compare->prepared != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_compare_close(struct cpi_compare *compare)
{
    cpi_pg_close(&compare->pg);
    cpi_redis_close(&compare->redis);
}

void cpi_compare_fini(struct cpi_compare *compare)
{
    cpi_compare_close(compare);
    cpi_id_array_fini(&compare->ids);
    free(compare->prepared);
    compare->prepared = NULL;
}

static cp_code open_postgres(struct cpi_compare *compare, cp_error *err)
{
    if (cpi_pg_is_open(&compare->pg)) {
        return CP_OK;
    }
    memset(compare->prepared, 0, compare->env->config->entity_count * sizeof *compare->prepared);
    return cpi_pg_open(&compare->pg, err);
}

static cp_code open_redis(struct cpi_compare *compare, cp_error *err)
{
    return cpi_redis_is_open(&compare->redis) ? CP_OK : cpi_redis_open(&compare->redis, err);
}

uint32_t cpi_compare_limit(const struct cpi_compare *compare)
{
    size_t fitting = SLICE_BYTES / (compare->usual_bytes + 1);
    size_t limit = compare->env->config->batch < CPI_SLICE ? compare->env->config->batch : CPI_SLICE;
    return (uint32_t)(fitting < 1 ? 1 : fitting < limit ? fitting : limit);
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

static bool fill_ids(struct cpi_compare *compare, const struct cpi_entity *entity, const union cpi_id *ids, uint32_t n)
{
    bool fits = cpi_id_array_clear(&compare->ids, entity->id_type);
    for (uint32_t i = 0; i < n && fits; i++) {
        fits = cpi_id_array_add(&compare->ids, &ids[i]);
    }
    return fits;
}

static struct cpi_rows *fetch(struct cpi_compare *compare, uint32_t index, const union cpi_id *ids, uint32_t n,
                              cp_error *err)
{
    const struct cpi_entity *entity = &compare->env->config->entities[index];
    if (open_postgres(compare, err) != CP_OK) {
        return NULL;
    }
    if (!compare->prepared[index]) {
        if (cpi_fetch_prepare(&compare->pg, entity, index, err) != CP_OK) {
            return NULL;
        }
        compare->prepared[index] = true;
    }
    if (!fill_ids(compare, entity, ids, n)) {
        cpi_error_memory(err);
        return NULL;
    }
    return cpi_fetch_run(&compare->pg, index, &compare->ids, err);
}

/* Finds each row's id. They mostly come in the order of the ids; a row that was not asked for is skipped. */
static void assign_documents(struct cpi_compare *compare, const struct cpi_entity *entity, const union cpi_id *ids,
                             uint32_t n, const struct cpi_rows *result)
{
    size_t bytes = 0;
    bool seen[CPI_SLICE] = {false};
    memset(compare->documents, 0, n * sizeof *compare->documents);
    uint32_t likely = 0;
    for (int row = 0; row < cpi_rows_count(result); row++) {
        union cpi_id id = cpi_fetch_id(entity, result, row, 0);
        uint32_t tried = 0;
        while (tried < n && (seen[likely] || !cpi_id_equal(entity->id_type, &ids[likely], &id))) {
            likely = (likely + 1) % n;
            tried++;
        }
        if (tried == n) {
            continue;
        }
        seen[likely] = true;
        if (!cpi_rows_is_null(result, row, 1)) {
            compare->documents[likely].bytes = cpi_rows_value(result, row, 1);
            compare->documents[likely].length = cpi_rows_length(result, row, 1);
            bytes += compare->documents[likely].length;
        }
    }
    size_t mean = bytes / n;
    compare->usual_bytes = mean > compare->usual_bytes ? mean : (3 * compare->usual_bytes + mean) / 4;
}

/* Halves what fails by itself until each id that does is alone. */
cp_code cpi_compare_run(struct cpi_compare *compare, uint32_t index, const union cpi_id *ids, uint32_t n,
                        struct cpi_compared *out, cp_error *err)
{
    const struct cpi_entity *entity = &compare->env->config->entities[index];
    if (n == 0) {
        return CP_OK;
    }
    struct cpi_rows *result = fetch(compare, index, ids, n, err);
    if (result != NULL) {
        assign_documents(compare, entity, ids, n, result);
        cp_code code = compare_values(compare, entity, ids, n, out, err);
        cpi_rows_free(result);
        return code;
    }
    bool failed_by_itself = cpi_pg_is_open(&compare->pg) && compare->prepared[index] && err->code == CP_ERR_POSTGRES;
    if (!failed_by_itself) {
        return err->code;
    }
    if (n == 1) {
        out[0] = (struct cpi_compared){.verdict = CPI_UNREADABLE};
        compare->unreadable = *err;
        return CP_OK;
    }
    cp_code code = cpi_compare_run(compare, index, ids, n / 2, out, err);
    return code == CP_OK ? cpi_compare_run(compare, index, ids + n / 2, n - n / 2, out + n / 2, err) : code;
}

cp_code cpi_compare_drop_listed(struct cpi_compare *compare, struct cpi_slice *slice, cp_error *err)
{
    const struct cpi_entity *entities = compare->env->config->entities;
    const struct cpi_entity *entity = &entities[slice->entity];
    if (slice->count == 0) {
        return CP_OK;
    }
    if (open_postgres(compare, err) != CP_OK) {
        return err->code;
    }
    if (!fill_ids(compare, entity, slice->ids, slice->count)) {
        return cpi_error_memory(err);
    }
    struct cpi_rows *missing = cpi_listing_missing(&compare->pg, entity, &compare->ids, err);
    if (missing == NULL) {
        return err->code;
    }
    struct cpi_slice kept = {.entity = slice->entity};
    cp_code code = CP_OK;
    for (int row = 0; row < cpi_rows_count(missing) && code == CP_OK; row++) {
        union cpi_id id = cpi_fetch_id(entity, missing, row, 0);
        code = cpi_slice_add(&kept, entity, &id) ? CP_OK : cpi_error_memory(err);
    }
    cpi_rows_free(missing);
    if (code != CP_OK) {
        cpi_slice_clear(&kept, entities);
        return code;
    }
    cpi_slice_clear(slice, entities);
    *slice = kept;
    return CP_OK;
}
