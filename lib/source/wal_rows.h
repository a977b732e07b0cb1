/*
 * Which documents a row, a TRUNCATE or a message of a logical replication stream names. What is found goes to the
 * transaction under way (wal_changes.h). Belongs to the listener's thread.
 */
#ifndef CPI_WAL_ROWS_H
#define CPI_WAL_ROWS_H

#include "source/wal_changes.h"

/* Each takes a decoded message of its kind. Each value stands for itself: what cannot be an id is counted and named,
 * and takes nothing along. Where a row does not tell which document it belonged to before, a resync is asked for. */
void cpi_wal_take_rows(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message);
void cpi_wal_take_truncate(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message);

/* "cachepusher:" and a channel, with a payload as notifications have it; others are none of ours. */
void cpi_wal_take_message(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message);

#endif
