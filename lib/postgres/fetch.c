#include "postgres/fetch.h"

#include "base/clock.h"
#include "base/error.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From Postgres' pg_type.dat; these never change. */
enum { JSON_OID = 114, TEXT_OID = 25, VARCHAR_OID = 1043, JSONB_OID = 3802 };

enum {
    ARGUMENT_BYTES = 256,
    SLOW_MS = 10, /* a statement takes two or three, unless documents are large or its plan is bad */
    PLANNED_FOR_MS = 1000
};

const char *cpi_id_wire_type(enum cpi_id_type type)
{
    return cpi_id_is_text(type) ? "pg_catalog.text" : "pg_catalog.int8";
}

const char *cpi_id_sql_type(enum cpi_id_type type)
{
    static const char *const types[] = {[CPI_ID_INTEGER] = "pg_catalog.int4",
                                        [CPI_ID_BIGINT] = "pg_catalog.int8",
                                        [CPI_ID_UUID] = "pg_catalog.uuid",
                                        [CPI_ID_TEXT] = "pg_catalog.text"};
    return types[type];
}

union cpi_id cpi_fetch_id(const struct cpi_entity *entity, const struct cpi_rows *result, int row, int column)
{
    union cpi_id id = {.text = cpi_rows_value(result, row, column)};
    if (!cpi_id_is_text(entity->id_type)) {
        uint64_t network = 0;
        if (cpi_rows_length(result, row, column) == sizeof network) {
            memcpy(&network, id.text, sizeof network);
        }
        id.number = (int64_t)be64toh(network);
    }
    return id;
}

/* ---- the statement ---- */

void cpi_fetch_statement(uint32_t index, char name[CPI_FETCH_STATEMENT_BYTES])
{
    snprintf(name, CPI_FETCH_STATEMENT_BYTES, "cachepusher_fetch_%u", index);
}

/* argument: what the ids are cast to for a function that takes another type than theirs; empty: they need no cast. */
struct casts {
    const char *document;
    const char *argument;
};

/* The ids, of which those that a smaller integer cannot hold are left out: the function has no document of theirs, and
 * the cast would fail whatever is read with them. */
static const char *ids_sql(const struct cpi_entity *entity, const char *argument)
{
#define WITHIN(least, most)                                                                                            \
    "array(select w.id from pg_catalog.unnest($1::pg_catalog.int8[]) as w(id) where w.id "                             \
    "operator(pg_catalog.>=) " least " and w.id operator(pg_catalog.<=) " most ")"
    if (cpi_id_is_text(entity->id_type)) {
        return "$1::pg_catalog.text[]";
    }
    bool is_small = strcmp(argument, "::smallint") == 0 || strcmp(argument, "::smallint[]") == 0;
    bool is_integer = strcmp(argument, "::integer") == 0 || strcmp(argument, "::integer[]") == 0;
    return is_small     ? WITHIN("-32768", "32767")
           : is_integer ? WITHIN("-2147483648", "2147483647")
                        : "$1::pg_catalog.int8[]";
#undef WITHIN
}

static char *fetch_sql(const struct cpi_entity *entity, struct casts casts)
{
    const char *type = cpi_id_sql_type(entity->id_type);
    const char *wire = cpi_id_wire_type(entity->id_type);
    const char *ids = ids_sql(entity, casts.argument);
    char *sql = NULL;
    int length = entity->fetch_many
                     ? asprintf(&sql,
                                "select f.id::%s, f.document%s from %s(%s::%s[]%s) as f(id, document)"
                                " where f.id is not null",
                                wire, casts.document, entity->fetch, ids, type, casts.argument)
                     : asprintf(&sql, "select u.id::%s, %s(u.id%s)%s from pg_catalog.unnest(%s::%s[]) as u(id)", wire,
                                entity->fetch, casts.argument, casts.document, ids, type);
    return length < 0 ? NULL : sql;
}

static cp_code prepare(struct cpi_pg *pg, const char *name, const struct cpi_entity *entity, struct casts casts,
                       cp_error *err)
{
    char *sql = fetch_sql(entity, casts);
    if (sql == NULL) {
        return cpi_pg_no_memory(pg, err);
    }
    cp_error why;
    cp_code code = cpi_pg_prepare(pg, name, sql, &why);
    free(sql);
    if (code != CP_OK) {
        cpi_error(err, code, why.retriable, "entity \"%s\": fetch function %s: %s", entity->name, entity->fetch,
                  why.message);
    }
    return code;
}

/* "::smallint", or empty: what the only function of that name takes. Postgres finds no function of smallint, or of
 * citext, for an argument that is integer or text. */
static void learn_argument(struct cpi_pg *pg, const struct cpi_entity *entity, char cast[ARGUMENT_BYTES])
{
    cp_error ignored;
    struct cpi_pg_parameter parameter = {.value = entity->fetch};
    struct cpi_rows *rows =
        cpi_pg_query(pg,
                     "select '::' operator(pg_catalog.||) pg_catalog.format_type(p.proargtypes[0], null)"
                     " from pg_catalog.pg_proc as p where p.pronargs operator(pg_catalog.>=) 1 and"
                     " p.oid operator(pg_catalog.=) pg_catalog.to_regproc($1::pg_catalog.text)::pg_catalog.oid",
                     &parameter, 1, false, &ignored);
    cast[0] = '\0';
    if (rows != NULL && cpi_rows_count(rows) == 1 && cpi_rows_length(rows, 0, 0) < ARGUMENT_BYTES) {
        strcpy(cast, cpi_rows_value(rows, 0, 0));
    }
    cpi_rows_free(rows);
}

/* Prepares the unnamed statement, and tells which cast of the ids that has taken. */
static cp_code prepare_somehow(struct cpi_pg *pg, const struct cpi_entity *entity, char cast[ARGUMENT_BYTES],
                               cp_error *err)
{
    cp_error ignored;
    cast[0] = '\0';
    cp_code code = prepare(pg, "", entity, (struct casts){"", cast}, err);
    if (code == CP_OK || !cpi_pg_is_open(pg) || pg->failure != CPI_FAILURE_STATEMENT) {
        return code;
    }
    learn_argument(pg, entity, cast);
    if (cpi_pg_is_open(pg) && cast[0] != '\0' && prepare(pg, "", entity, (struct casts){"", cast}, &ignored) == CP_OK) {
        return CP_OK;
    }
    pg->failure = cpi_pg_is_open(pg) ? CPI_FAILURE_STATEMENT : CPI_FAILURE_CONNECTION;
    return code; /* the first reason is the one to tell */
}

cp_code cpi_fetch_prepare(struct cpi_pg *pg, const struct cpi_entity *entity, uint32_t index, cp_error *err)
{
    char name[CPI_FETCH_STATEMENT_BYTES];
    char cast[ARGUMENT_BYTES];
    cpi_fetch_statement(index, name);

    cpi_oid type = 0;
    cp_code code = prepare_somehow(pg, entity, cast, err);
    if (code == CP_OK) {
        code = cpi_pg_column_type(pg, "", 1, &type, err);
    }
    if (code != CP_OK) {
        return code;
    }
    switch (type) {
    case JSON_OID:
    case TEXT_OID:
    case VARCHAR_OID:
        return prepare(pg, name, entity, (struct casts){"", cast}, err);
    case JSONB_OID: /* its binary format begins with a version byte */
        return prepare(pg, name, entity, (struct casts){"::pg_catalog.text", cast}, err);
    default:
        pg->failure = CPI_FAILURE_STATEMENT;
        return cpi_error(err, CP_ERR_POSTGRES, false,
                         "entity \"%s\": fetch function %s returns a type (oid %u) that is no document; expected json, "
                         "jsonb, text or varchar",
                         entity->name, entity->fetch, type);
    }
}

cp_code cpi_fetch_check(struct cpi_pg *pg, const struct cpi_entity *entity, uint32_t index, cp_error *err)
{
    cp_code code = cpi_fetch_prepare(pg, entity, index, err);
    if (code != CP_OK) {
        return code;
    }
    /* to_regproc() is null for a name with several functions; then the first fetch has to show it. */
    struct cpi_pg_parameter parameter = {.value = entity->fetch};
    struct cpi_rows *result =
        cpi_pg_query(pg,
                     "select from (select pg_catalog.to_regproc($1::pg_catalog.text)) as named(f)"
                     " where f is not null and not pg_catalog.has_function_privilege(f, 'execute')",
                     &parameter, 1, false, err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    bool forbidden = cpi_rows_count(result) > 0;
    cpi_rows_free(result);
    return forbidden ? cpi_error(err, CP_ERR_POSTGRES, false, "entity \"%s\": no right to execute fetch function %s",
                                 entity->name, entity->fetch)
                     : CP_OK;
}

/* ---- what a reader works through ---- */

/* Else the statement of a few ids is planned anew each time, at three times the cost of running it: its array is
 * thought to be worth it. Postgres 12 and later. */
static cp_code plan_once(struct cpi_pg *pg, cp_error *err)
{
    struct cpi_rows *rows = cpi_pg_query(
        pg,
        "select pg_catalog.set_config(s.name, 'force_generic_plan', false) from (values ('plan_cache_mode')) as s(name)"
        " where pg_catalog.current_setting(s.name, true) is not null",
        NULL, 0, false, err);
    cpi_rows_free(rows);
    return rows != NULL ? CP_OK : CP_ERR_POSTGRES;
}

static enum cpi_failure fetch_open(void *connection, cp_error *err)
{
    struct cpi_fetch *fetch = connection;
    fetch->timeout_ms = fetch->timeout_ms == 0 ? fetch->pg.statement_timeout_ms : fetch->timeout_ms;
    fetch->pg.statement_timeout_ms = fetch->timeout_ms;
    bool opened = cpi_pg_open(&fetch->pg, err) == CP_OK && plan_once(&fetch->pg, err) == CP_OK;
    return opened ? CPI_FAILURE_NONE : fetch->pg.failure;
}

static bool fetch_is_open(const void *connection)
{
    return cpi_pg_is_open(&((const struct cpi_fetch *)connection)->pg);
}

static void fetch_close(void *connection)
{
    cpi_pg_close(&((struct cpi_fetch *)connection)->pg);
}

static void fetch_watch(void *connection, bool (*watch)(void *context), void *context)
{
    struct cpi_fetch *fetch = connection;
    fetch->pg.watch = watch;
    fetch->pg.watch_context = context;
}

static enum cpi_failure fetch_prepare(void *connection, uint32_t entity, cp_error *err)
{
    struct cpi_fetch *fetch = connection;
    return cpi_fetch_prepare(&fetch->pg, &fetch->entities[entity], entity, err) == CP_OK ? CPI_FAILURE_NONE
                                                                                         : fetch->pg.failure;
}

/* The plan of a table that was empty reads all of it, and is kept until the table is analysed. */
static bool plan_again(struct cpi_fetch *fetch, cp_error *err)
{
    int64_t now_ms = cpi_now_ms();
    if (!fetch->is_slow || now_ms - fetch->planned_ms < PLANNED_FOR_MS) {
        return true;
    }
    fetch->is_slow = false;
    fetch->planned_ms = now_ms;
    struct cpi_rows *rows = cpi_pg_query(&fetch->pg, "discard plans", NULL, 0, false, err);
    cpi_rows_free(rows);
    return rows != NULL;
}

static void fetch_limit(void *connection, int timeout_ms)
{
    struct cpi_fetch *fetch = connection;
    fetch->limit_ms = timeout_ms;
}

/* The session's timeout becomes what it is to be. */
static bool keep_time(struct cpi_fetch *fetch, cp_error *err)
{
    bool is_less = fetch->limit_ms > 0 && fetch->limit_ms < fetch->timeout_ms;
    int wanted_ms = is_less ? fetch->limit_ms : fetch->timeout_ms;
    if (wanted_ms == fetch->pg.statement_timeout_ms) {
        return true;
    }
    char sql[64];
    snprintf(sql, sizeof sql, "set statement_timeout = %d", wanted_ms);
    struct cpi_rows *rows = cpi_pg_query(&fetch->pg, sql, NULL, 0, false, err);
    cpi_rows_free(rows);
    fetch->pg.statement_timeout_ms = rows != NULL ? wanted_ms : fetch->pg.statement_timeout_ms;
    return rows != NULL;
}

bool cpi_fetch_begin(struct cpi_fetch *fetch, cp_error *err)
{
    bool begun = plan_again(fetch, err) && keep_time(fetch, err);
    fetch->began_ms = cpi_now_ms();
    return begun;
}

void cpi_fetch_end(struct cpi_fetch *fetch)
{
    fetch->is_slow = fetch->is_slow || cpi_now_ms() - fetch->began_ms >= SLOW_MS;
}

static enum cpi_failure fetch_run(void *connection, uint32_t entity, const union cpi_id *ids, uint32_t n, cp_error *err)
{
    struct cpi_fetch *fetch = connection;
    if (!cpi_fetch_begin(fetch, err)) {
        return fetch->pg.failure;
    }
    bool fits = cpi_id_array_clear(&fetch->ids, fetch->entities[entity].id_type);
    for (uint32_t i = 0; i < n && fits; i++) {
        fits = cpi_id_array_add(&fetch->ids, &ids[i]);
    }
    if (!fits) {
        cpi_pg_no_memory(&fetch->pg, err);
        return CPI_FAILURE_MEMORY;
    }
    char name[CPI_FETCH_STATEMENT_BYTES];
    cpi_fetch_statement(entity, name);
    struct cpi_pg_parameter parameter = cpi_id_array_parameter(&fetch->ids);
    return cpi_pg_stream(&fetch->pg, name, &parameter, 1, err) == CP_OK ? CPI_FAILURE_NONE : fetch->pg.failure;
}

static bool keep_row(struct cpi_fetch *fetch, struct cpi_rows *row)
{
    if (fetch->held_count == fetch->held_capacity) {
        uint32_t capacity = 2 * fetch->held_capacity + 64;
        struct cpi_rows **held = realloc(fetch->held, capacity * sizeof *held);
        if (held == NULL) {
            return false;
        }
        fetch->held = held;
        fetch->held_capacity = capacity;
    }
    fetch->held[fetch->held_count++] = row;
    return true;
}

static bool has_shape(const struct cpi_entity *entity, const struct cpi_rows *row)
{
    return cpi_rows_columns(row) == 2 && cpi_rows_count(row) == 1 && !cpi_rows_is_null(row, 0, 0) &&
           (cpi_id_is_text(entity->id_type) || cpi_rows_length(row, 0, 0) == sizeof(int64_t));
}

static enum cpi_failure fetch_next(void *connection, uint32_t entity, struct cpi_fetched_row *row, bool *has_row,
                                   cp_error *err)
{
    struct cpi_fetch *fetch = connection;
    struct cpi_rows *rows = NULL;
    if (cpi_pg_stream_next(&fetch->pg, &rows, err) != CP_OK) {
        return fetch->pg.failure;
    }
    *has_row = rows != NULL;
    if (rows == NULL) {
        cpi_fetch_end(fetch);
        return CPI_FAILURE_NONE;
    }
    /* An id that cannot be read would leave another without a row, which is a deletion. */
    if (!has_shape(&fetch->entities[entity], rows)) {
        cpi_rows_free(rows);
        return cpi_pg_strange(&fetch->pg, err);
    }
    if (!keep_row(fetch, rows)) {
        cpi_rows_free(rows);
        cpi_pg_close(&fetch->pg); /* rows are under way */
        cpi_pg_no_memory(&fetch->pg, err);
        return CPI_FAILURE_MEMORY;
    }
    *row = (struct cpi_fetched_row){.id = cpi_fetch_id(&fetch->entities[entity], rows, 0, 0)};
    if (!cpi_rows_is_null(rows, 0, 1)) {
        row->document.bytes = cpi_rows_value(rows, 0, 1);
        row->document.length = cpi_rows_length(rows, 0, 1);
    }
    return CPI_FAILURE_NONE;
}

static void fetch_release(void *connection)
{
    struct cpi_fetch *fetch = connection;
    for (uint32_t i = 0; i < fetch->held_count; i++) {
        cpi_rows_free(fetch->held[i]);
    }
    fetch->held_count = 0;
}

const struct cpi_reader_ops cpi_fetch_ops = {.open = fetch_open,
                                             .is_open = fetch_is_open,
                                             .close = fetch_close,
                                             .watch = fetch_watch,
                                             .limit = fetch_limit,
                                             .prepare = fetch_prepare,
                                             .run = fetch_run,
                                             .next = fetch_next,
                                             .release = fetch_release};

void cpi_fetch_fini(struct cpi_fetch *fetch)
{
    fetch_release(fetch);
    fetch_close(fetch);
    free(fetch->held);
    fetch->held = NULL;
    fetch->held_capacity = 0;
    cpi_id_array_fini(&fetch->ids);
}
