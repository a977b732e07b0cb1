/* Redis: reached, of the right kind, with the rights and the room that it takes. */
#include "doctor/doctor.h"
#include "redis/fence.h"
#include "redis/keyspace.h"
#include "redis/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The keys of an entity that are looked at: a server may have billions. */
enum { KEYS_LOOKED_AT = 50000, INFO_BYTES = 41, FIELD_BYTES = 128, OTHER_CONNECTIONS_OF_REDIS = 8 };

typedef void redis_check(struct doctor *doctor, struct cpi_redis *redis);

/* "" where it is not told. */
static void read_value(struct cpi_redis *redis, const char *section, const char *name, char value[INFO_BYTES])
{
    cp_error ignored;
    value[0] = '\0';
    if (cpi_redis_is_open(redis)) {
        cpi_redis_read_info(redis, section, name, value, &ignored);
    }
}

static void tell_redis_error(struct doctor *doctor, const char *point, const char *cure, const cp_error *err)
{
    findings_add(&doctor->findings, VERDICT_WRONG, point, cure, "%s", doctor_reason(err));
}

/* ---- what it is ---- */

static void begin_rule(struct text *cure, const struct cpi_redis *redis)
{
    text_add(cure, "redis-cli ACL SETUSER ");
    doctor_add_word(cure, redis->address->user != NULL ? redis->address->user : "default");
}

static void check_version(struct doctor *doctor, struct cpi_redis *redis)
{
    char version[INFO_BYTES];
    char valkey[INFO_BYTES];
    char address[256];
    cpi_redis_address_name(redis->address, address, sizeof address);
    read_value(redis, "server", "valkey_version:", valkey);
    read_value(redis, "server", "redis_version:", version);
    if (version[0] == '\0') {
        char line[512] = "";
        struct text cure = {.data = line, .size = sizeof line};
        begin_rule(&cure, redis);
        text_add(&cure, " +info");
        findings_add(
            &doctor->findings, VERDICT_WARNING, "version", line,
            "%s, database %d: it does not tell, since INFO is not allowed; that it restarts or fails over with "
            "older data may go unnoticed",
            address, redis->address->database);
        return;
    }
    bool is_old = valkey[0] == '\0' && atoi(version) < 6;
    findings_add(&doctor->findings, is_old ? VERDICT_WARNING : VERDICT_OK, "version", "upgrade it to Redis 6 or newer",
                 "%s %s at %s, database %d%s", valkey[0] != '\0' ? "Valkey" : "Redis",
                 valkey[0] != '\0' ? valkey : version, address, redis->address->database,
                 is_old ? ": older than 6, with which it has not been tested" : "");
}

static void check_mode_of(struct doctor *doctor, struct cpi_redis *redis)
{
    char mode[INFO_BYTES];
    char role[INFO_BYTES];
    read_value(redis, "server", "redis_mode:", mode);
    if (mode[0] == '\0') {
        read_value(redis, "server", "server_mode:", mode); /* Valkey's */
    }
    read_value(redis, "replication", "role:", role);
    if (mode[0] != '\0' && strcmp(mode, "standalone") != 0) {
        findings_add(&doctor->findings, VERDICT_WRONG, "mode",
                     "name a single primary in --redis, neither a node of a cluster nor a Sentinel",
                     "the server is in %s mode", mode);
    } else if (mode[0] != '\0') {
        findings_add(&doctor->findings, VERDICT_OK, "mode", NULL, "a single %s",
                     strcmp(role, "master") == 0 ? "primary" : "server");
    }
}

/* What a full memory makes of documents. */
static void check_memory(struct doctor *doctor, struct cpi_redis *redis)
{
    char policy[INFO_BYTES];
    char maximum[INFO_BYTES];
    char used[INFO_BYTES];
    read_value(redis, "memory", "maxmemory_policy:", policy);
    read_value(redis, "memory", "maxmemory:", maximum);
    read_value(redis, "memory", "used_memory:", used);
    double most = strtod(maximum, NULL);
    double share = most > 0 ? 100 * strtod(used, NULL) / most : 0;
    if (policy[0] == '\0') {
        return;
    }
    if (strcmp(policy, "noeviction") != 0) {
        findings_add(&doctor->findings, VERDICT_WARNING, "memory",
                     "redis-cli config set maxmemory-policy noeviction, and the same in redis.conf",
                     "maxmemory-policy is %s: %s, and only a resync or verify notices", policy,
                     most > 0 ? "once memory is full, documents are dropped"
                              : "with a maxmemory, documents are dropped");
    } else if (share >= 90) {
        findings_add(&doctor->findings, VERDICT_WARNING, "memory", "redis-cli config set maxmemory, to more",
                     "%.0f %% of maxmemory is used; once it is full, documents are refused and wait", share);
    } else if (most > 0) {
        findings_add(&doctor->findings, VERDICT_OK, "memory", NULL, "noeviction, %.0f %% of maxmemory used", share);
    } else {
        findings_add(&doctor->findings, VERDICT_OK, "memory", NULL, "noeviction, no maxmemory");
    }
}

static void check_clients(struct doctor *doctor, struct cpi_redis *redis)
{
    char connected[INFO_BYTES];
    char most[INFO_BYTES];
    read_value(redis, "clients", "connected_clients:", connected);
    read_value(redis, "clients", "maxclients:", most);
    long left = atol(most) - atol(connected);
    long needed = (long)doctor->config->threads + OTHER_CONNECTIONS_OF_REDIS;
    if (most[0] != '\0') {
        findings_add(&doctor->findings, left >= needed ? VERDICT_OK : VERDICT_WARNING, "clients",
                     "redis-cli config set maxclients, to more; or have fewer --threads",
                     "%ld more may connect, and a daemon needs %ld", left > 0 ? left : 0, needed);
    }
}

static void check_redis_clock(struct doctor *doctor, struct cpi_redis *redis)
{
    const char *command[] = {"TIME"};
    cp_error ignored;
    double before = doctor_host_time();
    redisReply *reply = cpi_redis_command(redis, 1, command, NULL, &ignored);
    double after = doctor_host_time();
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->str != NULL &&
        reply->element[1]->str != NULL) {
        double its = strtod(reply->element[0]->str, NULL) + strtod(reply->element[1]->str, NULL) / 1e6;
        doctor_tell_clock(doctor, "Redis", its, before, after);
    }
    freeReplyObject(reply);
}

/* ---- rights ---- */

static bool is_about_a_key(const char *message)
{
    return strstr(message, "access a key") != NULL || strstr(message, "access one of the keys") != NULL;
}

/* Words up to a ')', each as a shell takes it. Patterns of keys only where a key is what is refused: Redis takes none
 * for a user that may use all. */
static void add_rule(struct text *cure, const char *rule, bool with_keys)
{
    char words[256];
    char *rest = NULL;
    snprintf(words, sizeof words, "%.*s", (int)strcspn(rule, ")"), rule);
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (*word != '~' || with_keys) {
            text_add(cure, " ");
            doctor_add_word(cure, word);
        }
    }
}

/* What is missing ends in the rule that mends it: "(ACL SETUSER NAME +get)". */
static void tell_missing_right(struct doctor *doctor, const struct cpi_redis *redis, enum verdict verdict,
                               const char *message)
{
    static const char begin[] = "(ACL SETUSER NAME ";
    const char *rule = strstr(message, begin);
    char line[512] = "";
    struct text cure = {.data = line, .size = sizeof line};
    if (rule != NULL) {
        begin_rule(&cure, redis);
        add_rule(&cure, rule + strlen(begin), is_about_a_key(message));
    } else if (strstr(message, "proxy") != NULL) {
        text_add(&cure, "name the server itself in --redis");
    }
    findings_add(&doctor->findings, verdict, "rights", line, "%s", message);
}

/* Before anything is written by the proof. */
static void look_for_marker(struct doctor *doctor, struct cpi_redis *redis, const char *marker)
{
    const char *exists[] = {"EXISTS", marker};
    cp_error ignored;
    redisReply *reply = cpi_redis_command(redis, 2, exists, NULL, &ignored);
    doctor->has_been_filled = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    freeReplyObject(reply);
}

/* What the daemon does at its start, as long: a key beside the marker, and a connection of our own that is ended. */
static void check_rights(struct doctor *doctor, struct cpi_redis *redis)
{
    const struct cp_config *config = doctor->config;
    const struct cpi_key **keys = calloc(config->entity_count, sizeof *keys);
    char marker[CPI_MARKER_KEY_BYTES];
    char warning[512] = "";
    cp_error err;
    if (keys == NULL) {
        return;
    }
    for (size_t e = 0; e < config->entity_count; e++) {
        keys[e] = &config->entities[e].key;
    }
    cpi_config_marker_key(config, marker);
    look_for_marker(doctor, redis, marker);
    bool is_proven = cpi_redis_is_open(redis) &&
                     cpi_proof(redis, keys, config->entity_count, marker, warning, sizeof warning, &err) == CP_OK;
    free(keys);
    if (!is_proven) {
        tell_missing_right(doctor, redis, VERDICT_WRONG, err.message);
    } else if (warning[0] != '\0') {
        tell_missing_right(doctor, redis, VERDICT_WARNING, warning);
    } else {
        findings_add(&doctor->findings, VERDICT_OK, "rights", NULL,
                     "all that a daemon uses is allowed: keys, the marker, ending connections");
    }
}

/* ---- keys ---- */

struct key_count {
    uint64_t ours;
    uint64_t others;
    char example[128];
};

static void count_keys(const struct cpi_entity *entity, const redisReply *page, struct key_count *count)
{
    for (size_t i = 0; i < page->elements; i++) {
        const redisReply *key = page->element[i];
        union cpi_id id;
        bool no_memory = false;
        if (key->str != NULL && cpi_keyspace_id(entity, key->str, key->len, &id, &no_memory)) {
            cpi_id_fini(entity->id_type, &id);
            count->ours++;
        } else if (key->str != NULL && !no_memory) {
            count->others++;
            snprintf(count->example, sizeof count->example, "%s", key->str);
        }
    }
}

static bool walk_keys(struct cpi_redis *redis, const struct cpi_entity *entity, struct key_count *count, cp_error *err)
{
    enum { A_PAGE = 1000, PAGES = KEYS_LOOKED_AT / A_PAGE };
    char cursor[24] = "0";
    char *pattern = cpi_key_pattern(&entity->key, true);
    bool goes_on = pattern != NULL;
    for (int page = 0; goes_on && page < PAGES; page++) {
        const char *scan[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"};
        redisReply *reply = cpi_redis_command(redis, 6, scan, NULL, err);
        if (reply == NULL || reply->elements != 2 || reply->element[0]->str == NULL) {
            freeReplyObject(reply);
            free(pattern);
            return reply != NULL;
        }
        snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        count_keys(entity, reply->element[1], count);
        freeReplyObject(reply);
        goes_on = strcmp(cursor, "0") != 0;
    }
    free(pattern);
    return true;
}

static void check_prefix(struct doctor *doctor, struct cpi_redis *redis)
{
    for (size_t e = 0; e < doctor->config->entity_count && cpi_redis_is_open(redis); e++) {
        const struct cpi_entity *entity = &doctor->config->entities[e];
        struct key_count count = {0};
        cp_error err;
        if (!walk_keys(redis, entity, &count, &err)) {
            tell_redis_error(doctor, "prefix", NULL, &err);
        } else if (count.others > 0) {
            findings_add(&doctor->findings, VERDICT_WARNING, "prefix",
                         "give either of the two another prefix: --prefix, or \"key\" of the entity",
                         "%s: %" PRIu64
                         " keys that begin with %s are no documents, such as %s: somebody else writes there",
                         entity->name, count.others, entity->key.before, count.example);
        } else {
            findings_add(&doctor->findings, VERDICT_OK, "prefix", NULL,
                         "%s: nobody else's keys begin with %s; documents found: %" PRIu64, entity->name,
                         entity->key.before, count.ours);
        }
    }
}

/* ---- others ---- */

/* A field of a line of CLIENT LIST, " name="; "" if there is none. */
static void read_field(const char *line, const char *field, char value[FIELD_BYTES])
{
    const char *found = strstr(line, field);
    found = found != NULL ? found + strlen(field) : "";
    snprintf(value, FIELD_BYTES, "%.*s", (int)strcspn(found, " \n"), found);
}

/* Connections that may write are called ROLE:GROUP:TOKEN (fence.h). */
static bool is_of_another(const struct doctor *doctor, const char *line)
{
    char name[FIELD_BYTES];
    char database[FIELD_BYTES];
    char group[CPI_LEASE_GROUP_BYTES] = "";
    read_field(line, " name=", name);
    read_field(line, " db=", database);
    const char *colon = strchr(name, ':');
    return strncmp(name, "cachepusher-", strlen("cachepusher-")) == 0 && colon != NULL &&
           sscanf(colon, ":%19[0-9a-f]:", group) == 1 && strcmp(group, doctor->group) != 0 &&
           atoi(database) == doctor->config->redis_address.database;
}

/* Several may share a database, if their keys begin differently: whether they do is seen in the sample. */
static void check_others(struct doctor *doctor, struct cpi_redis *redis)
{
    cp_error ignored;
    redisReply *list = doctor->group[0] != '\0' ? cpi_fence_list_clients(redis, &ignored) : NULL;
    char address[FIELD_BYTES] = "";
    char *rest = NULL;
    for (char *line = list != NULL ? strtok_r(list->str, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (is_of_another(doctor, line)) {
            read_field(line, " addr=", address);
            doctor->has_others = true;
        }
    }
    freeReplyObject(list);
    if (doctor->has_others) {
        findings_add(
            &doctor->findings, VERDICT_OK, "others", NULL,
            "another cachepusher, of another name or from another database of Postgres, writes to this database "
            "from %s; its keys have to begin differently",
            address);
    }
}

/* ---- all of it ---- */

static void tell_unreachable(struct doctor *doctor, const cp_error *err)
{
    static const struct {
        const char *words;
        const char *cure;
    } cures[] = {
        {"replica",
         "name the primary in --redis (CP_REDIS, \"redis\" of the configuration); redis-cli info replication "
         "tells it"},
        {"NOAUTH", "give the password: CP_REDIS='redis://:PASSWORD@HOST:PORT'"},
        {"WRONGPASS", "correct the password or user in CP_REDIS='redis://USER:PASSWORD@HOST:PORT'"},
        {"DB index", "correct the database at the end of --redis: redis://HOST:PORT/0"},
        {"LOADING", "wait until it has loaded its data"},
    };
    const char *cure = "start Redis (systemctl start redis-server), or correct --redis (CP_REDIS, \"redis\" of the "
                       "configuration)";
    for (size_t i = 0; i < sizeof cures / sizeof *cures; i++) {
        cure = strstr(err->message, cures[i].words) != NULL ? cures[i].cure : cure;
    }
    tell_redis_error(doctor, "connection", cure, err);
}

void doctor_check_redis(struct doctor *doctor)
{
    static redis_check *const checks[] = {check_version,     check_mode_of, check_memory, check_clients,
                                          check_redis_clock, check_rights,  check_prefix, check_others};
    struct cpi_redis redis = {.address = &doctor->config->redis_address,
                              .role = "cachepusher-doctor",
                              .connect_timeout_ms = doctor->config->connect_timeout_ms};
    cp_error err;
    findings_group(&doctor->findings, "Redis");
    cpi_wire_init(&redis.wire, doctor->deadline_fd, doctor->config->redis_timeout_ms);
    doctor_set_deadline(doctor);
    if (cpi_redis_open(&redis, &err) != CP_OK) {
        tell_unreachable(doctor, &err);
        return;
    }
    for (size_t i = 0; i < sizeof checks / sizeof *checks && cpi_redis_is_open(&redis); i++) {
        checks[i](doctor, &redis);
    }
    doctor->has_redis = cpi_redis_is_open(&redis);
    if (!doctor->has_redis) {
        findings_add(&doctor->findings, VERDICT_WRONG, "connection",
                     "run cachepusher doctor again, or look at Redis' log",
                     "it was lost, and what else there is to ask of Redis is left out");
    }
    cpi_redis_close(&redis);
}
