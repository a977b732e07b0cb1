#include "redis/redis.h"

#include "base/decimal.h"
#include "base/error.h"
#include "base/secret.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cpi_redis_is_open(const struct cpi_redis *redis)
{
    return cpi_wire_is_open(&redis->wire);
}

void cpi_redis_close(struct cpi_redis *redis)
{
    if (redis->is_counted) {
        cpi_stats_add(redis->stats, CPI_STAT_REDIS_CONNECTIONS, -1);
        cpi_sockets_remove(&redis->stats->sockets, redis->socket);
        redis->is_counted = false;
    }
    redis->left_unanswered = redis->left_unanswered || redis->unanswered > 0;
    redis->unanswered = 0;
    cpi_wire_close(&redis->wire);
}

/* Closes, with a message that names the server. */
static cp_code lost(struct cpi_redis *redis, const char *why, cp_error *err)
{
    char name[256];
    cpi_redis_address_name(redis->address, name, sizeof name);
    cp_code code = cpi_error(err, CP_ERR_REDIS, true, "Redis at %s: %s", name, why);
    cpi_redis_close(redis);
    return code;
}

/* The wire has failed, or there is no memory: half a round is not to be sent. */
static cp_code wire_failed(struct cpi_redis *redis, const cp_error *why, cp_error *err)
{
    if (why->code == CP_ERR_SYSTEM) {
        cpi_redis_close(redis);
        return cpi_error_memory(err);
    }
    return lost(redis, why->message, err);
}

/* ---- appending ---- */

static cp_code append_raw(struct cpi_redis *redis, const char *bytes, size_t length, cp_error *err)
{
    cp_error why;
    return cpi_wire_append(&redis->wire, bytes, length, &why) == CP_OK ? CP_OK : wire_failed(redis, &why, err);
}

/* A length as RESP writes it, behind what comes before it, which is short. */
static cp_code append_length(struct cpi_redis *redis, const char *before, size_t length, cp_error *err)
{
    char text[64];
    size_t n = (size_t)(stpcpy(text, before) - text);
    text[n++] = '$';
    n += cpi_decimal(text + n, length);
    text[n++] = '\r';
    text[n++] = '\n';
    return append_raw(redis, text, n, err);
}

/* A key as a RESP bulk string, behind the command's head. The head is small and made on the stack, and a document goes
 * from libpq's memory into the output buffer in one copy. */
static cp_code append_head(struct cpi_redis *redis, const char *head, const struct cpi_key *key, const char *id,
                           cp_error *err)
{
    size_t id_length = strlen(id);
    redis->unanswered++;
    if (append_length(redis, head, key->before_length + id_length + key->after_length, err) != CP_OK ||
        append_raw(redis, key->before, key->before_length, err) != CP_OK ||
        append_raw(redis, id, id_length, err) != CP_OK) {
        return err != NULL ? err->code : CP_ERR_REDIS;
    }
    return append_raw(redis, key->after, key->after_length, err);
}

cp_code cpi_redis_append_set(struct cpi_redis *redis, const struct cpi_key *key, const char *id, const char *value,
                             size_t length, int64_t ttl_s, size_t *at, cp_error *err)
{
    if (append_head(redis, ttl_s > 0 ? "*5\r\n$3\r\nSET\r\n" : "*3\r\n$3\r\nSET\r\n", key, id, err) != CP_OK ||
        append_length(redis, "\r\n", length, err) != CP_OK || append_raw(redis, value, length, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    if (at != NULL) {
        *at = redis->wire.out_length - length;
    }
    char seconds[24];
    char end[64] = "\r\n";
    int end_length = 2;
    if (ttl_s > 0) {
        int digits = snprintf(seconds, sizeof seconds, "%lld", (long long)ttl_s);
        end_length = snprintf(end, sizeof end, "\r\n$2\r\nEX\r\n$%d\r\n%s\r\n", digits, seconds);
    }
    return append_raw(redis, end, (size_t)end_length, err);
}

cp_code cpi_redis_append_del(struct cpi_redis *redis, const struct cpi_key *key, const char *id, cp_error *err)
{
    if (append_head(redis, "*2\r\n$3\r\nDEL\r\n", key, id, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    return append_raw(redis, "\r\n", 2, err);
}

cp_code cpi_redis_append_get(struct cpi_redis *redis, const struct cpi_key *key, const char *id, cp_error *err)
{
    if (append_head(redis, "*2\r\n$3\r\nGET\r\n", key, id, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    return append_raw(redis, "\r\n", 2, err);
}

cp_code cpi_redis_append_exists(struct cpi_redis *redis, const struct cpi_key *key, const char *id, cp_error *err)
{
    if (append_head(redis, "*2\r\n$6\r\nEXISTS\r\n", key, id, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    return append_raw(redis, "\r\n", 2, err);
}

cp_code cpi_redis_append(struct cpi_redis *redis, int argc, const char **argv, const size_t *lengths, cp_error *err)
{
    if (!cpi_redis_is_open(redis)) {
        return cpi_error(err, CP_ERR_REDIS, true, "Redis: the connection is closed");
    }
    char head[32];
    int head_length = snprintf(head, sizeof head, "*%d\r\n", argc);
    redis->unanswered++;
    cp_code code = append_raw(redis, head, (size_t)head_length, err);
    for (int i = 0; i < argc && code == CP_OK; i++) {
        size_t length = lengths != NULL ? lengths[i] : strlen(argv[i]);
        code = append_length(redis, "", length, err);
        code = code == CP_OK ? append_raw(redis, argv[i], length, err) : code;
        code = code == CP_OK ? append_raw(redis, "\r\n", 2, err) : code;
    }
    return code;
}

/* ---- sending and reading ---- */

cp_code cpi_redis_flush(struct cpi_redis *redis, struct cpi_output *output, cp_error *err)
{
    cp_error why;
    return cpi_wire_flush(&redis->wire, output, &why) == CP_OK ? CP_OK : wire_failed(redis, &why, err);
}

cp_code cpi_redis_reply(struct cpi_redis *redis, size_t limit, enum cpi_wire_reply *kind, redisReply **object,
                        cp_error *err)
{
    cp_error why;
    if (cpi_wire_reply(&redis->wire, limit, kind, object, &why) != CP_OK) {
        return wire_failed(redis, &why, err);
    }
    redis->unanswered--;
    return CP_OK;
}

/* What a command can answer with. */
static size_t reply_limit(const char *command)
{
    bool lists = strcmp(command, "CLIENT") == 0 || strcmp(command, "INFO") == 0;
    return strcmp(command, "SCAN") == 0 ? CPI_REPLY_KEYS : lists ? CPI_REPLY_LISTS : CPI_REPLY_SMALL;
}

/* Plain replies as objects, for those who ask for one reply at a time. */
static redisReply *object_of(enum cpi_wire_reply kind)
{
    redisReply *reply = calloc(1, sizeof *reply);
    if (reply != NULL) {
        reply->integer = kind == CPI_WIRE_ONE;
        reply->type = kind == CPI_WIRE_OK ? REDIS_REPLY_STATUS : REDIS_REPLY_INTEGER;
        reply->str = kind == CPI_WIRE_OK ? strdup("OK") : NULL;
        reply->len = reply->str != NULL ? 2 : 0;
    }
    return reply;
}

redisReply *cpi_redis_command(struct cpi_redis *redis, int argc, const char **argv, const size_t *lengths,
                              cp_error *err)
{
    redisReply *reply = NULL;
    enum cpi_wire_reply kind;
    if (cpi_redis_append(redis, argc, argv, lengths, err) != CP_OK || cpi_redis_flush(redis, NULL, err) != CP_OK ||
        cpi_redis_reply(redis, reply_limit(argv[0]), &kind, &reply, err) != CP_OK) {
        return NULL;
    }
    if (kind != CPI_WIRE_OBJECT) {
        reply = object_of(kind);
    }
    if (reply == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char text[CPI_REPLY_TEXT];
        enum cpi_reply_error what = cpi_reply_error(reply->str);
        cpi_reply_text(reply->str, text);
        cpi_error(err, CP_ERR_REDIS, what != CPI_REPLY_OPERATOR, "Redis: %s: %s", argv[0], text);
        freeReplyObject(reply);
        if (what == CPI_REPLY_RECONNECT) {
            cpi_redis_close(redis);
        }
        return NULL;
    }
    return reply;
}

/* A quoted name of a command is short; anything longer is somebody's data. */
static size_t quoted_length(const char *at)
{
    const char *end = strchr("'\"`", *at) != NULL && *at != '\0' ? strchr(at + 1, *at) : NULL;
    return end != NULL ? (size_t)(end - at) + 1 : 0;
}

void cpi_reply_text(const char *message, char text[CPI_REPLY_TEXT])
{
    enum { QUOTED_SHOWN = 32 };
    const char *arguments = strstr(message, " with args");
    const char *end = arguments != NULL ? arguments : message + strlen(message);
    size_t length = 0;
    for (const char *at = message; at < end && length + QUOTED_SHOWN + 4 < CPI_REPLY_TEXT;) {
        size_t quoted = quoted_length(at);
        bool begins = strchr("'\"`", *at) != NULL && (at == message || isalnum((unsigned char)at[-1]) == 0);
        if (begins && quoted == 0) { /* its end is cut off already */
            break;
        }
        if (quoted > QUOTED_SHOWN) {
            length += (size_t)snprintf(text + length, CPI_REPLY_TEXT - length, "%c...%c", *at, *at);
            at += quoted;
        } else {
            text[length++] = *at++;
        }
    }
    while (length > 0 && text[length - 1] == ',') {
        length--;
    }
    text[length] = '\0';
}

enum cpi_reply_error cpi_reply_error(const char *message)
{
    static const struct {
        const char *code;
        enum cpi_reply_error what;
    } known[] = {
        {"LOADING", CPI_REPLY_WAIT},    {"BUSY", CPI_REPLY_WAIT},        {"MASTERDOWN", CPI_REPLY_WAIT},
        {"MISCONF", CPI_REPLY_WAIT},    {"OOM", CPI_REPLY_WAIT},         {"NOREPLICAS", CPI_REPLY_WAIT},
        {"TRYAGAIN", CPI_REPLY_WAIT},   {"CLUSTERDOWN", CPI_REPLY_WAIT}, {"READONLY", CPI_REPLY_RECONNECT},
        {"MOVED", CPI_REPLY_RECONNECT}, {"ASK", CPI_REPLY_RECONNECT},    {"UNBLOCKED", CPI_REPLY_RECONNECT},
    };
    static const char crowded[] = "ERR max number of clients";
    if (strncmp(message, crowded, strlen(crowded)) == 0) {
        return CPI_REPLY_WAIT;
    }
    size_t length = strcspn(message, " ");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].code) == length && strncmp(message, known[i].code, length) == 0) {
            return known[i].what;
        }
    }
    return CPI_REPLY_OPERATOR;
}

/* ---- connecting ---- */

static cp_code greet(struct cpi_redis *redis, int argc, const char **argv, cp_error *err)
{
    redisReply *reply = cpi_redis_command(redis, argc, argv, NULL, err);
    if (reply == NULL) {
        return CP_ERR_REDIS;
    }
    freeReplyObject(reply);
    return CP_OK;
}

/* A file is read each time, so that a new password needs no restart. */
static cp_code log_in(struct cpi_redis *redis, cp_error *err)
{
    const struct cpi_redis_address *address = redis->address;
    char secret[CPI_SECRET_BYTES];
    cp_error inner;
    if (address->password_file != NULL &&
        cpi_secret_read("redis_password_file", address->password_file, secret, NULL, &inner) != CP_OK) {
        return cpi_error(err, CP_ERR_REDIS, true, "Redis: %s", inner.message);
    }
    const char *password = address->password_file != NULL ? secret : address->password;
    const char *with_user[] = {"AUTH", address->user, password};
    const char *without[] = {"AUTH", password};
    cp_code code = CP_OK;
    if (password != NULL) {
        code = greet(redis, address->user != NULL ? 3 : 2, address->user != NULL ? with_user : without, err);
    }
    cpi_secret_wipe(secret);
    return code;
}

static cp_code authenticate(struct cpi_redis *redis, cp_error *err)
{
    const struct cpi_redis_address *address = redis->address;
    if (log_in(redis, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    const char *ping[] = {"PING"}; /* what tells NOAUTH and LOADING when there is nothing else to ask */
    if (greet(redis, 1, ping, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    char database[16];
    snprintf(database, sizeof database, "%d", address->database);
    const char *select[] = {"SELECT", database};
    return address->database != 0 ? greet(redis, 2, select, err) : CP_OK;
}

/* A section of INFO, to be freed by the caller; NULL in *info where it is not to be had. */
static cp_code read_info(struct cpi_redis *redis, const char *section, redisReply **info, cp_error *err)
{
    const char *command[] = {"INFO", section};
    *info = cpi_redis_command(redis, 2, command, NULL, err);
    if (*info != NULL && (*info)->type != REDIS_REPLY_STRING) {
        freeReplyObject(*info);
        *info = NULL;
    }
    return *info != NULL || cpi_redis_is_open(redis) ? CP_OK : CP_ERR_REDIS;
}

/* A value of INFO, such as that of "run_id:"; "" when there is none. */
static void copy_value(const redisReply *info, const char *name, char value[41])
{
    const char *at = info != NULL ? strstr(info->str, name) : NULL;
    at = at != NULL ? at + strlen(name) : "";
    snprintf(value, 41, "%.*s", (int)strcspn(at, "\r\n"), at);
}

cp_code cpi_redis_read_info(struct cpi_redis *redis, const char *section, const char *name, char value[41],
                            cp_error *err)
{
    redisReply *info = NULL;
    cp_code code = read_info(redis, section, &info, err);
    copy_value(info, name, value);
    freeReplyObject(info);
    return code;
}

cp_code cpi_redis_check_primary(struct cpi_redis *redis, cp_error *err)
{
    redisReply *info = NULL;
    char role[41];
    char history[41];
    if (read_info(redis, "replication", &info, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    copy_value(info, "role:", role);
    copy_value(info, "master_replid:", history);
    freeReplyObject(info);
    if (strcmp(role, "slave") == 0) {
        return lost(redis, "the server is a replica; the primary is needed", err);
    }
    bool known = redis->history[0] != '\0' && history[0] != '\0';
    redis->data_may_differ = redis->data_may_differ || (known && strcmp(history, redis->history) != 0);
    memcpy(redis->history, history, sizeof redis->history);
    return CP_OK;
}

static cp_code kill_previous(struct cpi_redis *redis, cp_error *err)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", redis->client_id);
    const char *kill[] = {"CLIENT", "KILL", "ID", id};
    return greet(redis, 4, kill, err);
}

static cp_code read_client_id(struct cpi_redis *redis, cp_error *err)
{
    const char *client_id[] = {"CLIENT", "ID"};
    redisReply *reply = cpi_redis_command(redis, 2, client_id, NULL, err);
    if (reply == NULL) {
        return CP_ERR_REDIS;
    }
    redis->client_id = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    return CP_OK;
}

/* Compares with the connection before this one and takes its place. */
static cp_code take_over(struct cpi_redis *redis, cp_error *err)
{
    char run_id[41];
    if (cpi_redis_read_info(redis, "server", "run_id:", run_id, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    bool first = redis->client_id == 0;
    bool known = run_id[0] != '\0' && redis->run_id[0] != '\0';
    bool same = known && strcmp(run_id, redis->run_id) == 0;
    /* In another process the number would be another client's. */
    if (!first && (same || !known) && redis->left_unanswered && kill_previous(redis, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    if (read_client_id(redis, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    redis->data_may_differ = redis->data_may_differ || (!first && !same);
    redis->left_unanswered = false;
    memcpy(redis->run_id, run_id, sizeof redis->run_id);
    return CP_OK;
}

/* A right that is missing is named with what gives it. */
static void advise(cp_error *err)
{
    size_t length = strlen(err->message);
    if (strstr(err->message, "NOPERM") != NULL) {
        snprintf(err->message + length, sizeof err->message - length,
                 " (ACL SETUSER NAME +ping +select +client|id +client|setname +client|kill)");
    }
}

cp_code cpi_redis_open(struct cpi_redis *redis, cp_error *err)
{
    cpi_redis_close(redis);

    cp_error why;
    if (cpi_wire_open(&redis->wire, redis->address, redis->connect_timeout_ms, &why) != CP_OK) {
        return wire_failed(redis, &why, err);
    }
    const char *set_name[] = {"CLIENT", "SETNAME", redis->role};
    if (authenticate(redis, err) != CP_OK || take_over(redis, err) != CP_OK ||
        cpi_redis_check_primary(redis, err) != CP_OK || greet(redis, 3, set_name, err) != CP_OK) {
        cpi_redis_close(redis);
        advise(err);
        return CP_ERR_REDIS;
    }
    if (redis->stats != NULL) {
        cpi_stats_add(redis->stats, CPI_STAT_REDIS_CONNECTIONS, 1);
        redis->is_counted = true;
        redis->socket = cpi_sockets_add(&redis->stats->sockets, redis->wire.fd);
    }
    return CP_OK;
}
