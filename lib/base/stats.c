#include "base/stats.h"

void cpi_stats_init(struct cpi_stats *stats)
{
    for (int i = 0; i < CPI_STATS; i++) {
        atomic_init(&stats->values[i], 0);
    }
}

void cpi_stats_add(struct cpi_stats *stats, enum cpi_stat stat, int64_t n)
{
    if (n != 0) {
        atomic_fetch_add_explicit(&stats->values[stat], (uint64_t)n, memory_order_relaxed);
    }
}

void cpi_stats_set(struct cpi_stats *stats, enum cpi_stat stat, uint64_t value)
{
    atomic_store_explicit(&stats->values[stat], value, memory_order_relaxed);
}

uint64_t cpi_stats_get(const struct cpi_stats *stats, enum cpi_stat stat)
{
    return atomic_load_explicit(&stats->values[stat], memory_order_relaxed);
}

void cpi_stats_read(const struct cpi_stats *stats, cp_stats *out)
{
    *out = (cp_stats){
        .events = cpi_stats_get(stats, CPI_STAT_EVENTS),
        .resync_ids = cpi_stats_get(stats, CPI_STAT_RESYNC_IDS),
        .coalesced = cpi_stats_get(stats, CPI_STAT_COALESCED),
        .bad_payloads = cpi_stats_get(stats, CPI_STAT_BAD_PAYLOADS),
        .fetches = cpi_stats_get(stats, CPI_STAT_FETCHES),
        .stored = cpi_stats_get(stats, CPI_STAT_STORED),
        .deleted = cpi_stats_get(stats, CPI_STAT_DELETED),
        .bytes = cpi_stats_get(stats, CPI_STAT_BYTES),
        .failures = cpi_stats_get(stats, CPI_STAT_FAILURES),
        .retries = cpi_stats_get(stats, CPI_STAT_RETRIES),
        .reconnects = cpi_stats_get(stats, CPI_STAT_RECONNECTS),
        .overflows = cpi_stats_get(stats, CPI_STAT_OVERFLOWS),
        .resyncs = cpi_stats_get(stats, CPI_STAT_RESYNCS),
        .audited = cpi_stats_get(stats, CPI_STAT_AUDITED),
        .stale = cpi_stats_get(stats, CPI_STAT_STALE),
        .pending = cpi_stats_get(stats, CPI_STAT_PENDING),
        .failing = cpi_stats_get(stats, CPI_STAT_FAILING),
        .resync_estimate = cpi_stats_get(stats, CPI_STAT_RESYNC_ESTIMATE),
        .ready = cpi_stats_get(stats, CPI_STAT_READY) != 0,
        .writer = cpi_stats_get(stats, CPI_STAT_WRITER) != 0,
    };
    for (int cause = 0; cause < CP_CAUSES; cause++) {
        out->causes[cause] = cpi_stats_get(stats, (enum cpi_stat)(CPI_STAT_CAUSE + cause));
    }
}
