#include "redis/redis.h"

#include "base/clock.h"
#include "base/error.h"
#include "redis/redis_address.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cpi_redis_is_open(const struct cpi_redis *redis)
{
    return redis->context != NULL;
}

void cpi_redis_close(struct cpi_redis *redis)
{
    if (redis->context != NULL) {
        redis->left_unanswered = redis->left_unanswered || redis->unanswered > 0;
        redis->unanswered = 0;
        redisFree(redis->context);
        redis->context = NULL;
    }
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

static cp_code context_lost(struct cpi_redis *redis, cp_error *err)
{
    char why[128];
    snprintf(why, sizeof why, "%s", redis->context->errstr[0] != '\0' ? redis->context->errstr : "connection lost");
    return lost(redis, why, err);
}

static cp_code redis_wait_socket(struct cpi_redis *redis, short events, cp_error *err)
{
    struct pollfd fds[] = {{.fd = redis->context->fd, .events = events}, {.fd = redis->cancel_fd, .events = POLLIN}};
    int ready = poll(fds, 2, cpi_left_ms(redis->deadline_ms));
    if (ready < 0 && errno != EINTR) {
        return lost(redis, strerror(errno), err);
    }
    if (ready > 0 && fds[1].revents != 0) {
        return lost(redis, "given up, stopping", err);
    }
    return ready == 0 ? lost(redis, "no answer in time", err) : CP_OK;
}

/* ---- appending ---- */

static cp_code append_raw(struct cpi_redis *redis, const char *bytes, size_t length, cp_error *err)
{
    if (redisAppendFormattedCommand(redis->context, bytes, length) != REDIS_OK) {
        return context_lost(redis, err);
    }
    return CP_OK;
}

/* A key as a RESP bulk string, behind the command's head. The head is small and made on the stack; hiredis only ever
 * sees finished bytes, so that a document goes from libpq's memory into its buffer in one copy. */
static cp_code append_head(struct cpi_redis *redis, const char *head, const struct cpi_key *key, const char *id,
                           cp_error *err)
{
    size_t id_length = strlen(id);
    char start[64];
    int start_length =
        snprintf(start, sizeof start, "%s$%zu\r\n", head, key->before_length + id_length + key->after_length);
    redis->unanswered++;
    if (append_raw(redis, start, (size_t)start_length, err) != CP_OK ||
        append_raw(redis, key->before, key->before_length, err) != CP_OK ||
        append_raw(redis, id, id_length, err) != CP_OK) {
        return CP_ERR_REDIS;
    }
    return append_raw(redis, key->after, key->after_length, err);
}

cp_code cpi_redis_append_set(struct cpi_redis *redis, const struct cpi_key *key, const char *id, const char *value,
                             size_t length, int64_t ttl_s, cp_error *err)
{
    char size[32];
    int size_length = snprintf(size, sizeof size, "\r\n$%zu\r\n", length);
    if (append_head(redis, ttl_s > 0 ? "*5\r\n$3\r\nSET\r\n" : "*3\r\n$3\r\nSET\r\n", key, id, err) != CP_OK ||
        append_raw(redis, size, (size_t)size_length, err) != CP_OK || append_raw(redis, value, length, err) != CP_OK) {
        return CP_ERR_REDIS;
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

cp_code cpi_redis_append(struct cpi_redis *redis, int argc, const char **argv, const size_t *lengths, cp_error *err)
{
    if (!cpi_redis_is_open(redis)) {
        return cpi_error(err, CP_ERR_REDIS, true, "Redis: the connection is closed");
    }
    redis->unanswered++;
    if (redisAppendCommandArgv(redis->context, argc, argv, lengths) != REDIS_OK) {
        return context_lost(redis, err);
    }
    return CP_OK;
}

/* ---- sending and reading ---- */

static cp_code read_some(struct cpi_redis *redis, cp_error *err)
{
    return redisBufferRead(redis->context) == REDIS_OK ? CP_OK : context_lost(redis, err);
}

cp_code cpi_redis_flush(struct cpi_redis *redis, cp_error *err)
{
    redis->deadline_ms = cpi_now_ms() + redis->timeout_ms;
    for (int done = 0;;) {
        if (redisBufferWrite(redis->context, &done) != REDIS_OK) {
            return context_lost(redis, err);
        }
        if (done != 0) {
            return CP_OK;
        }
        if (redis_wait_socket(redis, POLLIN | POLLOUT, err) != CP_OK || read_some(redis, err) != CP_OK) {
            return CP_ERR_REDIS;
        }
    }
}

cp_code cpi_redis_reply(struct cpi_redis *redis, redisReply **reply, cp_error *err)
{
    for (;;) {
        void *parsed = NULL;
        if (redisGetReplyFromReader(redis->context, &parsed) != REDIS_OK) {
            return context_lost(redis, err);
        }
        if (parsed != NULL) {
            *reply = parsed;
            redis->unanswered--;
            return CP_OK;
        }
        if (redis_wait_socket(redis, POLLIN, err) != CP_OK || read_some(redis, err) != CP_OK) {
            return CP_ERR_REDIS;
        }
    }
}

redisReply *cpi_redis_command(struct cpi_redis *redis, int argc, const char **argv, const size_t *lengths,
                              cp_error *err)
{
    redisReply *reply = NULL;
    if (cpi_redis_append(redis, argc, argv, lengths, err) != CP_OK || cpi_redis_flush(redis, err) != CP_OK ||
        cpi_redis_reply(redis, &reply, err) != CP_OK) {
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        enum cpi_reply_error what = cpi_reply_error(reply->str);
        const char *quoted = strstr(reply->str, ", with args"); /* may quote a password */
        int shown = (int)(quoted != NULL ? (size_t)(quoted - reply->str) : strlen(reply->str));
        cpi_error(err, CP_ERR_REDIS, what != CPI_REPLY_OPERATOR, "Redis: %s: %.*s", argv[0], shown, reply->str);
        freeReplyObject(reply);
        if (what == CPI_REPLY_RECONNECT) {
            cpi_redis_close(redis);
        }
        return NULL;
    }
    return reply;
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

static cp_code authenticate(struct cpi_redis *redis, cp_error *err)
{
    const struct cpi_redis_address *address = redis->address;
    const char *with_user[] = {"AUTH", address->user, address->password};
    const char *without[] = {"AUTH", address->password};
    if (address->password != NULL &&
        greet(redis, address->user != NULL ? 3 : 2, address->user != NULL ? with_user : without, err) != CP_OK) {
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

static cp_code read_run_id(struct cpi_redis *redis, char run_id[41], cp_error *err)
{
    redisReply *info = NULL;
    cp_code code = read_info(redis, "server", &info, err);
    copy_value(info, "run_id:", run_id);
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
    if (read_run_id(redis, run_id, err) != CP_OK) {
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

cp_code cpi_redis_open(struct cpi_redis *redis, cp_error *err)
{
    cpi_redis_close(redis);

    const struct cpi_redis_address *address = redis->address;
    int timeout_ms = redis->connect_timeout_ms;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    redis->context = address->path != NULL ? redisConnectUnixWithTimeout(address->path, timeout)
                                           : redisConnectWithTimeout(address->host, address->port, timeout);
    if (redis->context == NULL) {
        return cpi_error_memory(err);
    }
    if (redis->context->err != 0) {
        return context_lost(redis, err);
    }

    /* hiredis connects with a timeout only in blocking mode, and blocks without regard to cancel_fd in it: connect
     * blocking, then go on without. */
    int flags = fcntl(redis->context->fd, F_GETFL);
    if (flags < 0 || fcntl(redis->context->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return lost(redis, strerror(errno), err);
    }
    redis->context->flags &= ~REDIS_BLOCK;

    const char *set_name[] = {"CLIENT", "SETNAME", redis->role};
    if (authenticate(redis, err) != CP_OK || take_over(redis, err) != CP_OK ||
        cpi_redis_check_primary(redis, err) != CP_OK || greet(redis, 3, set_name, err) != CP_OK) {
        cpi_redis_close(redis);
        return CP_ERR_REDIS;
    }
    return CP_OK;
}
