#include "worker/servers.h"

#include "lease/admission.h"
#include "postgres/fetch.h"

#include <stdlib.h>

struct real_servers {
    struct cpi_servers servers; /* first: what is handed out */
    const struct cpi_env *env;
    struct cpi_fetch fetch;
};

static cp_code admit(struct cpi_servers *servers, cp_error *err)
{
    struct real_servers *real = (struct real_servers *)servers;
    return cpi_lease_admit(real->env->lease, &real->fetch.pg, real->servers.target, err);
}

static void destroy(struct cpi_servers *servers)
{
    struct real_servers *real = (struct real_servers *)servers;
    cpi_reader_destroy(real->servers.reader);
    cpi_fetch_fini(&real->fetch);
    cpi_target_destroy(real->servers.target);
    free(real);
}

struct cpi_servers *cpi_servers_create(const struct cpi_env *env)
{
    const struct cp_config *config = env->config;
    struct real_servers *real = calloc(1, sizeof *real);
    if (real == NULL) {
        return NULL;
    }
    real->env = env;
    real->fetch.pg = cpi_env_pg(env, "cachepusher worker", env->stop->grace_fd, config->fetch_timeout_ms);
    real->fetch.entities = config->entities;
    /* Each document is appended as it arrives (a portion of one): its memory is used again for the next one, which is
     * twice as fast as holding a batch of them. */
    real->servers = (struct cpi_servers){.reader = cpi_reader_create(&cpi_fetch_ops, &real->fetch, config->entities,
                                                                     config->entity_count, config->batch, 1),
                                         .target = cpi_env_target(env, "cachepusher-worker", env->stop->grace_fd),
                                         .admit = admit,
                                         .destroy = destroy};
    if (real->servers.reader == NULL || real->servers.target == NULL) {
        destroy(&real->servers);
        return NULL;
    }
    return &real->servers;
}

void cpi_servers_destroy(struct cpi_servers *servers)
{
    if (servers != NULL) {
        servers->destroy(servers);
    }
}
