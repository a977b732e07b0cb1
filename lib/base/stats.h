/*
 * The figures behind cp_syncer_stats() and cp_syncer_stat(): one set for a syncer, added to by all of its threads, a
 * batch at a time. Each has a row in the table of stats.c, with its name, help, kind and member of cp_stats. A new one
 * goes to the end, before CPI_STAT_CAUSE: the index is its place in the table that callers see, and may change.
 */
#ifndef CPI_STATS_H
#define CPI_STATS_H

#include "cachepusher.h"

#include <stdatomic.h>

enum cpi_stat {
    CPI_STAT_EVENTS,
    CPI_STAT_RESYNC_IDS,
    CPI_STAT_COALESCED,
    CPI_STAT_BAD_PAYLOADS,
    CPI_STAT_FETCHES,
    CPI_STAT_STORED,
    CPI_STAT_DELETED,
    CPI_STAT_BYTES,
    CPI_STAT_FAILURES,
    CPI_STAT_RETRIES,
    CPI_STAT_RECONNECTS,
    CPI_STAT_OVERFLOWS,
    CPI_STAT_RESYNCS,
    CPI_STAT_AUDITED,
    CPI_STAT_STALE,
    CPI_STAT_PENDING, /* this and the next are levels: each worker adds its changes, negative ones included */
    CPI_STAT_FAILING,
    CPI_STAT_RESYNC_ESTIMATE, /* set, not added to */
    CPI_STAT_READY,
    CPI_STAT_WRITER,
    CPI_STAT_LISTENING,
    CPI_STAT_UNREADABLE,
    CPI_STAT_STRANGERS,
    CPI_STAT_DOUBLED,
    CPI_STAT_CAUSE, /* the first of CP_CAUSES */
    CPI_STAT_LAST_CAUSE = CPI_STAT_CAUSE + CP_CAUSES - 1,
    CPI_STATS
};

struct cpi_stats {
    /* relaxed everywhere: a figure publishes nothing but itself. */
    _Atomic uint64_t values[CPI_STATS];
};

void cpi_stats_init(struct cpi_stats *stats);
void cpi_stats_add(struct cpi_stats *stats, enum cpi_stat stat, int64_t n);
void cpi_stats_set(struct cpi_stats *stats, enum cpi_stat stat, uint64_t value);
uint64_t cpi_stats_get(const struct cpi_stats *stats, enum cpi_stat stat);
/* cp_syncer_stats(). */
cp_code cpi_stats_read(const struct cpi_stats *stats, cp_stats *out, cp_error *err);

#endif
