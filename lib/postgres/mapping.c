#include "postgres/mapping.h"

#include "base/error.h"
#include "postgres/listing.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the statement ---- */

static void statement_name(uint32_t index, char name[CPI_FETCH_STATEMENT_BYTES])
{
    snprintf(name, CPI_FETCH_STATEMENT_BYTES, "cachepusher_map_%u", index);
}

/* The newline after the query ends a comment that it may end in. Texts are ordered byte by byte, since a page continues
 * behind the last one, and a column's own order may take different texts for equal. */
static char *page_sql(const struct cpi_entity *mapping, const struct cpi_entity *target)
{
    const char *wire = cpi_id_wire_type(target->id_type);
    const char *order = cpi_id_is_text(target->id_type) ? " collate pg_catalog.\"C\"" : "";
    char *sql = NULL;
    int length = asprintf(&sql,
                          "select w.id from (select m.id::%s%s as id from (%s\n) as m(id)) as w where w.id is not null"
                          " and ($2::%s is null or w.id operator(pg_catalog.>) $2::%s) order by w.id limit %d",
                          wire, order, mapping->maps, wire, wire, CPI_MAPPING_PAGE);
    return length < 0 ? NULL : sql;
}

static cp_code prepare_page(struct cpi_pg *pg, const char *name, const struct cpi_entity *mapping,
                            const struct cpi_entity *target, cp_error *err)
{
    char *sql = page_sql(mapping, target);
    cp_code code = sql != NULL ? cpi_pg_prepare(pg, name, sql, err) : cpi_pg_no_memory(pg, err);
    free(sql);
    return code;
}

/* Preparing asks for no permissions, explaining does. */
static cp_code explain(struct cpi_pg *pg, const struct cpi_entity *mapping, cp_error *err)
{
    char *sql = NULL;
    if (asprintf(&sql, "explain %s", mapping->maps) < 0) {
        return cpi_pg_no_memory(pg, err);
    }
    struct cpi_pg_parameter none = {.value = NULL};
    struct cpi_rows *rows = cpi_pg_query(pg, sql, &none, 1, false, err);
    bool explained = rows != NULL;
    free(sql);
    cpi_rows_free(rows);
    return explained ? CP_OK : CP_ERR_POSTGRES;
}

/* A value that stands alone, "= $1", would be compared with the text of an array. */
static cp_code check_parameter(struct cpi_pg *pg, cpi_oid type, cp_error *err)
{
    static const char sql[] = "select typcategory operator(pg_catalog.=) 'A', pg_catalog.format_type(oid, null)"
                              " from pg_catalog.pg_type where oid operator(pg_catalog.=) $1::pg_catalog.oid";
    char oid[16];
    snprintf(oid, sizeof oid, "%u", type);
    struct cpi_rows *rows = cpi_pg_query(pg, sql, &(struct cpi_pg_parameter){.value = oid}, 1, false, err);
    cp_code code = rows != NULL ? CP_OK : CP_ERR_POSTGRES;
    if (cpi_rows_count(rows) == 1 && !cpi_rows_is_true(rows, 0)) {
        code = cpi_error(err, CP_ERR_POSTGRES, false,
                         "its $1 is of type %s; expected an array of values of the column: write \"= any ($1)\"",
                         cpi_rows_value(rows, 0, 1));
    }
    cpi_rows_free(rows);
    return code;
}

static cp_code check_shape(struct cpi_pg *pg, const struct cpi_entity *mapping, const struct cpi_entity *target,
                           cp_error *err)
{
    struct cpi_pg_shape shape = {0};
    cp_code code = cpi_pg_prepare(pg, "", mapping->maps, err);
    code = code == CP_OK ? cpi_pg_describe(pg, "", &shape, err) : code;
    if (code == CP_OK && shape.parameters != 1) {
        return cpi_error(err, CP_ERR_POSTGRES, false,
                         "it has %d parameters; expected one, $1, an array of values of the column", shape.parameters);
    }
    if (code == CP_OK && shape.columns != 1) {
        return cpi_error(err, CP_ERR_POSTGRES, false,
                         "it returns %d columns; expected one, the id of each document that the rows are part of",
                         shape.columns);
    }
    code = code == CP_OK ? check_parameter(pg, shape.parameter, err) : code;
    return code == CP_OK ? cpi_listing_check_type(pg, target->id_type, shape.type, err) : code;
}

cp_code cpi_mapping_check(struct cpi_pg *pg, const struct cpi_entity *mapping, const struct cpi_entity *target,
                          const struct cpi_watch *watch, cp_error *err)
{
    cp_error why = {0};
    cp_code code = check_shape(pg, mapping, target, &why);
    code = code == CP_OK ? prepare_page(pg, "", mapping, target, &why) : code;
    code = code == CP_OK ? explain(pg, mapping, &why) : code;
    return code == CP_OK ? CP_OK
                         : cpi_error(err, code, why.retriable, "entity \"%s\": the query that maps rows of %.*s: %s",
                                     target->name, cpi_shown(watch->table), watch->table, why.message);
}

/* ---- values ---- */

static bool reserve(struct cpi_mapping *mapping, size_t length)
{
    if (length > mapping->array_capacity) {
        char *grown = realloc(mapping->array, 2 * length);
        if (grown == NULL) {
            return false;
        }
        mapping->array = grown;
        mapping->array_capacity = 2 * length;
    }
    return true;
}

/* An array in Postgres' notation. False: out of memory. */
static bool write_array(struct cpi_mapping *mapping, const struct cpi_event *values, uint32_t n)
{
    size_t length = 3; /* what surrounds it */
    for (uint32_t i = 0; i < n; i++) {
        length += 2 * strlen(values[i].id.text) + 3;
    }
    if (!reserve(mapping, length)) {
        return false;
    }
    char *at = mapping->array;
    *at++ = '{';
    for (uint32_t i = 0; i < n; i++) {
        at = i > 0 ? stpcpy(at, ",\"") : stpcpy(at, "\"");
        for (const char *from = values[i].id.text; *from != '\0'; from++) {
            if (*from == '"' || *from == '\\') {
                *at++ = '\\';
            }
            *at++ = *from;
        }
        *at++ = '"';
    }
    memcpy(at, "}", 2);
    return true;
}

/* ---- the connection ---- */

static struct cpi_mapping *mapping_of(void *connection)
{
    return connection;
}

static const struct cpi_entity *target_of(const struct cpi_mapping *mapping, uint32_t index)
{
    return &mapping->fetch.entities[mapping->fetch.entities[index].target];
}

static enum cpi_failure mapping_open(void *connection, cp_error *err)
{
    return cpi_fetch_ops.open(&mapping_of(connection)->fetch, err);
}

static bool mapping_is_open(const void *connection)
{
    return cpi_fetch_ops.is_open(&((const struct cpi_mapping *)connection)->fetch);
}

static void mapping_close(void *connection)
{
    cpi_fetch_ops.close(&mapping_of(connection)->fetch);
}

static void mapping_watch(void *connection, bool (*watch)(void *context), void *context)
{
    cpi_fetch_ops.watch(&mapping_of(connection)->fetch, watch, context);
}

static void mapping_limit(void *connection, int timeout_ms)
{
    cpi_fetch_ops.limit(&mapping_of(connection)->fetch, timeout_ms);
}

static enum cpi_failure mapping_prepare(void *connection, uint32_t index, cp_error *err)
{
    struct cpi_mapping *mapping = connection;
    char name[CPI_FETCH_STATEMENT_BYTES];
    statement_name(index, name);
    cp_code code =
        prepare_page(&mapping->fetch.pg, name, &mapping->fetch.entities[index], target_of(mapping, index), err);
    return code == CP_OK ? CPI_FAILURE_NONE : mapping->fetch.pg.failure;
}

static enum cpi_failure mapping_run(void *connection, uint32_t index, const struct cpi_event *values, uint32_t n,
                                    const char *after, cp_error *err)
{
    struct cpi_mapping *mapping = connection;
    struct cpi_pg *pg = &mapping->fetch.pg;
    if (!cpi_fetch_begin(&mapping->fetch, err)) {
        return pg->failure;
    }
    if (!write_array(mapping, values, n)) {
        cpi_pg_no_memory(pg, err);
        return CPI_FAILURE_MEMORY;
    }
    char name[CPI_FETCH_STATEMENT_BYTES];
    statement_name(index, name);
    const struct cpi_pg_parameter parameters[] = {{.value = mapping->array}, {.value = after}};
    return cpi_pg_stream(pg, name, parameters, 2, err) == CP_OK ? CPI_FAILURE_NONE : pg->failure;
}

static enum cpi_failure mapping_next(void *connection, uint32_t index, struct cpi_mapped *row, bool *has_row,
                                     cp_error *err)
{
    struct cpi_mapping *mapping = connection;
    struct cpi_pg *pg = &mapping->fetch.pg;
    bool is_text = cpi_id_is_text(target_of(mapping, index)->id_type);
    uint64_t network = 0;
    cpi_rows_free(mapping->row);
    mapping->row = NULL;
    if (cpi_pg_stream_next(pg, &mapping->row, err) != CP_OK) {
        return pg->failure;
    }
    *has_row = mapping->row != NULL;
    if (mapping->row == NULL) {
        cpi_fetch_end(&mapping->fetch);
        return CPI_FAILURE_NONE;
    }
    *row =
        (struct cpi_mapped){.text = cpi_rows_value(mapping->row, 0, 0), .length = cpi_rows_length(mapping->row, 0, 0)};
    if (cpi_rows_is_null(mapping->row, 0, 0) || (!is_text && row->length != sizeof network)) {
        return cpi_pg_strange(pg, err);
    }
    if (!is_text) {
        memcpy(&network, row->text, sizeof network);
        row->number = (int64_t)be64toh(network);
    }
    return CPI_FAILURE_NONE;
}

const struct cpi_mapping_ops cpi_mapping_ops = {.open = mapping_open,
                                                .is_open = mapping_is_open,
                                                .close = mapping_close,
                                                .watch = mapping_watch,
                                                .limit = mapping_limit,
                                                .prepare = mapping_prepare,
                                                .run = mapping_run,
                                                .next = mapping_next};

void cpi_mapping_fini(struct cpi_mapping *mapping)
{
    cpi_rows_free(mapping->row);
    cpi_fetch_fini(&mapping->fetch);
    free(mapping->array);
    *mapping = (struct cpi_mapping){0};
}
