#include "setup/neighbours.h"

#include "common/complain.h"
#include "embedded.h"
#include "setup/database.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The names that the configuration declares, as JSON from malloc. NULL: out of memory. */
static char *list_names(const cp_config *config)
{
    json_t *names = json_array();
    cp_declaration declaration = {.size = sizeof declaration};
    for (size_t i = 0; cp_config_declaration(config, i, &declaration, NULL) == CP_OK; i++) {
        json_array_append_new(names, json_string(declaration.entity));
    }
    char *text = names != NULL ? json_dumps(names, JSON_COMPACT) : NULL;
    json_decref(names);
    return text;
}

static PGresult *ask(PGconn *pg, const char *names)
{
    const char *const parameters[] = {names};
    PGresult *found = database_query(pg, "select to_regclass('cachepusher.document') is null", 0, NULL);
    if (found == NULL) {
        return NULL;
    }
    bool is_none = *PQgetvalue(found, 0, 0) == 't';
    PQclear(found);
    return is_none ? database_query(pg, "select '[]'", 0, NULL)
                   : database_query(pg, embedded_setup_neighbours_sql, 1, parameters);
}

char *neighbours_find(const cp_config *config, PGconn *pg)
{
    char *names = list_names(config);
    PGresult *found = names != NULL ? ask(pg, names) : NULL;
    char *neighbours = found != NULL ? strdup(PQgetvalue(found, 0, 0)) : NULL;
    if (names == NULL || (found != NULL && neighbours == NULL)) {
        complain("out of memory");
    }
    free(names);
    PQclear(found);
    return neighbours;
}
