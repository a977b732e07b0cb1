/* The tables that the configuration has watched, as the database knows them. */
#ifndef CMD_SETUP_TABLES_H
#define CMD_SETUP_TABLES_H

#include "cachepusher.h"

#include <libpq-fe.h>
#include <stdbool.h>

struct tables {
    PGresult *found;  /* the one row of setup_watched.sql */
    const char *plan; /* of it: the tables, as setup's plans take them */
    const char *oids;
};

/* Names are looked up by the role's own search_path, so call it before that is pinned. What does not exist is an error
 * where it is needed, else left out. False: the reason has been told. Call tables_fini() in any case. */
bool tables_find(struct tables *tables, const cp_config *config, PGconn *pg, bool needed);
void tables_fini(struct tables *tables);

#endif
