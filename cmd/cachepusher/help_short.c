/* --help: what fits into a terminal of 24 lines and 80 columns. The rest is behind --all. */
#include "help.h"

#include <stdio.h>

#define SERVERS                                                                                                        \
    "  --config FILE        settings and entities; else $CP_CONFIG, or\n"                                              \
    "                       /etc/cachepusher.json if it is there\n"                                                    \
    "  --dsn CONNINFO       Postgres, as libpq has it ($CP_DSN)\n"

#define REDIS "  --redis URI          HOST[:PORT], redis://... or unix:PATH ($CP_REDIS)\n"

#define SOURCE "  --source SOURCE      notify (the default), or wal\n"

#define SET "  --set NAME=VALUE     any other setting; --help --all explains them\n"

#define ADMIN                                                                                                          \
    "  --admin ADDRESS      where it answers: HOST:PORT, :PORT or unix:PATH\n"                                         \
    "                       ($CP_ADMIN, else unix:/run/cachepusher/admin.sock)\n"

static const char *const texts[] = {
    [COMMAND_RUN] = "usage: cachepusher run [OPTION...]\n"
                    "\n"
                    "Fills Redis with every document, then follows each change in Postgres, until\n"
                    "SIGINT or SIGTERM. SIGHUP reads configuration and documents again, SIGUSR2 the\n"
                    "configuration, SIGUSR1 opens the log file again.\n"
                    "\n" SERVERS REDIS "  --prefix P           what {prefix} in keys stands for ($CP_PREFIX)\n"
                    "  -t, --threads N      workers (default 4)\n"
                    "  --source SOURCE      notify (the default), or wal: a replication slot\n"
                    "  --wait               try until the servers are there and set up\n"
                    "  --log-level LEVEL    error, warn, info (the default) or debug\n"
                    "  --log-format FORMAT  text, json or journal\n"
                    "  --log-file FILE      instead of stderr\n"
                    "  --admin ADDRESS      answer there over HTTP: /metrics, /readyz, a page at /\n"
                    "  -d, --detach         into the background (--pidfile FILE)\n" SET "\n"
                    "Exit codes: 0 all settled, 1 failed or ids are left, 2 bad configuration.\n"
                    "All options and settings: cachepusher run --help --all\n",
    [COMMAND_WARMUP] = "usage: cachepusher warmup [OPTION...]\n"
                       "\n"
                       "Fills Redis with every document, removes keys whose row is gone, and exits.\n"
                       "\n" SERVERS REDIS "  --prefix P           what {prefix} in keys stands for ($CP_PREFIX)\n"
                       "  -t, --threads N      workers (default 4)\n"
                       "  --warmup MODE        scan (the default), or touch\n"
                       "  --flush              first delete every key under each entity's prefix\n"
                       "  --wait               try until the servers are there and set up\n"
                       "  --log-level LEVEL    error, warn (the default), info or debug\n"
                       "  --log-format FORMAT  text, json or journal\n"
                       "  --log-file FILE      instead of stderr\n" SET "\n"
                       "Exit codes: 0 every document is stored, 1 failed, 2 bad configuration.\n"
                       "All options and settings: cachepusher warmup --help --all\n",
    [COMMAND_VERIFY] = "usage: cachepusher verify [OPTION...]\n"
                       "\n"
                       "Compares every document with what Redis holds, byte for byte, and finds keys\n"
                       "without a row. It only reads, beside a daemon or without one.\n"
                       "\n"
                       "  --repair             have what differs read and stored again\n"
                       "  --sample N           N documents and N keys picked at random\n"
                       "  --json               print the report as one JSON object\n" SERVERS REDIS
                       "  --prefix P           what {prefix} in keys stands for ($CP_PREFIX)\n"
                       "  -t, --threads N      threads (default 4)\n"
                       "  --log-level LEVEL    error, warn (the default), info or debug\n" SET "\n"
                       "Exit codes: 0 equal, or repaired; 1 differs; 2 could not tell.\n"
                       "All options and settings: cachepusher verify --help --all\n",
    [COMMAND_GENERATE] = "usage: cachepusher generate TABLE [OPTION...]\n"
                         "\n"
                         "Proposes a document for a table from its foreign keys, and prints it as a\n"
                         "configuration file, which cachepusher setup and run take. Asks nothing, changes\n"
                         "nothing, reads no row. What looks private is left out.\n"
                         "\n"
                         "  TABLE                NAME or SCHEMA.NAME, as in SQL\n"
                         "  --depth N            lists within lists, 0 to 5 (default 2)\n" SERVERS SET "\n"
                         "Exit codes: 0 done, 1 failed, 2 bad usage or configuration.\n"
                         "All options and settings: cachepusher generate --help --all\n",
    [COMMAND_SETUP] = "usage: cachepusher setup [OPTION...]\n"
                      "\n"
                      "Makes what the source needs of Postgres, from each entity's \"watch\":\n"
                      "triggers, or replica identities, a publication and a slot; and the functions\n"
                      "of declared documents. It prints them. What is right is left alone.\n"
                      "\n"
                      "  --dry-run            print the statements, and change nothing\n"
                      "  --indexes            make the indexes that declared documents need\n" SERVERS SOURCE SET "\n"
                      "Exit codes: 0 done, or nothing to do; 1 failed; 2 bad configuration.\n"
                      "All options and settings: cachepusher setup --help --all\n",
    [COMMAND_TEARDOWN] = "usage: cachepusher teardown [OPTION...]\n"
                         "\n"
                         "Takes away what setup makes, for either source, but for replica identities,\n"
                         "which somebody else may need.\n"
                         "\n"
                         "  --dry-run            print the statements, and change nothing\n" SERVERS SOURCE SET "\n"
                         "Exit codes: 0 done, or nothing to do; 1 failed; 2 bad configuration.\n"
                         "All options and settings: cachepusher teardown --help --all\n",
    [COMMAND_SLOT] = "usage: cachepusher slot [OPTION...]\n"
                     "\n"
                     "Shows the wal source's replication slot: who reads it, how much write-ahead log\n"
                     "it makes Postgres keep, how far it lags.\n"
                     "\n"
                     "  --json               print one JSON object\n" SERVERS SOURCE SET "\n"
                     "Exit codes: 0 fine; 1 lost, missing, or could not tell; 2 bad configuration.\n"
                     "All options and settings: cachepusher slot --help --all\n",
    [COMMAND_DOCTOR] = "usage: cachepusher doctor [OPTION...]\n"
                       "\n"
                       "Looks at both servers before anything runs: each point is right, doubtful or\n"
                       "wrong, with the command that mends it. Changes nothing.\n"
                       "\n"
                       "  --sample N           compare N documents with Redis (default 200)\n"
                       "  --json               print one JSON object\n" SERVERS REDIS SOURCE SET "\n"
                       "Exit codes: 0 nothing is wrong, 1 something is, 2 bad configuration.\n"
                       "All options and settings: cachepusher doctor --help --all\n",
    [COMMAND_STATUS] = "usage: cachepusher status [OPTION...]\n"
                       "\n"
                       "Shows what a daemon that runs with --admin is doing, and what is in the way.\n"
                       "\n" ADMIN "  --watch              again each second, with rates; Ctrl-C ends it\n"
                       "  --json               print what the daemon says, as one JSON object\n"
                       "\n"
                       "Exit codes: 0 ready, or standing by; 1 not ready; 2 no answer, or bad usage.\n"
                       "More, with examples: cachepusher status --help --all\n",
    [COMMAND_PARKED] = "usage: cachepusher parked [OPTION...]\n"
                       "\n"
                       "Lists ids whose document cannot be read, or is refused by Redis, and why.\n"
                       "\n" ADMIN "  --entity NAME        only those of an entity\n"
                       "  --id ID              only this one\n"
                       "  --retry              have those that are listed tried again now\n"
                       "  --json               print one JSON object\n"
                       "\n"
                       "Exit codes: 0 nothing fails; 1 something does; 2 no answer, or bad usage.\n"
                       "More, with examples: cachepusher parked --help --all\n",
};

void help_print_short(enum command command)
{
    fputs(texts[command], stdout);
}
