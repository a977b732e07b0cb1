#include "source/wal_changes.h"

#include "base/error.h"
#include "source/wal_rows.h"

#include <stdlib.h>
#include <string.h>

/* Of one transaction: the events beyond are a crowd's, so that those of others go first (see event.h). */
enum { CROWD_FROM = 512 };

struct cpi_wal_transaction {
    struct cpi_wal_transaction *next;
    uint32_t xid;
    bool is_visible;
    bool is_complete;
    uint64_t end_lsn;         /* when complete */
    size_t count;             /* of its events so far */
    int64_t barrier;          /* 0: none */
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
    return changes->in_transaction && !changes->last->is_visible ? changes->last : NULL;
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

/* Takes over the event's id, on success only. What is kept back is bounded, too. */
static bool keep_back(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction,
                      const struct cpi_event *event)
{
    bool kept = changes->kept_back < changes->env->config->max_pending && cpi_events_add(&transaction->events, event);
    changes->kept_back += kept;
    return kept;
}

void cpi_wal_changes_add(struct cpi_wal_changes *changes, size_t entity, union cpi_id id)
{
    struct cpi_wal_transaction *transaction = held(changes);
    struct cpi_event event = {.id = id, .entity = (uint16_t)entity};
    if (changes->in_transaction) {
        event.in_crowd = ++changes->last->count > CROWD_FROM;
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
    if (changes->in_transaction) {
        changes->last->barrier = number;
    }
}

/* ---- transactions ---- */

static void free_transaction(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction)
{
    changes->kept_back -= transaction->events.count;
    cpi_events_fini(&transaction->events, changes->env->config->entities);
    free(transaction->marks);
    free(transaction);
}

static bool is_done(const struct cpi_wal_transaction *transaction)
{
    return transaction->is_complete && transaction->is_visible;
}

/* Takes away those that have been handed on to their end. At the beginning they move the position; behind one that is
 * not done they leave it their end, so that few are kept however long that one takes. */
static void drop_done(struct cpi_wal_changes *changes)
{
    while (changes->first != NULL && is_done(changes->first)) {
        struct cpi_wal_transaction *done = changes->first;
        changes->position = done->end_lsn > changes->position ? done->end_lsn : changes->position;
        changes->first = done->next;
        free_transaction(changes, done);
    }
    struct cpi_wal_transaction *at = changes->first;
    while (at != NULL && at->next != NULL) {
        struct cpi_wal_transaction *next = at->next;
        if (is_done(next)) {
            at->end_lsn = next->end_lsn;
            at->next = next->next;
            free_transaction(changes, next);
        } else {
            at = next;
        }
    }
    changes->last = at;
}

/* It is visible: whatever it has brought so far goes on. */
static void hand_on(struct cpi_wal_changes *changes, struct cpi_wal_transaction *transaction)
{
    struct cpi_arrivals *arrivals = changes->arrivals;
    struct cpi_events *events = &transaction->events;
    size_t n = 0;
    while (n < events->count && cpi_events_add(&arrivals->events, &events->items[n])) {
        n++;
    }
    for (size_t i = n; i < events->count; i++) {
        mark_arrival(changes, events->items[i].entity, CPI_WAL_LOST);
        cpi_id_fini(changes->env->config->entities[events->items[i].entity].id_type, &events->items[i].id);
    }
    changes->kept_back -= events->count;
    events->count = 0;
    for (size_t e = 0; transaction->marks != NULL && e < changes->env->config->entity_count; e++) {
        mark_arrival(changes, e, transaction->marks[e]);
    }
    free(transaction->marks);
    transaction->marks = NULL;
}

/* A barrier counts once its transaction has come to its end. */
static void pass_barrier(struct cpi_wal_changes *changes, const struct cpi_wal_transaction *transaction)
{
    if (transaction->is_visible && transaction->is_complete && transaction->barrier > changes->arrivals->barrier) {
        changes->arrivals->barrier = transaction->barrier;
    }
}

static cp_code begin(struct cpi_wal_changes *changes, uint32_t xid, cp_error *err)
{
    struct cpi_wal_transaction *transaction = calloc(1, sizeof *transaction);
    if (transaction == NULL) {
        return cpi_error_memory(err);
    }
    transaction->xid = xid;
    transaction->is_visible = cpi_snapshot_sees(&changes->snapshot, xid);
    *(changes->last != NULL ? &changes->last->next : &changes->first) = transaction;
    changes->last = transaction;
    changes->in_transaction = true;
    return CP_OK;
}

static void commit(struct cpi_wal_changes *changes, uint64_t end_lsn)
{
    changes->in_transaction = false;
    changes->last->is_complete = true;
    changes->last->end_lsn = end_lsn;
    pass_barrier(changes, changes->last);
    drop_done(changes);
}

static cp_code take_decoded(struct cpi_wal_changes *changes, const struct cpi_pgoutput *message, cp_error *err)
{
    bool fits = message->kind == CPI_PGOUTPUT_BEGIN ? !changes->in_transaction
                                                    : message->kind != CPI_PGOUTPUT_COMMIT || changes->in_transaction;
    if (!fits) {
        return cpi_error(err, CP_ERR_POSTGRES, true, "pgoutput: transactions begin or end out of turn");
    }
    switch (message->kind) {
    case CPI_PGOUTPUT_BEGIN:
        return begin(changes, message->begin.xid, err);
    case CPI_PGOUTPUT_COMMIT:
        commit(changes, message->commit.end_lsn);
        break;
    case CPI_PGOUTPUT_RELATION:
        changes->relid = 0;
        changes->route_count = 0;
        return cpi_wal_tables_learn(&changes->tables, message) ? CP_OK : cpi_error_memory(err);
    case CPI_PGOUTPUT_INSERT:
    case CPI_PGOUTPUT_UPDATE:
    case CPI_PGOUTPUT_DELETE:
        cpi_wal_take_rows(changes, message);
        break;
    case CPI_PGOUTPUT_TRUNCATE:
        cpi_wal_take_truncate(changes, message);
        break;
    case CPI_PGOUTPUT_MESSAGE:
        cpi_wal_take_message(changes, message);
        break;
    case CPI_PGOUTPUT_UNKNOWN:
    case CPI_PGOUTPUT_ORIGIN:
    case CPI_PGOUTPUT_TYPE:
        break;
    }
    return CP_OK;
}

/* ---- the public part ---- */

cp_code cpi_wal_changes_take(struct cpi_wal_changes *changes, const void *data, size_t size,
                             struct cpi_arrivals *arrivals, cp_error *err)
{
    struct cpi_pgoutput message;
    changes->arrivals = arrivals;
    cp_code code = cpi_pgoutput_decode(data, size, &message, err);
    return code == CP_OK ? take_decoded(changes, &message, err) : code;
}

void cpi_wal_changes_keepalive(struct cpi_wal_changes *changes, uint64_t end_lsn)
{
    if (changes->first == NULL && end_lsn > changes->position) {
        changes->position = end_lsn;
    }
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

bool cpi_wal_changes_in_crowd(const struct cpi_wal_changes *changes)
{
    return changes->in_transaction && changes->last->is_visible && changes->last->count > CROWD_FROM;
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
            pass_barrier(changes, at);
        }
    }
    drop_done(changes);
    return CP_OK;
}

static void forget_all(struct cpi_wal_changes *changes)
{
    while (changes->first != NULL) {
        struct cpi_wal_transaction *next = changes->first->next;
        free_transaction(changes, changes->first);
        changes->first = next;
    }
    changes->last = NULL;
    changes->in_transaction = false;
}

void cpi_wal_changes_begin(struct cpi_wal_changes *changes, uint64_t position)
{
    forget_all(changes);
    cpi_snapshot_fini(&changes->snapshot);
    changes->position = position;
    changes->relid = 0;
    changes->route_count = 0;
}

void cpi_wal_changes_fini(struct cpi_wal_changes *changes)
{
    forget_all(changes);
    cpi_snapshot_fini(&changes->snapshot);
    cpi_wal_tables_fini(&changes->tables);
}
