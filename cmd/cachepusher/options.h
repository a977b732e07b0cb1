#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "cachepusher.h"
#include "logger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command {
    COMMAND_RUN,
    COMMAND_WARMUP,
    COMMAND_VERIFY,
    COMMAND_GENERATE,
    COMMAND_SETUP,
    COMMAND_TEARDOWN,
    COMMAND_SLOT,
    COMMAND_DOCTOR,
    COMMAND_STATUS,
    COMMAND_PARKED,
    COMMANDS
};

enum options_verdict { OPTIONS_GO, OPTIONS_HELP, OPTIONS_HELP_ALL, OPTIONS_VERSION, OPTIONS_WRONG, OPTIONS_FAILED };

/* A setting of the configuration, as the command line gives it. */
struct setting {
    const char *flag; /* names it in messages: "--redis" */
    const char *name; /* for cp_config_set() */
    const char *value;
};

struct options {
    enum command command;
    bool wait;
    bool detach;
    bool repair;
    bool json;
    bool dry_run;
    bool indexes;
    uint64_t sample;   /* 0: everything */
    const char *table; /* of generate, as SQL has it */
    size_t depth;
    int grace_ms;
    enum log_format log_format;
    const char *log_file;    /* NULL: the usual place */
    const char *config_file; /* NULL: see options_config_file() */
    char *pidfile;           /* absolute; NULL: none */
    char *admin;             /* where the daemon answers, a path absolute; NULL: nowhere */
    bool watch;              /* status, again and again */
    bool retry;              /* what is parked */
    const char *entity;      /* of parked; NULL: any */
    const char *id;
    char *directory; /* what paths on the command line are relative to; NULL: there is none */

    struct setting *settings; /* in the order of the command line */
    size_t setting_count;
};

/* argv[0] is the command's own name. Strings point into argv. What is wrong has been told unless it answers OPTIONS_GO
 * or a help or the version. Call options_fini() in any case. */
enum options_verdict options_parse(enum command command, int argc, char **argv, struct options *options);
void options_fini(struct options *options);

/* Whether a setting is of use to the command, so that it has the setting's flag and explains it. */
bool options_concern(enum command command, const cp_setting *setting);

/* What is wrong with a configuration, in a line. */
enum { WHY_BYTES = 600 };

/* The file, then the environment, then the command line, each over the one before. The caller owns *config. Unless it
 * answers OPTIONS_GO, why says what is wrong. It may be called again, to read the configuration anew. */
enum options_verdict options_make_config(const struct options *options, cp_config **config, char why[WHY_BYTES]);

/* The file that is read: --config, or else $CP_CONFIG, or else /etc/cachepusher.json if there is one. NULL: none. */
const char *options_config_file(const struct options *options);

/* log_level of a configuration. */
cp_level options_log_level(const cp_config *config);

/* `path` seen from the root, from malloc; NULL: the reason has been told. */
char *path_make_absolute(const struct options *options, const char *path);

const char *command_name(enum command command);

#endif
