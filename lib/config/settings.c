#include "config/config_internal.h"

#include "base/error.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "postgres/conninfo.h"
#include "redis/redis_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct cp_config, member)

/* The one list of settings: the parser, the messages, --help, the header's comment, doc/configuration.md and the
 * example file are made of it (scripts/generate-docs). */
#define SETTING(setting_name, setting_type, ...)                                                                       \
    .shown = {.size = sizeof(cp_setting), .name = (setting_name), .type = (setting_type), __VA_ARGS__}

static const struct cpi_setting settings[] = {
    {.kind = CPI_SETTING_POSTGRES,
     SETTING("postgres", CP_SETTING_STRING, .initial = "", .flag = "--dsn", .value = "CONNINFO",
             .environment = "CP_DSN",
             .help = "Postgres, as a libpq connection string or URI; empty: libpq's own defaults and PG* variables")},
    {.kind = CPI_SETTING_REDIS,
     SETTING("redis", CP_SETTING_STRING, .initial = "127.0.0.1:6379", .flag = "--redis", .value = "URI",
             .environment = "CP_REDIS",
             .help = "Redis: HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or unix:PATH")},
    {.kind = CPI_SETTING_STRING,
     .offset = AT(postgres_password_file),
     SETTING("postgres_password_file", CP_SETTING_STRING, .initial = "", .value = "FILE",
             .help = "a file whose first line is the password for Postgres, read at each connect; a path that does not "
                     "begin with / is one of systemd's credentials, where there are any ($CREDENTIALS_DIRECTORY)")},
    {.kind = CPI_SETTING_STRING,
     .offset = AT(redis_password_file),
     SETTING("redis_password_file", CP_SETTING_STRING, .initial = "", .value = "FILE",
             .help = "the same for Redis; with a user of an ACL, redis is redis://USER:@HOST")},
    {.kind = CPI_SETTING_PREFIX,
     SETTING("prefix", CP_SETTING_STRING, .initial = "customer", .flag = "--prefix", .value = "P",
             .environment = "CP_PREFIX", .help = "what {prefix} in key templates stands for")},
    {.kind = CPI_SETTING_STRING,
     .offset = AT(name),
     SETTING("name", CP_SETTING_STRING, .initial = "", .value = "NAME",
             .help =
                 "instances that share a name and a database elect one writer, and the others stand by; what writes "
                 "the same keys needs the same name, and what writes other keys, or to another Redis, another "
                 "one; empty: the prefix")},
    {.kind = CPI_SETTING_FLAG,
     .offset = AT(standby),
     SETTING("standby", CP_SETTING_BOOLEAN, .initial = "true", .value = "true|false",
             .help = "while another instance of the name is the writer, wait for its end; false: fail to start")},
    {.kind = CPI_SETTING_CHOICE,
     .offset = AT(role),
     .words = {[CPI_ROLE_WRITE] = "write", [CPI_ROLE_FOLLOW] = "follow"},
     SETTING("role", CP_SETTING_CHOICE, .initial = "write", .value = "write|follow",
             .help = "write stores documents in Redis, one writer of a name at a time; follow, for programs that embed "
                     "the library, any number beside it, has no Redis and only tells its host of each document")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(threads),
     SETTING("threads", CP_SETTING_NUMBER, .min = 1, .max = 64, .initial = "4", .flag = "--threads", .value = "N",
             .help = "workers, each with a connection to either server")},
    {.kind = CPI_SETTING_CHOICE,
     .offset = AT(warmup),
     .words = {[CPI_WARMUP_SCAN] = "scan", [CPI_WARMUP_TOUCH] = "touch", [CPI_WARMUP_NONE] = "none"},
     SETTING("warmup", CP_SETTING_CHOICE, .initial = "scan", .flag = "--warmup", .value = "MODE",
             .help = "how documents are filled in at the start: scan lists the ids and reads each document, touch "
                     "calls the warm-up procedure and follows the changes it makes, none only follows changes")},
    {.kind = CPI_SETTING_CHOICE,
     .offset = AT(source),
     .words = {[CPI_SOURCE_NOTIFY] = "notify", [CPI_SOURCE_WAL] = "wal"},
     SETTING("source", CP_SETTING_CHOICE, .initial = "notify", .flag = "--source", .value = "SOURCE",
             .help = "where changes are learned from: notify listens to notifications, wal reads a logical replication "
                     "slot and goes on from there after a restart; in a file also \"source\": {\"type\": …}, with "
                     "the settings that begin with source_")},
    {.kind = CPI_SETTING_CHOICE,
     .offset = AT(source_announce),
     .words = {[CPI_ANNOUNCE_TABLES] = "tables", [CPI_ANNOUNCE_MESSAGES] = "messages"},
     SETTING("source_announce", CP_SETTING_CHOICE, .initial = "tables", .value = "tables|messages",
             .help = "how the wal source learns of a change: tables reads the rows of each entity's \"watch\" and "
                     "needs no trigger, messages reads what triggers write into the log")},
    {.kind = CPI_SETTING_STRING,
     .offset = AT(source_slot),
     SETTING("source_slot", CP_SETTING_STRING, .initial = "", .value = "NAME",
             .help = "the wal source's replication slot, made when there is none; empty: cachepusher_ and the name")},
    {.kind = CPI_SETTING_STRING,
     .offset = AT(source_publication),
     SETTING("source_publication", CP_SETTING_STRING, .initial = "", .value = "NAME",
             .help = "the wal source's publication, which cachepusher setup makes; empty: that of the slot")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(source_retained_mb),
     SETTING("source_retained_mb", CP_SETTING_NUMBER, .min = 1, .max = 1000000000, .initial = "1024", .value = "N",
             .unit = "MiB", .help = "warn when the slot makes Postgres keep more write-ahead log than this")},
    {.kind = CPI_SETTING_FLAG,
     .offset = AT(flush),
     SETTING("flush", CP_SETTING_BOOLEAN, .initial = "false", .flag = "--flush", .value = "true|false",
             .help = "first delete every key under each entity's prefix; fails to start while another instance of the "
                     "name is the writer")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(batch),
     SETTING("batch", CP_SETTING_NUMBER, .min = 1, .max = 10000, .initial = "256", .value = "N", .unit = "documents",
             .help = "documents read by one statement")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(batch_bytes),
     SETTING("batch_bytes", CP_SETTING_NUMBER, .min = 65536, .max = 1073741824, .initial = "2097152", .value = "N",
             .unit = "bytes",
             .help = "of a batch's documents, stored as soon as so many have arrived: a worker needs memory for a few "
                     "times this and its largest document")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(max_pending),
     SETTING("max_pending", CP_SETTING_NUMBER, .min = 1000, .max = 100000000, .initial = "1000000", .value = "N",
             .unit = "ids",
             .help =
                 "distinct ids kept while a server is away or they fail; beyond it they are dropped and a resync is "
                 "made instead, which keeps as many keys of an entity in memory and looks the rest up in Postgres")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(max_delete_percent),
     SETTING("max_delete_percent", CP_SETTING_NUMBER, .min = 0, .max = 100, .initial = "50", .value = "N",
             .unit = "percent",
             .help = "a resync deletes no more of an entity's keys than this, or 200, whether Postgres does not list "
                     "them or the fetch function gives no document; the others are kept until a \"*\" on one of the "
                     "entity's channels says that they are to go (TRUNCATE sends it); 100: no limit")},
    {.kind = CPI_SETTING_TIME,
     .offset = AT(max_lag_ms),
     SETTING("max_lag_ms", CP_SETTING_NUMBER, .min = 100, .max = 86400000, .initial = "10000", .value = "MS",
             .unit = "milliseconds",
             .help = "how long the oldest change may wait to be stored before health says \"lagging\" instead of "
                     "\"ready\"")},
    {.kind = CPI_SETTING_TIME,
     .offset = AT(catalog_check_ms),
     SETTING("catalog_check_ms", CP_SETTING_NUMBER, .min = 0, .max = 3600000, .initial = "2000", .value = "MS",
             .unit = "milliseconds",
             .help = "how often to look (less often where a look takes longer than a fiftieth of this) whether what "
                     "documents hang on has changed without a trigger (functions, "
                     "columns, partitions, materialized views, enums, policies, settings of the role) and to resync "
                     "what hangs on it; 0: never")},
    {.kind = CPI_SETTING_TIME,
     .offset = AT(connect_timeout_ms),
     SETTING("connect_timeout_ms", CP_SETTING_NUMBER, .min = 100, .max = 600000, .initial = "5000", .value = "MS",
             .unit = "milliseconds", .help = "for one attempt to connect")},
    {.kind = CPI_SETTING_TIME,
     .offset = AT(fetch_timeout_ms),
     SETTING("fetch_timeout_ms", CP_SETTING_NUMBER, .min = 100, .max = 86400000, .initial = "30000", .value = "MS",
             .unit = "milliseconds",
             .help = "for one statement that reads a document by itself, or one page of a listing; a worker's batches "
                     "have 5 s")},
    {.kind = CPI_SETTING_TIME,
     .offset = AT(redis_timeout_ms),
     SETTING("redis_timeout_ms", CP_SETTING_NUMBER, .min = 100, .max = 600000, .initial = "5000", .value = "MS",
             .unit = "milliseconds", .help = "for Redis to take and answer one batch")},
    {.kind = CPI_SETTING_COUNT,
     .offset = AT(audit_per_second),
     SETTING("audit_per_second", CP_SETTING_NUMBER, .min = 0, .max = 100000, .initial = "0", .value = "N",
             .unit = "documents",
             .help = "documents compared with Redis in the background each second, to find what no trigger has "
                     "announced; 0: none; in a file also \"audit\": {\"per_second\": N}")},
    {.kind = CPI_SETTING_CHOICE,
     .offset = AT(log_level),
     .words = {[CP_LOG_ERROR] = "error", [CP_LOG_WARN] = "warn", [CP_LOG_INFO] = "info", [CP_LOG_DEBUG] = "debug"},
     SETTING("log_level", CP_SETTING_CHOICE, .initial = "info", .flag = "--log-level", .value = "LEVEL",
             .help = "how much the command logs: error, warn, info or debug, which shows each document (those only if "
                     "it starts with it); a program that embeds the library gets everything")},
};

static const size_t setting_count = sizeof settings / sizeof *settings;

/* ---- one setting ---- */

static cp_code setting_reject(const struct cpi_setting *setting, const char *value, const char *expected, cp_error *err)
{
    return cpi_error(err, CP_ERR_CONFIG, false, "%s: \"%.*s\" is not %s", setting->shown.name, cpi_shown(value), value,
                     expected);
}

static cp_code replace_string(char **string, const char *value, cp_error *err)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return cpi_error_memory(err);
    }
    free(*string);
    *string = copy;
    return CP_OK;
}

static cp_code set_postgres(struct cp_config *config, const char *value, cp_error *err)
{
    cp_code code = cpi_conninfo_check(value, err);
    return code == CP_OK ? replace_string(&config->postgres, value, err) : code;
}

static cp_code set_redis(struct cp_config *config, const char *value, cp_error *err)
{
    struct cpi_redis_address address;
    cp_error inner;
    cp_code code = cpi_redis_address_parse(&address, value, &inner);
    if (code == CP_ERR_CONFIG) {
        return cpi_error(err, code, inner.retriable, "redis: %s", inner.message);
    }
    if (code != CP_OK) {
        return cpi_error_memory(err);
    }
    code = replace_string(&config->redis, value, err);
    if (code != CP_OK) {
        cpi_redis_address_fini(&address);
        return code;
    }
    cpi_redis_address_fini(&config->redis_address);
    config->redis_address = address;
    return CP_OK;
}

static cp_code set_prefix(struct cp_config *config, const char *value, cp_error *err)
{
    if (*value == '\0') {
        return cpi_error(err, CP_ERR_CONFIG, false, "prefix: must not be empty");
    }
    cp_code code = replace_string(&config->prefix, value, err);
    if (code == CP_OK) {
        config->prefix_set = true;
    }
    return code;
}

static cp_code set_choice(unsigned *choice, const struct cpi_setting *setting, const char *value, cp_error *err)
{
    char words[64] = "";
    for (unsigned i = 0; i < CPI_SETTING_WORDS && setting->words[i] != NULL; i++) {
        if (strcmp(value, setting->words[i]) == 0) {
            *choice = i;
            return CP_OK;
        }
        size_t length = strlen(words);
        bool is_last = i + 1 == CPI_SETTING_WORDS || setting->words[i + 1] == NULL;
        snprintf(words + length, sizeof words - length, "%s%s",
                 i == 0    ? ""
                 : is_last ? " or "
                           : ", ",
                 setting->words[i]);
    }
    return setting_reject(setting, value, words, err);
}

static cp_code set_flag(bool *flag, const struct cpi_setting *setting, const char *value, cp_error *err)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        return setting_reject(setting, value, "true or false", err);
    }
    *flag = *value == 't';
    return CP_OK;
}

static cp_code setting_parse_number(const struct cpi_setting *setting, const char *value, int *number, cp_error *err)
{
    union cpi_id parsed;
    bool out_of_memory;
    if (!cpi_id_parse(CPI_ID_INTEGER, value, strlen(value), &parsed, &out_of_memory) ||
        parsed.number < setting->shown.min || parsed.number > setting->shown.max) {
        char expected[64];
        snprintf(expected, sizeof expected, "a number from %lld to %lld", (long long)setting->shown.min,
                 (long long)setting->shown.max);
        return setting_reject(setting, value, expected, err);
    }
    *number = (int)parsed.number;
    return CP_OK;
}

const struct cpi_setting *cpi_setting_find(const char *name)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(name, settings[i].shown.name) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

cp_code cpi_setting_set(struct cp_config *config, const struct cpi_setting *setting, const char *value, cp_error *err)
{
    /* A password may be in any encoding; everything else is shown or becomes part of a key. */
    if (setting->kind != CPI_SETTING_POSTGRES && !cpi_utf8_valid(value, strlen(value))) {
        return cpi_error(err, CP_ERR_CONFIG, false, "%s: not valid UTF-8", setting->shown.name);
    }
    char *member = (char *)config + setting->offset;
    int number = 0;
    cp_code code = CP_OK;
    switch (setting->kind) {
    case CPI_SETTING_POSTGRES:
        return set_postgres(config, value, err);
    case CPI_SETTING_REDIS:
        return set_redis(config, value, err);
    case CPI_SETTING_PREFIX:
        return set_prefix(config, value, err);
    case CPI_SETTING_CHOICE:
        return set_choice((unsigned *)(void *)member, setting, value, err);
    case CPI_SETTING_STRING:
        return replace_string((char **)(void *)member, value, err);
    case CPI_SETTING_FLAG:
        return set_flag((bool *)member, setting, value, err);
    case CPI_SETTING_COUNT:
        code = setting_parse_number(setting, value, &number, err);
        if (code == CP_OK) {
            *(unsigned *)(void *)member = (unsigned)number;
        }
        break;
    case CPI_SETTING_TIME:
        code = setting_parse_number(setting, value, &number, err);
        if (code == CP_OK) {
            *(int *)(void *)member = number;
        }
        break;
    }
    return code;
}

void cpi_list_append(char *buffer, size_t size, const char *name)
{
    size_t length = strlen(buffer);
    snprintf(buffer + length, size - length, "%s%s", length == 0 ? "" : ", ", name);
}

void cpi_setting_expected(const char *name, const char *besides, char *buffer, size_t size)
{
    struct cpi_nearest nearest = {.name = name};
    char names[CPI_EXPECTED_BYTES] = "";
    for (size_t i = 0; i < setting_count; i++) {
        cpi_list_append(names, sizeof names, settings[i].shown.name);
        cpi_nearest_offer(&nearest, settings[i].shown.name);
    }
    if (*besides != '\0') {
        cpi_nearest_offer(&nearest, "entities");
    }
    if (nearest.found != NULL) {
        snprintf(buffer, size, "did you mean %s?", nearest.found);
    } else {
        snprintf(buffer, size, "expected one of: %s%s", names, besides);
    }
}

void cpi_setting_group_names(const char *group, char *buffer, size_t size)
{
    size_t length = strlen(group);
    buffer[0] = '\0';
    for (size_t i = 0; i < setting_count; i++) {
        const char *name = settings[i].shown.name;
        if (strncmp(name, group, length) == 0) {
            cpi_list_append(buffer, size, name[length] == '_' ? name + length + 1 : "type");
        }
    }
}

cp_code cpi_settings_reset(struct cp_config *config, cp_error *err)
{
    cp_code code = CP_OK;
    for (size_t i = 0; i < setting_count && code == CP_OK; i++) {
        code = cpi_setting_set(config, &settings[i], settings[i].shown.initial, err);
    }
    config->prefix_set = false;
    return code;
}

/* ---- described for others: these, and then those of an entity ---- */

size_t cp_setting_count(void)
{
    return setting_count + cpi_entity_setting_count;
}

const cp_setting *cp_setting_describe(size_t index)
{
    if (index < setting_count) {
        return &settings[index].shown;
    }
    index -= setting_count;
    return index < cpi_entity_setting_count ? cpi_entity_setting(index) : NULL;
}
