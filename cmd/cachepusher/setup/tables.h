/* The tables that the configuration has watched, as the database knows them. */
#ifndef CMD_SETUP_TABLES_H
#define CMD_SETUP_TABLES_H

#include "cachepusher.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/* Each list is the text of an array for Postgres, with an element for each watched table of each entity. */
struct tables {
    char *oids;
    char *columns; /* attnum */
    char *id_types;
    char *channels; /* the entity's first */
    char *deleted;  /* the entity's second, or "" */
    size_t count;
};

/* Names are looked up by the role's own search_path, so call it before that is pinned. What does not exist is an error
 * where it is needed, else left out. False: the reason has been told. Call tables_fini() in any case. */
bool tables_find(struct tables *tables, const cp_config *config, PGconn *pg, bool needed);
void tables_fini(struct tables *tables);

#endif
