/*
 * The transactions of a logical replication stream: what each has brought, from its beginning until all of it has been
 * handed on (wal_changes.h, which alone calls these). Belongs to the listener's thread.
 */
#ifndef CPI_WAL_TRANSACTIONS_H
#define CPI_WAL_TRANSACTIONS_H

#include "source/wal_changes.h"

/* One that comes after its commit, whole. What comes in between belongs to it. */
cp_code cpi_wal_begin(struct cpi_wal_changes *changes, uint32_t xid, cp_error *err);
void cpi_wal_commit(struct cpi_wal_changes *changes, uint64_t end_lsn);

/* One that comes in parts: begins a part, which ends when changes->current is none any more. */
cp_code cpi_wal_start_part(struct cpi_wal_changes *changes, uint32_t xid, cp_error *err);
bool cpi_wal_is_in_part(const struct cpi_wal_changes *changes);
cp_code cpi_wal_commit_parts(struct cpi_wal_changes *changes, uint32_t xid, uint64_t end_lsn, cp_error *err);
void cpi_wal_abort_parts(struct cpi_wal_changes *changes, uint32_t xid, uint32_t subxid);

/* Drops all. */
void cpi_wal_forget(struct cpi_wal_changes *changes);

#endif
