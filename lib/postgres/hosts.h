/*
 * The hosts of a connection string, with their addresses looked up. libpq looks names up itself, and waits for as long
 * as that takes: neither a deadline nor a stop would end it. With an address given it does not, and the name still
 * serves for passwords and certificates.
 */
#ifndef CPI_HOSTS_H
#define CPI_HOSTS_H

#include "postgres/pg.h"

/* Lists as libpq takes them, with as many entries each: a host of several addresses stands there several times. All
 * NULL where nothing has to be looked up, or the hosts stand in a service file. From malloc. */
struct cpi_hosts {
    char *hosts;
    char *addresses;
    char *ports;
};

/* Looks the hosts of pg's connection string up, or those of libpq's environment, beginning with another one at each of
 * its turns. A name that is not found is left out, unless none is found: CP_ERR_POSTGRES then, retriable; CP_ERR_SYSTEM
 * when memory runs out. */
cp_code cpi_hosts_resolve(struct cpi_hosts *hosts, const struct cpi_pg *pg, int64_t deadline_ms, cp_error *err);
void cpi_hosts_fini(struct cpi_hosts *hosts);

/* Begins to connect pg: its connection is there unless this fails, for want of memory or of the password's file. */
cp_code cpi_hosts_connect(const struct cpi_hosts *hosts, struct cpi_pg *pg, cp_error *err);

#endif
