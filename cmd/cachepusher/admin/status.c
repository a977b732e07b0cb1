#include "admin/status.h"

#include <jansson.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

/* jansson's setters take NULL for a value and fail: whatever memory ran out for is missing, and seen to be at the end.
 */

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *stats_of(const cp_syncer *syncer)
{
    json_t *stats = json_object();
    for (size_t i = 0; i < cp_stat_count(); i++) {
        const cp_stat *stat = cp_stat_describe(i);
        uint64_t raw = cp_syncer_stat(syncer, i);
        json_t *value = stat->scale < 1 ? json_real((double)raw * stat->scale) : number(raw);
        if (stat->label == NULL) {
            json_object_set_new(stats, stat->name, value);
            continue;
        }
        json_t *by_label = json_object_get(stats, stat->name);
        if (by_label == NULL) {
            by_label = json_object();
            json_object_set_new(stats, stat->name, by_label);
        }
        json_object_set_new(by_label, stat->label_value, value);
    }
    return stats;
}

static json_t *progress_of(const cp_syncer *syncer)
{
    cp_stats stats = {.size = sizeof stats};
    cp_syncer_stats(syncer, &stats, NULL);
    return json_pack("{s:o, s:o}", "settled", number(stats.stored + stats.deleted), "expected",
                     number(stats.resync_estimate));
}

static json_t *histograms_of(const cp_syncer *syncer)
{
    json_t *all = json_array();
    cp_histogram histogram = {.size = sizeof histogram};
    for (size_t i = 0; cp_syncer_histogram(syncer, i, &histogram, NULL) == CP_OK; i++) {
        json_t *bounds = json_array();
        json_t *counts = json_array();
        for (size_t b = 0; b < histogram.buckets; b++) {
            json_array_append_new(counts, number(histogram.counts[b]));
            if (b + 1 < histogram.buckets) {
                json_array_append_new(bounds, json_real(histogram.bounds[b]));
            }
        }
        json_array_append_new(all,
                              json_pack("{s:s, s:o, s:o, s:I, s:f}", "name", histogram.name, "bounds", bounds, "counts",
                                        counts, "count", (json_int_t)histogram.count, "sum", histogram.sum));
    }
    return all;
}

static json_t *entities_of(const cp_syncer *syncer)
{
    json_t *all = json_array();
    cp_entity_stats stats = {.size = sizeof stats};
    for (size_t i = 0; cp_syncer_entity(syncer, i, &stats, NULL) == CP_OK; i++) {
        json_array_append_new(all, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "entity", stats.entity, "events",
                                             (json_int_t)stats.events, "stored", (json_int_t)stats.stored, "deleted",
                                             (json_int_t)stats.deleted, "bytes", (json_int_t)stats.bytes, "failures",
                                             (json_int_t)stats.failures));
    }
    return all;
}

static json_t *lanes_of(const cp_syncer *syncer)
{
    json_t *all = json_array();
    cp_lane lane = {.size = sizeof lane};
    for (size_t i = 0; cp_syncer_lane(syncer, i, &lane, NULL) == CP_OK; i++) {
        json_array_append_new(all, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "lane", (json_int_t)i, "in_ring",
                                             (json_int_t)lane.in_ring, "live", (json_int_t)lane.live, "crowd",
                                             (json_int_t)lane.crowd, "bulk", (json_int_t)lane.bulk, "parked",
                                             (json_int_t)lane.parked, "oldest_seconds", (double)lane.oldest_us / 1e6));
    }
    return all;
}

static const char *name_of_wait(cp_wait wait)
{
    switch (wait) {
    case CP_WAIT_WORK:
        return "work";
    case CP_WAIT_POSTGRES:
        return "postgres";
    case CP_WAIT_REDIS:
        return "redis";
    case CP_WAIT_NAMES:
        return "names";
    case CP_WAIT_THREAD:
        return "thread";
    case CP_WAIT_HOST:
        return "host";
    default:
        return NULL;
    }
}

static json_t *threads_of(const cp_syncer *syncer)
{
    json_t *all = json_array();
    cp_thread thread = {.size = sizeof thread};
    for (size_t i = 0; cp_syncer_thread(syncer, i, &thread, NULL) == CP_OK; i++) {
        json_array_append_new(all, json_pack("{s:s, s:b, s:b, s:b, s:s?, s:s?, s:f, s:f, s:f, s:s, s:f}", "name",
                                             thread.name, "runs", thread.runs, "stuck", thread.stuck, "failing",
                                             thread.failing, "doing", thread.doing, "waits_for",
                                             name_of_wait(thread.waits_for), "for_seconds", (double)thread.for_ms / 1e3,
                                             "silent_seconds", (double)thread.silent_ms / 1e3, "failing_seconds",
                                             (double)thread.failing_ms / 1e3, "error", thread.error, "error_seconds",
                                             (double)thread.error_ms / 1e3));
    }
    return all;
}

/* What could not be added, for want of memory, has the whole answer fail. */
struct parked_list {
    json_t *array;
    bool is_whole;
};

static void add_parked(void *context, const cp_parked *parked)
{
    struct parked_list *list = context;
    json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:f, s:f}", "entity", parked->entity, "id", parked->id, "why",
                            parked->why, "tries", (json_int_t)parked->tries, "first_seconds",
                            (double)parked->first_ms / 1e3, "newest_seconds", (double)parked->newest_ms / 1e3);
    list->is_whole = json_array_append_new(list->array, one) == 0 && list->is_whole;
}

char *status_json(const cp_syncer *syncer, const struct admin_facts *facts, double started)
{
    cp_health health = {.size = sizeof health};
    uint64_t more = 0;
    struct parked_list parked = {.array = json_array(), .is_whole = true};
    cp_syncer_health(syncer, &health, NULL);
    cp_syncer_parked(syncer, add_parked, &parked, &more, NULL);
    json_t *status = json_pack("{s:s, s:s, s:i, s:s, s:f, s:f, s:s, s:b, s:b, s:s, s:I, s:f, s:f}", "version",
                               cp_version(), "name", facts->name, "pid", (int)getpid(), "source", facts->source, "now",
                               now_s(), "started", started, "state", cp_state_name(health.state), "alive", health.alive,
                               "ready", health.ready, "why", health.why, "term", (json_int_t)health.term, "lag_seconds",
                               (double)health.lag_us / 1e6, "silence_seconds", (double)health.silence_ms / 1e3);
    bool is_whole = json_object_set_new(status, "stats", stats_of(syncer)) == 0 &&
                    json_object_set_new(status, "progress", progress_of(syncer)) == 0 &&
                    json_object_set_new(status, "histograms", histograms_of(syncer)) == 0 &&
                    json_object_set_new(status, "entities", entities_of(syncer)) == 0 &&
                    json_object_set_new(status, "lanes", lanes_of(syncer)) == 0 &&
                    json_object_set_new(status, "threads", threads_of(syncer)) == 0 &&
                    json_object_set_new(status, "parked_more", number(more)) == 0;
    is_whole = json_object_set_new(status, "parked", parked.array) == 0 && is_whole && parked.is_whole;
    char *text = is_whole ? json_dumps(status, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(status);
    return text;
}
