/*
 * The versions of declared documents: notices that setup has made another one since, which takes a restart to serve.
 */
#ifndef CPI_VERSIONS_H
#define CPI_VERSIONS_H

#include "catalog/catalog_internal.h"

/* Outside of a transaction. Says once of each entity that its version is not the last. What cannot be asked, since the
 * session is lost or the role must not, is no failure: there is nothing to be said then. */
void cpi_versions_look(struct cpi_catalog *catalog);

#endif
