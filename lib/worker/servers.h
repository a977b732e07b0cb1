/*
 * The two servers that a worker stands between: documents are read from one and stored in the other.
 *
 * A worker is given them, so that tests can give it others. Belongs to the worker's thread.
 */
#ifndef CPI_SERVERS_H
#define CPI_SERVERS_H

#include "env.h"
#include "postgres/reader.h"

struct cpi_servers {
    struct cpi_reader *reader;
    struct cpi_target *target;
    /* Gets the connection to Redis, which is open like the other, the right to write. */
    cp_code (*admit)(struct cpi_servers *servers, cp_error *err);
    void (*destroy)(struct cpi_servers *servers);
};

/* The real ones, closed. env has to outlive them. NULL: out of memory. */
struct cpi_servers *cpi_servers_create(const struct cpi_env *env);

/* Closes the connections. NULL is allowed. */
void cpi_servers_destroy(struct cpi_servers *servers);

#endif
