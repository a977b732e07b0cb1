#include "queue/inbox.h"

void cpi_inbox_init(struct cpi_inbox *inbox, const struct cpi_entity *entities, struct cpi_bell *bell)
{
    pthread_mutex_init(&inbox->mutex, NULL);
    inbox->events = (struct cpi_events){0};
    inbox->closed = false;
    inbox->entities = entities;
    inbox->bell = bell;
}

void cpi_inbox_fini(struct cpi_inbox *inbox)
{
    cpi_events_fini(&inbox->events, inbox->entities);
    pthread_mutex_destroy(&inbox->mutex);
}

bool cpi_inbox_put(struct cpi_inbox *inbox, const struct cpi_event *event)
{
    pthread_mutex_lock(&inbox->mutex);
    bool fits = !inbox->closed && inbox->events.count < CPI_INBOX_CAPACITY && cpi_events_add(&inbox->events, event);
    pthread_mutex_unlock(&inbox->mutex);
    if (fits) {
        cpi_bell_ring(inbox->bell);
    }
    return fits;
}

static void take(struct cpi_inbox *inbox, struct cpi_events *events, bool close)
{
    pthread_mutex_lock(&inbox->mutex);
    struct cpi_events taken = inbox->events;
    inbox->events = *events;
    inbox->closed = close;
    *events = taken;
    pthread_mutex_unlock(&inbox->mutex);
}

void cpi_inbox_take(struct cpi_inbox *inbox, struct cpi_events *events)
{
    take(inbox, events, false);
}

void cpi_inbox_close(struct cpi_inbox *inbox, struct cpi_events *events)
{
    take(inbox, events, true);
}

size_t cpi_inbox_end(struct cpi_inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    inbox->closed = true;
    size_t left = inbox->events.count;
    pthread_mutex_unlock(&inbox->mutex);
    return left;
}

bool cpi_inbox_is_empty(struct cpi_inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    bool empty = inbox->events.count == 0;
    pthread_mutex_unlock(&inbox->mutex);
    return empty;
}
