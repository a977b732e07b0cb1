#include "commands.h"
#include "fatal.h"
#include "ring/ring_race.h"
#include "servers/process.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum place { ONE_CORE, TWO_CORES, ONE_THREAD, PLACES };

static const char *const place_names[] = {"two threads, one core", "two threads, two cores", "one thread"};
static const uint32_t batches[] = {1, RACE_BATCH};

struct course {
    enum place place;
    uint32_t batch;
    int64_t operations;
};

/* ---- one race ---- */

enum role { PRODUCER, CONSUMER, BOTH };

/* A thread; its results are read after join. */
struct side {
    enum role role;
    unsigned cpu;
    const struct contender *contender;
    const struct course *course;
    void *ring;
    pthread_barrier_t *start;
    double started_s;
    double ended_s;
    int64_t wrong;
};

static void pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (error != 0) {
        fatal("ring: cannot keep a thread on CPU %u: %s", cpu, strerror(error));
    }
}

static void *run_side(void *context)
{
    struct side *side = context;
    const struct course *course = side->course;
    pin(side->cpu);
    pthread_barrier_wait(side->start);
    side->started_s = clock_s();
    switch (side->role) {
    case PRODUCER:
        side->contender->produce(side->ring, course->operations, course->batch);
        break;
    case CONSUMER:
        side->wrong = side->contender->consume(side->ring, course->operations, course->batch);
        break;
    case BOTH:
        side->wrong = side->contender->alternate(side->ring, course->operations, course->batch);
        break;
    }
    side->ended_s = clock_s();
    return NULL;
}

/* Millions of operations a second, from the first thread's start to the last one's end. */
static double race(const struct contender *contender, const struct course *course, const unsigned cpus[2])
{
    void *ring = contender->create();
    if (ring == NULL) {
        fatal("ring: out of memory");
    }
    pthread_barrier_t start;
    pthread_t threads[2];
    struct side side = {.contender = contender, .course = course, .ring = ring, .start = &start, .cpu = cpus[0]};
    struct side sides[2] = {side, side};
    unsigned count = course->place == ONE_THREAD ? 1 : 2;
    sides[0].role = course->place == ONE_THREAD ? BOTH : CONSUMER;
    sides[1].role = PRODUCER;
    sides[1].cpu = course->place == TWO_CORES ? cpus[1] : cpus[0];

    pthread_barrier_init(&start, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, run_side, &sides[i]) != 0) {
            fatal("ring: cannot start a thread");
        }
    }
    double started_s = 0;
    double ended_s = 0;
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        started_s = i == 0 || sides[i].started_s < started_s ? sides[i].started_s : started_s;
        ended_s = sides[i].ended_s > ended_s ? sides[i].ended_s : ended_s;
    }
    pthread_barrier_destroy(&start);
    contender->destroy(ring);
    if (sides[0].wrong != 0) {
        fatal("ring: %lld of %lld entries came out wrong", (long long)sides[0].wrong, (long long)course->operations);
    }
    return (double)course->operations / 1e6 / (ended_s - started_s);
}

/* ---- all of them ---- */

/* The first and the last CPU that this process may use: where there are more than two, neighbours may be one core. */
static bool find_cpus(unsigned cpus[2])
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        fatal("ring: cannot tell which CPUs there are");
    }
    unsigned count = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            cpus[count == 0 ? 0 : 1] = cpu;
            count++;
        }
    }
    return count > 1;
}

static void measure(struct table *table, const struct course *course, const unsigned cpus[2], long runs)
{
    struct samples ours = {0};
    struct samples theirs = {0};
    struct samples ratios = {0};
    for (long run = 1; run <= runs; run++) {
        progress("%s, batch %u: run %ld of %ld", place_names[course->place], course->batch, run, runs);
        samples_add(&ours, race(&ring_ours, course, cpus));
        samples_add(&theirs, race(&ring_ck, course, cpus));
    }
    samples_ratios(&ours, &theirs, &ratios);
    table_figure(table, &ours);
    table_figure(table, &theirs);
    table_figure(table, &ratios);
    samples_fini(&ours);
    samples_fini(&theirs);
    samples_fini(&ratios);
}

void bench_ring(const struct options *options, struct report *report)
{
    unsigned cpus[2];
    bool has_two = find_cpus(cpus);
    struct table *table = report_table(report, "ring", "Entries of 16 bytes through a ring of 8,192");
    table_column(table, "threads", "threads", NULL);
    table_column(table, "batch", "batch", NULL);
    table_column(table, "cachepusher", "cachepusher", "million/s");
    table_column(table, "ck_ring", "ck_ring", "million/s");
    table_column(table, "ratio", "ratio", "×");
    for (int place = 0; place < PLACES; place++) {
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
            struct course course = {.place = (enum place)place, .batch = batches[i]};
            course.operations = (options->operations + RACE_CHUNK - 1) / RACE_CHUNK * RACE_CHUNK;
            table_row(table);
            table_text(table, place_names[place]);
            table_number(table, course.batch);
            if (place == TWO_CORES && !has_two) {
                table_nothing(table);
                table_nothing(table);
                table_nothing(table);
            } else {
                measure(table, &course, cpus, options->runs);
            }
        }
    }
    progress_clear();
    table_print(table);
    report_note(report,
                "An operation is one entry put in by one side and taken out by the other, where it is checked.");
    report_note(report, "One thread: it puts a batch in and takes it out again, in turns.");
    report_note(report, "ck_ring has no call for a batch: 64 entries are 64 calls of ck_ring_enqueue_spsc().");
    if (!has_two) {
        report_note(report, "Two cores are not measured: this process may use one CPU only.");
    }
}
