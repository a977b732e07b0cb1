#include "base/stats.h"

#include "base/abi.h"
#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

/* The one list of figures: what it is called for others, and which member of cp_stats shows it. */
struct row {
    size_t offset; /* in cp_stats */
    bool is_bool;  /* the member is; else a uint64_t */
    cp_stat shown;
};

#define ROW(member, truth, stat_kind, stat_unit, stat_scale, stat_name, text, stat_label, value)                       \
    {                                                                                                                  \
        offsetof(cp_stats, member), truth,                                                                             \
        {                                                                                                              \
            .size = sizeof(cp_stat), .name = (stat_name), .help = (text), .unit = (stat_unit), .kind = (stat_kind),    \
            .label = (stat_label), .label_value = (value), .scale = (stat_scale)                                       \
        }                                                                                                              \
    }
#define COUNTER(member, unit, name, help) ROW(member, false, CP_STAT_COUNTER, unit, 1, name, help, NULL, NULL)
#define GAUGE(member, unit, name, help) ROW(member, false, CP_STAT_GAUGE, unit, 1, name, help, NULL, NULL)
#define STATE(member, name, help) ROW(member, true, CP_STAT_GAUGE, NULL, 1, name, help, NULL, NULL)
#define ERRORS(member, name, server, class)                                                                            \
    ROW(member, false, CP_STAT_COUNTER, NULL, 1, name,                                                                 \
        "Failures of work with " server ", by whether it was away or refused what was asked", "class", class)
#define CAUSE(cause, text)                                                                                             \
    [(int)CPI_STAT_CAUSE + (int)(cause)] =                                                                             \
        ROW(causes[cause], false, CP_STAT_COUNTER, NULL, 1, "cachepusher_resyncs_begun_total",                         \
            "Resyncs begun, by cause; one may have several", "cause", text)

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
        "Ids settled without a document: by DEL, or since there was no key"),
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
    [CPI_STAT_WITHHELD] = COUNTER(withheld, NULL, "cachepusher_withheld_deletions_total",
        "Keys without a document that a resync has kept, since it would delete more than max_delete_percent"),
    [CPI_STAT_RETAINED] = GAUGE(retained_bytes, "bytes", "cachepusher_slot_retained_bytes",
        "Write-ahead log that Postgres keeps for the wal source's slot"),
    [CPI_STAT_QUEUE] = ROW(notification_queue, false, CP_STAT_GAUGE, "ratio", 1e-6,
        "cachepusher_notification_queue_ratio",
        "How much of Postgres' queue of notifications is filled, by sessions that listen and do not read", NULL, NULL),
    [CPI_STAT_POSTGRES_AWAY] = ERRORS(postgres_away, "cachepusher_postgres_errors_total", "Postgres", "away"),
    [CPI_STAT_POSTGRES_REFUSED] = ERRORS(postgres_refused, "cachepusher_postgres_errors_total", "Postgres", "refused"),
    [CPI_STAT_REDIS_AWAY] = ERRORS(redis_away, "cachepusher_redis_errors_total", "Redis", "away"),
    [CPI_STAT_REDIS_REFUSED] = ERRORS(redis_refused, "cachepusher_redis_errors_total", "Redis", "refused"),
    [CPI_STAT_POSTGRES_CONNECTIONS] = GAUGE(postgres_connections, NULL, "cachepusher_postgres_connections",
        "Connections to Postgres that are open"),
    [CPI_STAT_REDIS_CONNECTIONS] = GAUGE(redis_connections, NULL, "cachepusher_redis_connections",
        "Connections to Redis that are open"),
    [CPI_STAT_MAPPED] = COUNTER(mapped, NULL, "cachepusher_mapped_rows_total",
        "Rows that announced themselves, to be mapped to the documents that they are part of"),
    [CPI_STAT_UNREAD] = COUNTER(unread_updates, NULL, "cachepusher_unread_updates_total",
        "Updates of rows that the wal source has left out, since they changed nothing that documents read"),
    CAUSE(CP_CAUSE_START, "start"),
    CAUSE(CP_CAUSE_LISTENER, "listener"),
    CAUSE(CP_CAUSE_TRUNCATE, "truncate"),
    CAUSE(CP_CAUSE_OVERFLOW, "overflow"),
    CAUSE(CP_CAUSE_REDIS, "redis"),
    CAUSE(CP_CAUSE_REQUEST, "request"),
    CAUSE(CP_CAUSE_RETRY, "retry"),
    CAUSE(CP_CAUSE_UNREADABLE, "unreadable"),
    CAUSE(CP_CAUSE_CATALOG, "catalog"),
    CAUSE(CP_CAUSE_RESUME, "resumed"),
};
/* clang-format on */

static_assert(sizeof rows / sizeof *rows == CPI_STATS, "each figure has a row");
static_assert((int)CP_CAUSES <= (int)CP_CAUSES_ROOM, "cp_stats.causes has room for each cause");

struct described {
    const char *name;
    const char *help;
};

static const struct described histograms[] = {
    [CPI_HISTOGRAM_SETTLE] = {"cachepusher_settle_seconds",
                              "From the arrival of an event to Redis' answer that its document is stored or gone"},
    [CPI_HISTOGRAM_FETCH] = {"cachepusher_fetch_seconds", "Reads of documents, each of those of one entity in a batch"},
    [CPI_HISTOGRAM_PUSH] = {"cachepusher_push_seconds", "Rounds of commands to Redis, each to its last answer"},
    [CPI_HISTOGRAM_RESYNC] = {"cachepusher_resync_seconds", "Resyncs completed, warm-up included"},
};

bool cpi_stats_init(struct cpi_stats *stats, size_t entity_count)
{
    for (int i = 0; i < CPI_STATS; i++) {
        atomic_init(&stats->values[i], 0);
    }
    for (int i = 0; i < CPI_HISTOGRAMS; i++) {
        cpi_histogram_init(&stats->histograms[i]);
    }
    atomic_init(&stats->heard_ms, 0);
    atomic_init(&stats->unmapped, 0);
    cpi_sockets_init(&stats->sockets);
    stats->entities = calloc(entity_count, sizeof *stats->entities);
    for (size_t e = 0; stats->entities != NULL && e < entity_count; e++) {
        for (int i = 0; i < CPI_ENTITY_STATS; i++) {
            atomic_init(&stats->entities[e].values[i], 0);
        }
    }
    return stats->entities != NULL;
}

void cpi_stats_fini(struct cpi_stats *stats)
{
    free(stats->entities);
    stats->entities = NULL;
    cpi_sockets_fini(&stats->sockets);
}

void cpi_stats_add(struct cpi_stats *stats, enum cpi_stat stat, int64_t n)
{
    if (n != 0) {
        atomic_fetch_add_explicit(&stats->values[stat], (uint64_t)n, memory_order_relaxed);
    }
}

void cpi_stats_add_entity(struct cpi_stats *stats, uint32_t entity, enum cpi_entity_stat stat, int64_t n)
{
    if (n != 0) {
        atomic_fetch_add_explicit(&stats->entities[entity].values[stat], (uint64_t)n, memory_order_relaxed);
    }
}

void cpi_stats_add_error(struct cpi_stats *stats, const cp_error *why)
{
    if (why->code == CP_ERR_POSTGRES) {
        cpi_stats_add(stats, why->retriable ? CPI_STAT_POSTGRES_AWAY : CPI_STAT_POSTGRES_REFUSED, 1);
    } else if (why->code == CP_ERR_REDIS) {
        cpi_stats_add(stats, why->retriable ? CPI_STAT_REDIS_AWAY : CPI_STAT_REDIS_REFUSED, 1);
    }
}

void cpi_stats_heard(struct cpi_stats *stats, int64_t now_ms)
{
    atomic_store_explicit(&stats->heard_ms, now_ms, memory_order_relaxed);
}

void cpi_stats_unmapped(struct cpi_stats *stats, cpi_ticks arrived)
{
    atomic_store_explicit(&stats->unmapped, arrived, memory_order_relaxed);
}

void cpi_stats_add_cause(struct cpi_stats *stats, cp_cause cause)
{
    atomic_fetch_add_explicit(&stats->values[(int)CPI_STAT_CAUSE + (int)cause], 1, memory_order_relaxed);
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

cp_code cpi_stats_histogram(const struct cpi_stats *stats, size_t index, cp_histogram *out, cp_error *err)
{
    cp_code code = cpi_abi_check(out, "cp_histogram", err);
    if (code != CP_OK) {
        return code;
    }
    if (index >= CPI_HISTOGRAMS) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "there are %d histograms", CPI_HISTOGRAMS);
    }
    cp_histogram own = {.size = sizeof own, .name = histograms[index].name, .help = histograms[index].help};
    cpi_histogram_read(&stats->histograms[index], &own);
    cpi_abi_write(out, &own, sizeof own);
    return CP_OK;
}

cp_code cpi_stats_entity(const struct cpi_stats *stats, uint32_t entity, const char *name, cp_entity_stats *out,
                         cp_error *err)
{
    cp_code code = cpi_abi_check(out, "cp_entity_stats", err);
    if (code != CP_OK) {
        return code;
    }
    uint64_t values[CPI_ENTITY_STATS];
    for (int i = 0; i < CPI_ENTITY_STATS; i++) {
        values[i] = atomic_load_explicit(&stats->entities[entity].values[i], memory_order_relaxed);
    }
    cp_entity_stats own = {.size = sizeof own,
                           .entity = name,
                           .events = values[CPI_ENTITY_EVENTS],
                           .stored = values[CPI_ENTITY_STORED],
                           .deleted = values[CPI_ENTITY_DELETED],
                           .bytes = values[CPI_ENTITY_BYTES],
                           .failures = values[CPI_ENTITY_FAILURES]};
    cpi_abi_write(out, &own, sizeof own);
    return CP_OK;
}

const char *cp_cause_name(cp_cause cause)
{
    static const char *const names[CP_CAUSES] = {"start",
                                                 "listener connected again",
                                                 "truncate, or \"*\"",
                                                 "overflow",
                                                 "Redis has lost data",
                                                 "request",
                                                 "again what failed",
                                                 "unreadable notification",
                                                 "functions or tables have changed",
                                                 "resumed"};
    return cause >= 0 && cause < CP_CAUSES ? names[cause] : "unknown";
}
