#include "help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char overview[] =
    "usage: cachepusher-bench COMMAND [OPTION...]\n"
    "\n"
    "Measures cachepusher beside what one would use instead and beside the machine's own limit, in\n"
    "turns within one run. Figures are medians; the least and the most stand behind them.\n"
    "\n"
    "  warmup        documents a second of a full warm-up, its CPU time and memory\n"
    "  latency       from a commit to the document in Redis\n"
    "  burst         one statement touches every row; one row is updated again and again\n"
    "  source-cost   what the triggers cost the application's own writes\n"
    "  ring          the queue between threads, beside Concurrency Kit's\n"
    "\n"
    "  cachepusher-bench COMMAND --help   what a command measures, and its options\n"
    "  cachepusher-bench --version        print the version\n"
    "\n"
    "Without --dsn and --redis it starts a Postgres and a Redis of its own and removes them again.\n"
    "Exit codes: 0 done, 1 failed, 2 bad usage.\n";

static const char of_warmup[] =
    "usage: cachepusher-bench warmup [OPTION...]\n"
    "\n"
    "Fills an empty Redis with every customer's document, in three ways:\n"
    "  by hand       psql prints Redis commands with customer_get(), piped into redis-cli --pipe: as in\n"
    "                tutorials, where Postgres calls it twice for each row, and tuned, called once\n"
    "  the limit     what Postgres can give: the statements that cachepusher sends, over as many\n"
    "                connections, and the documents thrown away\n"
    "  cachepusher   cachepusher warmup -t N, from the start of the process to its end\n"
    "The last two with the per-row function customer_get() and with customer_get_many(), which\n"
    "returns the documents of an array of ids. Then the CPU time of each process for a document, the\n"
    "memory of cachepusher, and how the rate changes with the number of customers.\n"
    "\n"
    "  --customers LIST   numbers of customers (default 10000,200000,1000000)\n"
    "  --threads LIST     numbers of threads (default 1,2,4,8)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "  --plot FILE        draw documents a second over threads, as SVG, with gnuplot\n"
    "\n"
    "Every number of threads is measured with one number of customers: 200,000 if it is in the list,\n"
    "else the first one. The other numbers of customers are measured with one number of threads: 4\n"
    "if it is in the list, else the last one. The default takes about nine minutes on two cores.\n"
    "\n";

static const char of_latency[] =
    "usage: cachepusher-bench latency [OPTION...]\n"
    "\n"
    "Changes one customer after the other at a steady rate and measures, for each change, the time\n"
    "from the return of its commit to the moment at which its document can be read in Redis. Of:\n"
    "  bare loop     what a person would write: one thread that waits for a notification, fetches the\n"
    "                document, SETs it, waits for the reply, and takes the next id\n"
    "  cachepusher   cachepusher run -t N\n"
    "each in a process of its own, and when:\n"
    "  idle          nothing else happens\n"
    "  load          200 other transactions a second change 10 other customers each, and 1,000 reads a\n"
    "                second are made. Where the bare loop cannot keep up its figures grow with\n"
    "                --duration\n"
    "  warm-up       cachepusher reads and writes every document meanwhile (SIGHUP), over and over\n"
    "\n"
    "  --rates LIST       changes a second (default 1000,100)\n"
    "  --duration S       seconds of each measurement (default 10); the second before is not counted\n"
    "  --customers N      160 at least (default 200000); a twentieth of them, 1,000 at most, are changed\n"
    "  --threads N        of cachepusher (default 4)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "  --plot FILE        draw the distributions at the first rate, as SVG, with gnuplot\n"
    "\n"
    "Changes are made at times fixed in advance, by up to 8 connections, so that a slow reply does not\n"
    "lower the rate; how well that went is told. They commit with synchronous_commit off: commits\n"
    "that notify wait for each other's flush, and the disk would set the rate. A keyspace\n"
    "notification of Redis makes the benchmark GET the key, and that reply is the end of the time; a\n"
    "document that can be read before the commit's reply has been counts as 0, so\n"
    "that the ratios are told from the sending of the change, too. notify-keyspace-events is set in\n"
    "Redis meanwhile, and then set back. The default takes about seven minutes.\n"
    "\n";

static const char of_burst[] =
    "usage: cachepusher-bench burst [OPTION...]\n"
    "\n"
    "Much at once, in three parts:\n"
    "  one statement touches every customer   the time from its commit until the last document is in\n"
    "                     Redis, beside cachepusher warmup over the same documents, and into an empty\n"
    "                     Redis; how many ids waited at most, how many documents were fetched at\n"
    "                     once, how full Postgres' notification queue was\n"
    "  one row is updated over and over   from four connections, as fast as they go: how many times\n"
    "                     it was fetched, with customer_get(), and with a function that takes 5 ms\n"
    "                     more, so that updates come faster than fetches\n"
    "  memory             of cachepusher run, idle, and with every customer pending while Redis is\n"
    "                     stopped. On private servers only, which is where Redis may be stopped\n"
    "\n"
    "  --customers LIST   numbers of customers (default 200000); the row is one of the last\n"
    "  --updates N        of that row (default 10000)\n"
    "  --threads N        of cachepusher (default 4)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "\n"
    "The first two parts use the library, in this process, since its statistics tell what they are\n"
    "about. A statement that changes every row doubles the table: before each measurement that\n"
    "follows one, VACUUM FULL and CHECKPOINT. The default takes about two minutes, a million\n"
    "customers about ten.\n"
    "\n";

static const char of_source_cost[] =
    "usage: cachepusher-bench source-cost [OPTION...]\n"
    "\n"
    "What announcing changes costs the application's own writes: one-row updates of several clients\n"
    "at once, and a bulk update, with no trigger, with a row-level trigger, and with the statement-level\n"
    "triggers of cachepusher.watch(). Somebody listens all the time. Needs pgbench.\n"
    "\n"
    "  --clients LIST     clients at once (default 1,4,16)\n"
    "  --duration S       seconds of each measurement, rounded up to whole ones (default 5)\n"
    "  --rows N           of the bulk update (default 100000, or all where there are fewer)\n"
    "  --customers N      (default 100000)\n"
    "  --runs N           measure everything N times (default 3)\n"
    "\n";

static const char of_ring[] =
    "usage: cachepusher-bench ring [OPTION...]\n"
    "\n"
    "Operations a second through the queue that hands ids from thread to thread, one at a time and 64\n"
    "at a time, beside ck_ring of Concurrency Kit; both threads on one core, and on two. Needs no\n"
    "server.\n"
    "\n"
    "  --operations N     of each measurement (default 20000000)\n"
    "  --runs N           measure everything N times (default 7)\n"
    "\n";

static const char servers[] =
    "  --dsn CONNINFO     a Postgres to measure on, with --redis: any libpq connection string; database\n"
    "                     cachepusher_bench is created there, and dropped at the end\n"
    "  --redis URI        HOST[:PORT], redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] or unix:PATH; the\n"
    "                     database has to be empty, and is emptied at the end\n"
    "                     Without the two: private servers below /tmp (/var/tmp where that is in\n"
    "                     memory), over Unix sockets, Postgres with fsync, 1 GB of shared buffers\n"
    "                     and no autovacuum, Redis without persistence. Whatever PG* or CP_* variables\n"
    "                     say, no other server is touched\n";

static const char common[] =
    "  --json FILE        write everything to FILE as one JSON object, each run's figures included;\n"
    "                     - is stdout, and then no tables are printed\n"
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
