#include "base/stats.h"

#include "base/abi.h"

#include <assert.h>

/* The one list of figures: what it is called for others, and which member of cp_stats shows it. */
struct row {
    size_t offset; /* in cp_stats */
    bool is_bool;  /* the member is; else a uint64_t */
    cp_stat shown;
};

#define ROW(member, stat_kind, stat_unit, stat_name, text)                                                             \
    {                                                                                                                  \
        offsetof(cp_stats, member), false,                                                                             \
        {                                                                                                              \
            .size = sizeof(cp_stat), .name = (stat_name), .help = (text), .unit = (stat_unit), .kind = (stat_kind)     \
        }                                                                                                              \
    }
#define COUNTER(member, unit, name, help) ROW(member, CP_STAT_COUNTER, unit, name, help)
#define GAUGE(member, unit, name, help) ROW(member, CP_STAT_GAUGE, unit, name, help)
#define STATE(member, stat_name, text)                                                                                 \
    {                                                                                                                  \
        offsetof(cp_stats, member), true,                                                                              \
        {                                                                                                              \
            .size = sizeof(cp_stat), .name = (stat_name), .help = (text), .unit = NULL, .kind = CP_STAT_GAUGE          \
        }                                                                                                              \
    }
#define CAUSE(cause, text)                                                                                             \
    [CPI_STAT_CAUSE + (cause)] = {offsetof(cp_stats, causes[cause]),                                                   \
                                  false,                                                                               \
                                  {.size = sizeof(cp_stat),                                                            \
                                   .name = "cachepusher_resyncs_begun_total",                                          \
                                   .help = "Resyncs begun, by cause; one may have several",                            \
                                   .unit = NULL,                                                                       \
                                   .kind = CP_STAT_COUNTER,                                                            \
                                   .label = "cause",                                                                   \
                                   .label_value = (text)}}

/* clang-format off */
static const struct row rows[] = {
    [CPI_STAT_EVENTS] = COUNTER(events, NULL, "cachepusher_events_total",
        "Ids named by notifications and cp_syncer_enqueue()"),
    [CPI_STAT_RESYNC_IDS] = COUNTER(resync_ids, NULL, "cachepusher_resync_ids_total",
        "Ids queued by resyncs, warm-up included"),
    [CPI_STAT_COALESCED] = COUNTER(coalesced, NULL, "cachepusher_coalesced_ids_total",
        "Ids folded into one that was queued already"),
    [CPI_STAT_BAD_PAYLOADS] = COUNTER(bad_payloads, NULL, "cachepusher_bad_payloads_total",
        "Notifications of which something was no id of the entity, and not '*'"),
    [CPI_STAT_FETCHES] = COUNTER(fetches, NULL, "cachepusher_fetches_total",
        "Statements sent to read documents"),
    [CPI_STAT_STORED] = COUNTER(stored, NULL, "cachepusher_documents_stored_total",
        "Documents settled by SET"),
    [CPI_STAT_DELETED] = COUNTER(deleted, NULL, "cachepusher_documents_deleted_total",
        "Ids settled by DEL, since they have no document"),
    [CPI_STAT_BYTES] = COUNTER(bytes, "bytes", "cachepusher_stored_bytes_total",
        "Bytes of the documents stored"),
    [CPI_STAT_FAILURES] = COUNTER(failures, NULL, "cachepusher_failures_total",
        "Attempts to settle an id that failed"),
    [CPI_STAT_RETRIES] = COUNTER(retries, NULL, "cachepusher_retries_total",
        "Waits before another attempt, for a server that was away or refused"),
    [CPI_STAT_RECONNECTS] = COUNTER(reconnects, NULL, "cachepusher_reconnects_total",
        "Connections lost and made again"),
    [CPI_STAT_OVERFLOWS] = COUNTER(overflows, NULL, "cachepusher_overflows_total",
        "Times that max_pending was exceeded and a resync requested"),
    [CPI_STAT_RESYNCS] = COUNTER(resyncs, NULL, "cachepusher_resyncs_total",
        "Resyncs completed, warm-up included"),
    [CPI_STAT_AUDITED] = COUNTER(audited, NULL, "cachepusher_audited_total",
        "Documents and keys compared by the auditor"),
    [CPI_STAT_STALE] = COUNTER(stale, NULL, "cachepusher_stale_total",
        "Documents and keys that the auditor found stale and had read again"),
    [CPI_STAT_PENDING] = GAUGE(pending, NULL, "cachepusher_pending_ids",
        "Distinct ids known to the workers that have not settled"),
    [CPI_STAT_FAILING] = GAUGE(failing, NULL, "cachepusher_failing_ids",
        "Ids set aside because their own fetch or store fails"),
    [CPI_STAT_RESYNC_ESTIMATE] = GAUGE(resync_estimate, NULL, "cachepusher_resync_expected_documents",
        "Documents that the running or last resync expects to list"),
    [CPI_STAT_READY] = STATE(ready, "cachepusher_ready",
        "1 once every document that existed at the start has settled"),
    [CPI_STAT_WRITER] = STATE(writer, "cachepusher_writer",
        "1 while this instance is the writer of its name"),
    [CPI_STAT_LISTENING] = STATE(listening, "cachepusher_listening",
        "1 while changes are listened for"),
    [CPI_STAT_UNREADABLE] = COUNTER(unreadable, NULL, "cachepusher_unreadable_ids_total",
        "Ids in notifications and listings that cannot be ids of their entity"),
    [CPI_STAT_STRANGERS] = COUNTER(strangers, NULL, "cachepusher_lease_strangers_total",
        "Looks, one a second, at which another role held the lock of the lease"),
    [CPI_STAT_DOUBLED] = COUNTER(doubled, NULL, "cachepusher_doubled_documents_total",
        "Documents of a fetch function beyond the first for an id, which alone is stored"),
    CAUSE(CP_CAUSE_START, "start"),
    CAUSE(CP_CAUSE_LISTENER, "listener"),
    CAUSE(CP_CAUSE_TRUNCATE, "truncate"),
    CAUSE(CP_CAUSE_OVERFLOW, "overflow"),
    CAUSE(CP_CAUSE_REDIS, "redis"),
    CAUSE(CP_CAUSE_REQUEST, "request"),
    CAUSE(CP_CAUSE_RETRY, "retry"),
    CAUSE(CP_CAUSE_UNREADABLE, "unreadable"),
    CAUSE(CP_CAUSE_CATALOG, "catalog"),
};
/* clang-format on */

static_assert(sizeof rows / sizeof *rows == CPI_STATS, "each figure has a row");
static_assert((int)CP_CAUSES <= (int)CP_CAUSES_ROOM, "cp_stats.causes has room for each cause");

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

cp_code cpi_stats_read(const struct cpi_stats *stats, cp_stats *out, cp_error *err)
{
    cp_code code = cpi_abi_check(out, "cp_stats", err);
    if (code != CP_OK) {
        return code;
    }
    cp_stats own = {.size = sizeof own};
    for (int i = 0; i < CPI_STATS; i++) {
        uint64_t value = cpi_stats_get(stats, (enum cpi_stat)i);
        char *member = (char *)&own + rows[i].offset;
        if (rows[i].is_bool) {
            *(bool *)member = value != 0;
        } else {
            *(uint64_t *)(void *)member = value;
        }
    }
    cpi_abi_write(out, &own, sizeof own);
    return CP_OK;
}

size_t cp_stat_count(void)
{
    return CPI_STATS;
}

const cp_stat *cp_stat_describe(size_t index)
{
    return index < CPI_STATS ? &rows[index].shown : NULL;
}
