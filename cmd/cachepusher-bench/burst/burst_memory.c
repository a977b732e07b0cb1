#include "burst/burst.h"
#include "burst/queue_usage.h"
#include "fatal.h"
#include "servers/daemon.h"
#include "servers/process.h"
#include "sources/set_up.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 100,
    /* This many looks in a row without growth mean that the process has received everything. They take longer than the
     * 5 s (redis_timeout_ms) for which its workers wait for a Redis that does not answer: only then do the workers take
     * over what the listener has kept for them. */
    STEADY_LOOKS = 70,
    PATIENCE_S = 600,
    LOG_BYTES = 16384,
    MAX_PENDING_EACH = 4, /* for the customers, if the default does not fit */
    ROWS = 3
};

static const char idle_name[] = "idle, after a warm-up";
static const char pending_name[] = "everything pending, Redis stopped";
static const char roomy_name[] = "the same, max_pending four times as many";

/* The figures of one row, of all runs. */
struct figures {
    struct samples resident_mib;
    struct samples peak_mib;
    unsigned overflows; /* runs in which ids were dropped and a resync was requested instead */
};

/* The last output of a daemon since it was ready. */
struct log {
    char text[LOG_BYTES];
    size_t length;
};

static bool has_said(struct process *process, struct log *log, const char *text)
{
    struct pollfd readable = {.fd = process->output, .events = POLLIN};
    while (poll(&readable, 1, 0) == 1) {
        if (log->length > sizeof log->text / 2) { /* the text searched for is written in one piece, and early */
            memmove(log->text, log->text + log->length / 2, log->length - log->length / 2);
            log->length -= log->length / 2;
        }
        ssize_t got = read(process->output, log->text + log->length, sizeof log->text - 1 - log->length);
        if (got <= 0) {
            fatal("cachepusher run has ended by itself: %s", log->text);
        }
        log->length += (size_t)got;
        log->text[log->length] = '\0';
    }
    return strstr(log->text, text) != NULL;
}

/* Waits until a process stops growing. */
static double steady_resident_mib(pid_t pid, PGconn *pg)
{
    double deadline_s = clock_s() + (double)PATIENCE_S;
    double highest_mib = 0;
    double now_mib = 0;
    for (int looks = 0; looks < STEADY_LOOKS; looks++) {
        now_mib = process_resident_mib(pid);
        if (isnan(now_mib)) {
            fatal("burst: cachepusher run has ended by itself");
        }
        if (now_mib > 1.01 * highest_mib || queue_usage_kib(pg) > 0) {
            looks = 0;
        }
        highest_mib = now_mib > highest_mib ? now_mib : highest_mib;
        if (clock_s() > deadline_s) {
            fatal("burst: cachepusher run takes in notifications, or memory, for more than %d s", PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    }
    return now_mib;
}

static void note_memory(struct process *daemon, PGconn *pg, struct figures *figures)
{
    samples_add(&figures->resident_mib, steady_resident_mib(daemon->pid, pg));
    samples_add(&figures->peak_mib, process_peak_mib(daemon->pid));
}

/* In a table of its usual size, all of which would be in the log behind the slot. */
static void announce_by(struct servers *servers, PGconn *pg, enum source source)
{
    set_up_nothing(servers, pg);
    burst_tidy(pg);
    set_up(servers, pg, source);
}

static void run_idle(struct servers *servers, long threads, PGconn *pg, enum source source, struct figures *figures)
{
    struct process daemon;
    struct usage usage;
    announce_by(servers, pg, source);
    daemon_start(&daemon, servers, threads, source, NULL);
    note_memory(&daemon, pg, figures);
    daemon_stop(&daemon, &usage);
}

/* If ids were dropped, it is not known which: the resync has to finish. */
static void wait_until_settled(struct process *daemon, struct log *log, redisContext *redis, long long sets,
                               bool has_overflown)
{
    double deadline_s = clock_s() + (double)PATIENCE_S;
    while (has_overflown ? !has_said(daemon, log, "resync done") : burst_count_sets(redis) < sets) {
        if (clock_s() > deadline_s) {
            fatal("burst: what was pending has not settled %d s after Redis went on", PATIENCE_S);
        }
        burst_sleep_ms(LOOK_EVERY_MS);
    }
}

/* Whether more ids were pending than allowed. The daemon's exit code says whether everything has settled. */
static bool run_pending(struct servers *servers, long threads, PGconn *pg, redisContext *redis, enum source source,
                        long max_pending, struct figures *figures)
{
    char setting[48];
    char *const flags[] = {(char *)"--warmup", (char *)"none", max_pending > 0 ? (char *)"--set" : NULL, setting, NULL};
    struct process daemon;
    struct usage usage;
    struct log log = {.length = 0};
    snprintf(setting, sizeof setting, "max_pending=%ld", max_pending);
    announce_by(servers, pg, source);
    daemon_start(&daemon, servers, threads, source, flags);
    long long sets = burst_count_sets(redis);
    kill(servers->redis_server, SIGSTOP);
    sets += pg_do(pg, "select customer_warmup()");
    note_memory(&daemon, pg, figures);
    bool has_overflown = has_said(&daemon, &log, "max_pending allows");
    kill(servers->redis_server, SIGCONT);
    wait_until_settled(&daemon, &log, redis, sets, has_overflown);
    daemon_stop(&daemon, &usage);
    figures->overflows += has_overflown;
    return has_overflown;
}

static void tell(struct table *table, enum source source, const char *situation, long customers,
                 struct figures *figures)
{
    if (figures->resident_mib.count > 0) {
        table_row(table);
        table_number(table, (double)customers);
        table_text(table, source_name(source));
        table_text(table, situation);
        table_figure(table, &figures->resident_mib);
        table_figure(table, &figures->peak_mib);
        table_text(table, figures->overflows > 0 ? "yes" : "no");
    }
    samples_fini(&figures->resident_mib);
    samples_fini(&figures->peak_mib);
}

static void run_once(struct servers *servers, const struct options *options, long customers, PGconn *pg,
                     redisContext *redis, enum source source, struct figures figures[ROWS])
{
    long threads = options->threads.items[0];
    run_idle(servers, threads, pg, source, &figures[0]);
    /* A lane never gets exactly its share of the ids, so there is far more room, and none is dropped. */
    if (options->dsn == NULL && run_pending(servers, threads, pg, redis, source, 0, &figures[1])) {
        run_pending(servers, threads, pg, redis, source, MAX_PENDING_EACH * customers, &figures[2]);
    }
}

static void measure(struct servers *servers, const struct options *options, long customers, struct table *table)
{
    struct figures figures[SOURCES][ROWS] = {0};

    servers_load(servers, customers);
    PGconn *pg = servers_postgres(servers);
    redisContext *redis = servers_redis(servers);
    redis_do(redis, "FLUSHDB");
    for (long run = 0; run < options->runs; run++) {
        for (int source = 0; source < SOURCE_WAL2JSON; source++) {
            if (options->sources[source]) {
                progress("burst: memory, run %ld of %ld, %ld customers, %s", run + 1, options->runs, customers,
                         source_name((enum source)source));
                run_once(servers, options, customers, pg, redis, (enum source)source, figures[source]);
            }
        }
    }
    for (int source = 0; source < SOURCE_WAL2JSON; source++) {
        tell(table, (enum source)source, idle_name, customers, &figures[source][0]);
        tell(table, (enum source)source, pending_name, customers, &figures[source][1]);
        tell(table, (enum source)source, roomy_name, customers, &figures[source][2]);
    }
    set_up_nothing(servers, pg);
    PQfinish(pg);
    redisFree(redis);
}

void burst_memory(struct servers *servers, const struct options *options, struct report *report)
{
    struct table *table = report_table(report, "memory", "Resident memory of cachepusher run");
    table_column(table, "customers", "customers", NULL);
    table_column(table, "source", "source", NULL);
    table_column(table, "situation", "situation", NULL);
    table_column(table, "resident", "resident", "MiB");
    table_column(table, "peak", "peak", "MiB");
    table_column(table, "overflow", "overflow", NULL);
    for (unsigned i = 0; i < options->customers.count; i++) {
        measure(servers, options, options->customers.items[i], table);
    }
    table_print(table);
    report_note(
        report,
        options->dsn == NULL
            ? "peak: since the start of the process, its warm-up included. pending: every customer was touched "
              "while Redis was stopped (SIGSTOP). overflow: more ids were waiting than max_pending allows; they "
              "were forgotten, and everything was read again once Redis was back."
            : "peak: since the start of the process, its warm-up included. What is pending while Redis is "
              "stopped is only measured on private servers.");
}
