/*
 * Where ids wait that the embedder enqueues by hand, from any thread, until the listener takes them: it has to be the
 * only producer of the live rings.
 */
#ifndef CPI_INBOX_H
#define CPI_INBOX_H

#include "base/bell.h"
#include "model/event.h"

#include <pthread.h>

enum { CPI_INBOX_CAPACITY = 65536 };

struct cpi_inbox {
    pthread_mutex_t mutex; /* callers against each other and against the listener; held for a copy, never longer */
    struct cpi_events events;
    bool closed;
    const struct cpi_entity *entities;
    struct cpi_bell *bell; /* the listener's */
};

/* entities and bell have to outlive it. */
void cpi_inbox_init(struct cpi_inbox *inbox, const struct cpi_entity *entities, struct cpi_bell *bell);
void cpi_inbox_fini(struct cpi_inbox *inbox);

/* Any thread. Takes over the id, on success only, and wakes the listener; false when full, closed or out of memory. */
bool cpi_inbox_put(struct cpi_inbox *inbox, const struct cpi_event *event);

/* The listener. Swaps what is in the inbox for *events, which has to be empty; its memory is used again. */
void cpi_inbox_take(struct cpi_inbox *inbox, struct cpi_events *events);

/* The same for the last time: what has been accepted is in events, and nothing is accepted any more. */
void cpi_inbox_close(struct cpi_inbox *inbox, struct cpi_events *events);

bool cpi_inbox_is_empty(struct cpi_inbox *inbox);

#endif
