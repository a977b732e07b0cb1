#include "scan/scan.h"

#include "base/error.h"
#include "postgres/listing.h"

cp_code cpi_scan_init(struct cpi_scan *scan, enum cpi_scan_kind kind, const struct cpi_env *env, const char *pg_role,
                      const char *redis_role, cp_error *err)
{
    *scan = (struct cpi_scan){.env = env, .kind = kind, .end = (uint32_t)env->config->entity_count};
    scan->pg = cpi_env_pg(env, pg_role, env->stop->drain_fd, env->config->fetch_timeout_ms);
    scan->target = cpi_env_target(env, redis_role, env->stop->drain_fd);
    return scan->target != NULL ? CP_OK : cpi_error_memory(err);
}

static void forget_keys(struct cpi_scan *scan)
{
    cpi_keys_clear(&scan->keys);
    scan->has_keys = false;
}

static void forget_place(struct cpi_scan *scan)
{
    cpi_rows_free(scan->page);
    scan->page = NULL;
    forget_keys(scan);
    cpi_cursor_fini(&scan->cursor);
    scan->unmanaged_here = 0;
}

void cpi_scan_close(struct cpi_scan *scan)
{
    cpi_pg_close(&scan->pg);
    scan->target->ops->close(scan->target);
}

void cpi_scan_fini(struct cpi_scan *scan)
{
    forget_place(scan);
    cpi_keys_fini(&scan->keys);
    cpi_pg_close(&scan->pg);
    cpi_target_destroy(scan->target);
    scan->target = NULL;
}

static void begin(struct cpi_scan *scan, enum cpi_scan_kind kind, uint32_t first, uint32_t end)
{
    forget_place(scan);
    scan->kind = kind;
    scan->end = end;
    scan->entity = first;
    scan->unmanaged = 0;
    scan->unfit = 0;
}

void cpi_scan_begin(struct cpi_scan *scan, enum cpi_scan_kind kind)
{
    begin(scan, kind, 0, (uint32_t)scan->env->config->entity_count);
}

void cpi_scan_begin_entity(struct cpi_scan *scan, enum cpi_scan_kind kind, uint32_t entity)
{
    begin(scan, kind, entity, entity + 1);
}

bool cpi_scan_is_done(const struct cpi_scan *scan)
{
    return scan->entity == scan->end;
}

bool cpi_scan_has_more(const struct cpi_scan *scan)
{
    return scan->has_keys || (scan->page != NULL && scan->row < cpi_rows_count(scan->page));
}

static void next_entity(struct cpi_scan *scan)
{
    scan->unmanaged += scan->unmanaged_here;
    forget_place(scan);
    scan->entity++;
}

void cpi_scan_skip(struct cpi_scan *scan)
{
    if (!cpi_scan_is_done(scan)) {
        next_entity(scan);
    }
}

/* ---- Postgres ---- */

/* The page after the one that has been taken. */
static cp_code turn_page(struct cpi_scan *scan, const struct cpi_entity *entity, cp_error *err)
{
    union cpi_id after = {0};
    if (scan->page != NULL) {
        after = cpi_fetch_id(entity, scan->page, scan->last, 0);
    }
    if (!cpi_pg_is_open(&scan->pg) && cpi_pg_open(&scan->pg, err) != CP_OK) {
        return err->code;
    }
    struct cpi_rows *page = cpi_listing_page(&scan->pg, entity, scan->page != NULL ? &after : NULL, err);
    if (page == NULL) {
        return err->code;
    }
    cpi_rows_free(scan->page);
    scan->page = page;
    scan->row = 0;
    scan->last = cpi_listing_last(page);
    return CP_OK;
}

/* What is listed and cannot be an id of the entity costs itself, not its neighbours. */
static void refuse(struct cpi_scan *scan, const struct cpi_entity *entity, const struct cpi_rows *page, int row)
{
    union cpi_id id = cpi_fetch_id(entity, page, row, 0);
    char digits[CPI_ID_NUMBER_BYTES];
    const char *text = cpi_id_is_text(entity->id_type) ? id.text : cpi_id_text(CPI_ID_BIGINT, &id, digits);
    scan->unfit++;
    cpi_stats_add(scan->env->stats, CPI_STAT_UNREADABLE, 1);
    cpi_log_repeated(&scan->env->log, CPI_REPEAT_LISTING, NULL, CP_LOG_WARN,
                     &(struct cpi_log_about){.entity = entity->name},
                     "%s: the listing names \"%.*s\", which is not a valid %s id; left out", entity->name,
                     cpi_shown(text), text, cpi_id_type_name(entity->id_type));
}

static cp_code next_listed(struct cpi_scan *scan, const struct cpi_entity *entity, uint32_t limit,
                           struct cpi_slice *slice, cp_error *err)
{
    if ((scan->page == NULL || scan->row == cpi_rows_count(scan->page)) && turn_page(scan, entity, err) != CP_OK) {
        return err->code;
    }
    int rows = cpi_rows_count(scan->page);
    int row = scan->row;
    for (; row < rows && slice->count < limit; row++) {
        union cpi_id id = cpi_fetch_id(entity, scan->page, row, 0);
        if (!cpi_id_is_valid(entity->id_type, &id)) {
            refuse(scan, entity, scan->page, row);
        } else if (!cpi_slice_add(slice, entity, &id)) {
            return cpi_error_memory(err); /* the same rows again the next time */
        }
    }
    scan->row = row;
    if (row == rows && scan->last < 0) {
        next_entity(scan);
    }
    return CP_OK;
}

/* ---- Redis ---- */

static cp_code scan_on(struct cpi_scan *scan, const struct cpi_entity *entity, cp_error *err)
{
    if (!scan->target->ops->is_open(scan->target)) {
        cpi_cursor_fini(&scan->cursor); /* a cursor is good for the process that gave it */
        scan->unmanaged_here = 0;
        if (scan->target->ops->open(scan->target, err) != CP_OK) {
            return err->code;
        }
    }
    if (scan->cursor.pattern == NULL && cpi_cursor_init(&scan->cursor, &entity->key, false, err) != CP_OK) {
        return err->code;
    }
    forget_keys(scan);
    scan->key = 0;
    scan->has_keys = scan->target->ops->scan(scan->target, &scan->cursor, &scan->keys, err) == CP_OK;
    return scan->has_keys ? CP_OK : err->code;
}

static cp_code next_found(struct cpi_scan *scan, const struct cpi_entity *entity, uint32_t limit,
                          struct cpi_slice *slice, cp_error *err)
{
    if (!scan->has_keys && scan_on(scan, entity, err) != CP_OK) {
        return err->code;
    }
    const struct cpi_keys *keys = &scan->keys;
    uint64_t unmanaged = 0;
    size_t key = scan->key;
    for (; key < keys->count && slice->count < limit; key++) {
        union cpi_id id;
        bool out_of_memory = false;
        size_t length;
        const char *text = cpi_keys_at(keys, key, &length);
        if (!cpi_keyspace_id(entity, text, length, &id, &out_of_memory)) {
            unmanaged++;
        } else {
            slice->ids[slice->count++] = id;
        }
        if (out_of_memory) {
            return cpi_error_memory(err); /* the same keys again the next time */
        }
    }
    scan->key = key;
    scan->unmanaged_here += unmanaged;
    if (key == keys->count) {
        forget_keys(scan);
        if (scan->cursor.done) {
            next_entity(scan);
        }
    }
    return CP_OK;
}

cp_code cpi_scan_next(struct cpi_scan *scan, uint32_t limit, struct cpi_slice *slice, cp_error *err)
{
    slice->count = 0;
    if (cpi_scan_is_done(scan)) {
        return CP_OK;
    }
    slice->entity = scan->entity;
    const struct cpi_entity *entity = &scan->env->config->entities[scan->entity];
    return scan->kind == CPI_FROM_POSTGRES ? next_listed(scan, entity, limit, slice, err)
                                           : next_found(scan, entity, limit, slice, err);
}
