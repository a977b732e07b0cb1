/*
 * Why ids are parked: the newest failure of each, for others to look at.
 *
 * Whoever works on them notes and forgets; any thread visits. Only so many are remembered, since whoever looks at a
 * list wants reasons, and a thousand ids that fail mostly have one.
 */
#ifndef CPI_PARKED_H
#define CPI_PARKED_H

#include "queue/idset.h"

#include <pthread.h>

enum { CPI_PARKED_REMEMBERED = 100 };

struct cpi_parked_id;

struct cpi_parked {
    const struct cpi_entity *entities;
    pthread_mutex_t mutex; /* over all below; held for copies, never longer */
    struct cpi_parked_id *ids;
    uint32_t count;
    bool has_more;     /* others fail, too, perhaps */
    int64_t forgot_ms; /* when forget() looked last; of that thread alone */
};

/* What is remembered of a single id. */
enum cpi_parked_answer {
    CPI_PARKED_NOT,    /* it does not fail */
    CPI_PARKED_IS,     /* it does */
    CPI_PARKED_PERHAPS /* more ids fail than are remembered */
};

/* False: out of memory; it needs fini then, too. */
bool cpi_parked_init(struct cpi_parked *parked, const struct cpi_entity *entities);
void cpi_parked_fini(struct cpi_parked *parked);

/* Its thread: an id has failed by itself, once more or for the first time. */
void cpi_parked_note(struct cpi_parked *parked, const struct cpi_event *event, const char *why);

/* Its thread, often: drops those that are no longer in its set, since they have settled. */
void cpi_parked_forget_settled(struct cpi_parked *parked, const struct cpi_idset *set);

/* Any thread: whether an id fails; if so, why. */
enum cpi_parked_answer cpi_parked_ask(struct cpi_parked *parked, const struct cpi_event *event, char *why, size_t size);

/* Any thread. Returns how many were visited. */
uint32_t cpi_parked_visit(struct cpi_parked *parked, void (*visit)(void *context, const cp_parked *parked),
                          void *context);

#endif
