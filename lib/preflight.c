#include "preflight.h"

#include "base/error.h"
#include "postgres/fetch.h"
#include "lease/lock.h"
#include "postgres/listing.h"
#include "postgres/mapping.h"
#include "postgres/hearing.h"
#include "postgres/pg.h"
#include "postgres/widths.h"
#include "source/idle_slots.h"
#include "source/wal_slot.h"
#include "source/wal_tables.h"

#include <stdlib.h>
#include <string.h>

static cp_code check_procedure(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    cp_error why;
    struct cpi_pg_parameter parameter = {.value = entity->warmup_procedure};
    struct cpi_rows *result = cpi_pg_query(pg, "select $1::pg_catalog.regproc", &parameter, 1, false, &why);
    if (result == NULL) {
        return cpi_error(err, why.code, why.retriable, "entity \"%s\": warm-up procedure %s: %s", entity->name,
                         entity->warmup_procedure, why.message);
    }
    cpi_rows_free(result);
    return CP_OK;
}

/* Postgres converts all of a result, or of a notification, or nothing: a text that has no equivalent in UTF-8 (five
 * bytes of WIN1252, for instance) fails the page that it is in. */
static void warn_of_encoding(const struct cpi_env *env, struct cpi_pg *pg)
{
    cp_error ignored;
    struct cpi_rows *rows =
        cpi_pg_query(pg, "select pg_catalog.current_setting('server_encoding')", NULL, 0, false, &ignored);
    const char *encoding = rows != NULL && cpi_rows_count(rows) == 1 ? cpi_rows_value(rows, 0, 0) : "UTF8";
    bool is_exact = strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0;
    for (uint32_t e = 0; e < env->config->entity_count && !is_exact; e++) {
        if (env->config->entities[e].id_type == CPI_ID_TEXT) {
            cpi_log(&env->log, CP_LOG_WARN,
                    "start: the database's encoding is %.32s: a text id of entity \"%s\" that UTF-8 cannot spell would "
                    "keep "
                    "its neighbours from being listed",
                    encoding, env->config->entities[e].name);
        }
    }
    cpi_rows_free(rows);
}

static const char listen_cure[] =
    "connect to Postgres itself, or through a pooler in session mode: in transaction mode nothing is heard";
static const char slot_cure[] =
    "connect to Postgres itself: through a pooler no slot can be read, and in transaction mode no lease held";

/* Whether changes would be heard of, and sessions are our own. */
static cp_code check_source(const struct cpi_env *env, struct cpi_pg *pg, cp_error *err)
{
    bool is_wal = env->config->source == CPI_SOURCE_WAL;
    bool has_tables = is_wal && env->config->source_announce == CPI_ANNOUNCE_TABLES;
    cp_code code = is_wal ? cpi_wal_slot_check(env, pg, err) : CP_OK;
    code = code == CP_OK && has_tables ? cpi_wal_tables_check(env->config, pg, err) : code;
    struct cpi_pg other = *pg;
    other.connection = NULL;
    return code == CP_OK ? cpi_hearing_prove(pg, &other, env->channel, is_wal ? slot_cure : listen_cure, err) : code;
}

static cp_code check_entity(const struct cpi_env *env, struct cpi_pg *pg, uint32_t index, cp_error *err)
{
    const struct cpi_entity *entity = &env->config->entities[index];
    char warning[CPI_WIDTHS_BYTES] = "";
    cp_code code = cpi_fetch_check(pg, entity, index, err);
    code = code == CP_OK ? cpi_listing_check(pg, entity, err) : code;
    code = code == CP_OK ? cpi_widths_check(pg, entity, warning, err) : code;
    if (warning[0] != '\0') {
        cpi_log_about(&env->log, CP_LOG_WARN, &(struct cpi_log_about){.entity = entity->name}, "start: %s", warning);
    }
    return code == CP_OK && env->config->warmup == CPI_WARMUP_TOUCH ? check_procedure(pg, entity, err) : code;
}

static cp_code check_mappings(const struct cp_config *config, struct cpi_pg *pg, cp_error *err)
{
    cp_code code = CP_OK;
    for (size_t i = 0; i < config->mapping_count && code == CP_OK; i++) {
        const struct cpi_entity *mapping = &config->entities[config->entity_count + i];
        code = cpi_mapping_check(pg, mapping, &config->entities[mapping->target],
                                 cpi_config_mapped_watch(config, config->entity_count + i), err);
    }
    return code;
}

static cp_code check_postgres(const struct cpi_env *env, cp_error *err)
{
    const struct cp_config *config = env->config;
    struct cpi_pg pg = cpi_env_pg(env, "cachepusher start", env->stop->drain_fd, config->fetch_timeout_ms);
    cp_code code = cpi_pg_open(&pg, err);
    /* With `flush` another writer is an error: the flush is meant for now, not for when that writer's term ends. Where
     * the store cannot tell its keys, nobody would find those of the writer before. */
    if (code == CP_OK) {
        bool tells_no_keys = env->store != NULL && env->store->keys == NULL;
        code = cpi_lock_check(&pg, env->lease->name, config->flush || !config->standby || tells_no_keys, err);
    }
    if (code == CP_OK) {
        code = check_source(env, &pg, err);
    }
    for (uint32_t e = 0; e < config->entity_count && code == CP_OK; e++) {
        code = check_entity(env, &pg, e, err);
    }
    code = code == CP_OK ? check_mappings(config, &pg, err) : code;
    if (code == CP_OK) {
        warn_of_encoding(env, &pg);
        cpi_idle_slots_warn(env, &pg);
    }
    cpi_pg_close(&pg);
    return code;
}

static cp_code check_redis(const struct cpi_env *env, cp_error *err)
{
    const struct cp_config *config = env->config;
    struct cpi_target *target = cpi_env_target(env, "cachepusher-start", env->stop->drain_fd);
    const struct cpi_key **keys = calloc(config->entity_count, sizeof *keys);
    char marker[CPI_MARKER_KEY_BYTES];
    char warning[512] = "";
    cpi_config_marker_key(config, marker);
    for (size_t e = 0; keys != NULL && e < config->entity_count; e++) {
        keys[e] = &config->entities[e].key;
    }
    cp_error why = {.code = CP_OK};
    bool proven = target != NULL && keys != NULL ? target->ops->open(target, &why) == CP_OK &&
                                                       target->ops->prove(target, keys, config->entity_count, marker,
                                                                          warning, sizeof warning, &why) == CP_OK
                                                 : cpi_error_memory(&why) == CP_OK;
    if (warning[0] != '\0') {
        cpi_log(&env->log, CP_LOG_WARN, "start: %s", warning);
    }
    cpi_target_destroy(target);
    free(keys);
    return proven ? CP_OK : cpi_error(err, why.code, why.retriable, "%s", why.message);
}

cp_code cpi_preflight(const struct cpi_env *env, cp_error *err)
{
    cp_code code = check_postgres(env, err);
    return code == CP_OK ? check_redis(env, err) : code;
}
