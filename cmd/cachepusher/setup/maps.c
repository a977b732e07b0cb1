#include "setup/maps.h"

#include "common/complain.h"
#include "setup/database.h"

#include <stdio.h>

/* 0: it takes no parameter, or not only one, or cannot be prepared. */
static Oid type_of_parameter(PGconn *pg, const char *query)
{
    PGresult *prepared = PQprepare(pg, "", query, 0, NULL);
    PGresult *described = PQresultStatus(prepared) == PGRES_COMMAND_OK ? PQdescribePrepared(pg, "") : NULL;
    Oid type = described != NULL && PQnparams(described) == 1 ? PQparamtype(described, 0) : 0;
    PQclear(prepared);
    PQclear(described);
    return type;
}

static bool check_one(const cp_watch *watch, PGconn *pg)
{
    static const char query[] = "select pg_catalog.format_type(oid, null) from pg_catalog.pg_type"
                                " where oid operator(pg_catalog.=) $1::pg_catalog.oid"
                                " and typcategory operator(pg_catalog.<>) 'A'";
    char oid[16];
    const char *const parameters[] = {oid};
    snprintf(oid, sizeof oid, "%u", type_of_parameter(pg, watch->maps));
    PGresult *wrong = database_query(pg, query, 1, parameters);
    bool is_fine = wrong != NULL && PQntuples(wrong) == 0;
    if (wrong != NULL && !is_fine) {
        complain("entity \"%s\": the query that maps rows of %s: its $1 is of type %s; expected an array of values of "
                 "the column: write \"= any ($1)\"",
                 watch->entity, watch->table, PQgetvalue(wrong, 0, 0));
    }
    PQclear(wrong);
    return is_fine;
}

bool maps_check(const cp_config *config, PGconn *pg)
{
    cp_watch watch = {.size = sizeof watch};
    bool is_fine = true;
    for (size_t i = 0; is_fine && cp_config_watch(config, i, &watch, NULL) == CP_OK; i++) {
        is_fine = watch.maps == NULL || check_one(&watch, pg);
    }
    return is_fine;
}
