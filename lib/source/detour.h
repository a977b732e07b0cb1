/*
 * The detour of events that are to be mapped: from the listener to the mapper, and what comes of them back to the
 * lanes. Marks that stand for everything announced before take it, too, since they must not overtake. Belongs to the
 * listener's thread.
 */
#ifndef CPI_DETOUR_H
#define CPI_DETOUR_H

#include "env.h"
#include "mapping/mapper.h"
#include "source/asking.h"
#include "source/confirming.h"

struct cpi_detour {
    const struct cpi_env *env;
    struct cpi_mail *mail; /* NULL: nothing is mapped, and marks go straight to the lanes */
    struct cpi_live_feed *feed;
    struct cpi_asking *asking;
    struct cpi_events back; /* empty between calls */
    int64_t barrier;        /* on its way into the mail, or the lanes; 0: none */
    int64_t position;       /* the same */
};

/* Takes what is to be mapped out of events. */
void cpi_detour_send(struct cpi_detour *detour, struct cpi_events *events);

/* Put marks behind everything sent and routed so far. */
void cpi_detour_barrier(struct cpi_detour *detour, int64_t number);
void cpi_detour_position(struct cpi_detour *detour, int64_t number);

/* Routes what has come back, as far as the lanes have room. True: the feed is to be flushed. */
bool cpi_detour_take(struct cpi_detour *detour, struct cpi_confirming *confirming);

/* How many more events a source that loses nothing had better bring now. */
uint32_t cpi_detour_room(const struct cpi_detour *detour);

/* Whether take() has something to do; whether it has not now, and is to look again soon. */
bool cpi_detour_has_come(const struct cpi_detour *detour);
bool cpi_detour_is_held_up(const struct cpi_detour *detour);

/* Another syncer writes, and hears the same. */
void cpi_detour_forget(struct cpi_detour *detour);

/* Whether nothing is under way any more, or given up: when stopping. */
bool cpi_detour_is_over(const struct cpi_detour *detour);

void cpi_detour_fini(struct cpi_detour *detour);

#endif
