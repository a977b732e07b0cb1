#include "postgres/listing.h"

#include "base/error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The newline after the listing query ends a comment that it may end in.
 *
 * `order by listed.id`, not `id`: that would be the output column, which is a cast and has no index.
 *
 * A page continues behind the last id of the one before, and a column's own order may take different texts for equal (a
 * nondeterministic collation): the other spellings of that id come again, so that none is left out. Only what is behind
 * it counts for the end of the listing. A number is compared as an int8, since the column may have larger ones than the
 * entity's type. */
static char *page_sql(const struct cpi_entity *entity, bool first)
{
    const char *wire = cpi_id_wire_type(entity->id_type);
    const char *after = entity->id_type == CPI_ID_UUID ? cpi_id_sql_type(CPI_ID_UUID) : wire;
    char *sql = NULL;
    char *spellings = NULL;
    if (!first && entity->id_type == CPI_ID_TEXT &&
        asprintf(&spellings,
                 "select equal.id::%s, false from (%s\n) as equal(id) where equal.id operator(pg_catalog.=) $1::%s"
                 " and equal.id::pg_catalog.text collate pg_catalog.\"C\" operator(pg_catalog.<>) $1::%s union all ",
                 wire, entity->list, after, after) < 0) {
        return NULL;
    }
    int length = first ? asprintf(&sql,
                                  "select listed.id::%s, true from (%s\n) as listed(id) where listed.id is not null"
                                  " order by listed.id limit %d",
                                  wire, entity->list, CPI_LISTING_PAGE)
                       : asprintf(&sql,
                                  "%s(select listed.id::%s, true from (%s\n) as listed(id)"
                                  " where listed.id operator(pg_catalog.>) $1::%s order by listed.id limit %d)",
                                  spellings != NULL ? spellings : "", wire, entity->list, after, CPI_LISTING_PAGE);
    free(spellings);
    return length < 0 ? NULL : sql;
}

/* Texts are also compared byte by byte: the index finds what is equal in the column's order, and only the same bytes
 * are the same key. */
static char *missing_sql(const struct cpi_entity *entity)
{
    static const char bytes[] = " and listed.id::pg_catalog.text collate pg_catalog.\"C\" operator(pg_catalog.=)"
                                " u.id collate pg_catalog.\"C\"";
    const char *type = cpi_id_sql_type(entity->id_type);
    const char *wire = cpi_id_wire_type(entity->id_type);
    char *sql = NULL;
    int length =
        asprintf(&sql,
                 "select u.id::%s from pg_catalog.unnest($1::%s[]::%s[]) as u(id)"
                 " where not exists (select from (%s\n) as listed(id) where listed.id operator(pg_catalog.=) u.id%s)",
                 wire, wire, type, entity->list, entity->id_type == CPI_ID_TEXT ? bytes : "");
    return length < 0 ? NULL : sql;
}

static struct cpi_rows *query(struct cpi_pg *pg, char *sql, const struct cpi_pg_parameter *parameter, bool binary,
                              cp_error *err)
{
    if (sql == NULL) {
        cpi_pg_no_memory(pg, err);
        return NULL;
    }
    struct cpi_rows *result = cpi_pg_query(pg, sql, parameter, parameter != NULL ? 1 : 0, binary, err);
    free(sql);
    return result;
}

struct cpi_rows *cpi_listing_page(struct cpi_pg *pg, const struct cpi_entity *entity, const union cpi_id *after,
                                  cp_error *err)
{
    if (after == NULL) {
        return query(pg, page_sql(entity, true), NULL, true, err);
    }
    char digits[CPI_ID_NUMBER_BYTES];
    struct cpi_pg_parameter parameter = {.value = cpi_id_text(entity->id_type, after, digits)};
    return query(pg, page_sql(entity, false), &parameter, true, err);
}

int cpi_listing_last(const struct cpi_rows *page)
{
    int behind = 0;
    int last = -1;
    for (int row = 0; row < cpi_rows_count(page); row++) {
        if (cpi_rows_value(page, row, 1)[0] != '\0') { /* a bool of one byte */
            behind++;
            last = row;
        }
    }
    return behind < CPI_LISTING_PAGE ? -1 : last;
}

struct cpi_rows *cpi_listing_missing(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids,
                                     cp_error *err)
{
    struct cpi_pg_parameter parameter = cpi_id_array_parameter(ids);
    return query(pg, missing_sql(entity), &parameter, true, err);
}

/* The planner's number, or whatever a server says instead: C leaves open what becomes of one that does not fit. */
static uint64_t to_count(double rows)
{
    const double limit = 9e18;
    return rows > 0 ? (uint64_t)(rows < limit ? rows : limit) : 0;
}

cp_code cpi_listing_estimate(struct cpi_pg *pg, const struct cpi_entity *entity, uint64_t *count, cp_error *err)
{
    char *sql = NULL;
    if (asprintf(&sql, "explain (format json) %s", entity->list) < 0) {
        return cpi_pg_no_memory(pg, err);
    }
    struct cpi_rows *result = query(pg, sql, NULL, false, err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    json_t *plans = json_loads(cpi_rows_value(result, 0, 0), 0, NULL);
    json_t *rows = json_object_get(json_object_get(json_array_get(plans, 0), "Plan"), "Plan Rows");
    *count = to_count(json_number_value(rows));
    json_decref(plans);
    cpi_rows_free(result);
    return CP_OK;
}

/* ---- the check ---- */

/* From Postgres' pg_type.dat; these never change. */
enum { NAME_OID = 19, INT8_OID = 20, INT2_OID = 21, INT4_OID = 23, TEXT_OID = 25, VARCHAR_OID = 1043, UUID_OID = 2950 };

/* What a listing's column may be: types that sort and compare with each other as the pages expect. */
static const struct {
    cpi_oid types[3];
    const char *names;
} expected[] = {
    [CPI_ID_INTEGER] = {{INT4_OID, INT8_OID, INT2_OID}, "integer, bigint or smallint"},
    [CPI_ID_BIGINT] = {{INT8_OID, INT4_OID, INT2_OID}, "bigint, integer or smallint"},
    [CPI_ID_UUID] = {{UUID_OID}, "uuid"},
    [CPI_ID_TEXT] = {{TEXT_OID, VARCHAR_OID, NAME_OID}, "text or varchar"},
};

static cp_code wrong_type(struct cpi_pg *pg, cpi_oid type, const char *names, cp_error *err)
{
    char oid[16];
    snprintf(oid, sizeof oid, "%u", type);
    struct cpi_pg_parameter parameter = {.value = oid};
    struct cpi_rows *result =
        cpi_pg_query(pg, "select pg_catalog.format_type($1::pg_catalog.oid, null)", &parameter, 1, false, err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    cpi_error(err, CP_ERR_POSTGRES, false, "its column is %s; expected %s (cast it)", cpi_rows_value(result, 0, 0),
              names);
    cpi_rows_free(result);
    return CP_ERR_POSTGRES;
}

cp_code cpi_listing_check_type(struct cpi_pg *pg, enum cpi_id_type id_type, cpi_oid type, cp_error *err)
{
    const cpi_oid *types = expected[id_type].types;
    bool fits = type == 0; /* no column at all, about which Postgres itself has a word to say */
    for (size_t i = 0; i < sizeof expected->types / sizeof *expected->types; i++) {
        fits = fits || type == types[i];
    }
    return fits ? CP_OK : wrong_type(pg, type, expected[id_type].names, err);
}

/* Pages in the order of one type, continued by comparing as another, would lose rows: citext sorts A between a and b,
 * text does not. Types that merely can be cast are refused, then. */
static cp_code check_type(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    cpi_oid type = 0;
    if (cpi_pg_prepare(pg, "", entity->list, err) != CP_OK || cpi_pg_column_type(pg, "", 0, &type, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    return cpi_listing_check_type(pg, entity->id_type, type, err);
}

static cp_code check_statement(struct cpi_pg *pg, char *sql, cp_error *err)
{
    cp_code code = sql != NULL ? cpi_pg_prepare(pg, "", sql, err) : cpi_pg_no_memory(pg, err);
    free(sql);
    return code;
}

cp_code cpi_listing_check(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    cp_error why = {0};
    uint64_t count;
    cp_code code = check_type(pg, entity, &why);
    if (code == CP_OK) {
        code = check_statement(pg, page_sql(entity, true), &why);
    }
    if (code == CP_OK) {
        code = check_statement(pg, page_sql(entity, false), &why);
    }
    if (code == CP_OK) {
        code = check_statement(pg, missing_sql(entity), &why);
    }
    if (code == CP_OK) {
        code = cpi_listing_estimate(pg, entity, &count, &why); /* preparing asks for no permissions, explaining does */
    }
    if (code != CP_OK) {
        cpi_error(err, code, why.retriable, "entity \"%s\": listing query: %s", entity->name, why.message);
    }
    return code;
}
