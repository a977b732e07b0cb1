#include "cachepusher.h"

#include "base/error.h"
#include "syncer_internal.h"

#include <string.h>

static cp_code stands_by(const struct cp_syncer *syncer, cp_error *err)
{
    return cpi_error(err, CP_ERR_STANDBY, true, "another cachepusher named \"%s\" writes: this one stands by",
                     cpi_config_name(syncer->config));
}

cp_code cp_syncer_ticket(cp_syncer *syncer, cp_ticket *ticket, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    if (ticket == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_syncer_ticket: ticket is NULL");
    }
    if (cpi_stop_phase(&syncer->stop) != CPI_RUNNING) {
        return cpi_error(err, CP_ERR_STOPPED, false, "the syncer is stopping");
    }
    if (cpi_lease_state(&syncer->lease) == CPI_LEASE_TAKEN) {
        return stands_by(syncer, err);
    }
    *ticket = cpi_tickets_take(&syncer->tickets);
    return CP_OK;
}

cp_code cp_syncer_wait(cp_syncer *syncer, cp_ticket ticket, int timeout_ms, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    if (!cpi_tickets_knows(&syncer->tickets, ticket)) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "there was no ticket %llu", (unsigned long long)ticket);
    }
    enum cpi_ticket_state state = cpi_tickets_wait(&syncer->tickets, &syncer->stop, ticket, timeout_ms);
    if (state == CPI_TICKET_SETTLED) {
        return CP_OK;
    }
    if (cpi_stop_phase(&syncer->stop) != CPI_RUNNING) {
        return cpi_error(err, CP_ERR_STOPPED, false, "the syncer is stopping");
    }
    return state == CPI_TICKET_STANDBY
               ? stands_by(syncer, err)
               : cpi_error(err, CP_ERR_TIMEOUT, true, "not everything has settled after %d ms", timeout_ms);
}

/* ---- a single id ---- */

/* An id has one worker, and nobody else's failures count: what cannot be mapped has names of its own. */
static cp_code refuse_parked(cp_syncer *syncer, const char *entity, const char *text, cp_error *err)
{
    const struct cpi_entity *known = cpi_config_entity(syncer->config, entity);
    struct cpi_event event = {.entity = (uint16_t)(known - syncer->config->entities)};
    char why[sizeof((cp_error *)NULL)->message];
    bool out_of_memory = false;
    if (!cpi_id_parse(known->id_type, text, strlen(text), &event.id, &out_of_memory)) {
        return cpi_error_memory(err); /* it has been one before */
    }
    uint32_t lane = cpi_lane_of(&syncer->env.lanes, &event);
    enum cpi_parked_answer answer = cpi_parked_ask(cpi_worker_parked(syncer->workers[lane]), &event, why, sizeof why);
    cpi_id_fini(known->id_type, &event.id);
    switch (answer) {
    case CPI_PARKED_NOT:
        break;
    case CPI_PARKED_IS:
        return cpi_error(err, CP_ERR_PARKED, true, "%s", why);
    case CPI_PARKED_PERHAPS:
        return cpi_error(err, CP_ERR_PARKED, true, "%s %.*s: so many ids fail that this may be one of them", entity,
                         cpi_shown(text), text);
    }
    return CP_OK;
}

cp_code cp_syncer_enqueue_wait(cp_syncer *syncer, const char *entity, const char *id, int timeout_ms, cp_error *err)
{
    cp_ticket ticket = 0;
    cp_code code = cp_syncer_enqueue(syncer, entity, id, err);
    code = code == CP_OK ? cp_syncer_ticket(syncer, &ticket, err) : code;
    code = code == CP_OK ? cp_syncer_wait(syncer, ticket, timeout_ms, err) : code;
    return code == CP_OK ? refuse_parked(syncer, entity, id, err) : code;
}
