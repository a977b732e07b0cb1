#include "source/subscribe.h"

#include "base/error.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <string.h>

static cp_code listen_to(struct cpi_pg *pg, const char *channel, cp_error *err)
{
    char *quoted = PQescapeIdentifier(pg->connection, channel, strlen(channel));
    char sql[256];
    bool fits = quoted != NULL && snprintf(sql, sizeof sql, "listen %s", quoted) < (int)sizeof sql;
    PQfreemem(quoted);
    if (!fits) {
        return cpi_error_memory(err);
    }
    struct cpi_rows *result = cpi_pg_query(pg, sql, NULL, 0, false, err);
    cpi_rows_free(result);
    return result != NULL ? CP_OK : CP_ERR_POSTGRES;
}

/* A heartbeat needs no durability, and must not wait for a standby; what else it waits for is limited by the
 * statement's own timeout. */
static cp_code make_ours(struct cpi_pg *pg, cp_error *err)
{
    struct cpi_rows *result =
        cpi_pg_query(pg, "select pg_catalog.set_config('synchronous_commit', 'off', false)", NULL, 0, false, err);
    cpi_rows_free(result);
    return result != NULL ? CP_OK : CP_ERR_POSTGRES;
}

cp_code cpi_subscribe(struct cpi_pg *pg, const struct cpi_env *env, cp_error *err)
{
    cp_code code = make_ours(pg, err);
    size_t count = env->config->entity_count + env->config->mapping_count;
    for (size_t e = 0; e < count; e++) {
        const struct cpi_entity *entity = &env->config->entities[e];
        for (size_t c = 0; c < entity->channel_count && code == CP_OK; c++) {
            code = listen_to(pg, entity->channels[c], err);
        }
    }
    return code == CP_OK ? listen_to(pg, env->channel, err) : code;
}
