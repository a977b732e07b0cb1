#include "listing.h"

#include "error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The newline after the listing query ends a comment that it may end in.
 *
 * `order by listed.id`, not `id`: that would be the output column, which is a cast and has no index. */
static char *page_sql(const struct cpi_entity *entity, bool first)
{
    char condition[64];
    snprintf(condition, sizeof condition, first ? "is not null" : "> $1::%s", cpi_id_type_name(entity->id_type));
    char *sql = NULL;
    int length = asprintf(&sql,
                          "select listed.id::%s from (%s\n) as listed(id) where listed.id %s"
                          " order by listed.id limit %d",
                          cpi_id_wire_type(entity->id_type), entity->list, condition, CPI_LISTING_PAGE);
    return length < 0 ? NULL : sql;
}

static char *missing_sql(const struct cpi_entity *entity)
{
    const char *type = cpi_id_type_name(entity->id_type);
    const char *wire = cpi_id_wire_type(entity->id_type);
    char *sql = NULL;
    int length = asprintf(&sql,
                          "select u.id::%s from unnest($1::%s[]::%s[]) as u(id)"
                          " where not exists (select from (%s\n) as listed(id) where listed.id = u.id)",
                          wire, wire, type, entity->list);
    return length < 0 ? NULL : sql;
}

static PGresult *query(struct cpi_pg *pg, char *sql, const struct cpi_pg_parameter *parameter, bool binary,
                       cp_error *err)
{
    if (sql == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    PGresult *result = cpi_pg_query(pg, sql, parameter, parameter != NULL ? 1 : 0, binary, err);
    free(sql);
    return result;
}

PGresult *cpi_listing_page(struct cpi_pg *pg, const struct cpi_entity *entity, const union cpi_id *after, cp_error *err)
{
    if (after == NULL) {
        return query(pg, page_sql(entity, true), NULL, true, err);
    }
    char digits[CPI_ID_NUMBER_BYTES];
    struct cpi_pg_parameter parameter = {.value = cpi_id_text(entity->id_type, after, digits)};
    return query(pg, page_sql(entity, false), &parameter, true, err);
}

PGresult *cpi_listing_missing(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids,
                              cp_error *err)
{
    struct cpi_pg_parameter parameter = cpi_id_array_parameter(ids);
    return query(pg, missing_sql(entity), &parameter, true, err);
}

cp_code cpi_listing_estimate(struct cpi_pg *pg, const struct cpi_entity *entity, uint64_t *count, cp_error *err)
{
    char *sql = NULL;
    if (asprintf(&sql, "explain (format json) %s", entity->list) < 0) {
        sql = NULL;
    }
    PGresult *result = query(pg, sql, NULL, false, err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    json_t *plans = json_loads(PQgetvalue(result, 0, 0), 0, NULL);
    json_t *rows = json_object_get(json_object_get(json_array_get(plans, 0), "Plan"), "Plan Rows");
    *count = (uint64_t)json_number_value(rows);
    json_decref(plans);
    PQclear(result);
    return CP_OK;
}

cp_code cpi_listing_check(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    char *sqls[] = {page_sql(entity, true), page_sql(entity, false), missing_sql(entity)};
    cp_code code = CP_OK;
    for (size_t i = 0; i < sizeof sqls / sizeof *sqls; i++) {
        cp_error why = {0};
        if (code == CP_OK) {
            code = sqls[i] != NULL ? cpi_pg_prepare(pg, "", sqls[i], &why) : cpi_error_memory(&why);
            if (code != CP_OK) {
                cpi_error(err, code, why.retriable, "entity \"%s\": listing query: %s", entity->name, why.message);
            }
        }
        free(sqls[i]);
    }
    return code;
}
