#include "lease/admission.h"

#include "base/error.h"
#include "lease/lock.h"

#include <stdio.h>
#include <string.h>

static cp_code run(struct cpi_redis *redis, int argc, const char **argv, cp_error *err)
{
    redisReply *reply = cpi_redis_command(redis, argc, argv, NULL, err);
    if (reply == NULL) {
        return CP_ERR_REDIS;
    }
    freeReplyObject(reply);
    return CP_OK;
}

static cp_code set_name(const struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_redis *redis,
                        cp_error *err)
{
    char name[128];
    snprintf(name, sizeof name, "%s:%s:%s", redis->role, session->group, lease->token);
    const char *command[] = {"CLIENT", "SETNAME", name};
    return run(redis, 3, command, err);
}

/* Whether a line of CLIENT LIST is about a connection of another syncer under the same lease. */
static bool is_former(const struct cpi_lease *lease, const struct cpi_lease_session *session, const char *line)
{
    const char *name = strstr(line, " name=");
    if (name == NULL) {
        return false;
    }
    char role[64];
    char group[sizeof session->group];
    char token[64];
    return sscanf(name, " name=%63[^: ]:%19[^: ]:%63[^: ]", role, group, token) == 3 &&
           strncmp(role, "cachepusher-", strlen("cachepusher-")) == 0 && strcmp(group, session->group) == 0 &&
           strcmp(token, lease->token) != 0;
}

static cp_code kill_former_owners(const struct cpi_lease *lease, const struct cpi_lease_session *session,
                                  struct cpi_redis *redis, cp_error *err)
{
    const char *command[] = {"CLIENT", "LIST"};
    redisReply *list = cpi_redis_command(redis, 2, command, NULL, err);
    if (list == NULL) {
        return CP_ERR_REDIS;
    }
    cp_code code = CP_OK;
    char *rest = NULL;
    char *line = list->str != NULL ? strtok_r(list->str, "\n", &rest) : NULL;
    for (; line != NULL && code == CP_OK; line = strtok_r(NULL, "\n", &rest)) {
        char id[24];
        if (is_former(lease, session, line) && sscanf(line, "id=%23[0-9]", id) == 1) {
            const char *kill[] = {"CLIENT", "KILL", "ID", id};
            code = run(redis, 4, kill, err);
        }
    }
    freeReplyObject(list);
    return code;
}

/* The session is gone and its owner has not noticed, unless it has another one by now. */
static cp_code confirm(struct cpi_lease *lease, const struct cpi_lease_session *session, struct cpi_pg *pg,
                       cp_error *err)
{
    struct cpi_lock_holder holder;
    if (cpi_lock_find_holder(pg, lease->name, session->token, &holder, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    if (!holder.is_token) {
        cpi_lease_report_loss(lease, session, holder.exists);
        return cpi_error(err, CP_ERR_POSTGRES, true, "the right to write has been lost");
    }
    return CP_OK;
}

static cp_code refuse(enum cpi_lease_state state, cp_error *err)
{
    return cpi_error(err, CP_ERR_POSTGRES, true,
                     state == CPI_LEASE_TAKEN
                         ? "cannot write: another cachepusher is the writer"
                         : "cannot write: the lease is not held, since its session is not connected");
}

cp_code cpi_lease_admit(struct cpi_lease *lease, struct cpi_pg *pg, struct cpi_redis *redis, cp_error *err)
{
    struct cpi_lease_session session;
    enum cpi_lease_state state = cpi_lease_read(lease, &session);
    if (state != CPI_LEASE_HELD && state != CPI_LEASE_INHERITED) {
        return refuse(state, err);
    }
    cp_code code = set_name(lease, &session, redis, err);
    if (code == CP_OK) {
        code = kill_former_owners(lease, &session, redis, err);
    }
    if (code == CP_OK) {
        code = confirm(lease, &session, pg, err);
    }
    redis->may_write = code == CP_OK && cpi_redis_is_open(redis);
    return code;
}
