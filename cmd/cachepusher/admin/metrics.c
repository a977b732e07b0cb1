#include "admin/metrics.h"

#include <inttypes.h>
#include <string.h>

static const char *const no_label = "";

/* A label's value may hold anything but these as it is. */
static void write_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"') {
            fputc('\\', out);
        }
        if (*text == '\n') {
            fputs("\\n", out);
        } else {
            fputc(*text, out);
        }
    }
}

static void write_head(FILE *out, const char *name, const char *help, const char *type)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_labelled(FILE *out, const char *name, const char *label, const char *value, double number)
{
    fprintf(out, "%s", name);
    if (label != no_label) {
        fprintf(out, "{%s=\"", label);
        write_escaped(out, value);
        fputs("\"}", out);
    }
    fprintf(out, " %.17g\n", number);
}

static void write_gauge(FILE *out, const char *name, const char *help, double number)
{
    write_head(out, name, help, "gauge");
    write_labelled(out, name, no_label, "", number);
}

static void write_stats(FILE *out, const cp_syncer *syncer)
{
    const char *before = "";
    for (size_t i = 0; i < cp_stat_count(); i++) {
        const cp_stat *stat = cp_stat_describe(i);
        if (strcmp(before, stat->name) != 0) {
            write_head(out, stat->name, stat->help, stat->kind == CP_STAT_COUNTER ? "counter" : "gauge");
        }
        before = stat->name;
        write_labelled(out, stat->name, stat->label != NULL ? stat->label : no_label, stat->label_value,
                       (double)cp_syncer_stat(syncer, i) * stat->scale);
    }
}

static void write_histograms(FILE *out, const cp_syncer *syncer)
{
    cp_histogram histogram = {.size = sizeof histogram};
    for (size_t i = 0; cp_syncer_histogram(syncer, i, &histogram, NULL) == CP_OK; i++) {
        uint64_t below = 0;
        write_head(out, histogram.name, histogram.help, "histogram");
        for (size_t b = 0; b + 1 < histogram.buckets; b++) {
            below += histogram.counts[b];
            fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", histogram.name, histogram.bounds[b], below);
        }
        fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", histogram.name, histogram.count);
        fprintf(out, "%s_sum %.17g\n%s_count %" PRIu64 "\n", histogram.name, histogram.sum, histogram.name,
                histogram.count);
    }
}

static void write_entities(FILE *out, const cp_syncer *syncer)
{
    static const struct {
        const char *name;
        const char *help;
        size_t at;
    } figures[] = {
        {"cachepusher_entity_events_total", "Ids named by notifications, by entity", offsetof(cp_entity_stats, events)},
        {"cachepusher_entity_stored_total", "Documents stored, by entity", offsetof(cp_entity_stats, stored)},
        {"cachepusher_entity_deleted_total", "Ids settled without a document, by entity",
         offsetof(cp_entity_stats, deleted)},
        {"cachepusher_entity_stored_bytes_total", "Bytes of documents stored, by entity",
         offsetof(cp_entity_stats, bytes)},
        {"cachepusher_entity_failures_total", "Attempts that failed by themselves, by entity",
         offsetof(cp_entity_stats, failures)}};
    for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
        cp_entity_stats stats = {.size = sizeof stats};
        write_head(out, figures[f].name, figures[f].help, "counter");
        for (size_t e = 0; cp_syncer_entity(syncer, e, &stats, NULL) == CP_OK; e++) {
            uint64_t number;
            memcpy(&number, (const char *)&stats + figures[f].at, sizeof number);
            write_labelled(out, figures[f].name, "entity", stats.entity, (double)number);
        }
    }
}

static void write_lanes(FILE *out, const cp_syncer *syncer)
{
    cp_lane lane = {.size = sizeof lane};
    write_head(out, "cachepusher_lane_ring_ids", "Events on their way to a worker", "gauge");
    for (size_t i = 0; cp_syncer_lane(syncer, i, &lane, NULL) == CP_OK; i++) {
        fprintf(out, "cachepusher_lane_ring_ids{lane=\"%zu\"} %" PRIu64 "\n", i, lane.in_ring);
    }
    write_head(out, "cachepusher_lane_ids", "Distinct ids that a worker has, by queue", "gauge");
    for (size_t i = 0; cp_syncer_lane(syncer, i, &lane, NULL) == CP_OK; i++) {
        const struct {
            const char *queue;
            uint64_t ids;
        } queues[] = {{"live", lane.live}, {"crowd", lane.crowd}, {"bulk", lane.bulk}, {"parked", lane.parked}};
        for (size_t q = 0; q < sizeof queues / sizeof *queues; q++) {
            fprintf(out, "cachepusher_lane_ids{lane=\"%zu\",queue=\"%s\"} %" PRIu64 "\n", i, queues[q].queue,
                    queues[q].ids);
        }
    }
    write_head(out, "cachepusher_lane_oldest_seconds", "How long the oldest event of a lane has waited", "gauge");
    for (size_t i = 0; cp_syncer_lane(syncer, i, &lane, NULL) == CP_OK; i++) {
        fprintf(out, "cachepusher_lane_oldest_seconds{lane=\"%zu\"} %g\n", i, (double)lane.oldest_us / 1e6);
    }
}

static void write_threads(FILE *out, const cp_syncer *syncer)
{
    cp_thread thread = {.size = sizeof thread};
    write_head(out, "cachepusher_thread_stuck", "1 while a thread neither moves nor waits for what explains it",
               "gauge");
    for (size_t i = 0; cp_syncer_thread(syncer, i, &thread, NULL) == CP_OK; i++) {
        write_labelled(out, "cachepusher_thread_stuck", "thread", thread.name, thread.stuck);
    }
    write_head(out, "cachepusher_thread_failing", "1 while what a thread does fails and is tried again", "gauge");
    for (size_t i = 0; cp_syncer_thread(syncer, i, &thread, NULL) == CP_OK; i++) {
        write_labelled(out, "cachepusher_thread_failing", "thread", thread.name, thread.failing);
    }
}

static void write_health(FILE *out, const cp_syncer *syncer)
{
    cp_health health = {.size = sizeof health};
    cp_syncer_health(syncer, &health, NULL);
    write_gauge(out, "cachepusher_alive", "1 unless a thread is stuck, which only a new process cures", health.alive);
    write_gauge(out, "cachepusher_healthy", "1 while it follows and is not behind, or stands by", health.ready);
    write_gauge(out, "cachepusher_lag_seconds", "How long the oldest event that has not settled has waited",
                (double)health.lag_us / 1e6);
    write_gauge(out, "cachepusher_source_silence_seconds", "Since Postgres was last heard by the listener",
                (double)health.silence_ms / 1e3);
    write_gauge(out, "cachepusher_term", "Grows with each change of the writer", (double)health.term);
    write_head(out, "cachepusher_state", "1 for the state it is in", "gauge");
    for (int state = 0; state < CP_STATES; state++) {
        write_labelled(out, "cachepusher_state", "state", cp_state_name((cp_state)state),
                       (cp_state)state == health.state);
    }
}

void metrics_write(FILE *out, const cp_syncer *syncer, const struct admin_facts *facts, double started)
{
    write_head(out, "cachepusher_build_info", "1, with the version, and the name that writers are elected by", "gauge");
    fprintf(out, "cachepusher_build_info{version=\"%s\",name=\"", cp_version());
    write_escaped(out, facts->name);
    fputs("\"} 1\n", out);
    write_gauge(out, "cachepusher_start_time_seconds", "When the process started, in seconds since 1970", started);
    write_health(out, syncer);
    write_stats(out, syncer);
    write_histograms(out, syncer);
    write_entities(out, syncer);
    write_lanes(out, syncer);
    write_threads(out, syncer);
}
