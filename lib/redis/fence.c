#include "redis/fence.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static cp_code run_command(struct cpi_redis *redis, int argc, const char **argv, cp_error *err)
{
    redisReply *reply = cpi_redis_command(redis, argc, argv, NULL, err);
    if (reply == NULL) {
        return CP_ERR_REDIS;
    }
    freeReplyObject(reply);
    return CP_OK;
}

cp_code cpi_fence_set_name(struct cpi_redis *redis, const char *group, const char *token, cp_error *err)
{
    char name[128];
    snprintf(name, sizeof name, "%s:%s:%s", redis->role, group, token);
    const char *command[] = {"CLIENT", "SETNAME", name};
    return run_command(redis, 3, command, err);
}

bool cpi_fence_is_other(const char *line, const char *group, const char *token, char id[24])
{
    char its_role[64];
    char its_group[64];
    char its_token[64];
    const char *name = strstr(line, " name=");
    return name != NULL && sscanf(line, "id=%23[0-9]", id) == 1 &&
           sscanf(name, " name=%63[^: ]:%63[^: ]:%63[^: ]", its_role, its_group, its_token) == 3 &&
           strncmp(its_role, "cachepusher-", strlen("cachepusher-")) == 0 && strcmp(its_group, group) == 0 &&
           strcmp(its_token, token) != 0;
}

redisReply *cpi_fence_list_clients(struct cpi_redis *redis, cp_error *err)
{
    const char *command[] = {"CLIENT", "LIST"};
    redisReply *list = cpi_redis_command(redis, 2, command, NULL, err);
    if (list != NULL && list->str == NULL) {
        cpi_error(err, CP_ERR_REDIS, true, "Redis: CLIENT LIST: not the reply this command has");
        freeReplyObject(list);
        return NULL;
    }
    return list;
}

cp_code cpi_fence_kill_others(struct cpi_redis *redis, const char *group, const char *token, cp_error *err)
{
    redisReply *list = cpi_fence_list_clients(redis, err);
    if (list == NULL) {
        return CP_ERR_REDIS;
    }
    cp_code code = CP_OK;
    char *rest = NULL;
    char *line = strtok_r(list->str, "\n", &rest);
    for (; line != NULL && code == CP_OK; line = strtok_r(NULL, "\n", &rest)) {
        char id[24];
        if (cpi_fence_is_other(line, group, token, id)) {
            const char *kill[] = {"CLIENT", "KILL", "ID", id};
            code = run_command(redis, 4, kill, err);
        }
    }
    freeReplyObject(list);
    return code;
}
