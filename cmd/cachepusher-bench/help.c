#include "help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char overview[] =
    "usage: cachepusher-bench COMMAND [OPTION...]\n"
    "\n"
    "Measures cachepusher, its alternatives and the machine's own limit, in turns within one run.\n"
    "Figures are medians, followed by the minimum and maximum.\n"
    "\n"
    "  warmup        documents per second of a full warm-up, its CPU time and memory\n"
    "  latency       from a commit to the document in Redis\n"
    "  burst         one statement touches every row; one row is updated again and again\n"
    "  source-cost   what announcing changes costs the application's own writes\n"
    "  ring          the queue between threads, beside Concurrency Kit's\n"
    "\n"
    "  cachepusher-bench COMMAND --help   what a command measures, and its options\n"
    "  cachepusher-bench --version        print the version\n"
    "\n"
    "Without --dsn and --redis it starts a private Postgres and Redis and removes them afterwards.\n"
    "Exit codes: 0 done, 1 failed, 2 bad usage.\n";

static const char of_warmup[] =
    "usage: cachepusher-bench warmup [OPTION...]\n"
    "\n"
    "Fills an empty Redis with every customer's document, in three ways:\n"
    "  by hand       psql prints Redis commands with customer_get(), piped into redis-cli --pipe: as in\n"
    "                tutorials, where Postgres calls it twice per row, and tuned, calling it once\n"
    "  the limit     what Postgres can deliver: cachepusher's statements over as many connections, with\n"
    "                the documents thrown away\n"
    "  cachepusher   cachepusher warmup -t N, from the start of the process to its end\n"
    "The last two are measured with the per-row function customer_get() and with customer_get_many(),\n"
    "which returns the documents of an array of ids. Also the CPU time of each process per document,\n"
    "the memory of cachepusher, and how the rate changes with the number of customers.\n"
    "\n"
    "  --customers LIST   numbers of customers (default 10000,200000,1000000)\n"
    "  --threads LIST     numbers of threads (default 1,2,4,8)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "  --plot FILE        draw documents per second over threads, as SVG, with gnuplot\n"
    "\n"
    "Every number of threads is measured with one number of customers: 200,000 if it is in the list,\n"
    "else the first one. The other numbers of customers are measured with one number of threads: 4\n"
    "if it is in the list, else the last one. The default takes about nine minutes on two cores.\n"
    "\n";

static const char of_latency[] =
    "usage: cachepusher-bench latency [OPTION...]\n"
    "\n"
    "Changes one customer after the other at a steady rate and measures, for each change, the time\n"
    "from the return of its commit until its document can be read in Redis. Systems, each in a\n"
    "process of its own:\n"
    "  bare loop              the obvious program: one thread that waits for a notification, fetches\n"
    "                         the document, SETs it, waits for the reply, and takes the next id\n"
    "  cachepusher            cachepusher run -t N\n"
    "  cachepusher, messages  the same with source wal: triggers write messages into the log\n"
    "  cachepusher, tables    the same without triggers: it reads the tables' log\n"
    "  wal2json, bare loop    the bare loop, which waits for a line of pg_recvlogical instead. A line can\n"
    "                         come before its row can be seen: then the loop stores the old document\n"
    "Situations:\n"
    "  idle          nothing else happens\n"
    "  load          200 other transactions per second change 10 other customers each, and there are\n"
    "                1,000 reads per second. If the bare loop cannot keep up, its figures grow with\n"
    "                --duration\n"
    "  warm-up       cachepusher reads and writes every document meanwhile (SIGHUP), over and over\n"
    "\n"
    "  --rates LIST       changes per second (default 1000,100)\n"
    "  --duration S       seconds per measurement (default 10), after one second that is not counted\n"
    "  --customers N      at least 160 (default 200000); a twentieth of them, at most 1,000, are changed\n"
    "  --threads N        threads of cachepusher (default 4)\n"
    "  --sources LIST     some of notify, messages, tables, wal2json (default: all); notify: the bare\n"
    "                     loop and cachepusher\n"
    "  --synchronous-commit on|off\n"
    "                     of the changes (default on). off: the disk does not set the rate of commits\n"
    "                     that notify, but the log is up to 200 ms late (wal_writer_delay)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "  --plot FILE        draw the distributions at the first rate, as SVG, with gnuplot\n"
    "\n"
    "Changes are made at times fixed in advance, by up to 8 connections, so that a slow reply does not\n"
    "lower the rate; the report says how late they were. A keyspace notification of Redis makes the\n"
    "benchmark GET the key, and the reply ends the measured time. A document that can be read before\n"
    "the reply to the commit has been read counts as 0. So the ratios are also reported from the\n"
    "sending of the change. notify-keyspace-events is changed in Redis meanwhile and restored at the\n"
    "end. The default takes about twenty minutes.\n"
    "\n";

static const char of_burst[] =
    "usage: cachepusher-bench burst [OPTION...]\n"
    "\n"
    "Bursts, in three parts:\n"
    "  one statement touches every customer   the time from its commit until the last document is in\n"
    "                     Redis, compared with cachepusher warmup over the same documents and into an\n"
    "                     empty Redis; the most ids that waited, the documents fetched at once, and\n"
    "                     how full Postgres' notification queue was. Also with pg_recvlogical, wal2json\n"
    "                     and a loop that takes one line after the other\n"
    "  one row is updated over and over   from four connections, as fast as possible: how many times\n"
    "                     it was fetched, with customer_get(), and with a function that takes 5 ms\n"
    "                     longer, so that updates come faster than fetches\n"
    "  memory             of cachepusher run, idle, and with every customer pending while Redis is\n"
    "                     stopped. Only on private servers, where Redis may be stopped\n"
    "\n"
    "  --customers LIST   numbers of customers (default 200000); the row is one of the last\n"
    "  --updates N        updates of that row (default 10000)\n"
    "  --threads N        threads of cachepusher (default 4)\n"
    "  --sources LIST     some of notify, messages, tables, wal2json (default: all)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "\n"
    "With --customers 1000000 the first part is one huge transaction. The first two parts run the\n"
    "library in this process, to read its statistics. A statement that changes every row doubles the\n"
    "table, so VACUUM FULL and CHECKPOINT run before the next measurement. The default takes about\n"
    "six minutes, a million customers about thirty.\n"
    "\n";

static const char of_source_cost[] =
    "usage: cachepusher-bench source-cost [OPTION...]\n"
    "\n"
    "What announcing changes costs the application's own writes: one-row updates by several clients\n"
    "at once, and a bulk update. Announced by:\n"
    "  none         nothing; the others are reported as a multiple of this\n"
    "  row          a row-level trigger that calls pg_notify()\n"
    "  watch        the statement-level triggers of cachepusher.watch()\n"
    "  messages     the same, which write messages into the log\n"
    "  tables       the log itself: a publication, replica identities and a slot, no trigger\n"
    "  wal2json     the log, as that plugin prints it\n"
    "Read meanwhile by a session that listens, or by pg_recvlogical, which throw away what they read;\n"
    "and once more by cachepusher run, or for wal2json by a loop, which write each document to Redis\n"
    "and need processors that the application could have used. What readers have left for the time\n"
    "after the writes is reported, too. Needs pgbench.\n"
    "\n"
    "  --clients LIST     clients at once (default 1,4,16)\n"
    "  --duration S       seconds per measurement, rounded up to whole seconds (default 5)\n"
    "  --rows N           rows of the bulk update (default 100000, or all if there are fewer)\n"
    "  --customers N      number of customers (default 100000)\n"
    "  --sources LIST     some of notify (row and watch), messages, tables, wal2json (default: all)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "\n"
    "The default takes about twenty minutes.\n"
    "\n";

static const char of_ring[] =
    "usage: cachepusher-bench ring [OPTION...]\n"
    "\n"
    "Operations per second of the queue that hands ids from thread to thread, one at a time and 64 at\n"
    "a time, compared with ck_ring of Concurrency Kit; with both threads on one core, and on two.\n"
    "Needs no server.\n"
    "\n"
    "  --operations N     operations per measurement (default 20000000)\n"
    "  --runs N           measure everything N times (default 7)\n"
    "\n";

static const char servers[] =
    "  --dsn CONNINFO     a Postgres to measure on, with --redis: any libpq connection string; database\n"
    "                     cachepusher_bench is created there and dropped at the end\n"
    "  --redis URI        HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or unix:PATH; the\n"
    "                     database has to be empty, and is emptied at the end\n"
    "                     Without both: private servers below /tmp (/var/tmp if /tmp is in memory),\n"
    "                     over Unix sockets; Postgres with fsync, 1 GB of shared buffers, wal_level\n"
    "                     logical and no autovacuum, Redis without persistence. PG* and CP_* variables\n"
    "                     are ignored, and no other server is touched\n";

static const char common[] =
    "  --json FILE        write everything to FILE as one JSON object, with each run's figures;\n"
    "                     - means stdout, and then no tables are printed\n"
    "  --help             print this\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 bad usage.\n";

void help_print(const char *command)
{
    static const struct {
        const char *command;
        const char *text;
        bool has_servers;
    } texts[] = {{"warmup", of_warmup, true},
                 {"latency", of_latency, true},
                 {"burst", of_burst, true},
                 {"source-cost", of_source_cost, true},
                 {"ring", of_ring, false}};
    if (command == NULL) {
        fputs(overview, stdout);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].command, command) == 0) {
            fputs(texts[i].text, stdout);
            fputs(texts[i].has_servers ? servers : "", stdout);
            fputs(common, stdout);
        }
    }
}
