#include "queue/recent.h"

#include <string.h>

void cpi_recent_init(struct cpi_recent *recent, const struct cpi_entity *entities)
{
    *recent = (struct cpi_recent){.entities = entities};
    pthread_mutex_init(&recent->mutex, NULL);
}

void cpi_recent_fini(struct cpi_recent *recent)
{
    struct cpi_event event;
    while (cpi_recent_take(recent, &event)) {
        cpi_id_fini(recent->entities[event.entity].id_type, &event.id);
    }
    pthread_mutex_destroy(&recent->mutex);
}

/* Makes room by dropping the oldest. */
static void put(struct cpi_recent *recent, const struct cpi_event *event)
{
    struct cpi_event *place = &recent->events[recent->next];
    if (recent->count == CPI_RECENT_CAPACITY) {
        cpi_id_fini(recent->entities[place->entity].id_type, &place->id);
    } else {
        recent->count++;
    }
    *place = *event;
    recent->next = (recent->next + 1) % CPI_RECENT_CAPACITY;
}

void cpi_recent_offer(struct cpi_recent *recent, const struct cpi_event *event)
{
    if (pthread_mutex_trylock(&recent->mutex) != 0) {
        return;
    }
    struct cpi_event copy = *event;
    if (cpi_id_copy(recent->entities[event->entity].id_type, &event->id, &copy.id)) {
        put(recent, &copy);
    }
    pthread_mutex_unlock(&recent->mutex);
}

bool cpi_recent_take(struct cpi_recent *recent, struct cpi_event *event)
{
    pthread_mutex_lock(&recent->mutex);
    bool any = recent->count > 0;
    if (any) {
        recent->next = (recent->next + CPI_RECENT_CAPACITY - 1) % CPI_RECENT_CAPACITY;
        recent->count--;
        *event = recent->events[recent->next];
    }
    pthread_mutex_unlock(&recent->mutex);
    return any;
}
