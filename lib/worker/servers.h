/*
 * The two servers of a worker: it reads documents from one and stores them in the other.
 *
 * A worker is given them, so that tests can use fakes. Belongs to the worker's thread.
 */
#ifndef CPI_SERVERS_H
#define CPI_SERVERS_H

#include "env.h"
#include "postgres/reader.h"

struct cpi_servers {
    struct cpi_reader *reader;
    struct cpi_target *target;
    /* Admits the connection to Redis, which may then write. Both connections are open. */
    cp_code (*admit)(struct cpi_servers *servers, cp_error *err);
    void (*destroy)(struct cpi_servers *servers);
};

/* The real ones, closed. env has to outlive them. NULL: out of memory. */
struct cpi_servers *cpi_servers_create(const struct cpi_env *env);

/* Closes the connections. NULL is allowed. */
void cpi_servers_destroy(struct cpi_servers *servers);

#endif
