#include "latency/latency_phase.h"

#include "fatal.h"
#include "latency/background.h"
#include "latency/paced.h"
#include "servers/daemon.h"
#include "sources/bare_loop.h"
#include "sources/set_up.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Connections are made and statements planned during the changes of the first second, which are not counted. */
enum { LEAD_CHANGES = 32, CHANGES_PER_WRITER = 125 };
#define LEAD_S 1.0
#define SETUP_S 0.3

struct changes {
    const struct watched *watched;
    int64_t first;
    /* By change; each element has one writer, and is read after that has ended. */
    double *sent_s;
    double *committed_s;
};

/* The number of threads divides watched->count, so one thread makes all changes of a customer, in order. */
static void make_change(void *context, void *connection, uint64_t number)
{
    const struct changes *changes = context;
    char name[40];
    char id[24];
    const char *parameters[] = {name, id};
    snprintf(name, sizeof name, "bench %" PRId64, changes->first + (int64_t)number);
    snprintf(id, sizeof id, "%" PRId64, changes->watched->ids[number % changes->watched->count]);
    changes->sent_s[number] = clock_s();
    PGresult *result = PQexecPrepared(connection, "change", 2, parameters, NULL, NULL, 0);
    changes->committed_s[number] = clock_s();
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fatal("changing a customer: %s", PQerrorMessage(connection));
    }
    PQclear(result);
}

/* Enough threads that each has eight milliseconds per change; a power of two. */
static unsigned writers_for(double rate)
{
    unsigned writers = 1;
    while (writers < PACED_THREADS && rate / writers > (double)CHANGES_PER_WRITER) {
        writers *= 2;
    }
    return writers;
}

static void start_changes(struct paced *paced, const struct servers *servers, bool commits_wait)
{
    for (unsigned i = 0; i < paced->threads; i++) {
        PGconn *pg = servers_postgres(servers);
        pg_do(pg, commits_wait ? "set synchronous_commit = on" : "set synchronous_commit = off");
        PGresult *result = PQprepare(
            pg, "change", "update customer set name = $1 where id_customer operator(pg_catalog.=) $2", 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fatal("preparing changes: %s", PQerrorMessage(pg));
        }
        PQclear(result);
        paced->of[i].connection = pg;
    }
    paced_start(paced);
}

static void join_changes(struct paced *paced)
{
    paced_join(paced);
    for (unsigned i = 0; i < paced->threads; i++) {
        PQfinish(paced->of[i].connection);
    }
}

/* A document that was readable before the reply to the commit had been read counts as 0. A system that delays that
 * reply by using the processor gains here, but not in the time from the sending. A lost change counts with the time
 * waited: leaving it out would hide it. */
static void evaluate(struct outcome *outcome, uint64_t lead, const struct paced *paced, const struct changes *changes,
                     const double *seen_s, double gave_up_s)
{
    double last_s = 0;
    for (uint64_t i = lead; i < paced->calls; i++) {
        bool is_lost = isnan(seen_s[i]);
        double end_s = is_lost ? gave_up_s : seen_s[i];
        outcome->lost += is_lost;
        samples_add(&outcome->milliseconds, 1e3 * fmax(0, end_s - changes->committed_s[i]));
        samples_add(&outcome->whole_ms, 1e3 * (end_s - changes->sent_s[i]));
        last_s = fmax(last_s, changes->committed_s[i]);
        samples_add(&outcome->commit_ms, 1e3 * (changes->committed_s[i] - changes->sent_s[i]));
    }
    outcome->changes = paced->calls - lead;
    double planned_s = (double)outcome->changes / paced->rate;
    double taken_s = last_s - paced->start_s - (double)lead / paced->rate;
    outcome->achieved = (double)outcome->changes / fmax(planned_s, taken_s);
}

/* With somebody following. */
static void measure(const struct servers *servers, const struct watched *watched, const struct phase *phase,
                    struct process *daemon, int64_t first, struct outcome *outcome)
{
    uint64_t lead = (uint64_t)fmax(LEAD_CHANGES, phase->rate * LEAD_S);
    struct changes changes = {.watched = watched, .first = first};
    struct paced paced = {.rate = phase->rate,
                          .calls = lead + (uint64_t)fmax(1, phase->rate * phase->duration_s),
                          .threads = writers_for(phase->rate),
                          .call = make_change,
                          .context = &changes};
    double length_s = (double)paced.calls / paced.rate;
    struct background background;

    changes.committed_s = calloc(paced.calls, sizeof *changes.committed_s);
    changes.sent_s = calloc(paced.calls, sizeof *changes.sent_s);
    if (changes.committed_s == NULL || changes.sent_s == NULL) {
        fatal("out of memory");
    }
    struct tracker *tracker = tracker_start(servers, watched, first, paced.calls);
    paced.start_s = clock_s() + SETUP_S;
    if (phase->situation == SITUATION_LOAD) {
        background_start(&background, servers, watched, phase->commits_wait, paced.start_s, length_s);
    }
    start_changes(&paced, servers, phase->commits_wait);
    if (phase->situation == SITUATION_WARMUP) {
        outcome->resyncs = daemon_keep_resyncing(daemon, paced.start_s + length_s);
    }
    join_changes(&paced);
    double *seen_s = tracker_finish(tracker, LATENCY_LOST_AFTER_S);
    double gave_up_s = clock_s();
    outcome->background = phase->situation == SITUATION_LOAD ? background_join(&background) : 1;
    outcome->latest_s = paced_latest_s(&paced);
    evaluate(outcome, lead, &paced, &changes, seen_s, gave_up_s);
    free(changes.committed_s);
    free(changes.sent_s);
    free(seen_s);
}

void phase_run(const struct servers *servers, PGconn *pg, const struct watched *watched, const struct phase *phase,
               int64_t *number, struct outcome *outcome)
{
    char *const flags[] = {(char *)"--warmup", (char *)"none", NULL};
    struct process daemon;
    struct usage usage;
    struct bare_loop loop;
    *outcome = (struct outcome){0};
    set_up_nothing(servers, pg);
    pg_do(pg, "vacuum customer");
    set_up(servers, pg, phase->source);
    if (phase->is_bare) {
        bare_loop_start(&loop, servers, pg, phase->source);
    } else {
        daemon_start(&daemon, servers, phase->threads, phase->source, flags);
    }
    measure(servers, watched, phase, &daemon, *number, outcome);
    if (phase->is_bare) {
        bare_loop_stop(&loop);
    } else {
        daemon_stop(&daemon, &usage);
    }
    *number += (int64_t)(outcome->changes + (uint64_t)fmax(LEAD_CHANGES, phase->rate * LEAD_S));
}
