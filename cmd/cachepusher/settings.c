/* From the file, the environment and the command line to one configuration. */

#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Read without being named, if it is there. */
#ifndef CP_USUAL_CONFIG
#define CP_USUAL_CONFIG "/etc/cachepusher.json"
#endif

/* A configuration that is being made. */
struct making {
    const struct options *options;
    cp_config *config;
    char *why; /* WHY_BYTES */
};

static void say(const struct making *making, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct making *making, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(making->why, WHY_BYTES, format, arguments);
    va_end(arguments);
}

static enum options_verdict verdict_of(cp_code code)
{
    if (code == CP_OK) {
        return OPTIONS_GO;
    }
    return code == CP_ERR_SYSTEM ? OPTIONS_FAILED : OPTIONS_WRONG;
}

/* ---- one setting ---- */

/* The library names the setting; whoever typed a flag looks for that name instead. */
static void say_of_value(const struct making *making, const struct setting *setting, const cp_error *err)
{
    const char *message = err->message;
    size_t length = strlen(setting->name);

    if (strcmp(setting->flag, "--set") != 0 && strncmp(message, setting->name, length) == 0 &&
        strncmp(message + length, ": ", 2) == 0) {
        message += length + 2;
    }
    say(making, "%s: %s", setting->flag, message);
}

static enum options_verdict set_value(const struct making *making, const struct setting *setting, const char *value)
{
    cp_error err;
    cp_code code = cp_config_set(making->config, setting->name, value, &err);

    if (code != CP_OK) {
        say_of_value(making, setting, &err);
    }
    return verdict_of(code);
}

/* A daemon's directory is another one than that in which its command line was typed. */
static enum options_verdict set_redis_path(const struct making *making, const struct setting *setting)
{
    static const char scheme[] = "unix:";
    char *value = NULL;
    char *path = path_make_absolute(making->options, setting->value + strlen(scheme));
    enum options_verdict verdict = OPTIONS_FAILED;

    say(making, "%s: its path cannot be made absolute", setting->flag);
    if (path != NULL && asprintf(&value, "%s%s", scheme, path) != -1) {
        verdict = set_value(making, setting, value);
        free(value);
    }
    free(path);
    return verdict;
}

static enum options_verdict set(const struct making *making, const struct setting *setting)
{
    const struct options *options = making->options;
    const char *value = setting->value;

    if (options->command == COMMAND_WARMUP && strcmp(setting->name, "warmup") == 0 && strcmp(value, "none") == 0) {
        say(making, "%s: to warm up it takes scan or touch, not \"none\"", setting->flag);
        return OPTIONS_WRONG;
    }
    if (options->detach && strcmp(setting->name, "redis") == 0 && strncmp(value, "unix:", 5) == 0 && value[5] != '/' &&
        value[5] != '\0') {
        return set_redis_path(making, setting);
    }
    return set_value(making, setting, value);
}

/* Several that the program itself sets, whatever it was told. */
static enum options_verdict impose(const struct making *making, const char *const (*pairs)[2], size_t count)
{
    cp_error err;
    cp_code code = CP_OK;

    for (size_t i = 0; i < count && code == CP_OK; i++) {
        code = cp_config_set(making->config, pairs[i][0], pairs[i][1], &err);
    }
    if (code != CP_OK) {
        say(making, "%s", err.message);
    }
    return verdict_of(code);
}

/* ---- where they come from ---- */

const char *options_config_file(const struct options *options)
{
    struct stat status;
    const char *named = options->config_file != NULL ? options->config_file : getenv("CP_CONFIG");

    if (named != NULL) {
        return *named != '\0' || options->config_file != NULL ? named : NULL;
    }
    /* One that is there and cannot be read is an error, which is told by whoever reads it. */
    return stat(CP_USUAL_CONFIG, &status) == 0 || (errno != ENOENT && errno != ENOTDIR) ? CP_USUAL_CONFIG : NULL;
}

static enum options_verdict load_file(const struct making *making)
{
    const struct options *options = making->options;
    const char *file = options_config_file(options);
    char *path = NULL;
    cp_error err;

    if (file == NULL) {
        return OPTIONS_GO;
    }
    /* A daemon in the background is in another directory when it reads the file again. */
    if (options->detach && *file != '/' && options->directory != NULL &&
        asprintf(&path, "%s/%s", options->directory, file) == -1) {
        path = NULL;
    }
    cp_code code = cp_config_load(making->config, path != NULL ? path : file, &err);
    free(path);
    if (code != CP_OK) {
        say(making, "%s: %s", options->config_file != NULL ? "--config" : "configuration", err.message);
    }
    return verdict_of(code);
}

/* What a file says of these is about a daemon: there "none" makes sense, so does waiting for another one's end, and a
 * log that tells more. */
static enum options_verdict keep_own_defaults(const struct making *making)
{
    static const char *const of_warmup[][2] = {{"warmup", "scan"}, {"standby", "false"}};
    static const char *const of_both[][2] = {{"log_level", "warn"}};
    enum command command = making->options->command;
    enum options_verdict verdict = OPTIONS_GO;

    if (command == COMMAND_WARMUP) {
        verdict = impose(making, of_warmup, 2);
    }
    return verdict == OPTIONS_GO && (command == COMMAND_WARMUP || command == COMMAND_VERIFY)
               ? impose(making, of_both, 1)
               : verdict;
}

/* Whatever is meant for the daemon: a syncer that repairs has no other work; where a daemon runs, that one repairs. */
static enum options_verdict keep_from_writing(const struct making *making)
{
    static const char *const pairs[][2] = {
        {"warmup", "none"}, {"flush", "false"}, {"audit_per_second", "0"}, {"standby", "true"}};

    return impose(making, pairs, sizeof pairs / sizeof *pairs);
}

static enum options_verdict read_environment(const struct making *making)
{
    enum options_verdict verdict = OPTIONS_GO;

    for (size_t i = 0; i < cp_setting_count() && verdict == OPTIONS_GO; i++) {
        const cp_setting *described = cp_setting_describe(i);
        const char *value = described->environment != NULL ? getenv(described->environment) : NULL;
        if (value != NULL && *value != '\0') {
            const struct setting setting = {.flag = described->environment, .name = described->name, .value = value};
            verdict = set(making, &setting);
        }
    }
    return verdict;
}

enum options_verdict options_make_config(const struct options *options, cp_config **config, char why[WHY_BYTES])
{
    cp_error err;
    struct making making = {.options = options, .why = why};

    *config = cp_config_create(&err);
    making.config = *config;
    if (*config == NULL) {
        say(&making, "%s", err.message);
        return OPTIONS_FAILED;
    }
    enum options_verdict verdict = load_file(&making);
    if (verdict == OPTIONS_GO) {
        verdict = keep_own_defaults(&making);
    }
    if (verdict == OPTIONS_GO) {
        verdict = read_environment(&making);
    }
    for (size_t i = 0; i < options->setting_count && verdict == OPTIONS_GO; i++) {
        verdict = set(&making, &options->settings[i]);
    }
    return verdict == OPTIONS_GO && options->command == COMMAND_VERIFY ? keep_from_writing(&making) : verdict;
}

cp_level options_log_level(const cp_config *config)
{
    char value[16];
    cp_level level = CP_LOG_INFO;

    if (cp_config_get(config, "log_level", value, sizeof value, NULL) == CP_OK) {
        logger_parse_level(value, &level);
    }
    return level;
}
