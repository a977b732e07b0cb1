#include "source/wal_transactions.h"

#include "base/error.h"

#include <stdlib.h>

enum {
    CROWD_FROM =
        512, /* of one transaction: the events beyond are a crowd's, so that those of others go first (event.h) */
    TOGETHER = 4096 /* kept back and handed on at once: whole batches for workers, and little for the lanes to hold */
};

struct cpi_wal_transaction {
    struct cpi_wal_transaction *next;
    uint32_t xid;
    bool is_early; /* it has come in parts, the first of them before its commit */
    bool is_visible;
    bool is_complete;
    uint64_t end_lsn;         /* when complete */
    size_t count;             /* of its events so far */
    int64_t barrier;          /* that has not been passed; 0: none */
    struct cpi_events events; /* kept back */
    uint8_t *marks;           /* by entity; NULL: none */
};

/* ---- what comes of a change ---- */

static void mark_arrival(struct cpi_wal_changes *changes, size_t index, unsigned marks)
{
    struct cpi_arrivals *arrivals = changes->arrivals;
    size_t entity = cpi_config_target(changes->env->config, index);
    arrivals->everything[entity] = arrivals->everything[entity] || (marks & CPI_WAL_EVERYTHING) != 0;
    arrivals->again[entity] = arrivals->again[entity] || (marks & CPI_WAL_AGAIN) != 0;
    arrivals->lost[entity] = arrivals->lost[entity] || (marks & CPI_WAL_LOST) != 0;
    arrivals->unreadable[entity] = arrivals->unreadable[entity] || (marks & CPI_WAL_UNREADABLE) != 0;
}

/* The transaction that messages belong to, if what they bring has to wait. */
static struct cpi_wal_transaction *held(struct cpi_wal_changes *changes)
{
    return changes->current != NULL && !changes->current->is_visible ? changes->current : NULL;
}

/* Without memory for the mark the resync comes early, and another one by the next change. */
void cpi_wal_changes_mark(struct cpi_wal_changes *changes, size_t index, enum cpi_wal_mark kind)
{
    size_t entity = cpi_config_target(changes->env->config, index);
    struct cpi_wal_transaction *transaction = held(changes);
    if (transaction != NULL && transaction->marks == NULL) {
        transaction->marks = calloc(changes->env->config->entity_count, 1);
    }
    if (transaction != NULL && transaction->marks != NULL) {
        transaction->marks[entity] |= (uint8_t)kind;
    } else {
        mark_arrival(changes, entity, kind);
    }
}

static size_t *kept_with(struct cpi_wal_changes *changes, const struct cpi_wal_transaction *transaction)
{
    return transaction->is_early ? &changes->kept_early : &changes->kept_back;
}

/* Takes over the event's id, on success only. What is kept back is bounded, too. */
static bool keep_back(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction,
                      const struct cpi_event *event)
{
    size_t *kept = kept_with(changes, transaction);
    bool has_room = *kept < changes->env->config->max_pending;
    changes->has_outgrown = changes->has_outgrown || (!has_room && transaction->is_early);
    bool is_kept = has_room && cpi_events_add(&transaction->events, event);
    *kept += is_kept;
    return is_kept;
}

void cpi_wal_changes_add(struct cpi_wal_changes *changes, size_t entity, union cpi_id id)
{
    struct cpi_wal_transaction *transaction = held(changes);
    struct cpi_event event = {.id = id, .entity = (uint16_t)entity};
    if (changes->current != NULL) {
        event.in_crowd = ++changes->current->count > CROWD_FROM;
    }
    bool added = transaction != NULL ? keep_back(changes, transaction, &event)
                                     : cpi_events_add(&changes->arrivals->events, &event);
    if (!added) {
        cpi_id_fini(changes->env->config->entities[entity].id_type, &event.id);
        cpi_wal_changes_mark(changes, entity, CPI_WAL_LOST);
    }
}

void cpi_wal_changes_barrier(struct cpi_wal_changes *changes, int64_t number)
{
    if (changes->current != NULL) {
        changes->current->barrier = number;
    }
}

/* ---- transactions ---- */

static void free_transaction(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction)
{
    *kept_with(changes, transaction) -= transaction->events.count;
    cpi_events_fini(&transaction->events, changes->env->config->entities);
    free(transaction->marks);
    free(transaction);
}

static bool is_crowd(const struct cpi_wal_transaction *transaction)
{
    return transaction->count > CROWD_FROM;
}

static bool has_more(const struct cpi_wal_transaction *transaction)
{
    return transaction->is_visible && transaction->events.count > 0;
}

static bool is_done(const struct cpi_wal_transaction *transaction)
{
    return transaction->is_complete && transaction->is_visible && transaction->events.count == 0;
}

/* A barrier counts once its transaction has come to its end, and all that could be seen when it was sent has been
 * handed on: what is visible, and stands before it. */
static void pass_barriers(struct cpi_wal_changes *changes)
{
    struct cpi_arrivals *arrivals = changes->arrivals;
    for (struct cpi_wal_transaction *at = changes->first; at != NULL && !has_more(at); at = at->next) {
        if (is_done(at)) {
            arrivals->barrier = at->barrier > arrivals->barrier ? at->barrier : arrivals->barrier;
            at->barrier = 0;
        }
    }
}

/* Takes away those that have been handed on to their end. At the beginning they move the position; behind one that is
 * not done they leave it their end, so that few are kept however long that one takes. */
static void drop_done(struct cpi_wal_changes *changes)
{
    pass_barriers(changes);
    while (changes->first != NULL && is_done(changes->first)) {
        struct cpi_wal_transaction *done = changes->first;
        changes->position = done->end_lsn > changes->position ? done->end_lsn : changes->position;
        changes->first = done->next;
        free_transaction(changes, done);
    }
    struct cpi_wal_transaction *at = changes->first;
    while (at != NULL && at->next != NULL) {
        struct cpi_wal_transaction *next = at->next;
        if (is_done(next) && next->barrier == 0) {
            at->end_lsn = next->end_lsn;
            at->next = next->next;
            free_transaction(changes, next);
        } else {
            at = next;
        }
    }
    changes->last = at;
}

/* It is visible: what it has brought so far goes on, as far as there is room, of which a crowd leaves half to what
 * comes of others meanwhile. The last of it first, which is taken off the array without moving the rest. */
static void hand_on(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction)
{
    struct cpi_arrivals *arrivals = changes->arrivals;
    struct cpi_events *events = &transaction->events;
    size_t room = is_crowd(transaction) ? arrivals->room - arrivals->room / 2 : arrivals->room;
    size_t most = room < TOGETHER ? room : TOGETHER;
    size_t left = most > arrivals->events.count ? most - arrivals->events.count : 0;
    size_t rest = events->count > left ? events->count - left : 0;
    for (size_t i = rest; i < events->count; i++) {
        if (!cpi_events_add(&arrivals->events, &events->items[i])) {
            mark_arrival(changes, events->items[i].entity, CPI_WAL_LOST);
            cpi_id_fini(changes->env->config->entities[events->items[i].entity].id_type, &events->items[i].id);
        }
    }
    *kept_with(changes, transaction) -= events->count - rest;
    events->count = rest;
    for (size_t e = 0; transaction->marks != NULL && e < changes->env->config->entity_count; e++) {
        mark_arrival(changes, e, transaction->marks[e]);
    }
    free(transaction->marks);
    transaction->marks = NULL;
}

static void append(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction)
{
    *(changes->last != NULL ? &changes->last->next : &changes->first) = transaction;
    changes->last = transaction;
    transaction->is_visible = cpi_snapshot_sees(&changes->snapshot, transaction->xid);
}

cp_code cpi_wal_begin(struct cpi_wal_changes *changes, uint32_t xid, cp_error *err)
{
    struct cpi_wal_transaction *transaction = calloc(1, sizeof *transaction);
    if (transaction == NULL) {
        return cpi_error_memory(err);
    }
    transaction->xid = xid;
    append(changes, transaction);
    changes->current = transaction;
    return CP_OK;
}

static void complete(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction, uint64_t end_lsn)
{
    transaction->is_complete = true;
    transaction->end_lsn = end_lsn;
    if (transaction->is_visible) {
        hand_on(changes, transaction);
    }
    drop_done(changes);
}

void cpi_wal_commit(struct cpi_wal_changes *changes, uint64_t end_lsn)
{
    struct cpi_wal_transaction *transaction = changes->current;
    changes->current = NULL;
    complete(changes, transaction, end_lsn);
}

/* ---- those that come early ---- */

static struct cpi_wal_transaction **find_open(struct cpi_wal_changes *changes, uint32_t xid)
{
    struct cpi_wal_transaction **at = &changes->open;
    while (*at != NULL && (*at)->xid != xid) {
        at = &(*at)->next;
    }
    return at;
}

/* A mark must not be set early, so there is a place for each from the beginning. */
cp_code cpi_wal_start_part(struct cpi_wal_changes *changes, uint32_t xid, cp_error *err)
{
    struct cpi_wal_transaction **at = find_open(changes, xid);
    if (*at == NULL) {
        struct cpi_wal_transaction *transaction = calloc(1, sizeof *transaction);
        uint8_t *marks = transaction != NULL ? calloc(changes->env->config->entity_count, 1) : NULL;
        if (marks == NULL) {
            free(transaction);
            return cpi_error_memory(err);
        }
        transaction->xid = xid;
        transaction->is_early = true;
        transaction->marks = marks;
        *at = transaction;
    }
    changes->current = *at;
    return CP_OK;
}

/* A subtransaction that is rolled back leaves its events, which only cause reads; of a transaction, all goes. */
void cpi_wal_abort_parts(struct cpi_wal_changes *changes, uint32_t xid, uint32_t subxid)
{
    struct cpi_wal_transaction **at = find_open(changes, xid);
    struct cpi_wal_transaction *aborted = *at;
    if (aborted != NULL && subxid == xid) {
        *at = aborted->next;
        free_transaction(changes, aborted);
    }
}

cp_code cpi_wal_commit_parts(struct cpi_wal_changes *changes, uint32_t xid, uint64_t end_lsn, cp_error *err)
{
    struct cpi_wal_transaction **at = find_open(changes, xid);
    struct cpi_wal_transaction *transaction = *at;
    if (transaction == NULL) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "pgoutput: the end of a transaction whose parts have not come");
    }
    *at = transaction->next;
    transaction->next = NULL;
    append(changes, transaction);
    complete(changes, transaction, end_lsn);
    return CP_OK;
}

bool cpi_wal_is_in_part(const struct cpi_wal_changes *changes)
{
    return changes->current != NULL && changes->current->is_early;
}

/* ---- handing on ---- */

/* Crowds take the room that others leave. */
static void hand_on_all(struct cpi_wal_changes *changes, bool of_crowds)
{
    for (struct cpi_wal_transaction *at = changes->first; at != NULL; at = at->next) {
        if (has_more(at) && is_crowd(at) == of_crowds) {
            hand_on(changes, at);
        }
    }
}

void cpi_wal_changes_hand_on(struct cpi_wal_changes *changes, struct cpi_arrivals *arrivals)
{
    changes->arrivals = arrivals;
    hand_on_all(changes, false);
    hand_on_all(changes, true);
    drop_done(changes);
}

bool cpi_wal_changes_have_more(const struct cpi_wal_changes *changes)
{
    for (const struct cpi_wal_transaction *at = changes->first; at != NULL; at = at->next) {
        if (has_more(at)) {
            return true;
        }
    }
    return false;
}

bool cpi_wal_changes_wait(const struct cpi_wal_changes *changes)
{
    for (const struct cpi_wal_transaction *at = changes->first; at != NULL; at = at->next) {
        if (!at->is_visible) {
            return true;
        }
    }
    return false;
}

bool cpi_wal_changes_are_full(const struct cpi_wal_changes *changes)
{
    return changes->kept_back >= changes->env->config->max_pending / 2 && cpi_wal_changes_wait(changes);
}

bool cpi_wal_changes_in_crowd(const struct cpi_wal_changes *changes)
{
    return changes->current != NULL && changes->current->is_visible && is_crowd(changes->current);
}

cp_code cpi_wal_changes_see(struct cpi_wal_changes *changes, const char *snapshot, struct cpi_arrivals *arrivals,
                            cp_error *err)
{
    changes->arrivals = arrivals;
    if (!cpi_snapshot_parse(&changes->snapshot, snapshot)) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: its snapshot cannot be read");
    }
    for (struct cpi_wal_transaction *at = changes->first; at != NULL; at = at->next) {
        if (!at->is_visible && cpi_snapshot_sees(&changes->snapshot, at->xid)) {
            at->is_visible = true;
            hand_on(changes, at);
        }
    }
    drop_done(changes);
    return CP_OK;
}

static void forget(struct cpi_wal_changes *changes, struct cpi_wal_transaction **list)
{
    while (*list != NULL) {
        struct cpi_wal_transaction *next = (*list)->next;
        free_transaction(changes, *list);
        *list = next;
    }
}

void cpi_wal_forget(struct cpi_wal_changes *changes)
{
    forget(changes, &changes->first);
    forget(changes, &changes->open);
    changes->last = NULL;
    changes->current = NULL;
}
