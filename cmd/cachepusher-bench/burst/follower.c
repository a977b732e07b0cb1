#include "burst/follower.h"

#include "fatal.h"

#include <stdio.h>

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

cp_syncer *follower_start(const struct servers *servers, long threads, const char *entities)
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
