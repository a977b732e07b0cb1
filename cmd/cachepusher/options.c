#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/complain.h"

#define DEFAULT_GRACE_S 10
#define MAX_GRACE_S 86400.0
#define MAX_SAMPLE 1000000

enum flag {
    FLAG_DETACH = 256,
    FLAG_PIDFILE,
    FLAG_CONFIG,
    FLAG_SET,
    FLAG_WAIT,
    FLAG_GRACE,
    FLAG_REPAIR,
    FLAG_SAMPLE,
    FLAG_JSON,
    FLAG_LOG_LEVEL,
    FLAG_LOG_FORMAT,
    FLAG_LOG_FILE,
    FLAG_HELP,
    FLAG_SETTING /* and what follows: a flag of the library's setting with the index FLAG - FLAG_SETTING */
};

/* Which commands take a flag. */
enum { BY_RUN = 1, BY_WARMUP = 2, BY_VERIFY = 4, BY_BOTH = BY_RUN | BY_WARMUP, BY_ALL = BY_BOTH | BY_VERIFY };

static const struct {
    const char *name;
    int has_argument;
    enum flag flag;
    unsigned commands;
} flags[] = {
    {"detach", no_argument, FLAG_DETACH, BY_RUN},
    {"pidfile", required_argument, FLAG_PIDFILE, BY_RUN},
    {"config", required_argument, FLAG_CONFIG, BY_ALL},
    {"set", required_argument, FLAG_SET, BY_ALL},
    {"wait", no_argument, FLAG_WAIT, BY_BOTH},
    {"grace", required_argument, FLAG_GRACE, BY_BOTH},
    {"repair", no_argument, FLAG_REPAIR, BY_VERIFY},
    {"sample", required_argument, FLAG_SAMPLE, BY_VERIFY},
    {"json", no_argument, FLAG_JSON, BY_VERIFY},
    {"log-level", required_argument, FLAG_LOG_LEVEL, BY_ALL},
    {"log-format", required_argument, FLAG_LOG_FORMAT, BY_ALL},
    {"log-file", required_argument, FLAG_LOG_FILE, BY_ALL},
    {"help", no_argument, FLAG_HELP, BY_ALL},
};

enum { FLAG_COUNT = sizeof flags / sizeof *flags, SETTING_FLAGS = 32, FLAGS_MAX = FLAG_COUNT + SETTING_FLAGS };

bool options_concern(enum command command, const cp_setting *setting)
{
    /* What a verification sets itself, whatever it is told: see settings.c. */
    static const char *const of_writers[] = {"warmup", "flush", "standby", "audit_per_second"};

    for (size_t i = 0; command == COMMAND_VERIFY && i < sizeof of_writers / sizeof *of_writers; i++) {
        if (strcmp(setting->name, of_writers[i]) == 0) {
            return false;
        }
    }
    return !setting->of_entity;
}

/* For getopt_long(). */
static void select_flags(enum command command, struct option selected[FLAGS_MAX + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < cp_setting_count() && count < SETTING_FLAGS; i++) {
        const cp_setting *setting = cp_setting_describe(i);
        if (setting->flag != NULL && options_concern(command, setting)) {
            int has_argument = setting->type == CP_SETTING_BOOLEAN ? no_argument : required_argument;
            selected[count++] =
                (struct option){setting->flag + strlen("--"), has_argument, NULL, FLAG_SETTING + (int)i};
        }
    }

    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if ((flags[i].commands & (1u << command)) != 0) {
            selected[count++] = (struct option){flags[i].name, flags[i].has_argument, NULL, (int)flags[i].flag};
        }
    }
    selected[count] = (struct option){0};
}

const char *command_name(enum command command)
{
    static const char *const names[] = {
        [COMMAND_RUN] = "run", [COMMAND_WARMUP] = "warmup", [COMMAND_VERIFY] = "verify"};

    return names[command];
}

char *path_make_absolute(const char *path)
{
    char *directory;
    char *absolute = NULL;

    if (*path == '/') {
        absolute = strdup(path);
    } else {
        directory = getcwd(NULL, 0);
        if (directory == NULL || asprintf(&absolute, "%s/%s", directory, path) == -1) {
            absolute = NULL;
        }
        free(directory);
    }
    if (absolute == NULL) {
        complain("%s: cannot be made absolute: %s", path, strerror(errno));
    }
    return absolute;
}

static void add_setting(struct options *options, const char *flag, const char *name, const char *value)
{
    options->settings[options->setting_count++] = (struct setting){.flag = flag, .name = name, .value = value};
}

/* NAME=VALUE, which is cut in two where it stands in argv. */
static bool parse_set(struct options *options, char *value)
{
    char *equals = strchr(value, '=');

    if (equals == NULL || equals == value) {
        complain("--set: expected NAME=VALUE, as in --set batch=512");
        return false;
    }
    *equals = '\0';
    add_setting(options, "--set", value, equals + 1);
    return true;
}

/* Digits and a point: strtod() alone would take "nan" and "0x1p3" too. */
static bool parse_grace(const char *value, int *grace_ms)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || strspn(value, "0123456789.") != strlen(value) || seconds > MAX_GRACE_S) {
        complain("--grace: \"%s\" is not a number of seconds from 0 to %.0f", value, MAX_GRACE_S);
        return false;
    }
    *grace_ms = (int)(seconds * 1000);
    return true;
}

static bool parse_sample(const char *value, uint64_t *sample)
{
    size_t digits = strspn(value, "0123456789");
    unsigned long number = digits > 0 && digits < 10 && value[digits] == '\0' ? strtoul(value, NULL, 10) : 0;

    if (number < 1 || number > MAX_SAMPLE) {
        complain("--sample: \"%s\" is not a number from 1 to %d", value, MAX_SAMPLE);
        return false;
    }
    *sample = number;
    return true;
}

static bool parse_log_level(const char *value, cp_level *level)
{
    if (logger_parse_level(value, level)) {
        return true;
    }
    complain("--log-level: \"%s\" is not error, warn, info or debug", value);
    return false;
}

static bool parse_log_format(const char *value, enum log_format *format)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0) {
        complain("--log-format: \"%s\" is not text or json", value);
        return false;
    }
    *format = *value == 'j' ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return true;
}

static bool parse_pidfile(const char *value, char **pidfile)
{
    if (*value == '\0') {
        complain("--pidfile: expected the name of a file");
        return false;
    }
    free(*pidfile);
    *pidfile = path_make_absolute(value);
    return *pidfile != NULL;
}

static bool parse_flag(int flag, char *value, struct options *options)
{
    if (flag >= FLAG_SETTING) {
        const cp_setting *setting = cp_setting_describe((size_t)(flag - FLAG_SETTING));
        add_setting(options, setting->flag, setting->name, value != NULL ? value : "true");
        return true;
    }
    switch (flag) {
    case 'd':
    case FLAG_DETACH:
        options->detach = true;
        break;
    case FLAG_PIDFILE:
        return parse_pidfile(value, &options->pidfile);
    case 't':
        add_setting(options, "-t", "threads", value);
        break;
    case FLAG_CONFIG:
        options->config_file = value;
        break;
    case FLAG_SET:
        return parse_set(options, value);
    case FLAG_WAIT:
        options->wait = true;
        break;
    case FLAG_GRACE:
        return parse_grace(value, &options->grace_ms);
    case FLAG_REPAIR:
        options->repair = true;
        break;
    case FLAG_SAMPLE:
        return parse_sample(value, &options->sample);
    case FLAG_JSON:
        options->json = true;
        break;
    case FLAG_LOG_LEVEL:
        return parse_log_level(value, &options->log_level);
    case FLAG_LOG_FORMAT:
        return parse_log_format(value, &options->log_format);
    default:
        options->log_file = value;
        break;
    }
    return true;
}

/* Only up to a '=': what follows can be a connection string under a misspelt name. */
static void complain_unusable(enum command command, const char *argument, int answer)
{
    char letter[] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < FLAG_DETACH;
    const char *name = is_letter ? letter : argument;
    int length = (int)strcspn(name, "=");

    if (answer == ':') {
        complain("%.*s: expected a value behind it", length, name);
    } else if (optopt >= FLAG_DETACH) {
        complain("%.*s: expected no value", length, name);
    } else {
        complain("%.*s: not an option; try 'cachepusher %s --help'", length, name, command_name(command));
    }
}

static enum options_verdict parse_all(int argc, char **argv, struct options *options)
{
    bool is_run = options->command == COMMAND_RUN;
    struct option selected[FLAGS_MAX + 1];
    int flag;

    select_flags(options->command, selected);
    opterr = 0;
    while ((flag = getopt_long(argc, argv, is_run ? "+:dht:" : "+:ht:", selected, NULL)) != -1) {
        if (flag == 'h' || flag == FLAG_HELP) {
            return OPTIONS_HELP;
        }
        if (flag == '?' || flag == ':') {
            complain_unusable(options->command, argv[optind - 1], flag);
            return OPTIONS_WRONG;
        }
        if (!parse_flag(flag, optarg, options)) {
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) {
        complain("argument %d: expected options only; try 'cachepusher %s --help'", optind,
                 command_name(options->command));
        return OPTIONS_WRONG;
    }
    return OPTIONS_GO;
}

enum options_verdict options_parse(enum command command, int argc, char **argv, struct options *options)
{
    *options = (struct options){
        .command = command,
        .grace_ms = DEFAULT_GRACE_S * 1000,
        .log_level = command == COMMAND_RUN ? CP_LOG_INFO : CP_LOG_WARN,
        /* Each setting takes an argument at least. */
        .settings = calloc((size_t)argc + 1, sizeof *options->settings),
    };
    if (options->settings == NULL) {
        complain("out of memory");
        return OPTIONS_FAILED;
    }
    return parse_all(argc, argv, options);
}

void options_fini(struct options *options)
{
    free(options->settings);
    free(options->pidfile);
    options->settings = NULL;
    options->pidfile = NULL;
}
