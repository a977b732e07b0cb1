#include "cachepusher.h"

#include "base/abi.h"
#include "base/error.h"
#include "syncer_internal.h"
#include "verify/verify.h"

#include <string.h>

/* What is in the way: what health says, and of standing by what ends it. */
static cp_code not_ready(struct cp_syncer *syncer, int timeout_ms, cp_error *err)
{
    cp_health health = {.size = sizeof health};
    if (cpi_lease_state(&syncer->lease) == CPI_LEASE_TAKEN) {
        return cpi_error(err, CP_ERR_TIMEOUT, true,
                         "not ready after %d ms: standing by, since another syncer named \"%s\" writes; one that "
                         "writes other keys, or to another Redis, needs another name",
                         timeout_ms, cpi_config_name(syncer->config));
    }
    cp_syncer_health(syncer, &health, NULL);
    return cpi_error(err, CP_ERR_TIMEOUT, true, "not ready after %d ms%s%s", timeout_ms,
                     health.why[0] != '\0' ? ": " : "", health.why);
}

cp_code cp_syncer_wait_ready(cp_syncer *syncer, int timeout_ms, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    if (cpi_resync_wait_ready(syncer->resync, timeout_ms)) {
        return CP_OK;
    }
    if (cpi_stop_phase(&syncer->stop) != CPI_RUNNING) {
        return cpi_error(err, CP_ERR_STOPPED, false, "the syncer is stopping");
    }
    return not_ready(syncer, timeout_ms, err);
}

static cp_code find_entity(const struct cp_syncer *syncer, const char *name, uint32_t *index, cp_error *err)
{
    const struct cpi_entity *entity = cpi_config_entity(syncer->config, name);
    if (entity == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "there is no entity \"%.*s\"", cpi_shown(name), name);
    }
    *index = (uint32_t)(entity - syncer->config->entities);
    return CP_OK;
}

static cp_code refuse_when_stopping(const struct cp_syncer *syncer, cp_error *err)
{
    if (cpi_syncer_check_process(syncer, err) != CP_OK) {
        return CP_ERR_ARGUMENT;
    }
    return cpi_stop_phase(&syncer->stop) == CPI_RUNNING
               ? CP_OK
               : cpi_error(err, CP_ERR_STOPPED, false, "the syncer is stopping");
}

/* index: of an entity, or of what is mapped. */
static cp_code enqueue(struct cp_syncer *syncer, size_t index, const char *id, cp_error *err)
{
    struct cpi_event event = {.entity = (uint16_t)index, .origin = CP_ORIGIN_ENQUEUED};
    enum cpi_id_type type = syncer->config->entities[event.entity].id_type;
    bool out_of_memory = false;
    if (!cpi_id_parse(type, id, strlen(id), &event.id, &out_of_memory)) {
        return out_of_memory ? cpi_error_memory(err)
                             : cpi_error(err, CP_ERR_ARGUMENT, false, "\"%.*s\" is no %s id", cpi_shown(id), id,
                                         cpi_id_type_name(type));
    }
    if (!cpi_inbox_put(&syncer->inbox, &event)) {
        cpi_id_fini(type, &event.id);
        return refuse_when_stopping(syncer, err) != CP_OK
                   ? CP_ERR_STOPPED
                   : cpi_error(err, CP_ERR_SYSTEM, true, "too many ids have been enqueued at once; try again");
    }
    return CP_OK;
}

cp_code cp_syncer_enqueue(cp_syncer *syncer, const char *entity, const char *id, cp_error *err)
{
    uint32_t index = 0;
    cp_code code = refuse_when_stopping(syncer, err);
    code = code == CP_OK ? cpi_need(entity, "cp_syncer_enqueue", "entity", err) : code;
    code = code == CP_OK ? cpi_need(id, "cp_syncer_enqueue", "id", err) : code;
    code = code == CP_OK ? find_entity(syncer, entity, &index, err) : code;
    return code == CP_OK ? enqueue(syncer, index, id, err) : code;
}

/* By each of its columns that is mapped. */
static cp_code enqueue_rows(struct cp_syncer *syncer, uint32_t target, const char *table, const char *value,
                            cp_error *err)
{
    const struct cp_config *config = syncer->config;
    cp_code code = CP_OK;
    bool is_mapped = false;
    for (size_t i = config->entity_count; i < config->entity_count + config->mapping_count && code == CP_OK; i++) {
        if (config->entities[i].target == target && strcmp(config->entities[i].table, table) == 0) {
            is_mapped = true;
            code = enqueue(syncer, i, value, err);
        }
    }
    return is_mapped
               ? code
               : cpi_error(err, CP_ERR_ARGUMENT, false,
                           "entity \"%s\" maps no rows of \"%.*s\"; expected a table of its \"watch\" with \"maps\"",
                           config->entities[target].name, cpi_shown(table), table);
}

cp_code cp_syncer_enqueue_rows(cp_syncer *syncer, const char *entity, const char *table, const char *value,
                               cp_error *err)
{
    uint32_t index = 0;
    cp_code code = refuse_when_stopping(syncer, err);
    code = code == CP_OK ? cpi_need(entity, "cp_syncer_enqueue_rows", "entity", err) : code;
    code = code == CP_OK ? cpi_need(table, "cp_syncer_enqueue_rows", "table", err) : code;
    code = code == CP_OK ? cpi_need(value, "cp_syncer_enqueue_rows", "value", err) : code;
    code = code == CP_OK ? find_entity(syncer, entity, &index, err) : code;
    return code == CP_OK ? enqueue_rows(syncer, index, table, value, err) : code;
}

cp_code cp_syncer_resync(cp_syncer *syncer, const char *entity, cp_error *err)
{
    uint32_t index = CPI_ALL_ENTITIES;
    cp_code code = refuse_when_stopping(syncer, err);
    if (code == CP_OK && entity != NULL) {
        code = find_entity(syncer, entity, &index, err);
    }
    if (code != CP_OK) {
        return code;
    }
    cpi_requests_resync(&syncer->requests, index, CP_CAUSE_REQUEST);
    if (cpi_lease_state(&syncer->lease) == CPI_LEASE_TAKEN) {
        cpi_requests_relay(&syncer->requests);
    }
    return CP_OK;
}

/* What cannot be read back cannot be compared. */
static cp_code refuse_without_store(const struct cp_syncer *syncer, cp_error *err)
{
    if (syncer->config->role == CPI_ROLE_FOLLOW) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "role follow: there is no Redis to compare with");
    }
    return syncer->env.store != NULL && syncer->env.store->get == NULL
               ? cpi_error(err, CP_ERR_ARGUMENT, false, "cp_store: without get there is nothing to compare with")
               : CP_OK;
}

cp_code cp_syncer_verify(cp_syncer *syncer, const cp_verify_options *options, cp_verify_result *result, cp_error *err)
{
    cp_verify_options wanted = {.size = sizeof wanted};
    cp_verify_result found = {.size = sizeof found};
    cp_code code = cpi_syncer_check_process(syncer, err);
    code = code == CP_OK ? cpi_abi_check(result, "cp_verify_result", err) : code;
    if (code != CP_OK) {
        return code;
    }
    if (options != NULL) {
        code = cpi_abi_read(&wanted, sizeof wanted, options, "cp_verify_options", err);
    }
    if (code == CP_OK) {
        code = refuse_when_stopping(syncer, err);
    }
    if (code == CP_OK) {
        code = refuse_without_store(syncer, err);
    }
    if (code == CP_OK) {
        code = cpi_verify(&syncer->env, &wanted, &found, err);
    }
    cpi_abi_write(result, &found, sizeof found);
    return code;
}
