#include "schedule.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_MS = 300, GAP_MS = 1600, TRIES = 20, TICK_MS = 5, HEAL_MS = 15000 };

/* Further chances of a kill with the wal source, whose point is what comes then. */
enum { KILLS = 6 };

/* And now and then nothing else is wrong at a kill, so that the next writer has to resume: what was disturbed has had
 * the time to heal, and the next disturbance comes when it has resumed. With the servers of sanitizers' runs that takes
 * longer, and may not be so. */
enum {
    QUIET_FIRST_MS = 11000,
    QUIET_EVERY_MS = 15000,
    QUIET_BEFORE_MS = 2000,
    QUIET_POSTGRES_MS = RESUMING_CALM_MS + 500, /* before it, no fault of Postgres or of the way there */
    QUIET_AFTER_MS = 3000
};

int heal_timeout_ms(void)
{
    return HEAL_MS * slowness();
}

/* ---- drawing ---- */

static struct strike *add(struct schedule *schedule, const struct fault *fault, int64_t at_ms, int lasts_ms,
                          uint64_t random)
{
    if (schedule->count % 64 == 0) {
        schedule->strikes = realloc(schedule->strikes, (schedule->count + 64) * sizeof *schedule->strikes);
        if (schedule->strikes == NULL) {
            die("out of memory");
        }
    }
    struct strike *strike = &schedule->strikes[schedule->count++];
    *strike = (struct strike){.fault = fault, .at_ms = at_ms, .lasts_ms = lasts_ms, .random = random};
    return strike;
}

static bool is_in(struct scope scope, const struct fault *fault)
{
    bool needs_redis = fault->target == TARGET_REDIS || fault->target == TARGET_REDIS_LINK;
    return (scope.wal || !fault->of_wal) && (scope.redis || !needs_redis);
}

/* Those of the wal source do nothing without it; those of Redis would look for one. */
static bool parse_names(const char *names, struct scope scope, const struct fault **known, size_t *count)
{
    for (const char *at = names; *at != '\0';) {
        size_t length = strcspn(at, ",");
        known[*count] = fault_find(at, length);
        if (known[(*count)++] == NULL) {
            fprintf(stderr, "chaos: no such fault: %.*s\n", (int)length, at);
            return false;
        }
        if (!is_in(scope, known[*count - 1]) && !known[*count - 1]->of_wal) {
            fprintf(stderr, "chaos: %.*s: expected a fault of something else, as there is no Redis\n", (int)length, at);
            return false;
        }
        at += length + (at[length] == ',');
    }
    return true;
}

static bool is_quiet_kill(int64_t at_ms, int seconds)
{
    return at_ms + QUIET_AFTER_MS < seconds * 1000;
}

static bool disturbs_a_quiet_kill(const struct fault *fault, int64_t at_ms, int lasts_ms, int seconds)
{
    bool is_of_postgres = fault->target == TARGET_POSTGRES || fault->target == TARGET_POSTGRES_LINK;
    int before_ms = is_of_postgres ? QUIET_POSTGRES_MS : QUIET_BEFORE_MS;
    bool disturbs = false;
    for (int64_t kill_ms = QUIET_FIRST_MS; is_quiet_kill(kill_ms, seconds); kill_ms += QUIET_EVERY_MS) {
        disturbs = disturbs || (at_ms < kill_ms + QUIET_AFTER_MS && at_ms + lasts_ms > kill_ms - before_ms);
    }
    return disturbs && !resuming_is_harmless(fault);
}

static int by_time(const void *a, const void *b)
{
    const struct strike *one = a;
    const struct strike *other = b;
    return (one->at_ms > other->at_ms) - (one->at_ms < other->at_ms);
}

static void add_quiet_kills(struct schedule *schedule, uint64_t seed, int seconds)
{
    const struct fault *fault = fault_find("daemon-kill", strlen("daemon-kill"));
    for (int64_t kill_ms = QUIET_FIRST_MS; is_quiet_kill(kill_ms, seconds); kill_ms += QUIET_EVERY_MS) {
        add(schedule, fault, kill_ms, 0, seed + (uint64_t)kill_ms);
    }
    qsort(schedule->strikes, schedule->count, sizeof *schedule->strikes, by_time);
}

bool schedule_draw(struct schedule *schedule, uint64_t seed, int seconds, const char *names, struct scope scope)
{
    *schedule = (struct schedule){0};
    const struct fault *known[256];
    size_t count = 0;
    if (names != NULL && !parse_names(names, scope, known, &count)) {
        return false;
    }
    for (size_t i = 0; names == NULL && i < fault_count(); i++) {
        if (is_in(scope, fault_at(i))) {
            known[count++] = fault_at(i);
        }
    }
    for (size_t i = 0; names == NULL && scope.wal && i < KILLS; i++) {
        known[count++] = fault_find("daemon-kill", strlen("daemon-kill"));
    }
    bool has_quiet_kills = names == NULL && scope.wal;
    uint64_t random = seed;
    int64_t free_at_ms[TARGETS] = {0};
    for (int64_t at_ms = FIRST_MS; at_ms < seconds * 1000; at_ms += 1 + roll(&random, GAP_MS)) {
        for (int tries = 0; tries < TRIES; tries++) {
            const struct fault *fault = known[roll(&random, (uint32_t)count)];
            int lasts_ms = fault->min_ms + (int)roll(&random, (uint32_t)(fault->max_ms - fault->min_ms + 1));
            uint64_t own = seed * 1000003 + roll(&random, 1000000);
            bool fits = free_at_ms[fault->target] <= at_ms && at_ms + lasts_ms < seconds * 1000;
            if (fits && !(has_quiet_kills && disturbs_a_quiet_kill(fault, at_ms, lasts_ms, seconds))) {
                free_at_ms[fault->target] = at_ms + lasts_ms + 1;
                add(schedule, fault, at_ms, lasts_ms, own);
                break;
            }
        }
    }
    if (has_quiet_kills) {
        add_quiet_kills(schedule, seed, seconds);
    }
    return true;
}

void schedule_each(struct schedule *schedule, uint64_t seed, int part, int of, struct scope scope)
{
    *schedule = (struct schedule){0};
    for (size_t i = (size_t)part - 1; i < fault_count(); i += (size_t)of) {
        const struct fault *fault = fault_at(i);
        if (!is_in(scope, fault)) {
            continue;
        }
        add(schedule, fault, 0, fault->min_ms + (fault->max_ms - fault->min_ms) / 4, seed + i);
    }
}

void schedule_print(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->count; i++) {
        const struct strike *strike = &schedule->strikes[i];
        printf("schedule: at %7.3f for %5.3f s  %s\n", (double)strike->at_ms / 1000.0, strike->lasts_ms / 1000.0,
               strike->fault->name);
    }
    fflush(stdout);
}

void schedule_fini(struct schedule *schedule)
{
    free(schedule->strikes);
    *schedule = (struct schedule){0};
}

/* ---- running ---- */

struct course {
    struct world *world;
    struct probes *probes;
    int active;
};

static void inject(struct course *course, struct strike *strike)
{
    int64_t from_ms = now_ms();
    bool is_clean = course->active == 0 && probes_pending(course->probes) == 0;
    probes_disturb(course->probes);
    course->active++;
    resuming_note(course->world, strike->fault, true);
    strike->fault->inject(course->world, strike);
    say("%s%s", strike->fault->name, strike->fault->heal != NULL ? " begins" : "");
    if (strike->fault->never_heals) {
        probes_ask(course->probes, strike->fault->name, from_ms, is_clean);
    } else if (strike->fault->heal != NULL) {
        probes_mark(course->probes);
    }
}

/* A figure counts from when the fault is over, which a restart, say, takes a while to get to. */
static void heal(struct course *course, struct strike *strike)
{
    if (!strike->fault->never_heals) { /* those of what never heals go on */
        probes_disturb(course->probes);
    }
    if (strike->fault->heal != NULL) {
        strike->fault->heal(course->world, strike);
        say("%s ends", strike->fault->name);
    }
    course->active--;
    resuming_note(course->world, strike->fault, false);
    if (!strike->fault->never_heals) {
        bool is_clean = course->active == 0 && probes_pending(course->probes) == 0;
        probes_ask(course->probes, strike->fault->name, now_ms(), is_clean);
    }
}

static void watch(struct world *world)
{
    for (int i = 0; i < world->daemon_count; i++) {
        daemon_watch(&world->daemons[i]);
    }
    resuming_watch(world);
}

/* The next thing to do: a strike's end, or its beginning. */
static struct strike *find_due(struct schedule *schedule, const bool *begun, const bool *ended, int64_t at_ms)
{
    struct strike *due = NULL;
    int64_t due_ms = at_ms + 1;
    for (size_t i = 0; i < schedule->count; i++) {
        struct strike *strike = &schedule->strikes[i];
        int64_t when_ms = strike->at_ms + (begun[i] ? strike->lasts_ms : 0);
        if (!ended[i] && when_ms < due_ms) {
            due = strike;
            due_ms = when_ms;
        }
    }
    return due;
}

void schedule_run(struct schedule *schedule, struct world *world, struct probes *probes)
{
    struct course course = {.world = world, .probes = probes};
    bool *begun = calloc(schedule->count + 1, sizeof *begun);
    bool *ended = calloc(schedule->count + 1, sizeof *ended);
    int64_t began_ms = now_ms();
    for (size_t left = schedule->count; left > 0 && !is_blamed();) {
        struct strike *strike = find_due(schedule, begun, ended, now_ms() - began_ms);
        if (strike == NULL) {
            watch(world);
            poll(NULL, 0, TICK_MS);
            continue;
        }
        size_t i = (size_t)(strike - schedule->strikes);
        if (!begun[i]) {
            inject(&course, strike);
            begun[i] = true;
        } else {
            heal(&course, strike);
            ended[i] = true;
            left--;
        }
    }
    free(begun);
    free(ended);
}

static bool none_pending(void *context)
{
    struct course *course = context;
    watch(course->world);
    return probes_pending(course->probes) == 0 || is_blamed();
}

void schedule_run_each(struct schedule *schedule, struct world *world, struct probes *probes)
{
    struct course course = {.world = world, .probes = probes};
    for (size_t i = 0; i < schedule->count && !is_blamed(); i++) {
        struct strike *strike = &schedule->strikes[i];
        inject(&course, strike);
        poll(NULL, 0, strike->lasts_ms);
        heal(&course, strike);
        if (!wait_until(none_pending, &course, heal_timeout_ms())) {
            blame("%s has not healed within %d s", strike->fault->name, heal_timeout_ms() / 1000);
        }
    }
}
