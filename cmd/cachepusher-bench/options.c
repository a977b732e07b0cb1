#include "options.h"

#include "cachepusher.h"
#include "fatal.h"
#include "help.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum flag {
    FLAG_DSN = 256, /* in the order of flags[] and of the bits in struct command */
    FLAG_REDIS,
    FLAG_JSON,
    FLAG_PLOT,
    FLAG_RUNS,
    FLAG_DURATION,
    FLAG_CUSTOMERS,
    FLAG_THREADS,
    FLAG_CLIENTS,
    FLAG_RATES,
    FLAG_UPDATES,
    FLAG_ROWS,
    FLAG_OPERATIONS,
    FLAG_SOURCES,
    FLAG_SYNCHRONOUS_COMMIT,
    FLAG_HELP,
    FLAG_VERSION
};

static const struct option flags[] = {
    {"dsn", required_argument, NULL, FLAG_DSN},
    {"redis", required_argument, NULL, FLAG_REDIS},
    {"json", required_argument, NULL, FLAG_JSON},
    {"plot", required_argument, NULL, FLAG_PLOT},
    {"runs", required_argument, NULL, FLAG_RUNS},
    {"duration", required_argument, NULL, FLAG_DURATION},
    {"customers", required_argument, NULL, FLAG_CUSTOMERS},
    {"threads", required_argument, NULL, FLAG_THREADS},
    {"clients", required_argument, NULL, FLAG_CLIENTS},
    {"rates", required_argument, NULL, FLAG_RATES},
    {"updates", required_argument, NULL, FLAG_UPDATES},
    {"rows", required_argument, NULL, FLAG_ROWS},
    {"operations", required_argument, NULL, FLAG_OPERATIONS},
    {"sources", required_argument, NULL, FLAG_SOURCES},
    {"synchronous-commit", required_argument, NULL, FLAG_SYNCHRONOUS_COMMIT},
    {"help", no_argument, NULL, FLAG_HELP},
    {"version", no_argument, NULL, FLAG_VERSION},
    {NULL, 0, NULL, 0},
};

enum { USUAL_ROWS = 100000 };

#define BIT(flag) (1U << (-FLAG_DSN + (flag)))
#define SERVERS (BIT(FLAG_DSN) | BIT(FLAG_REDIS))
#define ALL_SOURCES                                                                                                    \
    {                                                                                                                  \
        [SOURCE_NOTIFY] = true, [SOURCE_MESSAGES] = true, [SOURCE_TABLES] = true, [SOURCE_WAL2JSON] = true             \
    }
#define ALWAYS (BIT(FLAG_JSON) | BIT(FLAG_RUNS) | BIT(FLAG_HELP) | BIT(FLAG_VERSION))

/* What a command accepts, and its defaults: the same as in help.c. */
static const struct command {
    unsigned flags;
    unsigned lists; /* of these, the flags that take several numbers instead of one */
    struct options defaults;
} commands[] = {
    {SERVERS | ALWAYS | BIT(FLAG_PLOT) | BIT(FLAG_CUSTOMERS) | BIT(FLAG_THREADS),
     BIT(FLAG_CUSTOMERS) | BIT(FLAG_THREADS),
     {.command = "warmup", .runs = 3, .customers = {3, {10000, 200000, 1000000}}, .threads = {4, {1, 2, 4, 8}}}},
    {SERVERS | ALWAYS | BIT(FLAG_PLOT) | BIT(FLAG_CUSTOMERS) | BIT(FLAG_THREADS) | BIT(FLAG_RATES) |
         BIT(FLAG_DURATION) | BIT(FLAG_SOURCES) | BIT(FLAG_SYNCHRONOUS_COMMIT),
     BIT(FLAG_RATES),
     {.command = "latency",
      .runs = 3,
      .duration_s = 10,
      .customers = {1, {200000}},
      .threads = {1, {4}},
      .rates = {2, {1000, 100}},
      .sources = ALL_SOURCES,
      .commits_wait = true}},
    {SERVERS | ALWAYS | BIT(FLAG_CUSTOMERS) | BIT(FLAG_THREADS) | BIT(FLAG_UPDATES) | BIT(FLAG_SOURCES),
     BIT(FLAG_CUSTOMERS),
     {.command = "burst",
      .runs = 3,
      .customers = {1, {200000}},
      .threads = {1, {4}},
      .updates = 10000,
      .sources = ALL_SOURCES}},
    {SERVERS | ALWAYS | BIT(FLAG_CUSTOMERS) | BIT(FLAG_CLIENTS) | BIT(FLAG_ROWS) | BIT(FLAG_DURATION) |
         BIT(FLAG_SOURCES),
     BIT(FLAG_CLIENTS),
     {.command = "source-cost",
      .runs = 3,
      .duration_s = 5,
      .customers = {1, {100000}},
      .clients = {3, {1, 4, 16}},
      .sources = ALL_SOURCES}},
    {ALWAYS | BIT(FLAG_OPERATIONS), 0, {.command = "ring", .runs = 7, .operations = 20000000}},
};

/* ---- values ---- */

/* Digits only: strtol() alone would accept " +5". */
static bool read_number(const char **at, long min, long max, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(*at, &end, 10);
    bool ok = **at >= '0' && **at <= '9' && errno == 0 && *number >= min && *number <= max;
    *at = end;
    return ok;
}

static bool parse_number(const char *flag, const char *value, long max, long *number)
{
    const char *at = value;
    if (read_number(&at, 1, max, number) && *at == '\0') {
        return true;
    }
    complain("--%s '%s': expected a whole number from 1 to %ld", flag, value, max);
    return false;
}

static bool parse_list(const char *flag, const char *value, long max, bool several, struct list *list)
{
    const char *at = value;
    list->count = 0;
    if (!several) {
        list->count = 1;
        return parse_number(flag, value, max, list->items);
    }
    while (list->count < OPTIONS_LIST && read_number(&at, 1, max, &list->items[list->count])) {
        list->count++;
        if (*at == '\0') {
            return true;
        }
        if (*at++ != ',') {
            break;
        }
    }
    complain("--%s '%s': expected one to %d whole numbers from 1 to %ld, as in 1,2,4", flag, value, OPTIONS_LIST, max);
    return false;
}

static bool parse_duration(const char *value, double *duration_s)
{
    char *end;
    *duration_s = strtod(value, &end);
    if (end != value && *end == '\0' && strspn(value, "0123456789.") == strlen(value) && *duration_s >= 0.01 &&
        *duration_s <= 3600) {
        return true;
    }
    complain("--duration '%s': expected seconds, from 0.01 to 3600", value);
    return false;
}

static bool parse_sources(const char *value, bool sources[SOURCES])
{
    if (!sources_parse(value, sources)) {
        complain("--sources '%s': expected some of notify, messages, tables and wal2json, with commas between", value);
        return false;
    }
    return true;
}

static bool parse_on(const char *flag, const char *value, bool *is_on)
{
    *is_on = strcmp(value, "on") == 0;
    if (!*is_on && strcmp(value, "off") != 0) {
        complain("--%s '%s': expected on or off", flag, value);
        return false;
    }
    return true;
}

static bool parse_value(const struct command *command, int flag, const char *value, struct options *options)
{
    bool several = (command->lists & BIT(flag)) != 0;
    const char *name = flags[flag - FLAG_DSN].name;
    switch (flag) {
    case FLAG_DSN:
        options->dsn = value;
        return true;
    case FLAG_REDIS:
        options->redis = value;
        return true;
    case FLAG_JSON:
        options->json = value;
        return true;
    case FLAG_PLOT:
        options->plot = value;
        return true;
    case FLAG_RUNS:
        return parse_number(name, value, 1000, &options->runs);
    case FLAG_DURATION:
        return parse_duration(value, &options->duration_s);
    case FLAG_CUSTOMERS:
        return parse_list(name, value, 100000000, several, &options->customers);
    case FLAG_THREADS:
        return parse_list(name, value, 64, several, &options->threads);
    case FLAG_CLIENTS:
        return parse_list(name, value, 64, several, &options->clients);
    case FLAG_RATES:
        return parse_list(name, value, 1000000, several, &options->rates);
    case FLAG_UPDATES:
        return parse_number(name, value, 100000000, &options->updates);
    case FLAG_ROWS:
        return parse_number(name, value, 100000000, &options->rows);
    case FLAG_SOURCES:
        return parse_sources(value, options->sources);
    case FLAG_SYNCHRONOUS_COMMIT:
        return parse_on(name, value, &options->commits_wait);
    default:
        return parse_number(name, value, 1000000000000, &options->operations);
    }
}

/* ---- the line ---- */

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].defaults.command, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* Only up to '=': after a misspelt name a connection string may follow. */
static void complain_of(const char *argument, int answer)
{
    int length = (int)strcspn(argument, "=");
    if (answer == ':') {
        complain("%.*s: expected a value behind it", length, argument);
    } else if (optopt > 0 && optopt < FLAG_DSN) { /* perhaps one of several letters after one dash */
        complain("-%c: not an option; see --help", optopt);
    } else if (optopt >= FLAG_DSN) {
        complain("%.*s: expected no value", length, argument);
    } else {
        complain("%.*s: not an option; see --help", length, argument);
    }
}

static enum options_verdict parse_flags(int argc, char **argv, const struct command *command, struct options *options)
{
    int flag;
    opterr = 0;
    optind = 2;
    while ((flag = getopt_long(argc, argv, "+:h", flags, NULL)) != -1) {
        if (flag == '?' || flag == ':') {
            complain_of(argv[optind - 1], flag);
            return OPTIONS_WRONG;
        }
        if (flag == FLAG_HELP || flag == 'h') {
            help_print(command->defaults.command);
            return OPTIONS_DONE;
        }
        if (flag == FLAG_VERSION) {
            puts("cachepusher-bench " CP_VERSION);
            return OPTIONS_DONE;
        }
        if ((command->flags & BIT(flag)) == 0) {
            complain("%s: --%s is not for it; see %s --help", options->command, flags[flag - FLAG_DSN].name,
                     options->command);
            return OPTIONS_WRONG;
        }
        if (!parse_value(command, flag, optarg, options)) {
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) {
        complain("%s: expected options only, each with two dashes; see %s --help", options->command, options->command);
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

/* Checks what goes together now, before servers are started. */
static bool check_sizes(struct options *options)
{
    long customers = options->customers.items[0];
    if (strcmp(options->command, "latency") == 0 && customers < OPTIONS_LATENCY_CUSTOMERS) {
        complain("latency: --customers %ld: expected %d at least", customers, OPTIONS_LATENCY_CUSTOMERS);
        return false;
    }
    const bool *sources = options->sources;
    if (strcmp(options->command, "burst") == 0 && sources[SOURCE_WAL2JSON] && !sources[SOURCE_NOTIFY] &&
        !sources[SOURCE_MESSAGES] && !sources[SOURCE_TABLES]) {
        complain("burst: --sources wal2json: expected one of cachepusher's, too, which it is compared with");
        return false;
    }
    if (strcmp(options->command, "source-cost") == 0) {
        if (options->rows > customers) {
            complain("source-cost: --rows %ld of --customers %ld: expected at most as many", options->rows, customers);
            return false;
        }
        if (options->rows == 0) {
            options->rows = customers < USUAL_ROWS ? customers : USUAL_ROWS;
        }
    }
    return true;
}

enum options_verdict options_parse(int argc, char **argv, struct options *options)
{
    if (argc < 2) {
        complain("expected a command: warmup, latency, burst, source-cost or ring; see --help");
        return OPTIONS_WRONG;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_print(NULL);
        return OPTIONS_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("cachepusher-bench " CP_VERSION);
        return OPTIONS_DONE;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL) {
        complain("'%s': not a command: warmup, latency, burst, source-cost or ring; see --help", argv[1]);
        return OPTIONS_WRONG;
    }
    *options = command->defaults;
    enum options_verdict verdict = parse_flags(argc, argv, command, options);
    if (verdict == OPTIONS_RUN && (options->dsn == NULL) != (options->redis == NULL)) {
        complain("--dsn and --redis: expected both, or neither for private servers");
        return OPTIONS_WRONG;
    }
    return verdict == OPTIONS_RUN && !check_sizes(options) ? OPTIONS_WRONG : verdict;
}
