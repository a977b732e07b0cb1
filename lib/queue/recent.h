/*
 * The last few ids that have settled, for the auditor. Workers offer what they settle and never wait: if another thread
 * holds the mutex, the id is skipped. Newer ids replace older ones.
 */
#ifndef CPI_RECENT_H
#define CPI_RECENT_H

#include "model/event.h"

#include <pthread.h>

enum { CPI_RECENT_CAPACITY = 512 };

struct cpi_recent {
    pthread_mutex_t mutex; /* between workers and the auditor; held for a copy */
    struct cpi_event events[CPI_RECENT_CAPACITY];
    uint32_t next; /* where the next one goes, behind the newest */
    uint32_t count;
    const struct cpi_entity *entities;
};

void cpi_recent_init(struct cpi_recent *recent, const struct cpi_entity *entities);
void cpi_recent_fini(struct cpi_recent *recent);

/* A worker. Copies the id, unless another thread is using the list. */
void cpi_recent_offer(struct cpi_recent *recent, const struct cpi_event *event);

/* The auditor. Takes out the newest, and with it its id. False: there is none. */
bool cpi_recent_take(struct cpi_recent *recent, struct cpi_event *event);

#endif
