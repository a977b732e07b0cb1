/*
 * Health: what can be told of a syncer by looking at it, for whoever decides whether it can be relied on.
 *
 * Everything is derived from what threads leave to be seen (pulse.h, lane.h, stats.h), so that nobody has to answer:
 * whoever is stuck could not.
 */
#ifndef CPI_HEALTH_H
#define CPI_HEALTH_H

#include "base/pulse.h"
#include "env.h"

struct cpi_health_view {
    const struct cpi_env *env;
    struct cpi_pulse *const *pulses;
    size_t pulse_count;
    bool was_started;
    bool has_ended;
};

void cpi_health_look(const struct cpi_health_view *view, cp_health *out);

#endif
