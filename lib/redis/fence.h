/* Fencing: names of connections, and ending those of a lease's former owners. */
#ifndef CPI_FENCE_H
#define CPI_FENCE_H

#include "redis/redis.h"

/* The connection names itself ROLE:GROUP:TOKEN. */
cp_code cpi_fence_set_name(struct cpi_redis *redis, const char *group, const char *token, cp_error *err);

/* Ends every connection with the same group and another token in its name. */
cp_code cpi_fence_kill_others(struct cpi_redis *redis, const char *group, const char *token, cp_error *err);

/* Whether a line of CLIENT LIST is about such a connection; id is then its number. */
bool cpi_fence_is_other(const char *line, const char *group, const char *token, char id[24]);

/* CLIENT LIST, of which str is the text; the caller frees it. NULL on failure. */
redisReply *cpi_fence_list_clients(struct cpi_redis *redis, cp_error *err);

#endif
