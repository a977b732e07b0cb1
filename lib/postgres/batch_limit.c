#include "postgres/batch_limit.h"

#include <stdlib.h>

enum {
    /* What the documents of one statement should not exceed, at their usual size: beyond it Postgres has to put them
     * into a file, and later changes wait longer. */
    STATEMENT_BYTES = 8 * 1024 * 1024,
    /* How much of its timeout a statement should take, one part in so many, and how long at most. */
    TIMEOUT_PARTS = 5,
    STATEMENT_MS = 1000,
    /* Of the first batch, while nothing is known. */
    FIRST_BATCH = 32
};

/* Sums over the statements of an entity that have succeeded; each counts half as much as the next one. */
struct cpi_entity_limit {
    uint32_t ids; /* what a statement can read in time */
    double weight;
    double n;
    double n_n;
    double ms;
    double n_ms;
};

bool cpi_batch_limit_init(struct cpi_batch_limit *limit, size_t entity_count)
{
    *limit = (struct cpi_batch_limit){.entities = calloc(entity_count, sizeof *limit->entities)};
    for (size_t e = 0; e < entity_count && limit->entities != NULL; e++) {
        limit->entities[e].ids = FIRST_BATCH;
    }
    return limit->entities != NULL;
}

void cpi_batch_limit_fini(struct cpi_batch_limit *limit)
{
    free(limit->entities);
    limit->entities = NULL;
}

void cpi_batch_limit_note_bytes(struct cpi_batch_limit *limit, uint32_t n, size_t bytes)
{
    size_t mean = bytes / n;
    bool up = !limit->has_size || mean > limit->usual_bytes;
    limit->usual_bytes = up ? mean : (3 * limit->usual_bytes + mean) / 4;
    limit->has_size = true;
}

static void add_statement(struct cpi_entity_limit *entity, double n, double ms)
{
    entity->weight = entity->weight / 2 + 1;
    entity->n = entity->n / 2 + n;
    entity->n_n = entity->n_n / 2 + n * n;
    entity->ms = entity->ms / 2 + ms;
    entity->n_ms = entity->n_ms / 2 + n * ms;
}

/* What one more id costs: the slope of the line through the statements, since fewer ids do not help where a statement
 * takes its time whatever is in it. All of it is put down to the ids while their numbers hardly differ. */
static double cost_of_id_ms(const struct cpi_entity_limit *entity)
{
    double mean = entity->ms / entity->n;
    double spread = entity->weight * entity->n_n - entity->n * entity->n;
    if (spread < entity->weight * entity->n_n / 100) {
        return mean;
    }
    double slope = (entity->weight * entity->n_ms - entity->n * entity->ms) / spread;
    return slope < 0 ? 0 : slope < mean ? slope : mean;
}

static uint32_t lower(uint32_t ids, int64_t fitting)
{
    return fitting < 1 ? 1 : fitting < ids ? (uint32_t)fitting : ids;
}

static void fit(struct cpi_entity_limit *entity, uint32_t n, int64_t took_ms, int64_t aim_ms)
{
    double cost_ms = cost_of_id_ms(entity);
    uint32_t twice = 2 * n;
    uint32_t fitting = twice * cost_ms < (double)aim_ms ? twice : (uint32_t)((double)aim_ms / cost_ms);
    if (fitting >= n) {
        entity->ids = fitting > entity->ids ? fitting : entity->ids;
    } else if (took_ms > aim_ms && n > 1) { /* a single id may be the only one that is slow */
        entity->ids = lower(entity->ids, fitting);
    }
}

/* One that was fast allows twice as many, so that a wait for a lock is soon forgotten. Of one that was cancelled it is
 * only known that it would have taken longer, and what was learned before is no longer true. */
void cpi_batch_limit_note_time(struct cpi_batch_limit *limit, uint32_t entity, uint32_t n, int64_t took_ms,
                               int timeout_ms, bool succeeded)
{
    struct cpi_entity_limit *of_entity = &limit->entities[entity];
    int part_ms = timeout_ms / TIMEOUT_PARTS;
    int64_t aim_ms = timeout_ms > 0 && part_ms < STATEMENT_MS ? part_ms : STATEMENT_MS;
    if (succeeded) {
        add_statement(of_entity, n, (double)took_ms);
        if (took_ms <= aim_ms / 2) {
            of_entity->ids = 2 * n > of_entity->ids ? 2 * n : of_entity->ids;
        } else {
            fit(of_entity, n, took_ms, aim_ms);
        }
    } else if (took_ms > aim_ms && n > 1) {
        *of_entity = (struct cpi_entity_limit){.ids = lower(of_entity->ids, n * aim_ms / took_ms)};
    }
}

uint32_t cpi_batch_limit_get(const struct cpi_batch_limit *limit, uint32_t most)
{
    size_t fitting = limit->has_size ? STATEMENT_BYTES / (limit->usual_bytes + 1) : FIRST_BATCH;
    return (uint32_t)(fitting < 1 ? 1 : fitting < most ? fitting : most);
}

uint32_t cpi_batch_limit_of_entity(const struct cpi_batch_limit *limit, uint32_t entity)
{
    return limit->entities[entity].ids;
}
