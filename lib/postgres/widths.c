#include "postgres/widths.h"

#include "postgres/rows.h"

#include <stdio.h>
#include <string.h>

/* From Postgres' pg_type.dat; these never change. */
enum { INT8_OID = 20, INT2_OID = 21, INT4_OID = 23 };

struct width {
    cpi_oid type;
    const char *name;
    const char *most;
};

static const struct width widths[] = {
    {INT2_OID, "smallint", "32767"}, {INT4_OID, "integer", "2147483647"}, {INT8_OID, "bigint", "9223372036854775807"}};

/* NULL: it is none of them. */
static const struct width *width_of(cpi_oid type)
{
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        if (widths[i].type == type) {
            return &widths[i];
        }
    }
    return NULL;
}

/* Of the function's argument, or of its elements. *type is 0 where there are several of that name. */
static cp_code argument_type(struct cpi_pg *pg, const struct cpi_entity *entity, cpi_oid *type, cp_error *err)
{
    unsigned oid = 0;
    struct cpi_pg_parameter parameter = {.value = entity->fetch};
    struct cpi_rows *rows =
        cpi_pg_query(pg,
                     "select case when t.typelem operator(pg_catalog.=) 0::pg_catalog.oid then t.oid else t.typelem end"
                     " from pg_catalog.pg_proc as p"
                     " join pg_catalog.pg_type as t on t.oid operator(pg_catalog.=) p.proargtypes[0]"
                     " where p.oid operator(pg_catalog.=) pg_catalog.to_regproc($1::pg_catalog.text)::pg_catalog.oid",
                     &parameter, 1, false, err);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    if (cpi_rows_count(rows) == 1) {
        sscanf(cpi_rows_value(rows, 0, 0), "%u", &oid);
    }
    cpi_rows_free(rows);
    *type = oid;
    return CP_OK;
}

cp_code cpi_widths_check(struct cpi_pg *pg, const struct cpi_entity *entity, char warning[CPI_WIDTHS_BYTES],
                         cp_error *err)
{
    cpi_oid listed_type = 0;
    cpi_oid argument = 0;
    warning[0] = '\0';
    if (cpi_id_is_text(entity->id_type)) {
        return CP_OK;
    }
    if (cpi_pg_prepare(pg, "", entity->list, err) != CP_OK ||
        cpi_pg_column_type(pg, "", 0, &listed_type, err) != CP_OK ||
        argument_type(pg, entity, &argument, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    const struct width *listed = width_of(listed_type);
    const struct width *id = width_of(entity->id_type == CPI_ID_INTEGER ? INT4_OID : INT8_OID);
    const struct width *taken = width_of(argument);
    if (listed != NULL && listed > id) {
        snprintf(warning, CPI_WIDTHS_BYTES,
                 "entity \"%.64s\": the listing gives %s and id_type is %s: ids past %s have no document", entity->name,
                 listed->name, id->name, id->most);
    } else if (listed != NULL && taken != NULL && listed > taken) {
        snprintf(warning, CPI_WIDTHS_BYTES,
                 "entity \"%.64s\": the listing gives %s and %.128s takes %s: ids past %s have no document",
                 entity->name, listed->name, entity->fetch, taken->name, taken->most);
    }
    return CP_OK;
}
