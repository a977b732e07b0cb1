#include "source/ticketing.h"

void cpi_ticketing_send(const struct cpi_env *env, struct cpi_source *source)
{
    int64_t number = source != NULL ? cpi_tickets_begin(env->tickets) : 0;
    if (number != 0) {
        source->ops->barrier(source, number);
    }
}

/* Not while a resync that events before it ask for waits: once it is requested, that is known to be owed. */
static bool is_passed(const struct cpi_env *env, const struct cpi_asking *asking)
{
    int64_t number = cpi_tickets_barrier(env->tickets);
    for (uint32_t i = 0; i < env->lanes.count && number != 0; i++) {
        if (!cpi_lane_has_passed(&env->lanes.items[i], CPI_RING_LIVE, number)) {
            return false;
        }
    }
    return number != 0 && !cpi_asking_holds(asking, CPI_ASKING_BARRIER);
}

void cpi_ticketing_look(const struct cpi_env *env, const struct cpi_asking *asking)
{
    if (is_passed(env, asking)) {
        cpi_tickets_pass(env->tickets, cpi_requests_repairs(env->requests));
    }
    cpi_tickets_note_repaired(env->tickets, cpi_requests_repaired(env->requests));
}

bool cpi_ticketing_has_work(const struct cpi_env *env, const struct cpi_asking *asking, bool is_listening)
{
    return (is_listening && cpi_tickets_wants_barrier(env->tickets)) || is_passed(env, asking) ||
           cpi_tickets_note_repaired(env->tickets, cpi_requests_repaired(env->requests));
}
