/* From the file, the environment and the command line to one configuration. */

#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/complain.h"

static const struct {
    const char *variable;
    const char *name;
} environment[] = {
    {"CP_DSN", "postgres"},
    {"CP_REDIS", "redis"},
    {"CP_PREFIX", "prefix"},
};

static enum options_verdict verdict_of(cp_code code)
{
    if (code == CP_OK) {
        return OPTIONS_GO;
    }
    return code == CP_ERR_SYSTEM ? OPTIONS_FAILED : OPTIONS_WRONG;
}

/* The library names the setting; whoever typed a flag looks for that name instead. */
static void complain_of_value(const struct setting *setting, const cp_error *err)
{
    const char *message = err->message;
    size_t length = strlen(setting->name);

    if (strcmp(setting->flag, "--set") != 0 && strncmp(message, setting->name, length) == 0 &&
        strncmp(message + length, ": ", 2) == 0) {
        message += length + 2;
    }
    complain("%s: %s", setting->flag, message);
}

static enum options_verdict set_value(cp_config *config, const struct setting *setting, const char *value)
{
    cp_error err;
    cp_code code = cp_config_set(config, setting->name, value, &err);

    if (code != CP_OK) {
        complain_of_value(setting, &err);
    }
    return verdict_of(code);
}

/* A daemon's directory is another one than that in which its command line was typed. */
static enum options_verdict set_redis_path(cp_config *config, const struct setting *setting)
{
    static const char scheme[] = "unix:";
    char *value = NULL;
    char *path = path_make_absolute(setting->value + strlen(scheme));
    enum options_verdict verdict = OPTIONS_FAILED;

    if (path != NULL && asprintf(&value, "%s%s", scheme, path) != -1) {
        verdict = set_value(config, setting, value);
        free(value);
    }
    free(path);
    return verdict;
}

static enum options_verdict set(cp_config *config, const struct options *options, const struct setting *setting)
{
    const char *value = setting->value;

    if (options->command == COMMAND_WARMUP && strcmp(setting->name, "warmup") == 0 && strcmp(value, "none") == 0) {
        complain("%s: to warm up it takes scan or touch, not \"none\"", setting->flag);
        return OPTIONS_WRONG;
    }
    if (options->detach && strcmp(setting->name, "redis") == 0 && strncmp(value, "unix:", 5) == 0 && value[5] != '/' &&
        value[5] != '\0') {
        return set_redis_path(config, setting);
    }
    return set_value(config, setting, value);
}

static enum options_verdict load_file(cp_config *config, const struct options *options)
{
    cp_error err;

    if (options->config_file != NULL) {
        cp_code code = cp_config_load(config, options->config_file, &err);
        if (code != CP_OK) {
            complain("--config: %s", err.message);
            return verdict_of(code);
        }
    }
    /* What a file says of these is about a daemon: there "none" makes sense, and so does waiting for another one's end.
     */
    if (options->command == COMMAND_WARMUP) {
        enum options_verdict verdict = verdict_of(cp_config_set(config, "warmup", "scan", &err));
        return verdict == OPTIONS_GO ? verdict_of(cp_config_set(config, "standby", "false", &err)) : verdict;
    }
    return OPTIONS_GO;
}

/* Whatever is meant for the daemon: a syncer that repairs has no other work. */
static enum options_verdict keep_from_writing(cp_config *config)
{
    cp_error err;
    cp_code code = cp_config_set(config, "warmup", "none", &err);

    if (code == CP_OK) {
        code = cp_config_set(config, "flush", "false", &err);
    }
    if (code == CP_OK) {
        code = cp_config_set(config, "audit_per_second", "0", &err);
    }
    if (code == CP_OK) {
        code = cp_config_set(config, "standby", "true", &err); /* beside a daemon, which then does the repairs */
    }
    return verdict_of(code);
}

enum options_verdict options_make_config(const struct options *options, cp_config **config)
{
    cp_error err;
    enum options_verdict verdict;

    *config = cp_config_create(&err);
    if (*config == NULL) {
        complain("%s", err.message);
        return OPTIONS_FAILED;
    }
    verdict = load_file(*config, options);
    for (size_t i = 0; i < sizeof environment / sizeof *environment && verdict == OPTIONS_GO; i++) {
        const struct setting setting = {
            .flag = environment[i].variable, .name = environment[i].name, .value = getenv(environment[i].variable)};
        if (setting.value != NULL && *setting.value != '\0') {
            verdict = set(*config, options, &setting);
        }
    }
    for (size_t i = 0; i < options->setting_count && verdict == OPTIONS_GO; i++) {
        verdict = set(*config, options, &options->settings[i]);
    }
    return verdict == OPTIONS_GO && options->command == COMMAND_VERIFY ? keep_from_writing(*config) : verdict;
}
