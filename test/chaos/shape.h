/* A schema of test/schemas beside the customers: its documents are declared, rows of all its tables are written by
 * sessions of its own, and what Redis has to hold is a query by hand. For schemas without a table of the customers'. */
#ifndef SHAPE_H
#define SHAPE_H

#include "world.h"

/* Makes the tables and has the daemon's own setup do the rest; world->config is what the daemons run with. */
void shape_install(struct world *world, const char *program, const char *source);

/* Sessions that write at random; none without a schema. */
struct shape_writers;
struct shape_writers *shape_writers_start(const struct world *world, uint64_t seed);
uint64_t shape_writers_commits(const struct shape_writers *writers);
void shape_writers_stop(struct shape_writers *writers);

/* Rows: key, document, in the order of strcmp(). NULL without a schema. */
PGresult *shape_read(const struct world *world);

#endif
