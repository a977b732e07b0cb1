/* What has been seen to change of the things that an entity's documents hang on, until a resync is requested for it.
 * Zero is none. Belongs to the catalogue's thread. */
#ifndef CPI_CHANGES_H
#define CPI_CHANGES_H

#include "env.h"

struct cpi_changes {
    unsigned count;
    char first[160];
};

/* name: the thing; what of it has changed. */
void cpi_changes_note(struct cpi_changes *changes, const char *name, const char *what);

/* Says what has changed, requests a resync of the entity, and begins anew. */
void cpi_changes_request(struct cpi_changes *changes, const struct cpi_env *env, uint32_t entity);

#endif
