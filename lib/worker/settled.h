/* Telling those who want to know that an id has settled: the embedder, and the auditor. */
#ifndef CPI_SETTLED_H
#define CPI_SETTLED_H

#include "env.h"

/* Redis has acknowledged a document of so many bytes, or that there is none. The event stays the caller's. */
void cpi_tell_settled(const struct cpi_env *env, const struct cpi_event *event, bool exists, size_t bytes);

#endif
