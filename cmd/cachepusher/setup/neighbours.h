/* What other configurations have set up in the same database, which this one has to leave to them. */
#ifndef CMD_SETUP_NEIGHBOURS_H
#define CMD_SETUP_NEIGHBOURS_H

#include "cachepusher.h"

#include <libpq-fe.h>

/* As setup's plans take it, the answer of setup_neighbours.sql, from malloc; search_path has to be pinned. NULL: the
 * reason has been told. */
char *neighbours_find(const cp_config *config, PGconn *pg);

#endif
