#include "scan/slice.h"

#include "base/error.h"
#include "postgres/listing.h"

#include <string.h>

bool cpi_slice_add(struct cpi_slice *slice, const struct cpi_entity *entity, const union cpi_id *id)
{
    if (slice->count == CPI_SLICE || !cpi_id_copy(entity->id_type, id, &slice->ids[slice->count])) {
        return false;
    }
    slice->count++;
    return true;
}

void cpi_slice_clear(struct cpi_slice *slice, const struct cpi_entity *entities)
{
    for (uint32_t i = 0; i < slice->count; i++) {
        cpi_id_fini(entities[slice->entity].id_type, &slice->ids[i]);
    }
    slice->count = 0;
}

void cpi_slice_drop_first(struct cpi_slice *slice, uint32_t n)
{
    memmove(slice->ids, slice->ids + n, (slice->count - n) * sizeof *slice->ids);
    slice->count -= n;
}

static bool keep_rows(struct cpi_slice *kept, const struct cpi_entity *entity, const struct cpi_rows *rows)
{
    for (int row = 0; row < cpi_rows_count(rows); row++) {
        union cpi_id id = cpi_fetch_id(entity, rows, row, 0);
        if (!cpi_slice_add(kept, entity, &id)) {
            return false;
        }
    }
    return true;
}

cp_code cpi_slice_drop_listed(struct cpi_slice *slice, const struct cpi_entity *entities, struct cpi_pg *pg,
                              struct cpi_id_array *ids, cp_error *err)
{
    const struct cpi_entity *entity = &entities[slice->entity];
    bool fits = cpi_id_array_clear(ids, entity->id_type);
    for (uint32_t i = 0; i < slice->count && fits; i++) {
        fits = cpi_id_array_add(ids, &slice->ids[i]);
    }
    if (!fits) {
        return cpi_error_memory(err);
    }
    struct cpi_rows *missing = cpi_listing_missing(pg, entity, ids, err);
    if (missing == NULL) {
        return err->code;
    }
    struct cpi_slice kept = {.entity = slice->entity};
    bool is_kept = keep_rows(&kept, entity, missing);
    cpi_rows_free(missing);
    cpi_slice_clear(is_kept ? slice : &kept, entities);
    if (!is_kept) {
        return cpi_error_memory(err);
    }
    *slice = kept;
    return CP_OK;
}
