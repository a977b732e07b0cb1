#include "source/flush.h"

#include "lease/admission.h"
#include "redis/keyspace.h"

static cp_code flush_entity(const struct cpi_env *env, struct cpi_redis *redis, const struct cpi_entity *entity,
                            cp_error *err)
{
    uint64_t count = 0;
    cp_code code = cpi_keyspace_flush(redis, entity, &count, err);
    if (code == CP_OK) {
        cpi_log(&env->log, CP_LOG_INFO, "flush: %llu keys under \"%s\" deleted", (unsigned long long)count,
                entity->key.before);
    }
    return code;
}

cp_code cpi_flush(const struct cpi_env *env, cp_error *err)
{
    const struct cp_config *config = env->config;
    struct cpi_pg pg = cpi_env_pg(env, "cachepusher flush", env->stop->drain_fd, config->fetch_timeout_ms);
    struct cpi_redis redis = cpi_env_redis(env, "cachepusher-flush", env->stop->drain_fd);
    cp_code code = cpi_pg_open(&pg, err);
    code = code == CP_OK ? cpi_redis_open(&redis, err) : code;
    code = code == CP_OK ? cpi_lease_admit(env->lease, &pg, &redis, err) : code;
    cpi_pg_close(&pg);
    for (uint32_t e = 0; e < config->entity_count && code == CP_OK; e++) {
        code = flush_entity(env, &redis, &config->entities[e], err);
    }
    cpi_redis_close(&redis);
    return code;
}
