#include "catalog/catalog_internal.h"

#include "catalog/catalog_sql.h"
#include "catalog/fingerprint.h"

#include <stdlib.h>
#include <string.h>

static int64_t thing_at(const struct cpi_rows *rows, int row)
{
    return strtoll(cpi_rows_value(rows, row, CPI_LOOK_THING), NULL, 10);
}

static void note_change(struct cpi_catalog *catalog, int64_t thing, const char *name, const char *what)
{
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        struct watched *watched = &catalog->entities[e];
        if (cpi_things_has(&watched->things, thing)) {
            cpi_changes_note(&watched->changes, name, what);
            watched->learn = true;
        }
    }
}

static bool same(const struct cpi_rows *a, int i, const struct cpi_rows *b, int j, int column)
{
    return cpi_rows_is_null(a, i, column) == cpi_rows_is_null(b, j, column) &&
           (cpi_rows_is_null(a, i, column) || strcmp(cpi_rows_value(a, i, column), cpi_rows_value(b, j, column)) == 0);
}

/* Documents are only as good as their triggers: what is amiss with them is said when it is first seen. */
static void note_amiss(struct cpi_catalog *catalog, const struct cpi_rows *rows, int row)
{
    if (cpi_config_has_triggers(catalog->env->config) && !cpi_rows_is_null(rows, row, CPI_LOOK_AMISS)) {
        cpi_log(&catalog->env->log, CP_LOG_WARN,
                "table %s: %s, so that changes may go unnoticed; cachepusher.watch() for its table makes them anew",
                cpi_rows_value(rows, row, CPI_LOOK_NAME), cpi_rows_value(rows, row, CPI_LOOK_AMISS));
    }
}

static void compare_row(struct cpi_catalog *catalog, const struct cpi_rows *rows, int old, const struct cpi_rows *now,
                        int row)
{
    for (int column = CPI_LOOK_NAME; column < CPI_LOOK_COLUMNS; column++) {
        if (cpi_catalog_aspects[column] != NULL && !same(rows, old, now, row, column)) {
            note_change(catalog, thing_at(now, row), cpi_rows_value(now, row, CPI_LOOK_NAME),
                        cpi_catalog_aspects[column]);
        }
    }
    if (!same(rows, old, now, row, CPI_LOOK_AMISS)) {
        note_amiss(catalog, now, row);
    }
}

static void note_watched(struct cpi_catalog *catalog, const struct cpi_rows *now, int row)
{
    const char *name = cpi_rows_value(now, row, CPI_LOOK_NAME);
    if (cpi_config_has_triggers(catalog->env->config) && !cpi_rows_is_null(now, row, CPI_LOOK_WATCHED) &&
        cpi_watched_tables_note(&catalog->tables, name, atoi(cpi_rows_value(now, row, CPI_LOOK_WATCHED)))) {
        cpi_log(&catalog->env->log, CP_LOG_WARN,
                "table %s: its triggers are gone, so that changes go unnoticed; cachepusher.watch() makes them anew",
                name);
    }
}

/* Both are in order. What is only there now has been learned since. */
void cpi_catalog_compare(struct cpi_catalog *catalog, const struct cpi_rows *now)
{
    const struct cpi_rows *rows = catalog->rows;
    int old = 0;
    for (int row = 0; row < cpi_rows_count(now); row++) {
        int64_t thing = thing_at(now, row);
        while (old < cpi_rows_count(rows) && thing_at(rows, old) < thing) {
            note_change(catalog, thing_at(rows, old), cpi_rows_value(rows, old, CPI_LOOK_NAME), "dropped");
            old++;
        }
        if (old < cpi_rows_count(rows) && thing_at(rows, old) == thing) {
            compare_row(catalog, rows, old++, now, row);
        } else {
            note_amiss(catalog, now, row);
        }
        note_watched(catalog, now, row);
    }
    for (; old < cpi_rows_count(rows); old++) {
        note_change(catalog, thing_at(rows, old), cpi_rows_value(rows, old, CPI_LOOK_NAME), "dropped");
    }
}
