#include "base/repeats.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { QUIET_MS = 10000, TELL_EVERY_MS = 60000, REASONS_MAX = 4, SHOWN_AT_DEBUG = 1000 };

/* Of those after the first REASONS_MAX: a reason may name the id, and be another one each time. */
static const char other_reasons[] = "several other reasons";

/* What several of a kind are called, and how many are said before they are only counted. */
static const struct {
    const char *several;
    unsigned said;
} kinds[CPI_REPEAT_KINDS] = {
    [CPI_REPEAT_PAYLOAD] = {"announcements name what is no id", 1},
    [CPI_REPEAT_LISTING] = {"entries of its listing are no ids", 1},
    [CPI_REPEAT_PARKED] = {"ids were set aside", 3} /* whose names help */,
    [CPI_REPEAT_DOUBLED] = {"ids had more than one document", 1},
    [CPI_REPEAT_FORGOTTEN] = {"times ids that fail were dropped", 1},
    [CPI_REPEAT_OVERFLOW] = {"times max_pending was exceeded", 1},
    [CPI_REPEAT_CROWD] = {"times ids of a session that announces thousands were dropped", 1},
    [CPI_REPEAT_STEP] = {"steps of resyncs have failed", 1},
    [CPI_REPEAT_BLIND] = {"changed rows did not tell their document", 1},
    [CPI_REPEAT_FOREIGN] = {"changes could not be read for their encoding", 1},
    [CPI_REPEAT_STALE] = {"keys were found wrong by the audit", 1},
    [CPI_REPEAT_AUDIT] = {"tries of the audit have failed", 1},
    [CPI_REPEAT_HELD_UP] = {"times notifications were held up", 1},
    [CPI_REPEAT_LISTENER] = {"times the listener's session was lost", 10},
    [CPI_REPEAT_STRANGER] = {"looks found the lease's lock with another role", 1},
    [CPI_REPEAT_ENDING] = {"times another's session was told to end", 10},
};

void cpi_repeats_init(struct cpi_repeats *repeats)
{
    *repeats = (struct cpi_repeats){.failing_ms = 0};
    pthread_mutex_init(&repeats->mutex, NULL);
}

void cpi_repeats_fini(struct cpi_repeats *repeats)
{
    pthread_mutex_destroy(&repeats->mutex);
}

static int64_t duration_of(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? to_ms - from_ms : 1;
}

/* ---- what is repeated ---- */

/* Of a copy, without the lock. */
static void tell_count(const struct cpi_log *log, const struct cpi_repeat *item, int64_t now_ms, bool is_over)
{
    char rest[64] = "";
    int64_t lasted_ms = duration_of(item->first_ms, item->last_ms);
    struct cpi_log_about about = {.entity = item->entity, .count = item->count, .duration_ms = lasted_ms};
    if (is_over && now_ms - item->last_ms >= QUIET_MS) {
        snprintf(rest, sizeof rest, ", and it is over: none for %d s", QUIET_MS / 1000);
    } else if (!is_over) {
        snprintf(rest, sizeof rest, " so far");
    }
    cpi_log_about(log, is_over ? CP_LOG_INFO : CP_LOG_WARN, &about, "%s%s%llu %s within %.1f s%s%s%s%s",
                  item->entity != NULL ? item->entity : "", item->entity != NULL ? ": " : "",
                  (unsigned long long)item->count, kinds[item->kind].several, (double)lasted_ms / 1000.0, rest,
                  item->reason[0] != '\0' ? " (" : "", item->reason, item->reason[0] != '\0' ? ")" : "");
}

static bool is_live(const struct cpi_repeat *item, enum cpi_repeat_kind kind, const char *entity, int64_t now_ms)
{
    return item->count > 0 && item->kind == kind && item->entity == entity && now_ms - item->last_ms < QUIET_MS;
}

/* The failure itself, where it goes on. NULL: there is none; *reasons is how many of the kind there are. */
static struct cpi_repeat *find_live(struct cpi_repeats *repeats, enum cpi_repeat_kind kind, const char *entity,
                                    const char *reason, int64_t now_ms, unsigned *reasons)
{
    *reasons = 0;
    for (size_t i = 0; i < CPI_REPEATS_MAX; i++) {
        struct cpi_repeat *item = &repeats->items[i];
        if (is_live(item, kind, entity, now_ms)) {
            if (strcmp(item->reason, reason) == 0) {
                return item;
            }
            ++*reasons;
        }
    }
    return NULL;
}

/* Where nothing is, or what came last is longest ago. */
static struct cpi_repeat *find_oldest(struct cpi_repeats *repeats)
{
    struct cpi_repeat *oldest = &repeats->items[0];
    for (size_t i = 1; i < CPI_REPEATS_MAX && oldest->count > 0; i++) {
        struct cpi_repeat *item = &repeats->items[i];
        oldest = item->count == 0 || item->last_ms < oldest->last_ms ? item : oldest;
    }
    return oldest;
}

/* The place of a failure; one that is given up for it is copied to *given_up. */
static struct cpi_repeat *find_place(struct cpi_repeats *repeats, enum cpi_repeat_kind kind, const char *entity,
                                     const char *reason, int64_t now_ms, struct cpi_repeat *given_up)
{
    unsigned reasons;
    struct cpi_repeat *item = find_live(repeats, kind, entity, reason, now_ms, &reasons);
    if (item == NULL && reasons >= REASONS_MAX) {
        reason = other_reasons;
        item = find_live(repeats, kind, entity, reason, now_ms, &reasons);
    }
    if (item != NULL) {
        return item;
    }
    item = find_oldest(repeats);
    *given_up = *item;
    *item = (struct cpi_repeat){.kind = kind, .entity = entity, .first_ms = now_ms, .told_ms = now_ms};
    snprintf(item->reason, sizeof item->reason, "%s", reason);
    return item;
}

enum saying { SAY, SAY_AT_DEBUG, ONLY_COUNT };

static enum saying count_repeat(struct cpi_repeats *repeats, enum cpi_repeat_kind kind, const char *entity,
                                const char *reason, struct cpi_repeat *given_up)
{
    int64_t now_ms = cpi_now_ms();
    char shown[CPI_REPEAT_REASON_BYTES];
    cpi_fold(shown, sizeof shown, reason != NULL ? reason : "");
    pthread_mutex_lock(&repeats->mutex);
    struct cpi_repeat *item = find_place(repeats, kind, entity, shown, now_ms, given_up);
    item->last_ms = now_ms;
    item->count++;
    bool is_said = item->count <= kinds[kind].said;
    bool is_shown = item->count <= SHOWN_AT_DEBUG;
    item->untold += !is_said;
    pthread_mutex_unlock(&repeats->mutex);
    return is_said ? SAY : is_shown ? SAY_AT_DEBUG : ONLY_COUNT;
}

void cpi_log_repeated(const struct cpi_log *log, enum cpi_repeat_kind kind, const char *reason, cp_level level,
                      const struct cpi_log_about *about, const char *format, ...)
{
    char message[1024];
    struct cpi_repeat given_up = {.untold = 0};
    if (!cpi_log_is_wanted(log)) {
        return;
    }
    enum saying saying = log->repeats == NULL ? SAY
                                              : count_repeat(log->repeats, kind, about != NULL ? about->entity : NULL,
                                                             reason, &given_up);
    if (given_up.untold > 0) {
        tell_count(log, &given_up, cpi_now_ms(), true);
    }
    if (saying == ONLY_COUNT) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    cpi_format(message, sizeof message, format, arguments);
    va_end(arguments);
    cpi_log_line(log, saying == SAY ? level : CP_LOG_DEBUG, about, message);
}

void cpi_repeats_reason(const struct cpi_log *log, enum cpi_repeat_kind kind, char reason[CPI_REPEAT_REASON_BYTES])
{
    int64_t newest_ms = -1;
    reason[0] = '\0';
    if (log->repeats == NULL) {
        return;
    }
    pthread_mutex_lock(&log->repeats->mutex);
    for (size_t i = 0; i < CPI_REPEATS_MAX; i++) {
        const struct cpi_repeat *item = &log->repeats->items[i];
        if (item->count > 0 && item->kind == kind && item->last_ms > newest_ms) {
            newest_ms = item->last_ms;
            snprintf(reason, CPI_REPEAT_REASON_BYTES, "%s", item->reason);
        }
    }
    pthread_mutex_unlock(&log->repeats->mutex);
}

/* Takes a copy of the next one that is to be told, from *at on. */
static bool take_due(struct cpi_repeats *repeats, int64_t now_ms, bool all, size_t *at, struct cpi_repeat *due,
                     bool *is_over)
{
    bool found = false;
    pthread_mutex_lock(&repeats->mutex);
    for (; *at < CPI_REPEATS_MAX && !found; (*at)++) {
        struct cpi_repeat *item = &repeats->items[*at];
        *is_over = all || now_ms - item->last_ms >= QUIET_MS;
        bool is_due = item->count > 0 && (*is_over || now_ms - item->told_ms >= TELL_EVERY_MS);
        found = is_due && item->untold > 0;
        *due = *item;
        if (is_due) {
            item->told_ms = now_ms;
            /* What was told so far has not been said to be over. */
            item->untold = *is_over ? 0 : 1;
            item->count = *is_over ? 0 : item->count;
        }
    }
    pthread_mutex_unlock(&repeats->mutex);
    return found;
}

static void tell_due(const struct cpi_log *log, int64_t now_ms, bool all)
{
    struct cpi_repeat due;
    bool is_over = false;
    size_t at = 0;
    while (take_due(log->repeats, now_ms, all, &at, &due, &is_over)) {
        tell_count(log, &due, now_ms, is_over);
    }
}

/* That ids fail was said of each kind of reason; that none does any more is said here. */
static void tell_mended(const struct cpi_log *log, int64_t now_ms, uint64_t failing)
{
    pthread_mutex_lock(&log->repeats->mutex);
    int64_t since_ms = log->repeats->failing_ms;
    bool is_over = since_ms > 0 && failing == 0;
    log->repeats->failing_ms = failing == 0 ? 0 : since_ms > 0 ? since_ms : now_ms;
    pthread_mutex_unlock(&log->repeats->mutex);
    if (is_over) {
        struct cpi_log_about about = {.duration_ms = duration_of(since_ms, now_ms)};
        cpi_log_about(log, CP_LOG_INFO, &about, "no id is set aside any more, after %.1f s",
                      (double)about.duration_ms / 1000.0);
    }
}

void cpi_repeats_tick(const struct cpi_log *log, int64_t now_ms, uint64_t failing)
{
    if (log->repeats != NULL && cpi_log_is_wanted(log)) {
        tell_due(log, now_ms, false);
        tell_mended(log, now_ms, failing);
    }
}

void cpi_repeats_finish(const struct cpi_log *log)
{
    if (log->repeats != NULL && cpi_log_is_wanted(log)) {
        tell_due(log, cpi_now_ms(), true);
    }
}

/* ---- servers that are away ---- */

static enum cpi_away away_of(cp_code code)
{
    return code == CP_ERR_POSTGRES ? CPI_AWAY_POSTGRES : code == CP_ERR_REDIS ? CPI_AWAY_REDIS : CPI_AWAY_OTHER;
}

static bool note_away(struct cpi_repeats *repeats, unsigned worker, const cp_error *why)
{
    pthread_mutex_lock(&repeats->mutex);
    struct cpi_away_state *away = &repeats->away[away_of(why->code)];
    if (away->workers == 0) {
        *away = (struct cpi_away_state){.since_ms = cpi_now_ms()};
    }
    bool is_news = away->workers == 0 || (!why->retriable && !away->refused);
    away->workers |= UINT64_C(1) << worker;
    away->tries++;
    away->refused = away->refused || !why->retriable;
    pthread_mutex_unlock(&repeats->mutex);
    return is_news;
}

void cpi_log_away(const struct cpi_log *log, unsigned worker, const char *host, const cp_error *why)
{
    bool is_news = log->repeats == NULL || note_away(log->repeats, worker, why);
    cpi_log_about(log, is_news ? CP_LOG_WARN : CP_LOG_DEBUG, &(struct cpi_log_about){.host = host},
                  "worker %u: %s; trying again", worker, why->message);
}

static bool note_back(struct cpi_repeats *repeats, unsigned worker, enum cpi_away which, struct cpi_away_state *before)
{
    uint64_t bit = UINT64_C(1) << worker;
    pthread_mutex_lock(&repeats->mutex);
    struct cpi_away_state *away = &repeats->away[which];
    *before = *away;
    away->workers &= ~bit;
    bool is_last = before->workers == bit;
    pthread_mutex_unlock(&repeats->mutex);
    return is_last;
}

void cpi_log_back(const struct cpi_log *log, unsigned worker)
{
    static const char *const servers[CPI_AWAYS] = {"Postgres", "Redis", "everything they need"};
    for (unsigned which = 0; which < CPI_AWAYS && log->repeats != NULL; which++) {
        struct cpi_away_state before;
        if (note_back(log->repeats, worker, (enum cpi_away)which, &before)) {
            struct cpi_log_about about = {.duration_ms = duration_of(before.since_ms, cpi_now_ms()),
                                          .count = before.tries};
            cpi_log_about(log, CP_LOG_INFO, &about, "workers: %s is there again after %.1f s (%llu tr%s)",
                          servers[which], (double)about.duration_ms / 1000.0, (unsigned long long)before.tries,
                          before.tries == 1 ? "y" : "ies");
        }
    }
}

bool cpi_outage_note(struct cpi_outage *outage)
{
    outage->tries++;
    if (outage->tries > 1) {
        return false;
    }
    outage->since_ms = cpi_now_ms();
    return true;
}

void cpi_outage_end(struct cpi_outage *outage, const struct cpi_log *log, const char *host, const char *what)
{
    if (outage->tries == 0) {
        return;
    }
    struct cpi_log_about about = {
        .host = host, .duration_ms = duration_of(outage->since_ms, cpi_now_ms()), .count = outage->tries};
    cpi_log_about(log, CP_LOG_INFO, &about, "%s after %.1f s (%llu tr%s)", what, (double)about.duration_ms / 1000.0,
                  (unsigned long long)outage->tries, outage->tries == 1 ? "y" : "ies");
    *outage = (struct cpi_outage){.tries = 0};
}
