#include "verify/compare.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an excerpt that show where the difference is. */
enum { BEFORE_DIFFERENCE = 12 };

_Static_assert((int)BEFORE_DIFFERENCE < (int)CPI_EXCERPT, "the difference is in the excerpt");

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
    compare->target = cpi_env_target(env, redis_role, env->stop->drain_fd);
    compare->reader = cpi_reader_create(&cpi_fetch_ops, &compare->fetch, env->config->entities,
                                        env->config->entity_count, CPI_SLICE, env->config->batch_bytes);
    return compare->reader != NULL && compare->target != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_compare_close(struct cpi_compare *compare)
{
    cpi_reader_close(compare->reader);
    compare->target->ops->close(compare->target);
}

void cpi_compare_fini(struct cpi_compare *compare)
{
    cpi_reader_destroy(compare->reader);
    compare->reader = NULL;
    cpi_fetch_fini(&compare->fetch);
    cpi_target_destroy(compare->target);
    compare->target = NULL;
}

cp_code cpi_compare_open_postgres(struct cpi_compare *compare, cp_error *err)
{
    bool is_open = cpi_reader_is_open(compare->reader) || cpi_reader_open(compare->reader, err) == CPI_FAILURE_NONE;
    return is_open ? CP_OK : CP_ERR_POSTGRES;
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

static void compare_classify(struct cpi_compared *out, const struct cpi_document *document,
                             const struct cpi_result *found)
{
    bool is_string = found->kind == CPI_VALUE_STRING;
    const char *value = is_string ? found->bytes : "";
    size_t length = is_string ? found->length : 0;
    size_t document_length = document->bytes != NULL ? document->length : 0;
    if (found->kind == CPI_VALUE_NONE) {
        out->verdict = document->bytes != NULL ? CPI_MISSING : CPI_EQUAL;
        out->digest = NO_KEY;
    } else if (document->bytes == NULL) {
        out->verdict = CPI_ORPHAN;
        out->digest = is_string ? digest_of(value, length) : NO_STRING;
    } else if (is_string && length == document_length && memcmp(value, document->bytes, length) == 0) {
        out->verdict = CPI_EQUAL;
        return;
    } else {
        out->verdict = CPI_DIFFERENT;
        out->digest = is_string ? digest_of(value, length) : NO_STRING;
    }
    out->at = first_difference(document->bytes, document_length, value, length);
    cut_excerpt(out->document, document->bytes, document_length, out->at);
    cut_excerpt(out->redis_value, value, length, out->at);
}

/* ---- Redis' side ---- */

/* A call of cpi_compare_run(), for the reader's sink. */
struct comparison {
    struct cpi_compare *compare;
    const struct cpi_entity *entity;
    const union cpi_id *ids;
    struct cpi_compared *out;
};

static cp_code append_gets(const struct comparison *comparison, const uint32_t *positions, uint32_t n, cp_error *err)
{
    struct cpi_target *target = comparison->compare->target;
    const struct cpi_entity *entity = comparison->entity;
    cp_code code = cpi_target_ensure_open(target, err);
    for (uint32_t i = 0; i < n && code == CP_OK; i++) {
        char digits[CPI_ID_NUMBER_BYTES];
        const char *id = cpi_id_text(entity->id_type, &comparison->ids[positions[i]], digits);
        code = target->ops->get(target, &entity->key, id, err);
    }
    return code == CP_OK ? target->ops->flush(target, NULL, err) : code;
}

static void set_unreadable(const struct comparison *comparison, uint32_t position, const cp_error *why)
{
    comparison->out[position] = (struct cpi_compared){.verdict = CPI_UNREADABLE};
    comparison->compare->unreadable = *why;
}

/* What is stored is what the host makes of a document. */
static void compare_document(const struct comparison *comparison, uint32_t position,
                             const struct cpi_document *document, const struct cpi_result *found)
{
    cp_output made;
    cp_error why = {.code = CP_OK};
    if (cpi_transform_run(&comparison->compare->env->transform, comparison->entity, &comparison->ids[position],
                          document->bytes, document->length, &made, &why) != CP_OK) {
        set_unreadable(comparison, position, &why);
        return;
    }
    const struct cpi_document expected = {.bytes = made.bytes, .length = made.length};
    compare_classify(&comparison->out[position], &expected, found);
    cpi_transform_release(&made);
}

/* Values are taken one at a time, and one alone is held. */
static bool compare_documents(void *context, const uint32_t *positions, const struct cpi_document *documents,
                              uint32_t n, cp_error *err)
{
    const struct comparison *comparison = context;
    struct cpi_target *target = comparison->compare->target;
    cp_code code = append_gets(comparison, positions, n, err);
    for (uint32_t i = 0; i < n && code == CP_OK; i++) {
        struct cpi_result found = target->ops->result(target, i);
        if (found.answer == CPI_ANSWER_DONE) {
            compare_document(comparison, positions[i], &documents[i], &found);
        } else {
            code = cpi_error(err, CP_ERR_REDIS, found.answer != CPI_ANSWER_REFUSED, "%s", found.message);
        }
    }
    if (code != CP_OK) {
        target->ops->close(target); /* with replies under way */
    }
    return code == CP_OK;
}

/* ---- Postgres' side ---- */

static void note_unreadable(void *context, uint32_t position, const cp_error *why)
{
    set_unreadable(context, position, why);
}

cp_code cpi_compare_run(struct cpi_compare *compare, uint32_t index, const union cpi_id *ids, uint32_t n,
                        struct cpi_compared *out, cp_error *err)
{
    struct comparison comparison = {.compare = compare, .entity = &compare->env->config->entities[index]};
    const struct cpi_reader_sink sink = {
        .context = &comparison, .documents = compare_documents, .failed = note_unreadable};
    bool read = cpi_compare_open_postgres(compare, err) == CP_OK;
    for (uint32_t at = 0, size = 0; at < n && read; at += size) {
        uint32_t limit = cpi_reader_entity_limit(compare->reader, index);
        size = n - at < limit ? n - at : limit;
        comparison.ids = ids + at;
        comparison.out = out + at;
        read = cpi_reader_read(compare->reader, index, ids + at, size, &sink, CPI_READER_NO_LIMIT, err) ==
               CPI_FAILURE_NONE;
    }
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
