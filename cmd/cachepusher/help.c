#include "help.h"

#include <stdio.h>

static const char overview[] = "usage: cachepusher COMMAND [OPTION...]\n"
                               "\n"
                               "Keeps JSON documents in Redis equal to what Postgres holds.\n"
                               "\n"
                               "  run      fill Redis, then follow every change in Postgres until stopped\n"
                               "  warmup   fill Redis once, with progress, and exit\n"
                               "  verify   compare Redis with Postgres, and repair it if asked to\n"
                               "\n"
                               "  cachepusher COMMAND --help   the options of a command\n"
                               "  cachepusher --version        print the version\n"
                               "\n"
                               "Environment: CP_DSN, CP_REDIS, CP_PREFIX.\n"
                               "Exit codes: 0 done, 1 failed, 2 bad usage or configuration; of verify: 0 equal,\n"
                               "1 differs, 2 could not tell.\n";

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
    "stderr and prints one line of summary to stdout.\n"
    "\n";

static const char usage_of_verify[] =
    "usage: cachepusher verify [OPTION...]\n"
    "\n"
    "Compares every document with what Redis holds, byte for byte, and finds keys without a row. It\n"
    "only reads, beside a daemon or without one. What is not equal is looked at for two more seconds\n"
    "and counts when Redis holds the same all the while: a change under way is no difference. Shows\n"
    "progress on stderr and prints a report with examples to stdout.\n"
    "\n";

static const char work_of_verify[] =
    "  --repair             have what differs read and stored again, and wait until it is equal; done\n"
    "                       by the daemon where one runs, else by this command\n"
    "  --sample N           compare N documents and N keys picked at random, instead of all\n"
    "  --json               print the report as one JSON object\n"
    "  --set NAME=VALUE     any setting of the file, repeatable; besides the above: batch,\n"
    "                       max_pending, connect_timeout_ms, fetch_timeout_ms, redis_timeout_ms\n"
    "\n";

static const char servers[] =
    "What to connect:\n"
    "  --config FILE        read settings and entities from a JSON file; without one, the customers\n"
    "                       of db/schema.sql are served\n"
    "  --dsn CONNINFO       Postgres: any libpq connection string or URI (default: $CP_DSN, else\n"
    "                       libpq's own: PGHOST, PGDATABASE, ...)\n"
    "  --redis URI          Redis: HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or\n"
    "                       unix:PATH (default: $CP_REDIS, else 127.0.0.1:6379)\n"
    "  --prefix P           what {prefix} in keys stands for (default: $CP_PREFIX, else customer)\n"
    "\n"
    "How to work:\n"
    "  -t, --threads N      workers, each with a connection to either server (default 4)\n";

static const char warmup_of_run[] =
    "  --warmup MODE        how documents are filled in at the start (default scan)\n"
    "                         scan   list the ids and read each document\n"
    "                         touch  call the warm-up procedure and follow the changes it makes\n"
    "                         none   only follow changes\n";

static const char warmup_of_warmup[] =
    "  --warmup MODE        scan: list the ids and read each document; touch: call the warm-up\n"
    "                       procedure and follow the changes it makes (default scan, whatever\n"
    "                       FILE says)\n";

static const char work[] =
    "  --flush              first delete every key under the prefix\n"
    "  --set NAME=VALUE     any setting of the file, repeatable; besides the above: batch,\n"
    "                       max_pending, connect_timeout_ms, fetch_timeout_ms, redis_timeout_ms,\n"
    "                       audit_per_second\n"
    "  --wait               while the servers cannot be reached or are not set up yet, keep trying\n"
    "                       instead of failing\n"
    "  --grace SECONDS      how long to go on settling what is queued when stopping (default 10)\n"
    "\n";

static const char log_of_run[] =
    "The log:\n"
    "  --log-level LEVEL    error, warn, info or debug, which shows each document (default info)\n"
    "  --log-format FORMAT  text or json, one object a line (default text)\n"
    "  --log-file FILE      append to FILE (default: stderr; with -d, syslog)\n"
    "\n"
    "In the background:\n"
    "  -d, --detach         return once the daemon has started; its directory is /, so paths inside\n"
    "                       the configuration have to be absolute\n"
    "  --pidfile FILE       write the process id there, remove it at the end, and refuse to start\n"
    "                       while another one holds it; works without -d too\n"
    "\n"
    "Signals: SIGINT and SIGTERM stop listening, settle what is queued and end the program, a second\n"
    "one ends it at once. SIGHUP has every document read and stored again.\n"
    "\n";

static const char log_of_warmup[] =
    "The log:\n"
    "  --log-level LEVEL    error, warn, info or debug, which shows each document (default warn)\n"
    "  --log-format FORMAT  text or json, one object a line (default text)\n"
    "  --log-file FILE      append to FILE (default: stderr)\n"
    "\n";

static const char log_of_verify[] = "The log:\n"
                                    "  --log-level LEVEL    error, warn, info or debug (default warn)\n"
                                    "  --log-format FORMAT  text or json, one object a line (default text)\n"
                                    "  --log-file FILE      append to FILE (default: stderr)\n"
                                    "\n";

static const char environment[] =
    "Environment: CP_DSN, CP_REDIS and CP_PREFIX stand for --dsn, --redis and --prefix when not\n"
    "empty. A flag beats the environment, which beats the file. Everyone on the machine can read a\n"
    "command line: put passwords into the environment, the file, or libpq's ~/.pgpass.\n"
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

static void print_verify(void)
{
    fputs(usage_of_verify, stdout);
    fputs(servers, stdout);
    fputs(work_of_verify, stdout);
    fputs(log_of_verify, stdout);
    fputs(environment, stdout);
    fputs(rest_of_verify, stdout);
}

void help_print_command(enum command command)
{
    if (command == COMMAND_VERIFY) {
        print_verify();
        return;
    }
    bool is_run = command == COMMAND_RUN;

    fputs(is_run ? usage_of_run : usage_of_warmup, stdout);
    fputs(servers, stdout);
    fputs(is_run ? warmup_of_run : warmup_of_warmup, stdout);
    fputs(work, stdout);
    fputs(is_run ? log_of_run : log_of_warmup, stdout);
    fputs(environment, stdout);
    fputs(is_run ? rest_of_run : rest_of_warmup, stdout);
}
