#include "history.h"

#include "util.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum outcome { POSSIBLE, COMMITTED, ROLLED_BACK };

struct record {
    uint64_t version;
    int64_t at_ms;
    bool stays;
    enum outcome outcome;
};

struct customer {
    struct record *records; /* versions grow: each is added under the customer's lock in Postgres */
    size_t count;
    size_t capacity;

    /* What the reader has seen last. */
    uint64_t seen; /* a version of a document, or of the deletion that has to be why there is none */
    int64_t seen_at_ms;
    bool seen_deleted;
    bool seen_any;
    bool may_be_missing; /* its loss has been declared and it has not been seen since */
};

struct history {
    pthread_mutex_t mutex;
    atomic_uint_fast64_t last_version;
    unsigned epoch; /* odd: suspended */
    struct customer customers[CUSTOMERS + 1];
};

static void add(struct customer *customer, uint64_t version, bool stays, enum outcome outcome)
{
    if (customer->count == customer->capacity) {
        customer->capacity = 2 * customer->capacity + 16;
        customer->records = realloc(customer->records, customer->capacity * sizeof *customer->records);
        if (customer->records == NULL) {
            die("out of memory");
        }
    }
    customer->records[customer->count++] =
        (struct record){.version = version, .at_ms = now_ms(), .stays = stays, .outcome = outcome};
}

struct history *history_create(void)
{
    struct history *history = calloc(1, sizeof *history);
    if (history == NULL) {
        die("out of memory");
    }
    pthread_mutex_init(&history->mutex, NULL);
    for (int id = 1; id <= CUSTOMERS; id++) {
        add(&history->customers[id], 0, true, COMMITTED);
    }
    return history;
}

void history_destroy(struct history *history)
{
    for (int id = 1; id <= CUSTOMERS; id++) {
        free(history->customers[id].records);
    }
    pthread_mutex_destroy(&history->mutex);
    free(history);
}

/* ---- writing ---- */

uint64_t history_draw(struct history *history)
{
    return atomic_fetch_add(&history->last_version, 1) + 1;
}

/* The first record of at least that version; count if there is none. */
static size_t find(const struct customer *customer, uint64_t version)
{
    size_t low = 0;
    size_t high = customer->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (customer->records[middle].version < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void history_intend(struct history *history, int id, uint64_t version, bool stays)
{
    struct customer *customer = &history->customers[id];
    pthread_mutex_lock(&history->mutex);
    if (customer->records[customer->count - 1].version >= version) {
        die("customer %d: version %" PRIu64 " after %" PRIu64, id, version,
            customer->records[customer->count - 1].version);
    }
    add(customer, version, stays, POSSIBLE);
    pthread_mutex_unlock(&history->mutex);
}

static void settle(struct history *history, int id, uint64_t version, enum outcome outcome)
{
    struct customer *customer = &history->customers[id];
    pthread_mutex_lock(&history->mutex);
    customer->records[find(customer, version)].outcome = outcome;
    pthread_mutex_unlock(&history->mutex);
}

void history_committed(struct history *history, int id, uint64_t version)
{
    settle(history, id, version, COMMITTED);
}

void history_rolled_back(struct history *history, int id, uint64_t version)
{
    settle(history, id, version, ROLLED_BACK);
}

uint64_t history_last(struct history *history, int id)
{
    const struct customer *customer = &history->customers[id];
    pthread_mutex_lock(&history->mutex);
    size_t i = customer->count - 1;
    while (customer->records[i].outcome != COMMITTED) { /* version 0 is */
        i--;
    }
    uint64_t version = customer->records[i].version;
    pthread_mutex_unlock(&history->mutex);
    return version;
}

/* ---- reading ---- */

void history_suspend(struct history *history)
{
    pthread_mutex_lock(&history->mutex);
    history->epoch++;
    pthread_mutex_unlock(&history->mutex);
}

void history_resume(struct history *history, enum loss loss)
{
    pthread_mutex_lock(&history->mutex);
    history->epoch++;
    for (int id = 1; id <= CUSTOMERS; id++) {
        struct customer *customer = &history->customers[id];
        customer->may_be_missing = customer->may_be_missing || loss == LOSS_ALL;
        customer->seen_any = customer->seen_any && loss != LOSS_RECENT;
    }
    pthread_mutex_unlock(&history->mutex);
}

unsigned history_epoch(struct history *history)
{
    pthread_mutex_lock(&history->mutex);
    unsigned epoch = history->epoch;
    pthread_mutex_unlock(&history->mutex);
    return epoch;
}

static void take_note(struct customer *customer, uint64_t version, bool deleted)
{
    customer->seen = version;
    customer->seen_deleted = deleted;
    customer->seen_any = true;
    customer->seen_at_ms = now_ms();
    customer->may_be_missing = false;
}

static void judge(struct customer *customer, int id, uint64_t version)
{
    size_t at = find(customer, version);
    const struct record *record = at < customer->count ? &customer->records[at] : NULL;
    if (record == NULL || record->version != version || !record->stays || record->outcome == ROLLED_BACK) {
        blame("customer %d: Redis has version %" PRIu64 ", which %s", id, version,
              record == NULL || record->version != version ? "nobody wrote"
              : record->stays                              ? "was rolled back"
                                                           : "deleted it");
        return;
    }
    if (customer->seen_any && (version < customer->seen || (version == customer->seen && customer->seen_deleted))) {
        blame("customer %d went back to version %" PRIu64 " (written at %.3f): %s %" PRIu64 " had been seen at %.3f",
              id, version, elapsed_s(record->at_ms), customer->seen_deleted ? "the deletion" : "version",
              customer->seen, elapsed_s(customer->seen_at_ms));
    }
    take_note(customer, version, false);
}

void history_saw(struct history *history, int id, uint64_t version, unsigned epoch)
{
    pthread_mutex_lock(&history->mutex);
    if (epoch == history->epoch && epoch % 2 == 0) {
        judge(&history->customers[id], id, version);
    }
    pthread_mutex_unlock(&history->mutex);
}

/* Some deletion later than what was seen has to be the reason: the first one is assumed. After a loss that is the
 * reason, until the document has been seen again: it may yet appear in any version since. */
static void judge_none(struct customer *customer, int id)
{
    if (!customer->seen_any || customer->seen_deleted || customer->may_be_missing) {
        return;
    }
    for (size_t i = find(customer, customer->seen + 1); i < customer->count; i++) {
        if (!customer->records[i].stays && customer->records[i].outcome != ROLLED_BACK) {
            take_note(customer, customer->records[i].version, true);
            return;
        }
    }
    blame("customer %d is missing from Redis: nobody has deleted it after version %" PRIu64 ", seen at %.3f", id,
          customer->seen, elapsed_s(customer->seen_at_ms));
    customer->may_be_missing = true; /* once is enough */
}

void history_saw_none(struct history *history, int id, unsigned epoch)
{
    pthread_mutex_lock(&history->mutex);
    if (epoch == history->epoch && epoch % 2 == 0) {
        judge_none(&history->customers[id], id);
    }
    pthread_mutex_unlock(&history->mutex);
}
