#include "source/flush.h"

#include "base/error.h"
#include "lease/admission.h"
#include "source/checkpoint_key.h"

static cp_code flush_entity(const struct cpi_env *env, struct cpi_target *target, const struct cpi_entity *entity,
                            cp_error *err)
{
    struct cpi_cursor cursor;
    struct cpi_keys keys = {0};
    uint64_t count = 0;
    cp_code code = cpi_cursor_init(&cursor, &entity->key, true, err);
    while (code == CP_OK && !cursor.done) {
        code = target->ops->scan(target, &cursor, &keys, err);
        code = code == CP_OK ? target->ops->unlink(target, &entity->key, &keys, &count, err) : code;
    }
    cpi_cursor_fini(&cursor);
    cpi_keys_fini(&keys);
    if (code == CP_OK) {
        cpi_log_about(&env->log, CP_LOG_INFO, &(struct cpi_log_about){.entity = entity->name, .count = count},
                      "flush: %llu key%s under \"%s\" deleted", (unsigned long long)count, cpi_plural(count),
                      entity->key.before);
    }
    return code;
}

static cp_code flush_all(const struct cpi_env *env, cp_error *err)
{
    const struct cp_config *config = env->config;
    struct cpi_pg pg = cpi_env_pg(env, "cachepusher flush", env->stop->drain_fd, config->fetch_timeout_ms);
    struct cpi_target *target = cpi_env_target(env, "cachepusher-flush", env->stop->drain_fd);
    if (target == NULL) {
        return cpi_error_memory(err);
    }
    cp_code code = cpi_pg_open(&pg, err);
    code = code == CP_OK ? target->ops->open(target, err) : code;
    code = code == CP_OK ? cpi_lease_admit(env->lease, &pg, target, err) : code;
    code = code == CP_OK ? cpi_checkpoint_forget(env, target, err) : code;
    cpi_pg_close(&pg);
    for (uint32_t e = 0; e < config->entity_count && code == CP_OK; e++) {
        code = flush_entity(env, target, &config->entities[e], err);
    }
    cpi_target_destroy(target);
    return code;
}

cp_code cpi_flush(const struct cpi_env *env, cp_error *err)
{
    if (env->config->flush) {
        return flush_all(env, err);
    }
    return env->config->source == CPI_SOURCE_WAL ? CP_OK : cpi_checkpoint_forget_others(env, err);
}
