#include "redis/follower.h"

#include "base/error.h"
#include "redis/copies.h"

#include <stdlib.h>

struct follower {
    struct cpi_target target; /* first: the two are cast into each other */
    struct cpi_kept_keys *kept;
    bool is_open;
    bool is_admitted;
    bool *found; /* by command of the round: what an exists was answered */
    uint32_t count;
    uint32_t capacity;
    bool is_sent;             /* the round has been flushed: what is appended next begins another */
    struct cpi_copies copies; /* of the round's documents, since the rows they are in do not live as long */
};

static struct follower *follower_of(struct cpi_target *target)
{
    return (struct follower *)target;
}

/* ---- the connection that there is none of ---- */

static cp_code follower_open(struct cpi_target *target, cp_error *err)
{
    struct follower *follower = follower_of(target);
    (void)err;
    follower->is_open = true;
    follower->is_admitted = false;
    follower->is_sent = false;
    follower->count = 0;
    cpi_copies_clear(&follower->copies);
    return CP_OK;
}

static bool follower_is_open(const struct cpi_target *target)
{
    return ((const struct follower *)target)->is_open;
}

static void follower_close(struct cpi_target *target)
{
    follower_of(target)->is_open = false;
}

static void follower_destroy(struct cpi_target *target)
{
    free(follower_of(target)->found);
    cpi_copies_fini(&follower_of(target)->copies);
    free(follower_of(target));
}

static cp_code follower_fence(struct cpi_target *target, const char *group, const char *token, cp_error *err)
{
    (void)target;
    (void)group;
    (void)token;
    (void)err;
    return CP_OK;
}

static void follower_admit(struct cpi_target *target)
{
    follower_of(target)->is_admitted = follower_is_open(target);
}

static bool follower_is_admitted(const struct cpi_target *target)
{
    return follower_is_open(target) && ((const struct follower *)target)->is_admitted;
}

static cp_code follower_prove(struct cpi_target *target, const struct cpi_key *const *keys, size_t count,
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

static cp_code follower_check_primary(struct cpi_target *target, cp_error *err)
{
    (void)target;
    (void)err;
    return CP_OK;
}

static bool follower_data_may_differ(struct cpi_target *target, bool peek)
{
    (void)target;
    (void)peek;
    return false;
}

/* ---- a round ---- */

/* Where the one before has been sent. */
static void begin_round(struct follower *follower)
{
    if (follower->is_sent) {
        follower->count = 0;
        cpi_copies_clear(&follower->copies);
        follower->is_sent = false;
    }
}

static cp_code append(struct follower *follower, bool found, cp_error *err)
{
    begin_round(follower);
    if (follower->count == follower->capacity) {
        uint32_t capacity = 2 * follower->capacity + 256;
        bool *all = realloc(follower->found, capacity * sizeof *all);
        if (all == NULL) {
            follower->is_open = false; /* half a round is not to be told */
            return cpi_error_memory(err);
        }
        follower->found = all;
        follower->capacity = capacity;
    }
    follower->found[follower->count++] = found;
    return CP_OK;
}

static cp_code no_memory(struct follower *follower, cp_error *err)
{
    follower->is_open = false;
    return cpi_error_memory(err);
}

static cp_code follower_set(struct cpi_target *target, const struct cpi_key *key, const char *id, const char *value,
                            size_t length, int64_t ttl_s, size_t *at, cp_error *err)
{
    struct follower *follower = follower_of(target);
    size_t copied_at = 0;
    (void)ttl_s;
    begin_round(follower);
    if (!cpi_copies_add(&follower->copies, value, length, at != NULL ? at : &copied_at) ||
        !cpi_kept_keys_add(follower->kept, key, id)) {
        return no_memory(follower, err);
    }
    return append(follower, true, err);
}

static cp_code follower_del(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct follower *follower = follower_of(target);
    bool existed = false;
    return cpi_kept_keys_remove(follower->kept, key, id, &existed) ? append(follower, existed, err)
                                                                   : no_memory(follower, err);
}

static cp_code follower_exists(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct follower *follower = follower_of(target);
    bool exists = false;
    return cpi_kept_keys_has(follower->kept, key, id, &exists) ? append(follower, exists, err)
                                                               : no_memory(follower, err);
}

/* What a document was is the host's to know: nobody is asked for it, since nothing is verified here. */
static cp_code follower_get(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    (void)target;
    (void)key;
    (void)id;
    return cpi_error(err, CP_ERR_ARGUMENT, false, "a follower keeps no documents");
}

static cp_code follower_flush(struct cpi_target *target, struct cpi_output *output, cp_error *err)
{
    struct follower *follower = follower_of(target);
    (void)err;
    follower->is_sent = true;
    if (output != NULL) {
        cpi_copies_lend(&follower->copies, output);
    }
    return CP_OK;
}

static void follower_give_back(struct cpi_target *target, struct cpi_output *output)
{
    cpi_copies_give_back(&follower_of(target)->copies, output);
}

static struct cpi_result follower_result(struct cpi_target *target, uint32_t i)
{
    const struct follower *follower = follower_of(target);
    if (!follower->is_open || i >= follower->count) {
        return (struct cpi_result){.answer = CPI_ANSWER_NONE, .message = "out of memory"};
    }
    return (struct cpi_result){.answer = CPI_ANSWER_DONE, .exists = follower->found[i]};
}

/* ---- keys and marker ---- */

/* All in one page, since the table may change between two. */
static cp_code follower_scan(struct cpi_target *target, struct cpi_cursor *cursor, struct cpi_keys *keys, cp_error *err)
{
    cpi_keys_clear(keys);
    cursor->done = true;
    return cpi_kept_keys_copy(follower_of(target)->kept, cursor->pattern, keys) ? CP_OK : cpi_error_memory(err);
}

/* A follower has nothing to flush: cpi_config_finish() refuses that. */
static cp_code follower_unlink(struct cpi_target *target, const struct cpi_key *key, const struct cpi_keys *keys,
                               uint64_t *count, cp_error *err)
{
    (void)target;
    (void)key;
    (void)keys;
    (void)count;
    return cpi_error(err, CP_ERR_ARGUMENT, false, "a follower deletes nothing");
}

static cp_code follower_advance_marker(struct cpi_target *target, const char *key, int64_t *number, cp_error *err)
{
    struct cpi_kept_keys *kept = follower_of(target)->kept;
    (void)key;
    (void)err;
    pthread_mutex_lock(&kept->mutex);
    *number = ++kept->marker;
    pthread_mutex_unlock(&kept->mutex);
    return CP_OK;
}

static cp_code follower_write_marker(struct cpi_target *target, const char *key, int64_t number, cp_error *err)
{
    struct cpi_kept_keys *kept = follower_of(target)->kept;
    (void)key;
    (void)err;
    pthread_mutex_lock(&kept->mutex);
    kept->marker = number;
    pthread_mutex_unlock(&kept->mutex);
    return CP_OK;
}

struct cpi_target *cpi_follower_create(struct cpi_kept_keys *kept)
{
    static const struct cpi_target_ops ops = {.open = follower_open,
                                              .is_open = follower_is_open,
                                              .close = follower_close,
                                              .destroy = follower_destroy,
                                              .set = follower_set,
                                              .del = follower_del,
                                              .get = follower_get,
                                              .exists = follower_exists,
                                              .flush = follower_flush,
                                              .give_back = follower_give_back,
                                              .result = follower_result,
                                              .fence = follower_fence,
                                              .admit = follower_admit,
                                              .is_admitted = follower_is_admitted,
                                              .prove = follower_prove,
                                              .scan = follower_scan,
                                              .unlink = follower_unlink,
                                              .advance_marker = follower_advance_marker,
                                              .write_marker = follower_write_marker,
                                              .check_primary = follower_check_primary,
                                              .data_may_differ = follower_data_may_differ};
    struct follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL) {
        return NULL;
    }
    follower->target.ops = &ops;
    follower->kept = kept;
    return &follower->target;
}
