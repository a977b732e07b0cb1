#include "source/wal_tables.h"

#include "base/error.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BPCHAR_OID = 1042 }; /* from Postgres' pg_type.dat; it never changes */

struct cpi_wal_watched {
    uint32_t relid;
    uint16_t entity;
    bool is_blind;        /* it, or another one of its tree, whose rows may come as its own */
    uint32_t padded_type; /* of the column, if it is character(n) or a domain over it; 0 */
    char *table;          /* "schema.name", not quoted, in the bytes of the stream's announcements */
    char *column;
};

/* ---- looking up ---- */

enum look_column { RELID, TABLE, COLUMN, SHOWN, IS_PUBLISHED, IS_BLIND, PADDED_TYPE, UNLOGGED };

/* $1 table, $2 column, both as in SQL; $3 publication. A row for the table and each that inherits from it, or is a
 * partition of it; the table itself comes first. A partition's rows come as its root's, if the publication is so. Names
 * are bytes in the server's own encoding, which the stream has (wal_stream.h). */
static const char look_sql[] =
    "with recursive members(oid) as ("
    "  select pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid"
    "  union select i.inhrelid from pg_catalog.pg_inherits as i, members as m"
    "  where i.inhparent operator(pg_catalog.=) m.oid)"
    " select c.oid, pg_catalog.encode(pg_catalog.convert_to(n.nspname operator(pg_catalog.||) '.'"
    "   operator(pg_catalog.||) c.relname, pg_catalog.getdatabaseencoding()), 'escape'),"
    " pg_catalog.encode(pg_catalog.convert_to(a.attname::pg_catalog.text, pg_catalog.getdatabaseencoding()), 'escape'),"
    " c.oid::pg_catalog.regclass,"
    " exists (select from pg_catalog.pg_publication_tables as p"
    "   where p.pubname operator(pg_catalog.=) $3::pg_catalog.text"
    "   and (pg_catalog.to_jsonb(p) operator(pg_catalog.->>) 'rowfilter') is null and exists (select from "
    "pg_catalog.pg_class as pc,"
    "     pg_catalog.pg_namespace as pn where pn.nspname operator(pg_catalog.=) p.schemaname"
    "     and pc.relname operator(pg_catalog.=) p.tablename and pc.relnamespace operator(pg_catalog.=) pn.oid"
    "     and (pc.oid operator(pg_catalog.=) c.oid or (c.relispartition and pc.oid operator(pg_catalog.=) any ("
    "       select relid from pg_catalog.pg_partition_ancestors(c.oid) as t(relid)))))),"
    " c.relkind operator(pg_catalog.<>) 'p'::pg_catalog.\"char\""
    " and c.relreplident operator(pg_catalog.<>) 'f'::pg_catalog.\"char\" and not"
    "   exists (select from pg_catalog.pg_index as i where i.indrelid operator(pg_catalog.=) c.oid"
    "   and (c.relreplident operator(pg_catalog.=) 'd'::pg_catalog.\"char\" and i.indisprimary"
    "     or c.relreplident operator(pg_catalog.=) 'i'::pg_catalog.\"char\" and i.indisreplident)"
    "   and a.attnum operator(pg_catalog.=) any (i.indkey::pg_catalog.int2[])),"
    " (with recursive bases(oid, base) as ("
    "   select t.oid, t.typbasetype from pg_catalog.pg_type as t where t.oid operator(pg_catalog.=) a.atttypid"
    "   union all select t.oid, t.typbasetype from pg_catalog.pg_type as t, bases as b"
    "   where t.oid operator(pg_catalog.=) b.base)"
    "  select a.atttypid from bases as b where b.oid operator(pg_catalog.=) 'pg_catalog.bpchar'::pg_catalog.regtype::"
    "pg_catalog.oid),"
    " case when c.relkind operator(pg_catalog.=) 'f'::pg_catalog.\"char\" then 'foreign'"
    "   when c.relkind operator(pg_catalog.=) 'p'::pg_catalog.\"char\" then null" /* it has no rows of its own */
    "   when c.relpersistence operator(pg_catalog.=) 'u'::pg_catalog.\"char\" then 'unlogged'"
    "   when c.relpersistence operator(pg_catalog.=) 't'::pg_catalog.\"char\" then 'temporary' end"
    " from members as m"
    " join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) m.oid"
    " join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace"
    " left join pg_catalog.pg_attribute as a on a.attrelid operator(pg_catalog.=) c.oid and not a.attisdropped"
    "   and a.attnum operator(pg_catalog.>) 0::pg_catalog.int2"
    "   and a.attname operator(pg_catalog.=) (pg_catalog.parse_ident($2::pg_catalog.text))[1]::pg_catalog.name"
    " order by c.oid operator(pg_catalog.<>) pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid, c.oid";

/* Adds an element to the array of names. */
static cp_code add_name(struct cpi_wal_tables *tables, const char *name, cp_error *err)
{
    size_t length = tables->amiss_names != NULL ? strlen(tables->amiss_names) : 0;
    char *grown = realloc(tables->amiss_names, length + 2 * strlen(name) + 4);
    if (grown == NULL) {
        return cpi_error_memory(err);
    }
    tables->amiss_names = grown;
    char *at = grown + length;
    *at++ = length == 0 ? '{' : ',';
    *at++ = '"';
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\') {
            *at++ = '\\';
        }
        *at++ = *name;
    }
    memcpy(at, "\"", 2);
    return CP_OK;
}

static void note_amiss(struct cpi_wal_tables *tables, const struct cpi_entity *entity, const char *table,
                       const char *problem)
{
    if (tables->amiss[0] == '\0') {
        snprintf(tables->amiss, sizeof tables->amiss, "entity \"%s\": table %.*s %s", entity->name, cpi_shown(table),
                 table, problem);
    }
}

/* What is amiss with it; "": nothing. */
static void judge_row(const struct cpi_watch *watch, const struct cpi_rows *rows, int row, const char *publication,
                      char *problem, size_t size)
{
    problem[0] = '\0';
    if (cpi_rows_is_null(rows, row, COLUMN)) {
        snprintf(problem, size, "has no column %.64s, which \"watch\" names", watch->columns.items[0]);
    } else if (!cpi_rows_is_null(rows, row, UNLOGGED)) {
        snprintf(problem, size, "is %.16s: its changes are in no log; make it an ordinary one, or detach it",
                 cpi_rows_value(rows, row, UNLOGGED));
    } else if (strcmp(cpi_rows_value(rows, row, IS_PUBLISHED), "t") != 0) {
        snprintf(problem, size,
                 "is not in publication \"%s\", or not with all its rows; cachepusher setup puts it there",
                 publication);
    }
}

static void note_identity(struct cpi_wal_tables *tables, const struct cpi_entity *entity, const struct cpi_watch *watch,
                          const struct cpi_rows *rows, int row)
{
    if (tables->blind[0] == '\0') {
        const char *table = cpi_rows_value(rows, row, SHOWN);
        snprintf(tables->blind, sizeof tables->blind,
                 "entity \"%s\": table %.*s has a replica identity that does not tell the old %.64s of a row; "
                 "cachepusher setup gives it another",
                 entity->name, cpi_shown(table), table, watch->columns.items[0]);
    }
}

static bool is_blind(const struct cpi_rows *rows, int row)
{
    return strcmp(cpi_rows_value(rows, row, IS_BLIND), "t") == 0;
}

/* A name's bytes, from malloc; libpq's own copy ends in no NUL. NULL: out of memory. */
static char *name_of(const struct cpi_rows *rows, int row, int column)
{
    size_t length = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)cpi_rows_value(rows, row, column), &length);
    char *name = bytes != NULL ? malloc(length + 1) : NULL;
    if (name != NULL) {
        memcpy(name, bytes, length);
        name[length] = '\0';
    }
    PQfreemem(bytes);
    return name;
}

static cp_code add_watched(struct cpi_wal_tables *tables, uint16_t entity, const struct cpi_rows *rows, int row,
                           cp_error *err)
{
    struct cpi_wal_watched *grown = realloc(tables->watched, (tables->watched_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return cpi_error_memory(err);
    }
    tables->watched = grown;
    struct cpi_wal_watched *watched = &grown[tables->watched_count];
    *watched =
        (struct cpi_wal_watched){.relid = (uint32_t)strtoul(cpi_rows_value(rows, row, RELID), NULL, 10),
                                 .entity = entity,
                                 .padded_type = (uint32_t)strtoul(cpi_rows_value(rows, row, PADDED_TYPE), NULL, 10),
                                 .table = name_of(rows, row, TABLE),
                                 .column = name_of(rows, row, COLUMN)};
    tables->watched_count++;
    return watched->table != NULL && watched->column != NULL ? CP_OK : cpi_error_memory(err);
}

/* *amiss: it, or one that inherits from it, cannot be followed. */
static cp_code take_rows(struct cpi_wal_tables *tables, const struct cp_config *config, uint16_t e, size_t w,
                         const struct cpi_rows *rows, bool *amiss, cp_error *err)
{
    const struct cpi_entity *entity = &config->entities[e];
    char publication[CPI_SLOT_BYTES];
    char problem[256];
    size_t first = tables->watched_count;
    bool blind = false;
    cp_code code = CP_OK;
    cpi_config_publication(config, publication);
    for (int row = 0; row < cpi_rows_count(rows) && code == CP_OK; row++) {
        judge_row(&entity->watch[w], rows, row, publication, problem, sizeof problem);
        if (problem[0] != '\0') {
            note_amiss(tables, entity, cpi_rows_value(rows, row, SHOWN), problem);
            *amiss = true;
        } else if (is_blind(rows, row)) {
            note_identity(tables, entity, &entity->watch[w], rows, row);
            blind = true;
        }
        code = add_watched(tables, (uint16_t)cpi_config_event_index(config, e, w), rows, row, err);
    }
    for (size_t i = first; i < tables->watched_count; i++) {
        tables->watched[i].is_blind = blind;
    }
    return code;
}

/* A statement that fails by itself, for instance for want of a right in the table's schema, costs no other table. */
static cp_code look_up(struct cpi_wal_tables *tables, const struct cp_config *config, uint16_t e, size_t w,
                       struct cpi_pg *pg, cp_error *err)
{
    const struct cpi_entity *entity = &config->entities[e];
    const struct cpi_watch *watch = &entity->watch[w];
    char publication[CPI_SLOT_BYTES];
    cpi_config_publication(config, publication);
    struct cpi_pg_parameter parameters[] = {
        {.value = watch->table}, {.value = watch->columns.items[0]}, {.value = publication}};
    struct cpi_rows *rows = cpi_pg_query(pg, look_sql, parameters, 3, false, err);
    if (rows == NULL && (err->retriable || !cpi_pg_is_open(pg))) {
        return CP_ERR_POSTGRES;
    }
    bool amiss = rows == NULL || cpi_rows_count(rows) == 0;
    if (amiss) {
        char problem[256];
        snprintf(problem, sizeof problem, "cannot be looked at: %.200s", rows == NULL ? err->message : "");
        note_amiss(tables, entity, watch->table, rows == NULL ? problem : "does not exist");
    }
    cp_code code = rows != NULL ? take_rows(tables, config, e, w, rows, &amiss, err) : CP_OK;
    cpi_rows_free(rows);
    return code == CP_OK && amiss ? add_name(tables, watch->table, err) : code;
}

cp_code cpi_wal_tables_look_up(struct cpi_wal_tables *tables, const struct cp_config *config, struct cpi_pg *pg,
                               cp_error *err)
{
    cp_code code = CP_OK;
    cpi_wal_tables_fini(tables);
    for (size_t e = 0; e < config->entity_count && code == CP_OK; e++) {
        for (size_t w = 0; w < config->entities[e].watch_count && code == CP_OK; w++) {
            code = look_up(tables, config, (uint16_t)e, w, pg, err);
        }
    }
    return code;
}

cp_code cpi_wal_tables_check(const struct cp_config *config, struct cpi_pg *pg, cp_error *err)
{
    struct cpi_wal_tables tables = {0};
    cp_code code = cpi_wal_tables_look_up(&tables, config, pg, err);
    const char *why = tables.amiss[0] != '\0' ? tables.amiss : tables.blind;
    if (code == CP_OK && why[0] != '\0') {
        code = cpi_error(err, CP_ERR_POSTGRES, false, "%s", why);
    }
    cpi_wal_tables_fini(&tables);
    return code;
}

char *cpi_wal_tables_oids(const struct cpi_wal_tables *tables)
{
    enum { OID_BYTES = 11 }; /* with a comma */
    char *oids = malloc(tables->watched_count * OID_BYTES + 3);
    if (oids == NULL) {
        return NULL;
    }
    char *at = oids;
    *at++ = '{';
    for (size_t i = 0; i < tables->watched_count; i++) {
        at += sprintf(at, "%s%u", i > 0 ? "," : "", tables->watched[i].relid);
    }
    strcpy(at, "}");
    return oids;
}

char *cpi_wal_tables_amiss(const struct cpi_wal_tables *tables)
{
    const char *names = tables->amiss_names != NULL ? tables->amiss_names : "{";
    char *array = malloc(strlen(names) + 2);
    if (array != NULL) {
        strcpy(array, names);
        strcat(array, "}");
    }
    return array;
}

/* ---- relations as the stream announces them ---- */

static void forget_relation(struct cpi_wal_tables *tables, uint32_t relid)
{
    size_t kept = 0;
    for (size_t i = 0; i < tables->route_count; i++) {
        if (tables->routes[i].relid != relid) {
            tables->routes[kept++] = tables->routes[i];
        }
    }
    tables->route_count = kept;
}

static struct cpi_wal_route route_to(const struct cpi_wal_watched *watched, const struct cpi_pgoutput *message)
{
    struct cpi_wal_route route = {.relid = message->relation.relid, .entity = watched->entity, .column = -1};
    struct cpi_items columns = message->relation.columns;
    struct cpi_column column;
    for (int16_t i = 0; cpi_pgoutput_column(&columns, &column); i++) {
        if (strcmp(column.name, watched->column) == 0) {
            route.column = i;
            route.in_identity = column.in_identity && !watched->is_blind;
            route.is_padded = column.type == BPCHAR_OID || column.type == watched->padded_type;
        }
    }
    return route;
}

static bool is_announced(const struct cpi_wal_watched *watched, const struct cpi_pgoutput *message)
{
    size_t length = strlen(message->relation.schema);
    return watched->relid == message->relation.relid ||
           (strncmp(watched->table, message->relation.schema, length) == 0 && watched->table[length] == '.' &&
            strcmp(watched->table + length + 1, message->relation.name) == 0);
}

bool cpi_wal_tables_learn(struct cpi_wal_tables *tables, const struct cpi_pgoutput *message)
{
    forget_relation(tables, message->relation.relid);
    for (size_t i = 0; i < tables->watched_count; i++) {
        if (!is_announced(&tables->watched[i], message)) {
            continue;
        }
        struct cpi_wal_route *grown = realloc(tables->routes, (tables->route_count + 1) * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        tables->routes = grown;
        tables->routes[tables->route_count++] = route_to(&tables->watched[i], message);
    }
    return true;
}

const struct cpi_wal_route *cpi_wal_tables_find(const struct cpi_wal_tables *tables, uint32_t relid, size_t *count)
{
    const struct cpi_wal_route *first = NULL;
    *count = 0;
    for (size_t i = 0; i < tables->route_count; i++) {
        if (tables->routes[i].relid == relid) {
            first = first == NULL ? &tables->routes[i] : first;
            ++*count;
        }
    }
    return first;
}

void cpi_wal_tables_fini(struct cpi_wal_tables *tables)
{
    for (size_t i = 0; i < tables->watched_count; i++) {
        free(tables->watched[i].table);
        free(tables->watched[i].column);
    }
    free(tables->watched);
    free(tables->routes);
    free(tables->amiss_names);
    *tables = (struct cpi_wal_tables){0};
}
