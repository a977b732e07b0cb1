#include "redis/single.h"

#include "base/error.h"
#include "redis/fence.h"
#include "redis/proof.h"
#include "redis/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What SCAN looks at in one call: enough to make round trips few, too little to hold up other clients (well under a
 * millisecond). */
static const char SCAN_COUNT[] = "1000";

enum command { COMMAND_SET, COMMAND_DEL, COMMAND_GET, COMMAND_EXISTS };
static const char *const command_names[] = {
    [COMMAND_SET] = "SET", [COMMAND_DEL] = "DEL", [COMMAND_GET] = "GET", [COMMAND_EXISTS] = "EXISTS"};

struct single {
    struct cpi_target target; /* first: the two are cast into each other */
    struct cpi_redis redis;
    bool is_admitted;        /* since it was opened */
    unsigned char *commands; /* of the round, an enum command each */
    uint32_t count;
    uint32_t capacity;
    bool is_sent;      /* the round has been flushed: what is appended next begins another */
    redisReply *reply; /* that the last result points into; NULL: none */
    cp_error lost;     /* why the round was cut short */
};

static struct single *single_of(struct cpi_target *target)
{
    return (struct single *)target;
}

static const struct cpi_redis *redis_of(const struct cpi_target *target)
{
    return &((const struct single *)target)->redis;
}

static void forget_reply(struct single *single)
{
    if (single->reply != NULL) {
        freeReplyObject(single->reply);
        single->reply = NULL;
    }
}

/* ---- the connection ---- */

static bool single_is_open(const struct cpi_target *target)
{
    return cpi_redis_is_open(redis_of(target));
}

static void single_close(struct cpi_target *target)
{
    cpi_redis_close(&single_of(target)->redis);
}

static cp_code single_open(struct cpi_target *target, cp_error *err)
{
    struct single *single = single_of(target);
    forget_reply(single);
    single->count = 0;
    single->is_sent = false;
    single->is_admitted = false;
    return cpi_redis_open(&single->redis, err);
}

static void single_destroy(struct cpi_target *target)
{
    struct single *single = single_of(target);
    forget_reply(single);
    cpi_redis_close(&single->redis);
    free(single->commands);
    free(single);
}

static void single_admit(struct cpi_target *target)
{
    struct single *single = single_of(target);
    single->is_admitted = cpi_redis_is_open(&single->redis);
}

static bool single_is_admitted(const struct cpi_target *target)
{
    return cpi_redis_is_open(redis_of(target)) && ((const struct single *)target)->is_admitted;
}

static cp_code single_fence(struct cpi_target *target, const char *group, const char *token, cp_error *err)
{
    struct cpi_redis *redis = &single_of(target)->redis;
    cp_code code = cpi_fence_set_name(redis, group, token, err);
    return code == CP_OK ? cpi_fence_kill_others(redis, group, token, err) : code;
}

static cp_code single_check_primary(struct cpi_target *target, cp_error *err)
{
    return cpi_redis_check_primary(&single_of(target)->redis, err);
}

static bool single_data_may_differ(struct cpi_target *target, bool peek)
{
    struct cpi_redis *redis = &single_of(target)->redis;
    bool differs = redis->data_may_differ;
    redis->data_may_differ = differs && peek;
    return differs;
}

/* ---- a round ---- */

/* A command that is refused here is not part of the round. */
static cp_code check_usable(const struct single *single, bool writes, cp_error *err)
{
    if (!cpi_redis_is_open(&single->redis)) {
        return cpi_error(err, CP_ERR_REDIS, true, "Redis: the connection is closed");
    }
    return writes && !single->is_admitted
               ? cpi_error(err, CP_ERR_REDIS, true, "Redis: this connection has not been admitted to write")
               : CP_OK;
}

/* Begins a round, too, where the one before has been sent. Its results have to have been taken: they would count as
 * those of this one. */
static cp_code begin_command(struct single *single, enum command command, cp_error *err)
{
    if (single->is_sent && single->redis.unanswered > 0) {
        cpi_redis_close(&single->redis);
    }
    if (check_usable(single, command == COMMAND_SET || command == COMMAND_DEL, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    if (single->is_sent) {
        forget_reply(single);
        single->count = 0;
        single->is_sent = false;
    }
    if (single->count == single->capacity) {
        uint32_t capacity = 2 * single->capacity + 256;
        unsigned char *commands = realloc(single->commands, capacity);
        if (commands == NULL) {
            cpi_redis_close(&single->redis); /* as hiredis does when it has no memory: half a round is not to be sent */
            return cpi_error_memory(err);
        }
        single->commands = commands;
        single->capacity = capacity;
    }
    single->commands[single->count++] = (unsigned char)command;
    return CP_OK;
}

static cp_code single_set(struct cpi_target *target, const struct cpi_key *key, const char *id, const char *value,
                          size_t length, int64_t ttl_s, size_t *at, cp_error *err)
{
    struct single *single = single_of(target);
    cp_code code = begin_command(single, COMMAND_SET, err);
    return code == CP_OK ? cpi_redis_append_set(&single->redis, key, id, value, length, ttl_s, at, err) : code;
}

static cp_code single_del(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct single *single = single_of(target);
    cp_code code = begin_command(single, COMMAND_DEL, err);
    return code == CP_OK ? cpi_redis_append_del(&single->redis, key, id, err) : code;
}

static cp_code single_get(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct single *single = single_of(target);
    cp_code code = begin_command(single, COMMAND_GET, err);
    return code == CP_OK ? cpi_redis_append_get(&single->redis, key, id, err) : code;
}

static cp_code single_exists(struct cpi_target *target, const struct cpi_key *key, const char *id, cp_error *err)
{
    struct single *single = single_of(target);
    cp_code code = begin_command(single, COMMAND_EXISTS, err);
    return code == CP_OK ? cpi_redis_append_exists(&single->redis, key, id, err) : code;
}

static cp_code single_flush(struct cpi_target *target, struct cpi_output *output, cp_error *err)
{
    struct single *single = single_of(target);
    single->is_sent = true;
    if (check_usable(single, false, &single->lost) != CP_OK) {
        return cpi_error(err, CP_ERR_REDIS, true, "%s", single->lost.message);
    }
    cp_code code = cpi_redis_flush(&single->redis, output, &single->lost);
    if (code != CP_OK && err != NULL) {
        *err = single->lost;
    }
    return code;
}

static void single_give_back(struct cpi_target *target, struct cpi_output *output)
{
    cpi_wire_give_back(&single_of(target)->redis.wire, output);
}

static struct cpi_result failed(struct single *single, enum cpi_answer answer)
{
    if (answer == CPI_ANSWER_RECONNECT || answer == CPI_ANSWER_NONSENSE) {
        cpi_redis_close(&single->redis);
    }
    return (struct cpi_result){.answer = answer, .message = single->lost.message};
}

static struct cpi_result error_result(struct single *single, enum command command)
{
    static const enum cpi_answer answers[] = {[CPI_REPLY_WAIT] = CPI_ANSWER_WAIT,
                                              [CPI_REPLY_RECONNECT] = CPI_ANSWER_RECONNECT,
                                              [CPI_REPLY_OPERATOR] = CPI_ANSWER_REFUSED};
    const char *text = single->reply->str != NULL ? single->reply->str : "";
    if (command == COMMAND_GET && strncmp(text, "WRONGTYPE ", 10) == 0) {
        return (struct cpi_result){.answer = CPI_ANSWER_DONE, .kind = CPI_VALUE_OTHER_TYPE};
    }
    char shown[CPI_REPLY_TEXT];
    cpi_reply_text(text, shown);
    cpi_error(&single->lost, CP_ERR_REDIS, true, "Redis: %s: %s", command_names[command], shown);
    return failed(single, answers[cpi_reply_error(text)]);
}

static struct cpi_result not_a_reply(struct single *single, enum command command)
{
    cpi_error(&single->lost, CP_ERR_REDIS, true, "Redis: %s: not the reply this command has", command_names[command]);
    return failed(single, CPI_ANSWER_NONSENSE);
}

static struct cpi_result read_plain(struct single *single, enum command command, enum cpi_wire_reply kind)
{
    bool fits = kind == CPI_WIRE_OK ? command == COMMAND_SET : command == COMMAND_DEL || command == COMMAND_EXISTS;
    return fits ? (struct cpi_result){.answer = CPI_ANSWER_DONE, .exists = kind == CPI_WIRE_ONE}
                : not_a_reply(single, command);
}

static struct cpi_result read_object(struct single *single, enum command command)
{
    const redisReply *reply = single->reply;
    switch (reply->type) {
    case REDIS_REPLY_ERROR:
        return error_result(single, command);
    case REDIS_REPLY_STATUS:
        return read_plain(single, command, CPI_WIRE_OK);
    case REDIS_REPLY_INTEGER:
        if (command == COMMAND_EXISTS && reply->integer != 0 && reply->integer != 1) {
            break; /* it was asked about one key */
        }
        return read_plain(single, command, reply->integer == 0 ? CPI_WIRE_ZERO : CPI_WIRE_ONE);
    case REDIS_REPLY_NIL:
        if (command == COMMAND_GET) {
            return (struct cpi_result){.answer = CPI_ANSWER_DONE, .kind = CPI_VALUE_NONE};
        }
        break;
    case REDIS_REPLY_STRING:
        if (command == COMMAND_GET) {
            return (struct cpi_result){
                .answer = CPI_ANSWER_DONE, .kind = CPI_VALUE_STRING, .bytes = reply->str, .length = reply->len};
        }
        break;
    default:
        break;
    }
    return not_a_reply(single, command);
}

static struct cpi_result single_result(struct cpi_target *target, uint32_t i)
{
    struct single *single = single_of(target);
    enum cpi_wire_reply kind;
    forget_reply(single);
    if (!cpi_redis_is_open(&single->redis) || i >= single->count) {
        return failed(single, CPI_ANSWER_NONE);
    }
    enum command command = (enum command)single->commands[i];
    size_t limit = command == COMMAND_GET ? CPI_REPLY_VALUE : CPI_REPLY_SMALL;
    if (cpi_redis_reply(&single->redis, limit, &kind, &single->reply, &single->lost) != CP_OK) {
        return failed(single, CPI_ANSWER_NONE);
    }
    return kind == CPI_WIRE_OBJECT ? read_object(single, command) : read_plain(single, command, kind);
}

/* ---- keys ---- */

static cp_code copy_keys(const redisReply *page, struct cpi_keys *keys, cp_error *err)
{
    cpi_keys_clear(keys);
    for (size_t i = 0; i < page->elements; i++) {
        const redisReply *key = page->element[i];
        if (key->type == REDIS_REPLY_STRING && !cpi_keys_add(keys, key->str, key->len)) {
            return cpi_error_memory(err);
        }
    }
    return CP_OK;
}

static cp_code single_scan(struct cpi_target *target, struct cpi_cursor *cursor, struct cpi_keys *keys, cp_error *err)
{
    struct cpi_redis *redis = &single_of(target)->redis;
    const char *command[] = {"SCAN", cursor->position, "MATCH", cursor->pattern, "COUNT", SCAN_COUNT};
    redisReply *reply = cpi_redis_command(redis, 6, command, NULL, err);
    if (reply == NULL) {
        return CP_ERR_REDIS;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(reply);
        cpi_redis_close(redis);
        return cpi_error(err, CP_ERR_REDIS, true, "Redis: SCAN: not the reply this command has");
    }
    cp_code code = copy_keys(reply->element[1], keys, err);
    if (code == CP_OK) { /* otherwise the same page is asked for again */
        snprintf(cursor->position, sizeof cursor->position, "%s", reply->element[0]->str);
        cursor->done = strcmp(cursor->position, "0") == 0;
    }
    freeReplyObject(reply);
    return code;
}

/* The arguments of UNLINK. Not even a wrong pattern may cost other data, hence the comparison. */
static int gather_keys(const struct cpi_key *key, const struct cpi_keys *keys, const char **arguments, size_t *lengths)
{
    int n = 0;
    arguments[n] = "UNLINK";
    lengths[n++] = strlen("UNLINK");
    for (size_t i = 0; i < keys->count; i++) {
        size_t length;
        const char *text = cpi_keys_at(keys, i, &length);
        if (length >= key->before_length && memcmp(text, key->before, key->before_length) == 0) {
            arguments[n] = text;
            lengths[n++] = length;
        }
    }
    return n;
}

static cp_code single_unlink(struct cpi_target *target, const struct cpi_key *key, const struct cpi_keys *keys,
                             uint64_t *count, cp_error *err)
{
    struct cpi_redis *redis = &single_of(target)->redis;
    if (check_usable(single_of(target), true, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    const char **arguments = calloc(keys->count + 1, sizeof *arguments);
    size_t *lengths = calloc(keys->count + 1, sizeof *lengths);
    cp_code code = arguments != NULL && lengths != NULL ? CP_OK : cpi_error_memory(err);
    int n = code == CP_OK ? gather_keys(key, keys, arguments, lengths) : 0;
    if (n > 1) {
        redisReply *reply = cpi_redis_command(redis, n, arguments, lengths, err);
        code = reply != NULL ? CP_OK : CP_ERR_REDIS;
        *count += reply != NULL && reply->type == REDIS_REPLY_INTEGER ? (uint64_t)reply->integer : 0;
        freeReplyObject(reply);
    }
    free(arguments);
    free(lengths);
    return code;
}

/* ---- the marker ---- */

/* What is no number is no marker: that is an answer, too. */
static bool is_not_a_number(const cp_error *why)
{
    return strstr(why->message, "WRONGTYPE") != NULL || strstr(why->message, "not an integer") != NULL ||
           strstr(why->message, "overflow") != NULL;
}

static cp_code single_advance_marker(struct cpi_target *target, const char *key, int64_t *number, cp_error *err)
{
    struct single *single = single_of(target);
    const char *incr[] = {"INCR", key};
    cp_error why = {.code = CP_OK};
    *number = 0;
    if (check_usable(single, true, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    redisReply *reply = cpi_redis_command(&single->redis, 2, incr, NULL, &why);
    if (reply == NULL) {
        return cpi_redis_is_open(&single->redis) && is_not_a_number(&why)
                   ? CP_OK
                   : cpi_error(err, why.code, why.retriable, "%s", why.message);
    }
    *number = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    return CP_OK;
}

static cp_code single_write_marker(struct cpi_target *target, const char *key, int64_t number, cp_error *err)
{
    struct single *single = single_of(target);
    char value[24];
    snprintf(value, sizeof value, "%lld", (long long)number);
    const char *set[] = {"SET", key, value};
    if (check_usable(single, true, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    redisReply *reply = cpi_redis_command(&single->redis, 3, set, NULL, err);
    freeReplyObject(reply);
    return reply != NULL ? CP_OK : CP_ERR_REDIS;
}

static cp_code single_prove(struct cpi_target *target, const struct cpi_key *const *keys, size_t count,
                            const char *marker, char *warning, size_t size, cp_error *err)
{
    return cpi_proof(&single_of(target)->redis, keys, count, marker, warning, size, err);
}

/* ---- create ---- */

struct cpi_target *cpi_single_create(const struct cpi_target_options *options)
{
    static const struct cpi_target_ops ops = {.open = single_open,
                                              .is_open = single_is_open,
                                              .close = single_close,
                                              .destroy = single_destroy,
                                              .set = single_set,
                                              .del = single_del,
                                              .get = single_get,
                                              .exists = single_exists,
                                              .flush = single_flush,
                                              .give_back = single_give_back,
                                              .result = single_result,
                                              .fence = single_fence,
                                              .admit = single_admit,
                                              .is_admitted = single_is_admitted,
                                              .prove = single_prove,
                                              .scan = single_scan,
                                              .unlink = single_unlink,
                                              .advance_marker = single_advance_marker,
                                              .write_marker = single_write_marker,
                                              .check_primary = single_check_primary,
                                              .data_may_differ = single_data_may_differ};
    struct single *single = calloc(1, sizeof *single);
    if (single == NULL) {
        return NULL;
    }
    single->target.ops = &ops;
    single->redis = (struct cpi_redis){.address = options->address,
                                       .role = options->role,
                                       .stats = options->stats,
                                       .connect_timeout_ms = options->connect_timeout_ms};
    cpi_wire_init(&single->redis.wire, options->cancel_fd, options->timeout_ms);
    return &single->target;
}
