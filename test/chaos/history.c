#include "history.h"

#include "util.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum outcome { POSSIBLE, COMMITTED, ROLLED_BACK };

struct record {
    uint64_t version;
    int64_t at_ms;
    bool stays;
    enum outcome outcome;
};

/* What a reader has seen last of a customer. */
struct sight {
    uint64_t version; /* of a document, or of the deletion that has to be why there is none */
    int64_t at_ms;
    bool deleted;
    bool any;
    bool may_be_missing; /* its loss has been declared and it has not been seen since */
};

struct customer {
    struct record *records; /* versions grow: each is added under the customer's lock in Postgres */
    size_t count;
    size_t capacity;
    struct sight sights[VIEWS];
};

struct history {
    pthread_mutex_t mutex;
    atomic_uint_fast64_t last_version;
    const char *names[VIEWS];
    bool may_forget[VIEWS];
    unsigned epochs[VIEWS]; /* odd: suspended */
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

struct history *history_create(const char *const names[VIEWS])
{
    struct history *history = calloc(1, sizeof *history);
    if (history == NULL) {
        die("out of memory");
    }
    pthread_mutex_init(&history->mutex, NULL);
    memcpy(history->names, names, sizeof history->names);
    for (int id = 1; id <= CUSTOMERS; id++) {
        add(&history->customers[id], 0, true, COMMITTED);
    }
    return history;
}

void history_may_forget(struct history *history, int view)
{
    history->may_forget[view] = true;
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

void history_suspend(struct history *history, int view)
{
    pthread_mutex_lock(&history->mutex);
    history->epochs[view]++;
    pthread_mutex_unlock(&history->mutex);
}

void history_resume(struct history *history, int view, enum loss loss)
{
    pthread_mutex_lock(&history->mutex);
    history->epochs[view]++;
    for (int id = 1; id <= CUSTOMERS; id++) {
        struct sight *sight = &history->customers[id].sights[view];
        sight->may_be_missing = sight->may_be_missing || loss == LOSS_ALL;
        sight->any = sight->any && loss != LOSS_RECENT;
    }
    pthread_mutex_unlock(&history->mutex);
}

unsigned history_epoch(struct history *history, int view)
{
    pthread_mutex_lock(&history->mutex);
    unsigned epoch = history->epochs[view];
    pthread_mutex_unlock(&history->mutex);
    return epoch;
}

static void take_note(struct sight *sight, uint64_t version, bool deleted)
{
    *sight = (struct sight){.version = version, .deleted = deleted, .any = true, .at_ms = now_ms()};
}

static void judge(struct history *history, int view, int id, uint64_t version)
{
    const struct customer *customer = &history->customers[id];
    struct sight *sight = &history->customers[id].sights[view];
    size_t at = find(customer, version);
    const struct record *record = at < customer->count ? &customer->records[at] : NULL;
    if (record == NULL || record->version != version || !record->stays || record->outcome == ROLLED_BACK) {
        blame("customer %d: %s has version %" PRIu64 ", which %s", id, history->names[view], version,
              record == NULL || record->version != version ? "nobody wrote"
              : record->stays                              ? "was rolled back"
                                                           : "deleted it");
        return;
    }
    if (sight->any && (version < sight->version || (version == sight->version && sight->deleted))) {
        blame("customer %d of %s went back to version %" PRIu64 " (written at %.3f): %s %" PRIu64
              " had been seen at %.3f",
              id, history->names[view], version, elapsed_s(record->at_ms), sight->deleted ? "the deletion" : "version",
              sight->version, elapsed_s(sight->at_ms));
    }
    take_note(sight, version, false);
}

static bool counts(const struct history *history, int view, unsigned epoch)
{
    return epoch == history->epochs[view] && epoch % 2 == 0;
}

void history_saw(struct history *history, int view, int id, uint64_t version, unsigned epoch)
{
    pthread_mutex_lock(&history->mutex);
    if (counts(history, view, epoch)) {
        judge(history, view, id, version);
    }
    pthread_mutex_unlock(&history->mutex);
}

/* Some deletion later than what was seen has to be the reason: the first one is assumed. After a loss that is the
 * reason, until the document has been seen again: it may yet appear in any version since. */
static void judge_none(struct history *history, int view, int id)
{
    const struct customer *customer = &history->customers[id];
    struct sight *sight = &history->customers[id].sights[view];
    if (!sight->any || sight->deleted || sight->may_be_missing || history->may_forget[view]) {
        return;
    }
    for (size_t i = find(customer, sight->version + 1); i < customer->count; i++) {
        if (!customer->records[i].stays && customer->records[i].outcome != ROLLED_BACK) {
            take_note(sight, customer->records[i].version, true);
            return;
        }
    }
    blame("customer %d is missing from %s: nobody has deleted it after version %" PRIu64 ", seen at %.3f", id,
          history->names[view], sight->version, elapsed_s(sight->at_ms));
    sight->may_be_missing = true; /* once is enough */
}

void history_saw_none(struct history *history, int view, int id, unsigned epoch)
{
    pthread_mutex_lock(&history->mutex);
    if (counts(history, view, epoch)) {
        judge_none(history, view, id);
    }
    pthread_mutex_unlock(&history->mutex);
}
