/*
 * The figures behind cp_syncer_stats() and cp_syncer_stat(): one set for a syncer, added to by all of its threads, a
 * batch at a time. Each has a row in the table of stats.c, with its name, help, kind and member of cp_stats. A new one
 * goes to the end, before CPI_STAT_CAUSE: the index is its place in the table that callers see, and may change.
 */
#ifndef CPI_STATS_H
#define CPI_STATS_H

#include "cachepusher.h"

#include "base/clock.h"
#include "base/histogram.h"
#include "base/sockets.h"

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
    CPI_STAT_WITHHELD,
    CPI_STAT_RETAINED, /* set, not added to */
    CPI_STAT_QUEUE,    /* set, not added to */
    CPI_STAT_POSTGRES_AWAY,
    CPI_STAT_POSTGRES_REFUSED,
    CPI_STAT_REDIS_AWAY,
    CPI_STAT_REDIS_REFUSED,
    CPI_STAT_POSTGRES_CONNECTIONS, /* this and the next are levels, as above */
    CPI_STAT_REDIS_CONNECTIONS,
    CPI_STAT_MAPPED,
    CPI_STAT_UNREAD,
    CPI_STAT_CAUSE, /* the first of CP_CAUSES */
    CPI_STAT_LAST_CAUSE = CPI_STAT_CAUSE + CP_CAUSES - 1,
    CPI_STATS
};

enum cpi_stat_histogram { CPI_HISTOGRAM_SETTLE, CPI_HISTOGRAM_FETCH, CPI_HISTOGRAM_PUSH, CPI_HISTOGRAM_RESYNC };
enum { CPI_HISTOGRAMS = CPI_HISTOGRAM_RESYNC + 1 };

/* Of one entity: these are counted for all entities together, too. */
enum cpi_entity_stat {
    CPI_ENTITY_EVENTS,
    CPI_ENTITY_STORED,
    CPI_ENTITY_DELETED,
    CPI_ENTITY_BYTES,
    CPI_ENTITY_FAILURES,
    CPI_ENTITY_STATS
};

struct cpi_entity_stats {
    _Atomic uint64_t values[CPI_ENTITY_STATS];
};

struct cpi_stats {
    /* relaxed everywhere: a figure publishes nothing but itself. */
    _Atomic uint64_t values[CPI_STATS];
    struct cpi_histogram histograms[CPI_HISTOGRAMS];
    struct cpi_entity_stats *entities; /* one for each */
    _Atomic int64_t heard_ms;          /* when the source last heard from Postgres; 0: it does not listen */
    _Atomic cpi_ticks unmapped;        /* when the oldest event came that is yet to be mapped; 0: none is */
    struct cpi_sockets sockets;        /* of the connections that are counted */
};

/* For so many entities. False: out of memory; it may be given to fini all the same. */
bool cpi_stats_init(struct cpi_stats *stats, size_t entity_count);
void cpi_stats_fini(struct cpi_stats *stats);
void cpi_stats_add(struct cpi_stats *stats, enum cpi_stat stat, int64_t n);
void cpi_stats_add_entity(struct cpi_stats *stats, uint32_t entity, enum cpi_entity_stat stat, int64_t n);
/* Of work with a server that has failed. */
void cpi_stats_add_error(struct cpi_stats *stats, const cp_error *why);
/* The source has heard from Postgres just now; 0: it does not listen any more. */
void cpi_stats_heard(struct cpi_stats *stats, int64_t now_ms);
/* The oldest event that is yet to be mapped came then; 0: there is none. */
void cpi_stats_unmapped(struct cpi_stats *stats, cpi_ticks arrived);
void cpi_stats_add_cause(struct cpi_stats *stats, cp_cause cause);
void cpi_stats_set(struct cpi_stats *stats, enum cpi_stat stat, uint64_t value);
uint64_t cpi_stats_get(const struct cpi_stats *stats, enum cpi_stat stat);
/* cp_syncer_stats(). */
cp_code cpi_stats_read(const struct cpi_stats *stats, cp_stats *out, cp_error *err);
/* cp_syncer_histogram(), and cp_syncer_entity() of the entity with this index and name. */
cp_code cpi_stats_histogram(const struct cpi_stats *stats, size_t index, cp_histogram *out, cp_error *err);
cp_code cpi_stats_entity(const struct cpi_stats *stats, uint32_t entity, const char *name, cp_entity_stats *out,
                         cp_error *err);

#endif
