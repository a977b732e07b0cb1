/* What every thread of one syncer shares. Wired up by cp_syncer_create() and constant from then on. */
#ifndef CPI_ENV_H
#define CPI_ENV_H

#include "config/config.h"
#include "queue/allowance.h"
#include "queue/lane.h"
#include "lease/lease.h"
#include "model/transform.h"
#include "postgres/announce.h"
#include "queue/requests.h"
#include "queue/tickets.h"
#include "redis/target.h"
#include "base/log.h"
#include "base/repeats.h"
#include "base/stats.h"
#include "base/stop.h"
#include "base/thread.h"

#include <stdio.h>

struct cpi_recent;

struct cpi_env {
    const struct cp_config *config;
    struct cpi_log log;
    bool (*settled)(void *context, const cp_document *document); /* false: no memory for it; NULL: not wanted */
    void *settled_context;
    struct cpi_thread_hooks hooks;
    struct cpi_transform transform;
    const char *postgres_host; /* for messages */
    const char *redis_host;
    uint64_t seed;       /* random, for backoffs */
    const char *channel; /* a Postgres channel of this syncer alone, on which it sends notifications to itself */
    struct cpi_stats *stats;
    const cp_store *store;      /* of the host, in Redis' place; NULL: none */
    struct cpi_kept_keys *kept; /* of a store, or of a follower; NULL: documents go to Redis */
    struct cpi_recent *recent;  /* where workers tell what has settled; NULL: nobody audits */
    struct cpi_lease *lease;
    struct cpi_requests *requests;
    struct cpi_tickets *tickets;
    struct cpi_allowance *allowance;       /* of what resyncs may delete */
    const struct cpi_announcer *announcer; /* of the configured source */
    struct cpi_stop *stop;
    struct cpi_lanes lanes;
};

/* The server that a failure is of, for messages; NULL: none. */
static inline const char *cpi_env_host(const struct cpi_env *env, cp_code code)
{
    return code == CP_ERR_POSTGRES ? env->postgres_host : code == CP_ERR_REDIS ? env->redis_host : NULL;
}

/* An id's key, for messages: cut where it is longer. */
enum { CPI_ENV_KEY_BYTES = 512 };
static inline const char *cpi_env_key(const struct cpi_entity *entity, const union cpi_id *id,
                                      char key[CPI_ENV_KEY_BYTES])
{
    char digits[CPI_ID_NUMBER_BYTES];
    snprintf(key, CPI_ENV_KEY_BYTES, "%s%s%s", entity->key.before, cpi_id_text(entity->id_type, id, digits),
             entity->key.after);
    return key;
}

/* A connection, closed, as configured. role and env have to outlive it. */
static inline struct cpi_pg cpi_env_pg(const struct cpi_env *env, const char *role, int cancel_fd,
                                       int statement_timeout_ms)
{
    return (struct cpi_pg){.conninfo = env->config->postgres,
                           .password_file = env->config->postgres_password_file,
                           .log = &env->log,
                           .stats = env->stats,
                           .role = role,
                           .cancel_fd = cancel_fd,
                           .connect_timeout_ms = env->config->connect_timeout_ms,
                           .statement_timeout_ms = statement_timeout_ms};
}

/* NULL: out of memory. */
static inline struct cpi_target *cpi_env_target(const struct cpi_env *env, const char *role, int cancel_fd)
{
    return cpi_target_create(&(struct cpi_target_options){.store = env->store,
                                                          .kept = env->kept,
                                                          .address = &env->config->redis_address,
                                                          .role = role,
                                                          .stats = env->stats,
                                                          .cancel_fd = cancel_fd,
                                                          .connect_timeout_ms = env->config->connect_timeout_ms,
                                                          .timeout_ms = env->config->redis_timeout_ms,
                                                          .is_told = env->settled != NULL});
}

#endif
