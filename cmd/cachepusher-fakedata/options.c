#include "options.h"

#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times the most addresses of a customer, it still fits the integer ids of the schema. */
enum { MAX_CUSTOMERS = 100000000 };
#define MAX_RATE 1000000.0
#define MIN_RATE 0.001
#define MAX_DURATION_S 31536000.0
#define MIN_DURATION_S 0.001
enum { MAX_WEIGHT = 1000000 };

enum flag {
    FLAG_CUSTOMERS = 256,
    FLAG_RATE,
    FLAG_DURATION,
    FLAG_MIX,
    FLAG_SEED,
    FLAG_DSN,
    FLAG_QUIET,
    FLAG_HELP,
    FLAG_VERSION
};

static const struct option flags[] = {
    {"customers", required_argument, NULL, FLAG_CUSTOMERS},
    {"rate", required_argument, NULL, FLAG_RATE},
    {"duration", required_argument, NULL, FLAG_DURATION},
    {"mix", required_argument, NULL, FLAG_MIX},
    {"seed", required_argument, NULL, FLAG_SEED},
    {"dsn", required_argument, NULL, FLAG_DSN},
    {"quiet", no_argument, NULL, FLAG_QUIET},
    {"help", no_argument, NULL, FLAG_HELP},
    {"version", no_argument, NULL, FLAG_VERSION},
    {NULL, 0, NULL, 0},
};

void options_print_help(void)
{
    puts("usage: cachepusher-fakedata [--customers N] [--rate R [--duration S] [--mix I:U:M:D]]\n"
         "                            [--seed S] [--dsn CONNINFO] [--quiet]\n"
         "\n"
         "Plays the application that writes to Postgres: loads customers and their addresses in\n"
         "bulk, changes them at a steady rate, or both, in this order.\n"
         "\n"
         "  --customers N   add N customers, each with 0 to 5 addresses\n"
         "  --rate R        then make R changes a second, each a transaction; may be a fraction\n"
         "  --duration S    for S seconds (without: until SIGINT or SIGTERM)\n"
         "  --mix I:U:M:D   weights of inserts, updates, moves (an address goes to another\n"
         "                  customer) and deletes (default 20:60:10:10)\n"
         "  --seed S        the same seed on the same database gives the same data (default 1)\n"
         "  --dsn CONNINFO  any libpq connection string (default $CP_DSN, else libpq's own\n"
         "                  defaults: PGHOST, PGDATABASE, ...)\n"
         "  --quiet         no progress, only a summary at the end\n"
         "  --help          print this\n"
         "  --version       print the version\n"
         "\n"
         "The tables are those of db/schema.sql.\n"
         "Exit codes: 0 done, 1 failed, 2 bad usage.");
}

/* Digits only: strtol() alone would accept " +5". */
static bool parse_long(const char *flag, const char *value, long min, long max, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(value, &end, 10);
    if (errno == 0 && *value >= '0' && *value <= '9' && *end == '\0' && *number >= min && *number <= max)
        return true;
    report("%s '%s': expected a whole number from %ld to %ld", flag, value, min, max);
    return false;
}

/* Digits and a point: strtod() alone would accept "nan" and "0x1p3". */
static bool parse_double(const char *flag, const char *value, double min, double max, double *number)
{
    char *end;
    *number = strtod(value, &end);
    if (end != value && *end == '\0' && strspn(value, "0123456789.") == strlen(value) && *number >= min &&
        *number <= max)
        return true;
    report("%s '%s': expected a number from %g to %.0f", flag, value, min, max);
    return false;
}

static bool read_weights(const char *value, uint32_t mix[CHANGES])
{
    unsigned long total = 0;
    for (int i = 0; i < CHANGES; i++) {
        char *end;
        unsigned long weight = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || weight > MAX_WEIGHT)
            return false;
        if (*end != (i < CHANGES - 1 ? ':' : '\0'))
            return false;
        mix[i] = (uint32_t)weight;
        total += weight;
        value = end + 1;
    }
    return total > 0;
}

static bool parse_mix(const char *value, uint32_t mix[CHANGES])
{
    if (read_weights(value, mix))
        return true;
    report("--mix '%s': expected four weights insert:update:move:delete, each from 0 to %d and not"
           " all 0, as in 20:60:10:10",
           value, MAX_WEIGHT);
    return false;
}

static bool parse_value(int flag, const char *value, struct options *options)
{
    long number;

    switch (flag) {
    case FLAG_CUSTOMERS:
        if (!parse_long("--customers", value, 1, MAX_CUSTOMERS, &number))
            return false;
        options->customers = (int)number;
        return true;
    case FLAG_RATE:
        return parse_double("--rate", value, MIN_RATE, MAX_RATE, &options->rate);
    case FLAG_DURATION:
        return parse_double("--duration", value, MIN_DURATION_S, MAX_DURATION_S, &options->duration_s);
    case FLAG_MIX:
        return parse_mix(value, options->mix);
    case FLAG_SEED:
        return parse_long("--seed", value, 0, LONG_MAX, &options->seed);
    case FLAG_DSN:
        options->dsn = value;
        return true;
    default:
        options->quiet = true;
        return true;
    }
}

/* Only up to '=': after a misspelt name a connection string may follow. */
static void report_unusable(const char *argument, int answer)
{
    int length = (int)strcspn(argument, "=");
    if (answer == ':')
        report("%.*s: expected a value behind it", length, argument);
    else if (optopt >= FLAG_CUSTOMERS)
        report("%.*s: expected no value", length, argument);
    else
        report("%.*s: not an option; see --help", length, argument);
}

/* `dsn` is never repeated in a message: it can hold a password. */
static bool check(const struct options *options, const char *dsn_from, bool has_mix)
{
    if (options->customers == 0 && options->rate == 0) {
        report("nothing to do: expected --customers, --rate or both; see --help");
        return false;
    }
    if (options->rate == 0 && (options->duration_s > 0 || has_mix)) {
        report("%s: expected together with --rate", has_mix ? "--mix" : "--duration");
        return false;
    }
    if (options->dsn && !db_dsn_is_valid(options->dsn)) {
        report("%s: expected a libpq connection string, 'host=... dbname=...' or"
               " postgresql://user@host/dbname; in the second form '@' in a password is %%40 and"
               " '/' is %%2F",
               dsn_from);
        return false;
    }
    return true;
}

enum options_verdict options_parse(int argc, char **argv, struct options *options)
{
    const char *dsn_from = "--dsn";
    bool has_mix = false;
    int flag;
    *options = (struct options){.mix = {20, 60, 10, 10}, .seed = 1};
    opterr = 0;
    while ((flag = getopt_long(argc, argv, "+:", flags, NULL)) != -1) {
        if (flag == FLAG_HELP)
            return OPTIONS_HELP;
        if (flag == FLAG_VERSION)
            return OPTIONS_VERSION;
        if (flag == '?' || flag == ':') {
            report_unusable(argv[optind - 1], flag);
            return OPTIONS_WRONG;
        }
        has_mix = has_mix || flag == FLAG_MIX;
        if (!parse_value(flag, optarg, options))
            return OPTIONS_WRONG;
    }
    if (optind < argc) {
        report("argument %d: expected options only; a connection string goes behind --dsn", optind);
        return OPTIONS_WRONG;
    }
    if (!options->dsn) {
        options->dsn = getenv("CP_DSN");
        dsn_from = "CP_DSN";
    }
    return check(options, dsn_from, has_mix) ? OPTIONS_RUN : OPTIONS_WRONG;
}
