/*
 * Which transactions a snapshot of Postgres sees, as pg_current_snapshot() tells it.
 *
 * A logical replication stream brings a transaction as soon as its commit is on disk, which is before others can see
 * it: by microseconds, or for as long as a synchronous standby takes to confirm it. What has been seen once is seen by
 * every later snapshot of the same server.
 */
#ifndef CPI_WAL_SNAPSHOT_H
#define CPI_WAL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero is a valid empty one: it sees nothing. Numbers have the epoch in the upper half. */
struct cpi_snapshot {
    uint64_t xmax;     /* the first that had not begun */
    uint64_t *running; /* those below it that had not ended */
    size_t count;
    size_t capacity;
};

/* Takes "xmin:xmax:xip,xip". False: it is none, or memory is out; the snapshot then sees nothing. */
bool cpi_snapshot_parse(struct cpi_snapshot *snapshot, const char *text);

/* Whether it sees what the transaction has written; false also of one that it knows nothing of. A stream has 32 bits of
 * a transaction's number: it is taken for the nearest one. */
bool cpi_snapshot_sees(const struct cpi_snapshot *snapshot, uint32_t xid);

void cpi_snapshot_fini(struct cpi_snapshot *snapshot);

#endif
