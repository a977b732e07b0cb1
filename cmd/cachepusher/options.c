#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/complain.h"
#include "option_values.h"

#define DEFAULT_GRACE_S 10
#define DEFAULT_DEPTH 2

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
    FLAG_DRY_RUN,
    FLAG_DEPTH,
    FLAG_INDEXES,
    FLAG_ADMIN,
    FLAG_WATCH,
    FLAG_RETRY,
    FLAG_ENTITY,
    FLAG_ID,
    FLAG_LOG_FORMAT,
    FLAG_LOG_FILE,
    FLAG_HELP,
    FLAG_ALL,
    FLAG_VERSION,
    FLAG_SETTING /* and what follows: a flag of the library's setting with the index FLAG - FLAG_SETTING */
};

/* Which commands take a flag. */
enum {
    BY_RUN = 1 << COMMAND_RUN,
    BY_WARMUP = 1 << COMMAND_WARMUP,
    BY_VERIFY = 1 << COMMAND_VERIFY,
    BY_SETUP = 1 << COMMAND_SETUP | 1 << COMMAND_TEARDOWN,
    BY_SLOT = 1 << COMMAND_SLOT,
    BY_DOCTOR = 1 << COMMAND_DOCTOR,
    BY_GENERATE = 1 << COMMAND_GENERATE,
    BY_BOTH = BY_RUN | BY_WARMUP,
    BY_SYNCERS = BY_BOTH | BY_VERIFY,
    BY_CONFIGURED = BY_SYNCERS | BY_SETUP | BY_SLOT | BY_DOCTOR | BY_GENERATE,
    BY_STATUS = 1 << COMMAND_STATUS,
    BY_PARKED = 1 << COMMAND_PARKED,
    BY_ASKING = BY_STATUS | BY_PARKED, /* a daemon, and no server */
    BY_ALL = BY_CONFIGURED | BY_ASKING
};

static const struct {
    const char *name;
    int has_argument;
    enum flag flag;
    unsigned commands;
} flags[] = {
    {"detach", no_argument, FLAG_DETACH, BY_RUN},
    {"pidfile", required_argument, FLAG_PIDFILE, BY_RUN},
    {"config", required_argument, FLAG_CONFIG, BY_CONFIGURED},
    {"set", required_argument, FLAG_SET, BY_CONFIGURED},
    {"admin", required_argument, FLAG_ADMIN, BY_RUN | BY_ASKING},
    {"watch", no_argument, FLAG_WATCH, BY_STATUS},
    {"retry", no_argument, FLAG_RETRY, BY_PARKED},
    {"entity", required_argument, FLAG_ENTITY, BY_PARKED},
    {"id", required_argument, FLAG_ID, BY_PARKED},
    {"wait", no_argument, FLAG_WAIT, BY_BOTH},
    {"grace", required_argument, FLAG_GRACE, BY_BOTH},
    {"repair", no_argument, FLAG_REPAIR, BY_VERIFY},
    {"sample", required_argument, FLAG_SAMPLE, BY_VERIFY | BY_DOCTOR},
    {"json", no_argument, FLAG_JSON, BY_VERIFY | BY_SLOT | BY_DOCTOR | BY_ASKING},
    {"dry-run", no_argument, FLAG_DRY_RUN, BY_SETUP},
    {"depth", required_argument, FLAG_DEPTH, BY_GENERATE},
    {"indexes", no_argument, FLAG_INDEXES, 1 << COMMAND_SETUP},
    {"log-format", required_argument, FLAG_LOG_FORMAT, BY_SYNCERS},
    {"log-file", required_argument, FLAG_LOG_FILE, BY_SYNCERS},
    {"help", no_argument, FLAG_HELP, BY_ALL},
    {"all", no_argument, FLAG_ALL, BY_ALL},
    {"version", no_argument, FLAG_VERSION, BY_ALL},
};

enum { FLAG_COUNT = sizeof flags / sizeof *flags, SETTING_FLAGS = 32, FLAGS_MAX = FLAG_COUNT + SETTING_FLAGS };

bool options_concern(enum command command, const cp_setting *setting)
{
    /* What a verification sets itself, whatever it is told: see settings.c. */
    static const char *const of_writers[] = {"warmup", "flush", "standby", "audit_per_second"};

    /* The commands that only look after the database. */
    static const char *const of_databases[] = {"postgres", "postgres_password_file", "prefix", "name",
                                               "connect_timeout_ms"};

    if (((1u << command) & BY_ASKING) != 0) {
        return false;
    }
    if (((1u << command) & BY_GENERATE) != 0) {
        return strcmp(setting->name, "postgres") == 0 || strcmp(setting->name, "postgres_password_file") == 0 ||
               strcmp(setting->name, "connect_timeout_ms") == 0;
    }
    if (((1u << command) & (BY_SETUP | BY_SLOT)) != 0) {
        bool concerns = strncmp(setting->name, "source", strlen("source")) == 0;
        for (size_t i = 0; i < sizeof of_databases / sizeof *of_databases; i++) {
            concerns = concerns || strcmp(setting->name, of_databases[i]) == 0;
        }
        return concerns && !setting->of_entity;
    }
    /* The doctor looks at what the warm-up is to call, and flushes nothing. */
    for (size_t i = 0; i < sizeof of_writers / sizeof *of_writers; i++) {
        bool asked_for =
            command == COMMAND_VERIFY || (command == COMMAND_DOCTOR && strcmp(of_writers[i], "warmup") != 0);
        if (asked_for && strcmp(setting->name, of_writers[i]) == 0) {
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
        [COMMAND_RUN] = "run",          [COMMAND_WARMUP] = "warmup",     [COMMAND_VERIFY] = "verify",
        [COMMAND_SETUP] = "setup",      [COMMAND_TEARDOWN] = "teardown", [COMMAND_SLOT] = "slot",
        [COMMAND_DOCTOR] = "doctor",    [COMMAND_STATUS] = "status",     [COMMAND_PARKED] = "parked",
        [COMMAND_GENERATE] = "generate"};

    return names[command];
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
        return value_pidfile(value, options);
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
        return value_grace(value, &options->grace_ms);
    case FLAG_REPAIR:
        options->repair = true;
        break;
    case FLAG_SAMPLE:
        return value_sample(value, &options->sample);
    case FLAG_JSON:
        options->json = true;
        break;
    case FLAG_DRY_RUN:
        options->dry_run = true;
        break;
    case FLAG_DEPTH:
        return value_depth(value, &options->depth);
    case FLAG_INDEXES:
        options->indexes = true;
        break;
    case FLAG_ADMIN:
        return value_admin(options, value);
    case FLAG_WATCH:
        options->watch = true;
        break;
    case FLAG_RETRY:
        options->retry = true;
        break;
    case FLAG_ENTITY:
        options->entity = value;
        break;
    case FLAG_ID:
        options->id = value;
        break;
    case FLAG_LOG_FORMAT:
        return value_log_format(value, &options->log_format);
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

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static enum options_verdict parse_all(int argc, char **argv, struct options *options)
{
    const char *letters = options->command == COMMAND_RUN        ? "+:dhVt:"
                          : options->command == COMMAND_GENERATE ? ":hV" /* options may stand behind the table */
                          : ((1u << options->command) & BY_SYNCERS) == 0 ? "+:hV"
                                                                         : "+:hVt:";
    struct option selected[FLAGS_MAX + 1];
    int flag;

    select_flags(options->command, selected);
    opterr = 0;
    while ((flag = getopt_long(argc, argv, letters, selected, NULL)) != -1) {
        if (flag == 'h' || flag == FLAG_HELP) {
            return has_word(argc, argv, "--all") ? OPTIONS_HELP_ALL : OPTIONS_HELP;
        }
        if (flag == 'V' || flag == FLAG_VERSION) {
            return OPTIONS_VERSION;
        }
        if (flag == FLAG_ALL && !has_word(argc, argv, "--help") && !has_word(argc, argv, "-h")) {
            complain("--all: goes with --help");
            return OPTIONS_WRONG;
        }
        if (flag == FLAG_ALL) {
            continue;
        }
        if (flag == '?' || flag == ':') {
            complain_unusable(options->command, argv[optind - 1], flag);
            return OPTIONS_WRONG;
        }
        if (!parse_flag(flag, optarg, options)) {
            return OPTIONS_WRONG;
        }
    }
    if (options->command == COMMAND_GENERATE && optind < argc) {
        options->table = argv[optind++];
    } else if (options->command == COMMAND_GENERATE) {
        complain("generate: expected the name of a table; try 'cachepusher generate --help'");
        return OPTIONS_WRONG;
    }
    if (optind < argc) {
        complain("argument %d: expected %s; try 'cachepusher %s --help'", optind,
                 options->table != NULL ? "one table" : "options only", command_name(options->command));
        return OPTIONS_WRONG;
    }
    return OPTIONS_GO;
}

/* Where no flag says it: the environment, and for whoever asks a daemon the socket of the service. */
static enum options_verdict choose_admin(struct options *options, bool asks)
{
    const char *value = getenv("CP_ADMIN");
    if (value == NULL || *value == '\0') {
        value = asks ? "unix:/run/cachepusher/admin.sock" : NULL;
    }
    bool takes = asks || options->command == COMMAND_RUN;
    return value == NULL || !takes || value_admin(options, value) ? OPTIONS_GO : OPTIONS_FAILED;
}

enum options_verdict options_parse(enum command command, int argc, char **argv, struct options *options)
{
    *options = (struct options){
        .command = command,
        .grace_ms = DEFAULT_GRACE_S * 1000,
        .depth = DEFAULT_DEPTH,
        /* Each setting takes an argument at least. */
        .settings = calloc((size_t)argc + 1, sizeof *options->settings),
    };
    options->directory = realpath(".", NULL); /* NULL: one that has been removed, where nothing relative is found */
    if (options->settings == NULL) {
        complain("out of memory");
        return OPTIONS_FAILED;
    }
    enum options_verdict verdict = parse_all(argc, argv, options);
    bool asks = ((1u << command) & BY_ASKING) != 0;
    return verdict == OPTIONS_GO && options->admin == NULL ? choose_admin(options, asks) : verdict;
}

void options_fini(struct options *options)
{
    free(options->settings);
    free(options->pidfile);
    free(options->admin);
    options->admin = NULL;
    free(options->directory);
    options->settings = NULL;
    options->directory = NULL;
    options->pidfile = NULL;
}
