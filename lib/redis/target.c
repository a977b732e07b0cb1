#include "redis/target.h"

#include "redis/follower.h"
#include "redis/host_store.h"
#include "redis/single.h"

struct cpi_target *cpi_target_create(const struct cpi_target_options *options)
{
    if (options->store != NULL) {
        return cpi_host_store_create(options);
    }
    return options->kept != NULL ? cpi_follower_create(options->kept) : cpi_single_create(options);
}

void cpi_target_destroy(struct cpi_target *target)
{
    if (target != NULL) {
        target->ops->destroy(target);
    }
}

cp_code cpi_target_ensure_open(struct cpi_target *target, cp_error *err)
{
    return target->ops->is_open(target) ? CP_OK : target->ops->open(target, err);
}
