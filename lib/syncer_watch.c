#include "cachepusher.h"

#include "base/abi.h"
#include "base/error.h"
#include "health.h"
#include "syncer_internal.h"

uint64_t cp_syncer_stat(const cp_syncer *syncer, size_t index)
{
    if (cpi_syncer_check_process(syncer, NULL) != CP_OK) {
        return 0;
    }
    return index < CPI_STATS ? cpi_stats_get(&syncer->stats, (enum cpi_stat)index) : 0;
}

cp_code cp_syncer_stats(const cp_syncer *syncer, cp_stats *stats, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    return cpi_stats_read(&syncer->stats, stats, err);
}

cp_code cp_syncer_histogram(const cp_syncer *syncer, size_t index, cp_histogram *histogram, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    return cpi_stats_histogram(&syncer->stats, index, histogram, err);
}

static cp_code no_such(const char *what, size_t count, cp_error *err)
{
    return cpi_error(err, CP_ERR_ARGUMENT, false, "there are %zu %s", count, what);
}

cp_code cp_syncer_entity(const cp_syncer *syncer, size_t index, cp_entity_stats *stats, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    const struct cp_config *config = syncer->config;
    return index < config->entity_count
               ? cpi_stats_entity(&syncer->stats, (uint32_t)index, config->entities[index].name, stats, err)
               : no_such("entities", config->entity_count, err);
}

cp_code cp_syncer_lane(const cp_syncer *syncer, size_t index, cp_lane *lane, cp_error *err)
{
    cp_code code = cpi_syncer_check_process(syncer, err);
    code = code == CP_OK ? cpi_abi_check(lane, "cp_lane", err) : code;
    if (code != CP_OK) {
        return code;
    }
    if (index >= syncer->config->threads) {
        return no_such("lanes", syncer->config->threads, err);
    }
    cp_lane own = {.size = sizeof own};
    cpi_lane_look(&syncer->lanes[index], &own);
    cpi_abi_write(lane, &own, sizeof own);
    return CP_OK;
}

cp_code cp_syncer_thread(const cp_syncer *syncer, size_t index, cp_thread *thread, cp_error *err)
{
    cp_code code = cpi_syncer_check_process(syncer, err);
    code = code == CP_OK ? cpi_abi_check(thread, "cp_thread", err) : code;
    if (code != CP_OK) {
        return code;
    }
    if (index >= syncer->pulse_count) {
        return no_such("threads", syncer->pulse_count, err);
    }
    cp_thread own;
    cpi_pulse_look(syncer->pulses[index], &own);
    cpi_abi_write(thread, &own, sizeof own);
    return CP_OK;
}

cp_code cp_syncer_last_error(const cp_syncer *syncer, cp_error *out)
{
    int64_t newest_ms = 0;
    if (out == NULL || cpi_syncer_check_process(syncer, NULL) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    *out = (cp_error){.code = CP_OK};
    for (size_t i = 0; i < syncer->pulse_count; i++) {
        cpi_pulse_newer_error(syncer->pulses[i], &newest_ms, out);
    }
    return CP_OK;
}

cp_code cp_syncer_parked(const cp_syncer *syncer, void (*visit)(void *context, const cp_parked *parked), void *context,
                         uint64_t *more, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    if (visit == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_syncer_parked: visit is NULL");
    }
    uint64_t visited = 0;
    uint64_t failing = cpi_stats_get(&syncer->stats, CPI_STAT_FAILING);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        visited += cpi_parked_visit(cpi_worker_parked(syncer->workers[i]), visit, context);
    }
    if (syncer->mapper != NULL) {
        visited += cpi_parked_visit(cpi_mapper_parked(syncer->mapper), visit, context);
    }
    if (more != NULL) {
        *more = failing > visited ? failing - visited : 0;
    }
    return CP_OK;
}

const char *cp_state_name(cp_state state)
{
    static const char *const names[CP_STATES] = {"created", "starting", "standby",  "warming", "ready",
                                                 "lagging", "degraded", "stopping", "stopped"};
    return (int)state >= 0 && state < CP_STATES ? names[state] : "unknown";
}

struct cpi_health_view cpi_syncer_view(const struct cp_syncer *syncer)
{
    return (struct cpi_health_view){.env = &syncer->env,
                                    .pulses = syncer->pulses,
                                    .pulse_count = syncer->pulse_count,
                                    .was_started = atomic_load(&syncer->was_started),
                                    .has_ended = atomic_load(&syncer->has_ended)};
}

cp_code cp_syncer_health(const cp_syncer *syncer, cp_health *health, cp_error *err)
{
    cp_code code = cpi_syncer_check_process(syncer, err);
    code = code == CP_OK ? cpi_abi_check(health, "cp_health", err) : code;
    if (code != CP_OK) {
        return code;
    }
    struct cpi_health_view view = cpi_syncer_view(syncer);
    cp_health own;
    cpi_health_look(&view, &own);
    cpi_abi_write(health, &own, sizeof own);
    return CP_OK;
}
