#include "setup/tables.h"

#include "common/complain.h"
#include "embedded.h"
#include "setup/database.h"
#include "setup/watched.h"

#include <stdlib.h>
#include <string.h>

/* Whether all is there that setup needs. */
static bool is_whole(const struct tables *tables)
{
    if (PQgetisnull(tables->found, 0, WATCHED_MISSING) == 0) {
        complain("%s", PQgetvalue(tables->found, 0, WATCHED_MISSING));
        return false;
    }
    if (strcmp(PQgetvalue(tables->found, 0, WATCHED_IS_WHOLE), "t") != 0) {
        complain("no entity of the configuration has \"watch\": the tables that its documents are made of");
        return false;
    }
    return true;
}

bool tables_find(struct tables *tables, const cp_config *config, PGconn *pg, bool needed)
{
    char *described = watched_describe(config);
    const char *const parameters[] = {described};
    *tables = (struct tables){0};
    if (described == NULL) {
        complain("out of memory");
        return false;
    }
    tables->found = database_query(pg, embedded_setup_watched_sql, 1, parameters);
    free(described);
    if (tables->found == NULL) {
        return false;
    }
    tables->plan = PQgetvalue(tables->found, 0, WATCHED_PLAN);
    tables->oids = PQgetvalue(tables->found, 0, WATCHED_OIDS);
    return !needed || is_whole(tables);
}

void tables_fini(struct tables *tables)
{
    PQclear(tables->found);
    *tables = (struct tables){0};
}
