/* One session with Postgres for the commands that set it up: simple, and they may fail. */
#ifndef CMD_SETUP_DATABASE_H
#define CMD_SETUP_DATABASE_H

#include "cachepusher.h"

#include <libpq-fe.h>
#include <stdbool.h>

enum { DATABASE_PARAMETERS_MAX = 5 };

/* Connects as the configuration says. Ctrl-C and SIGTERM cancel what the server is at from then on, and the statement
 * fails. NULL: the reason has been told. */
PGconn *database_open(const cp_config *config);
void database_close(PGconn *pg);

/* What follows finds names in pg_catalog alone, whatever the role's search_path. */
bool database_pin_path(PGconn *pg);

/* Runs a query with up to DATABASE_PARAMETERS_MAX text parameters; the caller frees the result. NULL: the reason has
 * been told. */
PGresult *database_query(PGconn *pg, const char *query, int parameter_count, const char *const *parameters);

/* Runs statements, several at once as one transaction. False: *sqlstate says why, and so has this unless it is the one
 * that the caller asked to be silent about. */
bool database_run(PGconn *pg, const char *statements, const char *silent_about, char sqlstate[6]);

#endif
