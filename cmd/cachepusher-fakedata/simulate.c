#include "simulate.h"

#include "changes.h"
#include "report.h"
#include "stop.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define REPORT_EVERY_S 10.0
#define FAR_BEHIND_S 1.0
#define FIRST_RETRY_WAIT_S 0.1
#define LONGEST_RETRY_WAIT_S 5.0

struct simulation {
    const struct options *options;
    struct changes changes;
    struct rng mix;
    double start_s;
    double end_s; /* infinity without --duration */

    /* Change number n of the schedule is due at schedule_s + n / rate. */
    double schedule_s;
    uint64_t scheduled;

    uint64_t done[CHANGES];
    double next_report_s;
    bool told_behind;
};

static void print_summary(const struct simulation *sim, const char *prefix)
{
    double took_s = clock_now_s() - sim->start_s;
    uint64_t total = 0;
    for (int i = 0; i < CHANGES; i++)
        total += sim->done[i];
    printf("fakedata: %s%" PRIu64 " changes in %.1f s (%.1f/s): %" PRIu64 " inserts, %" PRIu64 " updates, %" PRIu64
           " moves, %" PRIu64 " deletes\n",
           prefix, total, took_s, took_s > 0 ? (double)total / took_s : 0.0, sim->done[CHANGE_INSERT],
           sim->done[CHANGE_UPDATE], sim->done[CHANGE_MOVE], sim->done[CHANGE_DELETE]);
}

static void report_if_due(struct simulation *sim)
{
    double now_s = clock_now_s();
    if (now_s < sim->next_report_s)
        return;
    print_summary(sim, "so far ");
    while (sim->next_report_s <= now_s)
        sim->next_report_s += REPORT_EVERY_S;
}

/* False if a signal came first. Reports on the way: at low rates a wait spans many reports. */
static bool wait_until(struct simulation *sim, double when_s)
{
    while (sim->next_report_s < when_s) {
        if (!stop_wait_until(sim->next_report_s))
            return false;
        report_if_due(sim);
    }
    return stop_wait_until(when_s);
}

/* False when it is over. */
static bool wait_for_turn(struct simulation *sim)
{
    double due_s = sim->schedule_s + (double)sim->scheduled / sim->options->rate;
    double now_s;
    if (due_s >= sim->end_s) {
        wait_until(sim, sim->end_s);
        return false;
    }
    if (!wait_until(sim, due_s))
        return false;
    now_s = clock_now_s();
    if (now_s - due_s > FAR_BEHIND_S && !sim->told_behind) {
        report("--rate %g is not reached: %.1f s behind; going on as fast as it goes", sim->options->rate,
               now_s - due_s);
        sim->told_behind = true;
    }
    sim->scheduled++;
    return now_s < sim->end_s;
}

static enum change choose_change(struct simulation *sim)
{
    uint32_t total = 0;
    uint32_t drawn;
    int change = 0;
    for (int i = 0; i < CHANGES; i++)
        total += sim->options->mix[i];
    drawn = rng_below(&sim->mix, total);
    while (drawn >= sim->options->mix[change])
        drawn -= sim->options->mix[change++];
    return (enum change)change;
}

static double earlier(double a_s, double b_s)
{
    return a_s < b_s ? a_s : b_s;
}

static enum db_status connect_again(struct simulation *sim)
{
    enum db_status status = db_connect(sim->changes.db);
    return status == DB_OK ? changes_prepare(&sim->changes) : status;
}

/*
 * It is not known whether the lost change was committed; it is not counted and not repeated. After
 * more than a short interruption, the changes due meanwhile are not made up for: users do not queue
 * up for a broken application.
 */
static enum db_status recover(struct simulation *sim)
{
    double lost_s = clock_now_s();
    double back_s;
    double wait_s = FIRST_RETRY_WAIT_S;
    enum db_status status;
    report("lost the connection to Postgres: %s; trying again", sim->changes.db->error);
    while ((status = connect_again(sim)) == DB_LOST) {
        double until_s = earlier(clock_now_s() + wait_s, sim->end_s);
        if (!wait_until(sim, until_s) || until_s >= sim->end_s)
            return status;
        wait_s = earlier(2 * wait_s, LONGEST_RETRY_WAIT_S);
    }
    back_s = clock_now_s();
    if (status == DB_OK)
        report("the connection to Postgres is back after %.1f s", back_s - lost_s);
    if (back_s - lost_s > FAR_BEHIND_S) {
        sim->schedule_s = back_s;
        sim->scheduled = 0;
    }
    return status;
}

static enum db_status run(struct simulation *sim)
{
    enum db_status status = changes_prepare(&sim->changes);
    if (status != DB_OK)
        return status;
    while (wait_for_turn(sim)) {
        enum change change = choose_change(sim);
        status = changes_apply(&sim->changes, &change);
        if (status == DB_OK)
            sim->done[change]++;
        else if (status == DB_LOST)
            status = recover(sim);
        if (status == DB_LOST)
            return DB_OK;
        if (status != DB_OK)
            return status;
        report_if_due(sim);
    }
    return DB_OK;
}

bool simulate(struct db *db, const struct options *options)
{
    struct simulation sim = {.options = options};
    enum db_status status;
    changes_init(&sim.changes, db, options->seed);
    rng_init(&sim.mix, options->seed, STREAM_MIX);
    sim.start_s = clock_now_s();
    sim.schedule_s = sim.start_s;
    sim.end_s = options->duration_s > 0 ? sim.start_s + options->duration_s : INFINITY;
    sim.next_report_s = options->quiet ? INFINITY : sim.start_s + REPORT_EVERY_S;
    status = run(&sim);
    if (status != DB_OK)
        report("changing rows: %s", db->error);
    print_summary(&sim, "");
    return status == DB_OK;
}
