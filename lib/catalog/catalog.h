/*
 * The catalogue: notices changes of documents that no trigger announces.
 *
 * A function is replaced, a column added, a partition attached or dropped, a materialized view refreshed, a label of an
 * enum renamed, a policy made, a setting of the role changed: documents differ, and no row was written. Every
 * catalog_check_ms a thread asks Postgres for fingerprints of all that the documents hang on, and requests a resync of
 * the entities for which one has changed.
 *
 * The first look is made before anything is listed or read. A change after a look is thus seen by the next one, and
 * what is read after a look is as new as the look. A connection that was lost and made again goes on with the old
 * fingerprints. A standby looks as well, so that it knows what it takes over, but leaves the resync to the writer.
 */
#ifndef CPI_CATALOG_H
#define CPI_CATALOG_H

#include "base/pulse.h"
#include "env.h"

struct cpi_catalog;

struct cpi_catalog *cpi_catalog_create(const struct cpi_env *env, cp_error *err);

/* The first look, by the thread that starts the syncer and before any other thread of it runs. One that fails is
 * logged, and the first that succeeds requests a resync. */
void cpi_catalog_begin(struct cpi_catalog *catalog);

cp_code cpi_catalog_start(struct cpi_catalog *catalog, cp_error *err);

/* Returns when the thread has ended, which draining brings about. */
void cpi_catalog_join(struct cpi_catalog *catalog);
void cpi_catalog_destroy(struct cpi_catalog *catalog);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_catalog_pulse(struct cpi_catalog *catalog);

#endif
