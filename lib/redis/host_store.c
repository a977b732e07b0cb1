#include "redis/host_store.h"

#include "base/error.h"
#include "redis/host_round.h"

#include <stdlib.h>
#include <string.h>

struct host_store {
    struct cpi_target target; /* first: the two are cast into each other */
    struct cpi_host_session host;
    struct cpi_host_round round;
};

static struct host_store *store_of(struct cpi_target *target)
{
    return (struct host_store *)target;
}

/* ---- the session ---- */

static cp_code store_open(struct cpi_target *target, cp_error *err)
{
    struct host_store *store = store_of(target);
    cpi_host_round_clear(&store->round);
    return cpi_host_open(&store->host, err);
}

static bool store_is_open(const struct cpi_target *target)
{
    return ((const struct host_store *)target)->host.is_open;
}

static void store_close(struct cpi_target *target)
{
    cpi_host_close(&store_of(target)->host);
}

static void store_destroy(struct cpi_target *target)
{
    struct host_store *store = store_of(target);
    cpi_host_close(&store->host);
    cpi_host_round_fini(&store->round);
    free(store);
}

static cp_code store_fence(struct cpi_target *target, const char *group, const char *token, cp_error *err)
{
    return cpi_host_fence(&store_of(target)->host, group, token, err);
}

static void store_admit(struct cpi_target *target)
{
    store_of(target)->host.is_admitted = store_is_open(target);
}

static bool store_is_admitted(const struct cpi_target *target)
{
    return store_is_open(target) && ((const struct host_store *)target)->host.is_admitted;
}

/* It has been opened, and that is all that can be tried without leaving anything behind. */
static cp_code store_prove(struct cpi_target *target, const struct cpi_key *const *keys, size_t count,
                           const char *marker, char *warning, size_t size, cp_error *err)
{
    (void)target;
    (void)keys;
    (void)count;
    (void)marker;
    (void)err;
    if (size > 0) {
        warning[0] = '\0';
    }
    return CP_OK;
}

static cp_code store_check_primary(struct cpi_target *target, cp_error *err)
{
    (void)target;
    (void)err;
    return CP_OK;
}

/* The marker alone tells. */
static bool store_data_may_differ(struct cpi_target *target, bool peek)
{
    (void)target;
    (void)peek;
    return false;
}

/* ---- a round ---- */

static cp_code store_set(struct cpi_target *target, const struct cpi_key *key, const char *id, const char *value,
                         size_t length, int64_t ttl_s, size_t *at, cp_error *err)
{
    return cpi_host_round_set(&store_of(target)->round, key, id, value, length, ttl_s, at, err);
}

static cp_code store_del(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    return cpi_host_round_del(&store_of(target)->round, key, id, err);
}

static cp_code store_get(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    return cpi_host_round_get(&store_of(target)->round, key, id, err);
}

static cp_code store_exists(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    return cpi_host_round_exists(&store_of(target)->round, key, id, err);
}

static cp_code store_flush(struct cpi_target *target, struct cpi_output *output, cp_error *err)
{
    return cpi_host_round_flush(&store_of(target)->round, output, err);
}

static void store_give_back(struct cpi_target *target, struct cpi_output *output)
{
    cpi_copies_give_back(&store_of(target)->round.copies, output);
}

static struct cpi_result store_result(struct cpi_target *target, uint32_t i)
{
    return cpi_host_round_result(&store_of(target)->round, i);
}

/* ---- keys and marker ---- */

static cp_code store_scan(struct cpi_target *target, struct cpi_cursor *cursor, struct cpi_keys *keys, cp_error *err)
{
    return cpi_host_scan(&store_of(target)->host, cursor, keys, err);
}

/* Not even a wrong page may cost other keys, hence the comparison. */
static cp_code delete_found(struct cpi_target *target, const struct cpi_key *key, const struct cpi_keys *keys,
                            uint32_t *deleted, cp_error *err)
{
    static char nothing[] = "";
    static const struct cpi_key whole = {.before = nothing, .after = nothing};
    cp_code code = CP_OK;
    for (size_t i = 0; i < keys->count && code == CP_OK; i++) {
        size_t length;
        const char *text = cpi_keys_at(keys, i, &length);
        if (length < key->before_length || memcmp(text, key->before, key->before_length) != 0) {
            continue;
        }
        char *id = strndup(text, length);
        code = id != NULL ? store_del(target, &whole, id, err) : cpi_error_memory(err);
        free(id);
        ++*deleted;
    }
    return code;
}

static cp_code store_unlink(struct cpi_target *target, const struct cpi_key *key, const struct cpi_keys *keys,
                            uint64_t *count, cp_error *err)
{
    uint32_t deleted = 0;
    cp_code code = delete_found(target, key, keys, &deleted, err);
    code = code == CP_OK && deleted > 0 ? store_flush(target, NULL, err) : code;
    for (uint32_t i = 0; i < deleted && code == CP_OK; i++) {
        struct cpi_result result = store_result(target, i);
        if (result.answer != CPI_ANSWER_DONE) {
            return cpi_error(err, CP_ERR_REDIS, result.answer != CPI_ANSWER_REFUSED, "%s", result.message);
        }
        ++*count;
    }
    return code;
}

static cp_code store_advance_marker(struct cpi_target *target, const char *key, int64_t *number, cp_error *err)
{
    struct host_store *store = store_of(target);
    cp_code code = cpi_host_check_usable(&store->host, true, err);
    return code == CP_OK ? cpi_host_advance_marker(&store->host, key, number, err) : code;
}

static cp_code store_write_marker(struct cpi_target *target, const char *key, int64_t number, cp_error *err)
{
    struct host_store *store = store_of(target);
    cp_code code = cpi_host_check_usable(&store->host, true, err);
    return code == CP_OK ? cpi_host_write_marker(&store->host, key, number, err) : code;
}

/* ---- create ---- */

cp_code cpi_host_store_check(const cp_store *store, cp_error *err)
{
    const char *wrong = store->set == NULL                          ? "set is NULL"
                        : store->del == NULL                        ? "del is NULL"
                        : store->keys != NULL && store->get == NULL ? "keys needs get as well"
                        : (store->advance_marker == NULL) != (store->write_marker == NULL)
                            ? "advance_marker and write_marker go together"
                            : NULL;
    return wrong != NULL ? cpi_error(err, CP_ERR_ARGUMENT, false, "cp_store: %s", wrong) : CP_OK;
}

struct cpi_target *cpi_host_store_create(const struct cpi_target_options *options)
{
    static const struct cpi_target_ops ops = {.open = store_open,
                                              .is_open = store_is_open,
                                              .close = store_close,
                                              .destroy = store_destroy,
                                              .set = store_set,
                                              .del = store_del,
                                              .get = store_get,
                                              .exists = store_exists,
                                              .flush = store_flush,
                                              .give_back = store_give_back,
                                              .result = store_result,
                                              .fence = store_fence,
                                              .admit = store_admit,
                                              .is_admitted = store_is_admitted,
                                              .prove = store_prove,
                                              .scan = store_scan,
                                              .unlink = store_unlink,
                                              .advance_marker = store_advance_marker,
                                              .write_marker = store_write_marker,
                                              .check_primary = store_check_primary,
                                              .data_may_differ = store_data_may_differ};
    struct host_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->target.ops = &ops;
    store->host = (struct cpi_host_session){.store = options->store, .kept = options->kept};
    store->round = (struct cpi_host_round){.host = &store->host, .is_told = options->is_told};
    return &store->target;
}
