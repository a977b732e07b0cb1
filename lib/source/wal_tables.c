#include "source/wal_tables.h"

#include "base/error.h"
#include "source/wal_look.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BPCHAR_OID = 1042 }; /* from Postgres' pg_type.dat; it never changes */

struct cpi_wal_watched {
    uint32_t relid;
    uint16_t entity;
    bool is_blind;            /* it, or another one of its tree, whose rows may come as its own */
    char *table;              /* "schema.name", not quoted, in the bytes of the stream's announcements */
    struct cpi_names columns; /* likewise; "" is one that is not there */
    uint32_t padded_types[CPI_ID_COLUMNS_MAX]; /* of these, where it is character(n) or a domain over it; else 0 */
    bool has_reads;
    struct cpi_names reads;
};

/* ---- looking up ---- */

static void note_amiss(struct cpi_wal_tables *tables, const struct cpi_entity *entity, const char *table,
                       const char *problem)
{
    if (tables->amiss[0] == '\0') {
        snprintf(tables->amiss, sizeof tables->amiss, "entity \"%s\": table %.*s %s", entity->name, cpi_shown(table),
                 table, problem);
    }
}

/* The first that is not there, of columns as the look-up has them; NULL: all are. */
static const char *first_missing(const struct cpi_names *columns, const char *found)
{
    for (size_t i = 0; i < columns->count; i++) {
        size_t length = strcspn(found, ",");
        if (length == 0) {
            return columns->items[i];
        }
        found += length + (found[length] == ',');
    }
    return NULL;
}

/* What is amiss with it; "": nothing. */
static void judge_row(const struct cpi_watch *watch, const struct cpi_rows *rows, int row, const char *publication,
                      char *problem, size_t size)
{
    const char *missing = first_missing(&watch->columns, cpi_rows_value(rows, row, CPI_WAL_LOOK_COLUMNS));
    problem[0] = '\0';
    if (missing != NULL) {
        snprintf(problem, size, "has no column %.64s, which \"watch\" names", missing);
    } else if (!cpi_rows_is_null(rows, row, CPI_WAL_LOOK_UNLOGGED)) {
        snprintf(problem, size, "is %.16s: its changes are in no log; make it an ordinary one, or detach it",
                 cpi_rows_value(rows, row, CPI_WAL_LOOK_UNLOGGED));
    } else if (strcmp(cpi_rows_value(rows, row, CPI_WAL_LOOK_IS_PUBLISHED), "t") != 0) {
        snprintf(problem, size,
                 "is not in publication \"%s\", or not with all its rows; cachepusher setup puts it there",
                 publication);
    }
}

static void note_identity(struct cpi_wal_tables *tables, const struct cpi_entity *entity, const struct cpi_watch *watch,
                          const struct cpi_rows *rows, int row)
{
    if (tables->blind[0] == '\0') {
        const char *table = cpi_rows_value(rows, row, CPI_WAL_LOOK_SHOWN);
        snprintf(tables->blind, sizeof tables->blind,
                 "entity \"%s\": table %.*s has a replica identity that does not tell the old %.64s%s of a row; "
                 "cachepusher setup gives it another",
                 entity->name, cpi_shown(table), table, watch->columns.items[0],
                 watch->columns.count > 1 ? ", ..." : "");
    }
}

static bool is_blind(const struct cpi_rows *rows, int row)
{
    return strcmp(cpi_rows_value(rows, row, CPI_WAL_LOOK_IS_BLIND), "t") == 0;
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

static int digit_of(char letter)
{
    return letter <= '9' ? letter - '0' : letter - 'a' + 10;
}

/* Names as the look-up has them. False: out of memory. */
static bool take_names(struct cpi_names *names, const char *found)
{
    for (bool more = true; more;) {
        size_t length = strcspn(found, ",");
        char **grown = realloc(names->items, (names->count + 1) * sizeof *grown);
        char *name = malloc(length / 2 + 1);
        if (grown != NULL) {
            names->items = grown;
        }
        if (grown == NULL || name == NULL) {
            free(name);
            return false;
        }
        for (size_t i = 0; i + 1 < length; i += 2) {
            name[i / 2] = (char)(digit_of(found[i]) * 16 + digit_of(found[i + 1]));
        }
        name[length / 2] = '\0';
        names->items[names->count++] = name;
        more = found[length] == ',';
        found += length + 1;
    }
    return true;
}

static void take_padded(struct cpi_wal_watched *watched, const char *found)
{
    for (size_t i = 0; i < watched->columns.count && i < CPI_ID_COLUMNS_MAX; i++) {
        char *end;
        watched->padded_types[i] = (uint32_t)strtoul(found, &end, 10);
        found = *end == ',' ? end + 1 : end;
    }
}

static cp_code add_watched(struct cpi_wal_tables *tables, uint16_t entity, const struct cpi_watch *watch,
                           const struct cpi_rows *rows, int row, cp_error *err)
{
    struct cpi_wal_watched *grown = realloc(tables->watched, (tables->watched_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return cpi_error_memory(err);
    }
    tables->watched = grown;
    struct cpi_wal_watched *watched = &grown[tables->watched_count];
    *watched =
        (struct cpi_wal_watched){.relid = (uint32_t)strtoul(cpi_rows_value(rows, row, CPI_WAL_LOOK_RELID), NULL, 10),
                                 .entity = entity,
                                 .has_reads = watch->has_reads,
                                 .table = name_of(rows, row, CPI_WAL_LOOK_TABLE)};
    tables->watched_count++;
    bool taken = watched->table != NULL &&
                 take_names(&watched->columns, cpi_rows_value(rows, row, CPI_WAL_LOOK_COLUMNS)) &&
                 (cpi_rows_is_null(rows, row, CPI_WAL_LOOK_READS) ||
                  take_names(&watched->reads, cpi_rows_value(rows, row, CPI_WAL_LOOK_READS)));
    take_padded(watched, cpi_rows_value(rows, row, CPI_WAL_LOOK_PADDED_TYPES));
    return taken ? CP_OK : cpi_error_memory(err);
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
            note_amiss(tables, entity, cpi_rows_value(rows, row, CPI_WAL_LOOK_SHOWN), problem);
            *amiss = true;
        } else if (is_blind(rows, row)) {
            note_identity(tables, entity, &entity->watch[w], rows, row);
            blind = true;
        }
        code = add_watched(tables, (uint16_t)cpi_config_event_index(config, e, w), &entity->watch[w], rows, row, err);
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
    struct cpi_rows *rows = cpi_wal_look(watch, publication, pg, err);
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
    return code == CP_OK && amiss ? cpi_array_add(&tables->amiss_names, watch->table, err) : code;
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
    return cpi_array_close(tables->amiss_names);
}

/* ---- relations as the stream announces them ---- */

static void forget_relation(struct cpi_wal_tables *tables, uint32_t relid)
{
    size_t kept = 0;
    for (size_t i = 0; i < tables->route_count; i++) {
        if (tables->routes[i].relid != relid) {
            tables->routes[kept++] = tables->routes[i];
        } else {
            free(tables->routes[i].counts);
        }
    }
    tables->route_count = kept;
}

/* Where a column stands among those of a relation, and what it is; -1: nowhere. */
static int16_t find_column(const struct cpi_pgoutput *message, const char *name, struct cpi_column *column)
{
    struct cpi_items columns = message->relation.columns;
    for (int16_t i = 0; cpi_pgoutput_column(&columns, column); i++) {
        if (strcmp(column->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Which columns count, for a route whose id's columns are known; none if one that documents read is not there. False:
 * out of memory. */
static bool find_reads(struct cpi_wal_route *route, const struct cpi_wal_watched *watched,
                       const struct cpi_pgoutput *message)
{
    size_t count = message->relation.columns.count;
    bool *counts = calloc(count + 1, sizeof *counts);
    bool found = counts != NULL;
    for (size_t i = 0; found && i < route->column_count; i++) {
        counts[route->columns[i].place] = true;
    }
    for (size_t i = 0; found && i < watched->reads.count; i++) {
        struct cpi_column column;
        int16_t place = find_column(message, watched->reads.items[i], &column);
        found = place >= 0;
        counts[found ? (size_t)place : count] = true;
    }
    if (!found) {
        free(counts);
        return counts != NULL;
    }
    route->counts = counts;
    route->counts_count = count;
    return true;
}

/* False: out of memory. */
static bool route_to(struct cpi_wal_route *route, const struct cpi_wal_watched *watched,
                     const struct cpi_pgoutput *message)
{
    size_t count = watched->columns.count;
    *route = (struct cpi_wal_route){
        .relid = message->relation.relid, .entity = watched->entity, .in_identity = !watched->is_blind};
    for (size_t i = 0; i < count && i < CPI_ID_COLUMNS_MAX; i++) {
        struct cpi_column column;
        int16_t place = find_column(message, watched->columns.items[i], &column);
        if (place < 0) {
            route->column_count = 0;
            route->in_identity = false;
            return true;
        }
        route->columns[route->column_count++] = (struct cpi_wal_id_column){
            .place = place, .is_padded = column.type == BPCHAR_OID || column.type == watched->padded_types[i]};
        route->in_identity = route->in_identity && column.in_identity;
    }
    return !watched->has_reads || find_reads(route, watched, message);
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
        if (!route_to(&tables->routes[tables->route_count], &tables->watched[i], message)) {
            return false;
        }
        tables->route_count++;
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

static void free_names(struct cpi_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
}

void cpi_wal_tables_fini(struct cpi_wal_tables *tables)
{
    for (size_t i = 0; i < tables->watched_count; i++) {
        free(tables->watched[i].table);
        free_names(&tables->watched[i].columns);
        free_names(&tables->watched[i].reads);
    }
    for (size_t i = 0; i < tables->route_count; i++) {
        free(tables->routes[i].counts);
    }
    free(tables->watched);
    free(tables->routes);
    free(tables->amiss_names);
    *tables = (struct cpi_wal_tables){0};
}
