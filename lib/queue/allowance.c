#include "queue/allowance.h"

#include "base/error.h"

#include <stdlib.h>

struct cpi_allowance_entity {
    bool unlimited;
    bool under_way;    /* a run that will look at withheld */
    uint64_t found;    /* keys, by this run or, until it says so, the one before, whose ids may be left in lanes */
    uint64_t before;   /* taken by runs before that withheld something */
    uint64_t taken;    /* these included */
    uint64_t withheld; /* since the run began */
};

cp_code cpi_allowance_init(struct cpi_allowance *allowance, uint32_t entity_count, unsigned percent, cp_error *err)
{
    *allowance = (struct cpi_allowance){.percent = percent};
    pthread_mutex_init(&allowance->mutex, NULL);
    allowance->entities = calloc(entity_count, sizeof *allowance->entities);
    return allowance->entities != NULL ? CP_OK : cpi_error_memory(err);
}

void cpi_allowance_fini(struct cpi_allowance *allowance)
{
    free(allowance->entities);
    pthread_mutex_destroy(&allowance->mutex);
}

static struct cpi_allowance_entity *lock_entity(struct cpi_allowance *allowance, uint32_t index)
{
    pthread_mutex_lock(&allowance->mutex);
    return &allowance->entities[index];
}

/* Of so many keys. */
static uint64_t limit_of(const struct cpi_allowance *allowance, const struct cpi_allowance_entity *entity,
                         uint64_t keys)
{
    if (entity->unlimited || allowance->percent >= 100) {
        return UINT64_MAX;
    }
    uint64_t share = keys * allowance->percent / 100;
    return share > CPI_ALLOWANCE_FREE ? share : CPI_ALLOWANCE_FREE;
}

void cpi_allowance_begin(struct cpi_allowance *allowance, uint32_t index, bool unlimited)
{
    struct cpi_allowance_entity *entity = lock_entity(allowance, index);
    entity->unlimited = unlimited;
    entity->under_way = true;
    entity->before = entity->taken;
    entity->withheld = 0;
    pthread_mutex_unlock(&allowance->mutex);
}

void cpi_allowance_found(struct cpi_allowance *allowance, uint32_t index, uint64_t found)
{
    lock_entity(allowance, index)->found = found;
    pthread_mutex_unlock(&allowance->mutex);
}

bool cpi_allowance_covers(struct cpi_allowance *allowance, uint32_t index, uint64_t count)
{
    const struct cpi_allowance_entity *entity = lock_entity(allowance, index);
    bool covers = count <= limit_of(allowance, entity, entity->found);
    pthread_mutex_unlock(&allowance->mutex);
    return covers;
}

uint64_t cpi_allowance_end(struct cpi_allowance *allowance, uint32_t index, uint64_t *found)
{
    struct cpi_allowance_entity *entity = lock_entity(allowance, index);
    uint64_t withheld = entity->withheld;
    *found = entity->found;
    entity->under_way = false;
    entity->taken = withheld > 0 ? entity->taken : 0;
    entity->before = withheld > 0 ? entity->before : 0;
    pthread_mutex_unlock(&allowance->mutex);
    return withheld;
}

enum cpi_allowed cpi_allowance_take(struct cpi_allowance *allowance, uint32_t index)
{
    enum cpi_allowed allowed = CPI_ALLOWED;
    struct cpi_allowance_entity *entity = lock_entity(allowance, index);
    if (entity->taken < limit_of(allowance, entity, entity->found + entity->before)) {
        entity->taken++;
    } else {
        allowed = entity->withheld == 0 && !entity->under_way ? CPI_WITHHELD_LATE : CPI_WITHHELD;
        entity->withheld++;
    }
    pthread_mutex_unlock(&allowance->mutex);
    return allowed;
}
