/*
 * The source "wal": a logical replication slot, read through Postgres' output plugin pgoutput.
 *
 * The slot keeps what happens while nobody reads it, so that nothing is missed, and Postgres its log for as long as it
 * is not confirmed. Rows of the watched tables carry the ids (announce: tables), or messages that triggers write into
 * the log (messages); messages are read in either case, since repairs and barriers travel as such.
 *
 * Two connections: one streams, and an ordinary one says which transactions can be seen, writes barriers, and is told
 * at once when Postgres shuts down.
 */
#ifndef CPI_SOURCE_WAL_H
#define CPI_SOURCE_WAL_H

#include "env.h"
#include "source/checkpoint.h"
#include "source/source.h"

/* Both have to outlive it. NULL: out of memory. */
struct cpi_source *cpi_source_wal_create(const struct cpi_env *env, struct cpi_checkpoint *checkpoint);

#endif
