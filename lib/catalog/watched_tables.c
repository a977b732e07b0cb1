#include "catalog/watched_tables.h"

#include <stdlib.h>
#include <string.h>

struct cpi_watched_table {
    char *name;
    int columns;
};

/* Where memory is short, the table is noted by the next look. */
static void add(struct cpi_watched_tables *tables, const char *name, int columns)
{
    struct cpi_watched_table *items = realloc(tables->items, (tables->count + 1) * sizeof *items);
    if (items == NULL) {
        return;
    }
    tables->items = items;
    items[tables->count] = (struct cpi_watched_table){.name = strdup(name), .columns = columns};
    tables->count += items[tables->count].name != NULL;
}

bool cpi_watched_tables_note(struct cpi_watched_tables *tables, const char *name, int columns)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (strcmp(tables->items[i].name, name) == 0) {
            bool fewer = columns < tables->items[i].columns;
            tables->items[i].columns = columns;
            return fewer;
        }
    }
    if (columns > 0) {
        add(tables, name, columns);
    }
    return false;
}

void cpi_watched_tables_fini(struct cpi_watched_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        free(tables->items[i].name);
    }
    free(tables->items);
    *tables = (struct cpi_watched_tables){0};
}
