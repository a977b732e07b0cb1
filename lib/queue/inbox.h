/*
 * The inbox: ids that the embedder enqueues by hand, from any thread. They wait here until the listener takes them,
 * since only the listener may fill the live rings.
 */
#ifndef CPI_INBOX_H
#define CPI_INBOX_H

#include "base/bell.h"
#include "model/event.h"

#include <pthread.h>

enum { CPI_INBOX_CAPACITY = 65536 };

struct cpi_inbox {
    pthread_mutex_t mutex; /* between callers and the listener; held for a copy, never longer */
    struct cpi_events events;
    bool closed;
    const struct cpi_entity *entities;
    struct cpi_bell *bell; /* the listener's */
};

/* entities and bell have to outlive it. */
void cpi_inbox_init(struct cpi_inbox *inbox, const struct cpi_entity *entities, struct cpi_bell *bell);
void cpi_inbox_fini(struct cpi_inbox *inbox);

/* Any thread. Takes over the id, on success only, and wakes the listener. False: full, closed or out of memory. */
bool cpi_inbox_put(struct cpi_inbox *inbox, const struct cpi_event *event);

/* The listener. Swaps the content of the inbox with *events, which has to be empty; its memory is reused. */
void cpi_inbox_take(struct cpi_inbox *inbox, struct cpi_events *events);

/* The listener, for the last time: like take, and from now on the inbox accepts nothing. */
void cpi_inbox_close(struct cpi_inbox *inbox, struct cpi_events *events);

/* Once the listener has ended, or is never to run: accepts nothing from now on. How many nobody will take. */
size_t cpi_inbox_end(struct cpi_inbox *inbox);

bool cpi_inbox_is_empty(struct cpi_inbox *inbox);

#endif
