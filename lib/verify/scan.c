#include "verify/scan.h"

#include "base/error.h"
#include "postgres/listing.h"

void cpi_census_init(struct cpi_census *census, enum cpi_census_kind kind, const struct cpi_env *env,
                     const char *pg_role, const char *redis_role)
{
    *census = (struct cpi_census){.env = env, .kind = kind};
    census->pg =
        (struct cpi_pg){.config = env->config, .log = &env->log, .role = pg_role, .cancel_fd = env->stop->drain_fd};
    census->redis = (struct cpi_redis){.config = env->config, .role = redis_role, .cancel_fd = env->stop->drain_fd};
}

static void forget_keys(struct cpi_census *census)
{
    if (census->keys != NULL) {
        freeReplyObject(census->keys);
        census->keys = NULL;
    }
}

static void forget_place(struct cpi_census *census)
{
    PQclear(census->page);
    census->page = NULL;
    forget_keys(census);
    cpi_scan_fini(&census->scan);
    census->strangers_here = 0;
}

void cpi_census_close(struct cpi_census *census)
{
    cpi_pg_close(&census->pg);
    cpi_redis_close(&census->redis);
}

void cpi_census_fini(struct cpi_census *census)
{
    forget_place(census);
    cpi_census_close(census);
}

void cpi_census_restart(struct cpi_census *census)
{
    forget_place(census);
    census->entity = 0;
    census->strangers = 0;
}

bool cpi_census_is_done(const struct cpi_census *census)
{
    return census->entity == census->env->config->entity_count;
}

static void next_entity(struct cpi_census *census)
{
    census->strangers += census->strangers_here;
    forget_place(census);
    census->entity++;
}

void cpi_census_skip(struct cpi_census *census)
{
    if (!cpi_census_is_done(census)) {
        next_entity(census);
    }
}

/* ---- Postgres ---- */

/* The page after the one that has been taken. */
static cp_code turn_page(struct cpi_census *census, const struct cpi_entity *entity, cp_error *err)
{
    union cpi_id after = {0};
    if (census->page != NULL) {
        after = cpi_fetch_id(entity, census->page, PQntuples(census->page) - 1, 0);
    }
    if (!cpi_pg_is_open(&census->pg) && cpi_pg_open(&census->pg, err) != CP_OK) {
        return err->code;
    }
    PGresult *page = cpi_listing_page(&census->pg, entity, census->page != NULL ? &after : NULL, err);
    if (page == NULL) {
        return err->code;
    }
    PQclear(census->page);
    census->page = page;
    census->row = 0;
    return CP_OK;
}

static cp_code next_listed(struct cpi_census *census, const struct cpi_entity *entity, uint32_t limit,
                           struct cpi_slice *slice, cp_error *err)
{
    if ((census->page == NULL || census->row == PQntuples(census->page)) && turn_page(census, entity, err) != CP_OK) {
        return err->code;
    }
    int rows = PQntuples(census->page);
    int row = census->row;
    for (; row < rows && slice->count < limit; row++) {
        union cpi_id id = cpi_fetch_id(entity, census->page, row, 0);
        if (!cpi_slice_add(slice, entity, &id)) {
            return cpi_error_memory(err); /* the same rows again the next time */
        }
    }
    census->row = row;
    if (row == rows && rows < CPI_LISTING_PAGE) {
        next_entity(census);
    }
    return CP_OK;
}

/* ---- Redis ---- */

static cp_code scan_on(struct cpi_census *census, const struct cpi_entity *entity, cp_error *err)
{
    if (!cpi_redis_is_open(&census->redis)) {
        cpi_scan_fini(&census->scan); /* a cursor is good for the process that gave it */
        census->strangers_here = 0;
        if (cpi_redis_open(&census->redis, err) != CP_OK) {
            return err->code;
        }
    }
    if (census->scan.pattern == NULL && cpi_scan_init(&census->scan, &entity->key, false, err) != CP_OK) {
        return err->code;
    }
    forget_keys(census);
    census->keys = cpi_scan_next(&census->redis, &census->scan, err);
    census->key = 0;
    return census->keys != NULL ? CP_OK : err->code;
}

static cp_code next_found(struct cpi_census *census, const struct cpi_entity *entity, uint32_t limit,
                          struct cpi_slice *slice, cp_error *err)
{
    if (census->keys == NULL && scan_on(census, entity, err) != CP_OK) {
        return err->code;
    }
    const redisReply *keys = census->keys->element[1];
    uint64_t strangers = 0;
    size_t key = census->key;
    for (; key < keys->elements && slice->count < limit; key++) {
        union cpi_id id;
        bool out_of_memory = false;
        if (!cpi_keyspace_id(entity, keys->element[key], &id, &out_of_memory)) {
            strangers++;
        } else {
            out_of_memory = !cpi_slice_add(slice, entity, &id);
            cpi_id_fini(entity->id_type, &id);
        }
        if (out_of_memory) {
            return cpi_error_memory(err); /* the same keys again the next time */
        }
    }
    census->key = key;
    census->strangers_here += strangers;
    if (key == keys->elements) {
        forget_keys(census);
        if (census->scan.done) {
            next_entity(census);
        }
    }
    return CP_OK;
}

cp_code cpi_census_next(struct cpi_census *census, uint32_t limit, struct cpi_slice *slice, cp_error *err)
{
    slice->count = 0;
    if (cpi_census_is_done(census)) {
        return CP_OK;
    }
    slice->entity = census->entity;
    const struct cpi_entity *entity = &census->env->config->entities[census->entity];
    return census->kind == CPI_LISTED ? next_listed(census, entity, limit, slice, err)
                                      : next_found(census, entity, limit, slice, err);
}
