#include "relay.h"

#include "error.h"

#include <stdio.h>

void cpi_relay_init(struct cpi_relay *relay, const struct cp_config *config)
{
    *relay = (struct cpi_relay){.config = config};
}

void cpi_relay_fini(struct cpi_relay *relay)
{
    cpi_id_array_fini(&relay->ids);
}

static cp_code announce_everything_of(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    struct cpi_pg_parameter channel = {.value = entity->channels[0]};
    PGresult *sent = cpi_pg_query(pg, "select pg_notify($1, '*')", &channel, 1, false, err);
    PQclear(sent);
    return sent != NULL ? CP_OK : CP_ERR_POSTGRES;
}

/* Each id by itself, as an array of one, which can name any id. One that is too long for a notification makes the
 * statement fail: then all are read again. */
static cp_code announce_ids(struct cpi_relay *relay, struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "select pg_notify($1, json_build_array(id)::text) from unnest($2::%s[]) id",
             cpi_id_wire_type(entity->id_type));
    struct cpi_pg_parameter parameters[] = {{.value = entity->channels[0]}, cpi_id_array_parameter(&relay->ids)};
    PGresult *sent = cpi_pg_query(pg, sql, parameters, 2, false, err);
    PQclear(sent);
    if (sent == NULL && cpi_pg_is_open(pg)) {
        return announce_everything_of(pg, entity, err);
    }
    return sent != NULL ? CP_OK : CP_ERR_POSTGRES;
}

cp_code cpi_relay_events(struct cpi_relay *relay, struct cpi_pg *pg, struct cpi_events *events, cp_error *err)
{
    cp_code code = CP_OK;
    for (uint32_t e = 0; e < relay->config->entity_count && code == CP_OK; e++) {
        const struct cpi_entity *entity = &relay->config->entities[e];
        bool fits = cpi_id_array_clear(&relay->ids, entity->id_type);
        for (size_t i = 0; i < events->count && fits; i++) {
            fits = events->items[i].entity != e || cpi_id_array_add(&relay->ids, &events->items[i].id);
        }
        if (!fits) {
            return cpi_error_memory(err);
        }
        if (relay->ids.count > 0) {
            code = announce_ids(relay, pg, entity, err);
        }
    }
    if (code == CP_OK) {
        cpi_events_truncate(events, 0, relay->config->entities);
    }
    return code;
}

cp_code cpi_relay_everything(struct cpi_relay *relay, struct cpi_pg *pg, cp_error *err)
{
    cp_code code = CP_OK;
    for (uint32_t e = 0; e < relay->config->entity_count && code == CP_OK; e++) {
        code = announce_everything_of(pg, &relay->config->entities[e], err);
    }
    return code;
}
