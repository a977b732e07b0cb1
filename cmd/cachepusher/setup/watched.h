/* The tables that the configuration has watched, for setup_watched.sql, which looks them up. */
#ifndef CMD_SETUP_WATCHED_H
#define CMD_SETUP_WATCHED_H

#include "cachepusher.h"

/* The columns of setup_watched.sql. */
enum watched_column { WATCHED_JSON, WATCHED_PLAN, WATCHED_OIDS, WATCHED_IS_WHOLE, WATCHED_MISSING };

/* As JSON, from malloc: an array of objects, one for each watched table of each entity. NULL: out of memory. */
char *watched_describe(const cp_config *config);

#endif
