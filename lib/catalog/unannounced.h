/*
 * What nothing announces: a channel that no trigger and no function names, and a table that documents read and no
 * trigger watches. Both make documents stale in silence, so both are said when they are first seen, which is at the
 * start.
 *
 * It is a guess where the application notifies by itself, hence a warning that says so.
 */
#ifndef CPI_UNANNOUNCED_H
#define CPI_UNANNOUNCED_H

#include "env.h"
#include "postgres/id_array.h"
#include "postgres/rows.h"

/* What has been said of an entity. Zero is a valid empty one. */
struct cpi_unannounced {
    char **told;
    size_t count;
};

/* In the transaction that has read documents: what it has locked is what they read. NULL: err says why. channels: those
 * of the entity. Changes the transaction's search_path. */
struct cpi_rows *cpi_unannounced_ask(struct cpi_pg *pg, const struct cp_config *config, const struct cpi_entity *entity,
                                     struct cpi_id_array *channels, cp_error *err);

/* Logs what is new in an answer. */
void cpi_unannounced_tell(struct cpi_unannounced *unannounced, const struct cpi_env *env,
                          const struct cpi_entity *entity, const struct cpi_rows *rows);

void cpi_unannounced_fini(struct cpi_unannounced *unannounced);

#endif
