/*
 * Resyncs that events ask for. Anybody who may NOTIFY can ask, as often as he likes: one that is asked for too soon
 * after the last waits, and is not lost. Belongs to the listener's thread.
 */
#ifndef CPI_ASKING_H
#define CPI_ASKING_H

#include "env.h"

enum cpi_asked {
    CPI_ASKED_EVERYTHING, /* "*" */
    CPI_ASKED_AGAIN,      /* "**" */
    CPI_ASKED_UNREADABLE, /* an event that could not be read */
    CPI_ASKED_CROWDED,    /* ids of a crowd were dropped */
    CPI_ASKED
};

struct cpi_asking {
    const struct cpi_env *env;
    struct cpi_asked_entity *entities;
};

/* False: out of memory. */
bool cpi_asking_init(struct cpi_asking *asking, const struct cpi_env *env);
void cpi_asking_fini(struct cpi_asking *asking);

void cpi_asking_note(struct cpi_asking *asking, uint32_t entity, enum cpi_asked kind);

/* Requests what is due; now: what waits as well. */
void cpi_asking_request(struct cpi_asking *asking, bool now);

/* Marks, in the lanes, which count once what was asked for before them has been requested. Events that come without an
 * end ask without an end: what was asked for after a mark does not hold it up. */
enum cpi_asking_mark { CPI_ASKING_BARRIER = 1, CPI_ASKING_POSITION = 2 };

/* A mark has been put: what waits now is before it. It takes the place of an older one. */
void cpi_asking_put(struct cpi_asking *asking, enum cpi_asking_mark mark);

/* Whether something that was asked for before the mark still waits. */
bool cpi_asking_holds(const struct cpi_asking *asking, enum cpi_asking_mark mark);

/* Another syncer writes, and hears the same: nothing waits here any more. */
void cpi_asking_forget(struct cpi_asking *asking);

/* Milliseconds until something that waits is due; -1: nothing does. */
int cpi_asking_due_ms(const struct cpi_asking *asking);

#endif
