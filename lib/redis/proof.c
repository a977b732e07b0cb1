#include "redis/proof.h"

#include "base/error.h"
#include "base/random.h"
#include "redis/fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A proof under way. */
struct proof {
    struct cpi_redis *redis;
    char name[32]; /* of what is made for it; random */
    char *warning;
    size_t size;
};

/* The first warning is the one that is told. */
static void warn(struct proof *proof, const char *what, const cp_error *why)
{
    if (proof->warning[0] == '\0') {
        snprintf(proof->warning, proof->size, "%s: %s", why->message, what);
    }
}

/* A missing right can be mended with one command, and whoever reads of it should know which. */
static cp_code lacks(const char *command, const char *rule, const cp_error *why, cp_error *err)
{
    return why->retriable ? cpi_error(err, why->code, true, "%s", why->message)
                          : cpi_error(err, CP_ERR_REDIS, false,
                                      "%s; cachepusher needs %s to keep a connection that was given up from writing "
                                      "late (ACL SETUSER NAME %s)",
                                      why->message, command, rule);
}

/* ---- one plain Redis ---- */

static cp_code check_mode(struct proof *proof, cp_error *err)
{
    static const char *const names[] = {"redis_mode:", "server_mode:" /* Valkey's */};
    char mode[41] = "";
    cp_error why;
    cp_code code = CP_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && code == CP_OK && mode[0] == '\0'; i++) {
        code = cpi_redis_read_info(proof->redis, "server", names[i], mode, &why);
    }
    if (code != CP_OK) {
        return cpi_error(err, why.code, true, "%s", why.message);
    }
    if (mode[0] == '\0') {
        cpi_error(&why, CP_ERR_REDIS, false, "Redis: INFO is not allowed, or does not tell the mode");
        warn(proof, "that Redis has restarted or failed over with older data may go unnoticed", &why);
        return CP_OK;
    }
    if (strcmp(mode, "standalone") != 0) {
        return cpi_error(err, CP_ERR_REDIS, false,
                         "Redis: the server is in %s mode; a single primary is needed, neither a node of a cluster nor "
                         "a Sentinel",
                         mode);
    }
    return CP_OK;
}

/* ---- connections ---- */

static bool is_listed(const char *list, long long id)
{
    char begin[40];
    snprintf(begin, sizeof begin, "id=%lld ", id);
    const char *at = strstr(list, begin);
    return at != NULL && (at == list || at[-1] == '\n');
}

/* What fencing does to a former owner is done to a connection of our own. */
static cp_code prove_kill(struct proof *proof, struct cpi_redis *other, cp_error *err)
{
    cp_error why;
    redisReply *list = cpi_fence_list_clients(proof->redis, &why);
    if (list == NULL) {
        return lacks("CLIENT LIST", "+client|list", &why, err);
    }
    bool listed = is_listed(list->str, other->client_id);
    freeReplyObject(list);
    if (!listed) {
        return cpi_error(err, CP_ERR_REDIS, false,
                         "Redis: CLIENT LIST does not show a connection of our own; is there a proxy in between?");
    }
    char id[24];
    snprintf(id, sizeof id, "%lld", other->client_id);
    const char *kill[] = {"CLIENT", "KILL", "ID", id};
    redisReply *killed = cpi_redis_command(proof->redis, 4, kill, NULL, &why);
    if (killed == NULL) {
        return lacks("CLIENT KILL", "+client|kill", &why, err);
    }
    bool one = killed->type == REDIS_REPLY_INTEGER && killed->integer == 1;
    freeReplyObject(killed);
    const char *ping[] = {"PING"};
    redisReply *pong = cpi_redis_command(other, 1, ping, NULL, &why);
    freeReplyObject(pong);
    bool is_closed = pong == NULL && strstr(why.message, "no answer in time") == NULL;
    return one && is_closed ? CP_OK
                            : cpi_error(err, CP_ERR_REDIS, false,
                                        "Redis: CLIENT KILL has not ended a connection of our own; is there a proxy in "
                                        "between?");
}

static cp_code prove_connections(struct proof *proof, cp_error *err)
{
    struct cpi_redis other = {.address = proof->redis->address,
                              .role = "cachepusher-proof",
                              .connect_timeout_ms = proof->redis->connect_timeout_ms};
    cpi_wire_init(&other.wire, proof->redis->wire.cancel_fd, proof->redis->wire.timeout_ms);
    cp_code code = cpi_redis_open(&other, err);
    if (code == CP_OK && strcmp(other.run_id, proof->redis->run_id) != 0) {
        code = cpi_error(err, CP_ERR_REDIS, false,
                         "Redis: two connections have led to two different servers; one is needed, without a proxy "
                         "that answers for many");
    }
    code = code == CP_OK ? prove_kill(proof, &other, err) : code;
    cpi_redis_close(&other);
    return code;
}

/* ---- keys ---- */

/* Why a command does not work; CP_OK: it does. */
static cp_code try_command(struct proof *proof, int argc, const char **argv, cp_error *why)
{
    redisReply *reply = cpi_redis_command(proof->redis, argc, argv, NULL, why);
    freeReplyObject(reply);
    return reply != NULL ? CP_OK : CP_ERR_REDIS;
}

/* Whether the failure is about this key, and not about the command: others may be allowed. In the words of Redis 6
 * and 7. */
static bool is_about_key(const cp_error *why)
{
    return strstr(why->message, "access one of the keys") != NULL || strstr(why->message, "access a key") != NULL;
}

/* What is tried with a key that does not exist. SET XX takes the right to write and writes nothing; so do the others.
 */
static const char *const trials[] = {"SET", "DEL", "GET", "EXISTS", "SCAN"};

static cp_code try_with_key(struct proof *proof, const char *command, const char *name, cp_error *why)
{
    const char *set[] = {command, name, "", "XX"};
    const char *scan[] = {command, "0", "MATCH", name, "COUNT", "1"};
    const char *other[] = {command, name};
    return strcmp(command, "SET") == 0    ? try_command(proof, 4, set, why)
           : strcmp(command, "SCAN") == 0 ? try_command(proof, 6, scan, why)
                                          : try_command(proof, 2, other, why);
}

/* A missing right is named with the keys that it is needed for, and with the rule that gives all of them. */
static cp_code judge_trial(struct proof *proof, const char *command, const struct cpi_key *key, const cp_error *why,
                           cp_error *err)
{
    char what[256];
    if (why->retriable) {
        return cpi_error(err, why->code, true, "%s", why->message);
    }
    if (!is_about_key(why)) {
        return cpi_error(err, CP_ERR_REDIS, false,
                         "%s; documents at %s*%s cannot be kept without %s (ACL SETUSER NAME +set +del +get +exists "
                         "+scan ~%s*%s)",
                         why->message, key->before, key->after, command, key->before, key->after);
    }
    snprintf(what, sizeof what, "documents whose keys are not allowed will be refused (ACL SETUSER NAME ~%.80s*%.40s)",
             key->before, key->after);
    warn(proof, what, why);
    return CP_OK;
}

/* Only --flush uses it. */
static void prove_unlink(struct proof *proof, const char *name)
{
    const char *unlink[] = {"UNLINK", name};
    cp_error why = {.code = CP_OK};
    if (try_command(proof, 2, unlink, &why) != CP_OK && !is_about_key(&why)) {
        warn(proof, "--flush will fail (ACL SETUSER NAME +unlink)", &why);
    }
}

static cp_code prove_key(struct proof *proof, const struct cpi_key *key, cp_error *err)
{
    char *name = NULL;
    cp_code code = CP_OK;
    if (asprintf(&name, "%s%s%s", key->before, proof->name, key->after) < 0) {
        return cpi_error_memory(err);
    }
    for (size_t i = 0; i < sizeof trials / sizeof *trials && code == CP_OK; i++) {
        cp_error why = {.code = CP_OK};
        if (try_with_key(proof, trials[i], name, &why) != CP_OK) {
            code = judge_trial(proof, trials[i], key, &why, err);
        }
    }
    if (code == CP_OK) {
        prove_unlink(proof, name);
    }
    free(name);
    return code;
}

/* A key beside the marker, there and back. */
static cp_code prove_marker(struct proof *proof, const char *marker, cp_error *err)
{
    char name[96];
    snprintf(name, sizeof name, "%s:%s", marker, proof->name);
    cp_error why = {.code = CP_OK};
    const char *set[] = {"SET", name, "1000", "EX", "10"};
    const char *incr[] = {"INCR", name};
    const char *del[] = {"DEL", name};
    redisReply *reply =
        try_command(proof, 5, set, &why) == CP_OK ? cpi_redis_command(proof->redis, 2, incr, NULL, &why) : NULL;
    bool same = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1001;
    freeReplyObject(reply);
    if (reply != NULL && !same) {
        return cpi_error(err, CP_ERR_REDIS, false,
                         "Redis: a key that was just written reads as something else; is there a proxy in between?");
    }
    if (!same || try_command(proof, 2, del, &why) != CP_OK) {
        if (why.retriable) {
            return cpi_error(err, why.code, true, "%s", why.message);
        }
        warn(proof,
             "without the marker, FLUSHALL, evictions and older data may go unnoticed (ACL SETUSER NAME +set "
             "+incr +del ~cachepusher:marker:*)",
             &why);
    }
    return CP_OK;
}

cp_code cpi_proof(struct cpi_redis *redis, const struct cpi_key *const *keys, size_t count, const char *marker,
                  char *warning, size_t size, cp_error *err)
{
    struct proof proof = {.redis = redis, .warning = warning, .size = size};
    unsigned long long random;
    warning[0] = '\0';
    if (cpi_random_bytes(&random, sizeof random, err) != CP_OK) {
        return CP_ERR_SYSTEM;
    }
    snprintf(proof.name, sizeof proof.name, "proof-%016llx", random);
    cp_code code = check_mode(&proof, err);
    code = code == CP_OK ? prove_connections(&proof, err) : code;
    code = code == CP_OK ? prove_marker(&proof, marker, err) : code;
    for (size_t i = 0; i < count && code == CP_OK; i++) {
        code = prove_key(&proof, keys[i], err);
    }
    return code;
}
