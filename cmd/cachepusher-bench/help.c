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
    "  source-cost   what the triggers cost the application's own writes\n"
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
    "  bare loop     the obvious program: one thread that waits for a notification, fetches the\n"
    "                document, SETs it, waits for the reply, and takes the next id\n"
    "  cachepusher   cachepusher run -t N\n"
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
    "  --runs N           measure everything N times (default 3)\n"
    "  --plot FILE        draw the distributions at the first rate, as SVG, with gnuplot\n"
    "\n"
    "Changes are made at times fixed in advance, by up to 8 connections, so that a slow reply does not\n"
    "lower the rate; the report says how late they were. They commit with synchronous_commit off:\n"
    "commits that notify wait for each other's flush, and the disk would set the rate. A keyspace\n"
    "notification of Redis makes the benchmark GET the key, and the reply ends the measured time. A\n"
    "document that can be read before the reply to the commit has been read counts as 0. So the\n"
    "ratios are also reported from the sending of the change. notify-keyspace-events is changed in\n"
    "Redis meanwhile and restored at the end. The default takes about seven minutes.\n"
    "\n";

static const char of_burst[] =
    "usage: cachepusher-bench burst [OPTION...]\n"
    "\n"
    "Bursts, in three parts:\n"
    "  one statement touches every customer   the time from its commit until the last document is in\n"
    "                     Redis, compared with cachepusher warmup over the same documents and into an\n"
    "                     empty Redis; the most ids that waited, the documents fetched at once, and\n"
    "                     how full Postgres' notification queue was\n"
    "  one row is updated over and over   from four connections, as fast as possible: how many times\n"
    "                     it was fetched, with customer_get(), and with a function that takes 5 ms\n"
    "                     longer, so that updates come faster than fetches\n"
    "  memory             of cachepusher run, idle, and with every customer pending while Redis is\n"
    "                     stopped. Only on private servers, where Redis may be stopped\n"
    "\n"
    "  --customers LIST   numbers of customers (default 200000); the row is one of the last\n"
    "  --updates N        updates of that row (default 10000)\n"
    "  --threads N        threads of cachepusher (default 4)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "\n"
    "The first two parts run the library in this process, to read its statistics. A statement that\n"
    "changes every row doubles the table, so VACUUM FULL and CHECKPOINT run before the next\n"
    "measurement. The default takes about two minutes, a million customers about ten.\n"
    "\n";

static const char of_source_cost[] =
    "usage: cachepusher-bench source-cost [OPTION...]\n"
    "\n"
    "What announcing changes costs the application's own writes: one-row updates by several clients\n"
    "at once, and a bulk update, each without a trigger, with a row-level trigger, and with the\n"
    "statement-level triggers of cachepusher.watch(). A listener runs all the time. Needs pgbench.\n"
    "\n"
    "  --clients LIST     clients at once (default 1,4,16)\n"
    "  --duration S       seconds per measurement, rounded up to whole seconds (default 5)\n"
    "  --rows N           rows of the bulk update (default 100000, or all if there are fewer)\n"
    "  --customers N      number of customers (default 100000)\n"
    "  --runs N           measure everything N times (default 3)\n"
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
    "                     over Unix sockets; Postgres with fsync, 1 GB of shared buffers and no\n"
    "                     autovacuum, Redis without persistence. PG* and CP_* variables are ignored,\n"
    "                     and no other server is touched\n";

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
