/* Connection strings, as libpq reads them. */
#ifndef CPI_CONNINFO_H
#define CPI_CONNINFO_H

#include "cachepusher.h"

/* Whether libpq can read it, and only in one way; "" is allowed and means libpq's defaults. CP_ERR_CONFIG begins with
 * "postgres: " and never quotes the string, which may hold a password. */
cp_code cpi_conninfo_check(const char *conninfo, cp_error *err);

/* Whether it names several hosts, itself or through libpq's environment, and neither a service nor the environment may
 * say which of them is wanted. */
bool cpi_conninfo_has_hosts(const char *conninfo);

/* Whether it says the password itself; libpq's environment does not count. */
bool cpi_conninfo_has_password(const char *conninfo);

/* "HOST:PORT/DATABASE", or what there is of it, libpq's environment and defaults included; for messages. Never the
 * password. */
void cpi_conninfo_name(const char *conninfo, char *buffer, size_t size);

#endif
