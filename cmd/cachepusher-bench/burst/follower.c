#include "burst/follower.h"

#include "fatal.h"
#include "sources/set_up.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 60000 };

static void tell(void *context, cp_level level, const char *message)
{
    (void)context;
    if (level <= CP_LOG_WARN) {
        complain("cachepusher: %s", message);
    }
}

static void set(cp_config *config, const char *name, const char *value)
{
    cp_error err;
    if (cp_config_set(config, name, value, &err) != CP_OK) {
        fatal("cachepusher: %s", err.message);
    }
}

/* "NAME=VALUE" */
static void set_setting(cp_config *config, const char *setting)
{
    char name[64];
    int length = (int)strcspn(setting, "=");
    snprintf(name, sizeof name, "%.*s", length, setting);
    set(config, name, setting + length + 1);
}

cp_syncer *follower_start(const struct servers *servers, long threads, enum source source, const char *entities)
{
    const cp_callbacks callbacks = {.size = sizeof callbacks, .log = tell};
    char count[16];
    cp_error err;
    cp_config *config = cp_config_create(&err);
    if (config == NULL || (entities != NULL && cp_config_parse(config, entities, "entities", &err) != CP_OK)) {
        fatal("cachepusher: %s", err.message);
    }
    snprintf(count, sizeof count, "%ld", threads);
    set(config, "postgres", servers->dsn);
    set(config, "redis", servers->redis);
    set(config, "threads", count);
    set(config, "warmup", "none");
    for (size_t i = 0; set_up_settings[source][i] != NULL; i++) {
        set_setting(config, set_up_settings[source][i]);
    }
    cp_syncer *syncer = cp_syncer_create(config, &callbacks, &err);
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
        cp_syncer_wait_ready(syncer, PATIENCE_MS, &err) != CP_OK) {
        fatal("cachepusher: %s", err.message);
    }
    return syncer;
}

void follower_stop(cp_syncer *syncer, cp_stats *stats)
{
    cp_error err;
    if (cp_syncer_stop(syncer, PATIENCE_MS, &err) != CP_OK) {
        fatal("cachepusher: %s", err.message);
    }
    *stats = (cp_stats){.size = sizeof *stats};
    cp_syncer_stats(syncer, stats, NULL);
    cp_syncer_destroy(syncer);
}
