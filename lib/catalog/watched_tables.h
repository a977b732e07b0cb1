/*
 * The tables that watch() has been seen to watch, by name: one that is dropped and made again, or swapped for another
 * by renaming both, has none of the triggers that its namesake had.
 */
#ifndef CPI_WATCHED_TABLES_H
#define CPI_WATCHED_TABLES_H

#include <stdbool.h>
#include <stddef.h>

struct cpi_watched_table;

/* Zero is a valid empty one. */
struct cpi_watched_tables {
    struct cpi_watched_table *items;
    size_t count;
};

/* Notes how many columns a table is watched by. Whether they are fewer than when its name was noted last. */
bool cpi_watched_tables_note(struct cpi_watched_tables *tables, const char *name, int columns);

void cpi_watched_tables_fini(struct cpi_watched_tables *tables);

#endif
