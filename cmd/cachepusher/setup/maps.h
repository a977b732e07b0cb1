/* The queries that map rows to documents, as far as setup can tell. */
#ifndef CMD_SETUP_MAPS_H
#define CMD_SETUP_MAPS_H

#include "cachepusher.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* Whether each takes an array; one that cannot be prepared yet is left to the start. Names are looked up by the role's
 * own search_path, so call it before that is pinned. False: the reason has been told. */
bool maps_check(const cp_config *config, PGconn *pg);

#endif
