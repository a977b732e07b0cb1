#include "source/flush.h"

#include "base/clock.h"
#include "redis/keyspace.h"

struct flush {
    const struct cpi_env *env;
    struct cpi_pg *pg;
    int64_t spoke_at_ms; /* on pg */
};

/* A session that does nothing for long loses the lease (lease.h). */
static cp_code keep_lease(void *context, cp_error *err)
{
    enum { SPEAK_EVERY_MS = 1000 };
    struct flush *flush = context;
    if (cpi_now_ms() - flush->spoke_at_ms < SPEAK_EVERY_MS) {
        return CP_OK;
    }
    flush->spoke_at_ms = cpi_now_ms();
    struct cpi_rows *result = cpi_pg_query(flush->pg, "select", NULL, 0, false, err);
    cpi_rows_free(result);
    return result != NULL ? CP_OK : CP_ERR_POSTGRES;
}

static cp_code flush_entity(struct flush *flush, struct cpi_redis *redis, const struct cpi_entity *entity,
                            cp_error *err)
{
    uint64_t count = 0;
    cp_code code = cpi_keyspace_flush(redis, entity, keep_lease, flush, &count, err);
    if (code == CP_OK) {
        cpi_log(&flush->env->log, CP_LOG_INFO, "flush: %llu keys under \"%s\" deleted", (unsigned long long)count,
                entity->key.before);
    }
    return code;
}

cp_code cpi_flush(const struct cpi_env *env, struct cpi_pg *pg, cp_error *err)
{
    const struct cp_config *config = env->config;
    struct flush flush = {.env = env, .pg = pg, .spoke_at_ms = cpi_now_ms()};
    struct cpi_redis redis = cpi_env_redis(env, "cachepusher-flush", env->stop->drain_fd);
    cp_code code = cpi_redis_open(&redis, err);
    if (code == CP_OK) {
        code = cpi_lease_admit(env->lease, pg, &redis, err);
    }
    for (uint32_t e = 0; e < config->entity_count && code == CP_OK; e++) {
        code = flush_entity(&flush, &redis, &config->entities[e], err);
    }
    cpi_redis_close(&redis);
    return code;
}
