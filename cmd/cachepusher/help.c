#include "help.h"

#include <stdio.h>
#include <string.h>

static const char overview[] = "usage: cachepusher COMMAND [OPTION...]\n"
                               "\n"
                               "Keeps JSON documents in Redis equal to what Postgres holds.\n"
                               "\n"
                               "  run       fill Redis, then follow every change in Postgres until stopped\n"
                               "  warmup    fill Redis once, with progress, and exit\n"
                               "  verify    compare Redis with Postgres, and repair it if asked to\n"
                               "\n"
                               "  generate  propose a document for a table, as a configuration file\n"
                               "  setup     make what the source needs in Postgres: triggers, or a slot\n"
                               "  teardown  take that away\n"
                               "  slot      show the replication slot\n"
                               "  doctor    look whether all is as it has to be, and say what mends it\n"
                               "\n"
                               "  status    show what a daemon is doing\n"
                               "  parked    list ids that fail, and have them tried again\n"
                               "\n"
                               "  cachepusher COMMAND --help   the options of a command (--all: each setting)\n"
                               "  cachepusher --version        print the version\n"
                               "\n"
                               "Environment: CP_CONFIG, CP_DSN, CP_REDIS, CP_PREFIX, CP_ADMIN.\n"
                               "Exit codes: 0 done, 1 failed, 2 bad usage or configuration; of verify: 0 equal,\n"
                               "1 differs, 2 could not tell; of status: 0 ready, 1 not ready, 2 no answer.\n";

static const char usage_of_run[] =
    "usage: cachepusher run [OPTION...]\n"
    "\n"
    "Fills Redis with every document, then follows each change that Postgres announces, until\n"
    "SIGINT or SIGTERM.\n"
    "\n";

static const char usage_of_warmup[] =
    "usage: cachepusher warmup [OPTION...]\n"
    "\n"
    "Fills Redis with every document, removes keys whose row is gone, and exits. Shows progress on\n"
    "stderr and prints one line of summary to stdout. Whatever FILE says, warmup is scan and standby\n"
    "false unless the command line says otherwise.\n"
    "\n";

static const char usage_of_verify[] =
    "usage: cachepusher verify [OPTION...]\n"
    "\n"
    "Compares every document with what Redis holds, byte for byte, and finds keys without a row. It\n"
    "only reads, beside a daemon or without one. What is not equal is looked at for two more seconds\n"
    "and counts when Redis holds the same all the while: a change under way is no difference. Shows\n"
    "progress on stderr and prints a report with examples to stdout.\n"
    "\n";

static const char config_file[] =
    "What to connect, and how to work:\n"
    "  --config FILE        read settings and entities from a JSON file; else from $CP_CONFIG (empty:\n"
    "                       from none), or /etc/cachepusher.json if it is there; without a file, the\n"
    "                       customers of db/schema.sql are served\n";

static const char work_of_verify[] =
    "  --repair             have what differs read and stored again, and wait until it is equal; done\n"
    "                       by the daemon where one runs, else by this command\n"
    "  --sample N           compare N documents and N keys picked at random, instead of all\n"
    "  --json               print the report as one JSON object\n";

static const char work[] =
    "  --wait               while the servers cannot be reached or are not set up yet, keep trying\n"
    "                       instead of failing\n"
    "  --grace SECONDS      how long to go on settling what is queued when stopping (default 10)\n";

static const char set[] = "  --set NAME=VALUE     any setting of the file, repeatable: those above, and\n";

static const char log_of_run[] =
    "Watching it:\n"
    "  --admin ADDRESS      answer there over HTTP: /metrics, /livez, /readyz, /status, and a page at /;\n"
    "                       HOST:PORT, :PORT of 127.0.0.1, or unix:PATH (default: $CP_ADMIN, else nowhere)\n"
    "\n"
    "The log:\n"
    "  --log-format FORMAT  text; json, an object a line; or journal, systemd's, with priorities and\n"
    "                       fields (default: journal where stderr is that, else text)\n"
    "  --log-file FILE      append to FILE (default: stderr; with -d, syslog)\n"
    "\n"
    "In the background:\n"
    "  -d, --detach         return once the daemon has started; its directory is /, so paths inside\n"
    "                       the configuration have to be absolute\n"
    "  --pidfile FILE       write the process id there, remove it at the end, and refuse to start\n"
    "                       while another one holds it; works without -d too\n"
    "\n"
    "Signals: SIGINT and SIGTERM stop listening, settle what is queued and end the program, a second\n"
    "one ends it at once. SIGHUP has the configuration read again, and every document read and stored\n"
    "again; SIGUSR2 has only the configuration read again. Of that log_level takes effect; what else\n"
    "has changed takes a restart, and is said. SIGUSR1 has the log file opened again.\n"
    "\n";

static const char log_of_warmup[] = "The log:\n"
                                    "  --log-format FORMAT  text; json, an object a line; or journal (default: text)\n"
                                    "  --log-file FILE      append to FILE (default: stderr)\n"
                                    "\n";

static const char log_of_verify[] = "The log:\n"
                                    "  --log-format FORMAT  text; json, an object a line; or journal (default: text)\n"
                                    "  --log-file FILE      append to FILE (default: stderr)\n"
                                    "\n";

static const char environment[] =
    "Environment: CP_DSN, CP_REDIS and CP_PREFIX stand for --dsn, --redis and --prefix when not\n"
    "empty. A flag beats the environment, which beats the file. Everyone on the machine can read a\n"
    "command line: put passwords into files (postgres_password_file, redis_password_file), the\n"
    "configuration, the environment, or libpq's ~/.pgpass.\n"
    "\n";

static const char rest_of_run[] =
    "Exit codes: 0 stopped with everything settled; 1 could not start, or ids are left (no time,\n"
    "or their function fails); 2 bad usage or configuration; 128+N ended at once by a second signal N.\n"
    "\n"
    "Examples:\n"
    "  cachepusher run -t 4 --dsn 'host=/run/postgresql dbname=shop' --redis 127.0.0.1:6379\n"
    "  cachepusher run --config shop.json --wait -d --pidfile shop.pid --log-file shop.log\n";

static const char rest_of_warmup[] =
    "Exit codes: 0 every document settled; 1 it could not start, was interrupted, or documents failed;\n"
    "2 bad usage or configuration; 128+N ended at once by a second signal N.\n"
    "\n"
    "Examples:\n"
    "  cachepusher warmup -t 4 --dsn 'host=/run/postgresql dbname=shop' --redis 127.0.0.1:6379\n"
    "  cachepusher warmup --config shop.json --flush\n";

static const char rest_of_verify[] =
    "Exit codes: 0 equal, or repaired; 1 differs; 2 could not tell: a server is away, documents cannot\n"
    "be read, it was interrupted, bad usage or configuration; 128+N ended at once by a second signal N.\n"
    "\n"
    "Examples:\n"
    "  cachepusher verify --dsn 'host=/run/postgresql dbname=shop' --redis 127.0.0.1:6379\n"
    "  cachepusher verify --config shop.json --sample 10000 --json\n"
    "  cachepusher verify --config shop.json --repair\n";

void help_print(void)
{
    fputs(overview, stdout);
}

/* ---- settings, as the library describes them ---- */

enum { COLUMNS = 98, TEXT_AT = 23, SET_TEXT_AT = 30 };

/* At TEXT_AT, or the column given; the line has come to `column` so far. */
static void print_wrapped(const char *text, size_t column, size_t text_at)
{
    const char *separator = "";

    if (column >= text_at) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", (int)(text_at - column), "");
    column = text_at;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (*separator != '\0' && column + 1 + length > COLUMNS) {
            printf("\n%*s", (int)text_at, "");
            column = text_at;
            separator = "";
        }
        printf("%s%.*s", separator, (int)length, text);
        column += strlen(separator) + length;
        separator = " ";
        text += length + strspn(text + length, " ");
    }
    putchar('\n');
}

/* What a command makes of the default: see settings.c. */
static const char *initial_of(enum command command, const cp_setting *setting)
{
    bool is_quiet = command == COMMAND_WARMUP || command == COMMAND_VERIFY;
    return is_quiet && strcmp(setting->name, "log_level") == 0 ? "warn" : setting->initial;
}

/* "HELP; MIN to MAX (default: $ENVIRONMENT, else INITIAL)" */
static void print_help(enum command command, const cp_setting *setting, size_t column, size_t text_at)
{
    const char *own = initial_of(command, setting);
    char range[64] = "";
    char from[64] = "";
    char initial[128] = "";
    char text[1024];

    if (setting->type == CP_SETTING_NUMBER) {
        snprintf(range, sizeof range, "; %lld to %lld", (long long)setting->min, (long long)setting->max);
    }
    if (setting->environment != NULL) {
        snprintf(from, sizeof from, "$%s, else ", setting->environment);
    }
    if (*own != '\0' || setting->environment != NULL) {
        snprintf(initial, sizeof initial, " (default: %s%s)", from, *own != '\0' ? own : "empty");
    }
    snprintf(text, sizeof text, "%s%s%s", setting->help, range, initial);
    print_wrapped(text, column, text_at);
}

static void print_flags(enum command command)
{
    for (size_t i = 0; i < cp_setting_count(); i++) {
        const cp_setting *setting = cp_setting_describe(i);
        if (setting->flag != NULL && options_concern(command, setting)) {
            bool takes_value = setting->type != CP_SETTING_BOOLEAN;
            int column = printf("  %s%s%s%s", strcmp(setting->name, "threads") == 0 ? "-t, " : "", setting->flag,
                                takes_value ? " " : "", takes_value ? setting->value : "");
            print_help(command, setting, (size_t)column, TEXT_AT);
        }
    }
}

static void print_settings(enum command command)
{
    fputs(set, stdout);
    for (size_t i = 0; i < cp_setting_count(); i++) {
        const cp_setting *setting = cp_setting_describe(i);
        if (setting->flag == NULL && options_concern(command, setting)) {
            int column = printf("      %s=%s", setting->name, setting->value);
            print_help(command, setting, (size_t)column, SET_TEXT_AT);
        }
    }
    putchar('\n');
}

/* ---- the whole ---- */

void help_print_command(enum command command)
{
    const struct help_parts parts[] = {
        [COMMAND_RUN] = {usage_of_run, work, log_of_run, rest_of_run},
        [COMMAND_WARMUP] = {usage_of_warmup, work, log_of_warmup, rest_of_warmup},
        [COMMAND_VERIFY] = {usage_of_verify, work_of_verify, log_of_verify, rest_of_verify},
        [COMMAND_GENERATE] = help_of_generate,
        [COMMAND_SETUP] = help_of_setup,
        [COMMAND_TEARDOWN] = help_of_teardown,
        [COMMAND_SLOT] = help_of_slot,
        [COMMAND_STATUS] = help_of_status,
        [COMMAND_PARKED] = help_of_parked,
        [COMMAND_DOCTOR] = help_of_doctor,
    };

    fputs(parts[command].usage, stdout);
    if (command == COMMAND_STATUS || command == COMMAND_PARKED) {
        fputs(parts[command].work, stdout);
        fputs(parts[command].rest, stdout);
        return;
    }
    fputs(config_file, stdout);
    print_flags(command);
    fputs(parts[command].work, stdout);
    print_settings(command);
    fputs(parts[command].log, stdout);
    fputs(environment, stdout);
    fputs(parts[command].rest, stdout);
}
