#include "catalog/versions.h"

#include "config/config.h"

#include <string.h>

/* $1 the names of entities, text[]. A row for each: its name, and the fetch function that setup has made last. */
static const char last_sql[] =
    "select distinct on (d.name) d.name, d.entity operator(pg_catalog.->>) 'fetch_many'"
    " from cachepusher.document as d where d.name operator(pg_catalog.=) any ($1::pg_catalog.text[])"
    " order by d.name, d.made_at desc";

static void note_last(struct cpi_catalog *catalog, const char *name, const char *fetch)
{
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        const struct cpi_entity *entity = &catalog->env->config->entities[e];
        struct watched *watched = &catalog->entities[e];
        if (entity->document == NULL || strcmp(entity->name, name) != 0) {
            continue;
        }
        bool is_last = strcmp(entity->fetch, fetch) == 0;
        if (!is_last && !watched->is_outdated) {
            cpi_log(&catalog->env->log, CP_LOG_WARN,
                    "%s: cachepusher setup has made another version of its document (%s); until a restart this one "
                    "goes on serving %s",
                    name, fetch, entity->fetch);
        }
        watched->is_outdated = !is_last;
    }
}

static bool gather_declared(struct cpi_catalog *catalog)
{
    const struct cp_config *config = catalog->env->config;
    bool gathered = cpi_id_array_clear(&catalog->names, CPI_ID_TEXT);
    for (size_t e = 0; e < config->entity_count && gathered; e++) {
        gathered = config->entities[e].document == NULL ||
                   cpi_id_array_add(&catalog->names, &(union cpi_id){.text = config->entities[e].name});
    }
    return gathered;
}

void cpi_versions_look(struct cpi_catalog *catalog)
{
    cp_error ignored;
    if (!gather_declared(catalog) || catalog->names.count == 0) {
        return;
    }
    struct cpi_pg_parameter parameter = cpi_id_array_parameter(&catalog->names);
    struct cpi_rows *rows = cpi_pg_query(&catalog->pg, last_sql, &parameter, 1, false, &ignored);
    for (int row = 0; row < cpi_rows_count(rows); row++) {
        note_last(catalog, cpi_rows_value(rows, row, 0), cpi_rows_value(rows, row, 1));
    }
    cpi_rows_free(rows);
}
