/*
 * Confirming what has settled: puts positions of the source into the lanes, one at a time, and tells the source when
 * all lanes have passed one. Belongs to the listener's thread.
 */
#ifndef CPI_CONFIRMING_H
#define CPI_CONFIRMING_H

#include "queue/lane.h"
#include "queue/requests.h"
#include "source/source.h"

/* Zero is a valid one. */
struct cpi_confirming {
    uint64_t offered;  /* the newest position that the source has brought; 0: none since the last */
    uint64_t position; /* on its way through the lanes; 0: none */
    int64_t number;    /* of that: positions are counted, since those of another source may be smaller */
    uint64_t quiet;    /* what cpi_requests_owe_nothing() said when it was put */
    bool is_partial;   /* something before it could not be mapped */
    int64_t at_ms;     /* when the next one may be put */
};

/* Everything up to the position has been given to the feed; 0: nothing new. */
void cpi_confirming_offer(struct cpi_confirming *confirming, uint64_t position);

/* The number of one that is to be put into the lanes, behind what is still to be mapped; 0: it is not time. */
int64_t cpi_confirming_put(struct cpi_confirming *confirming, struct cpi_requests *requests);

/* Everything before it has been mapped, or, is_partial, fails: it may be put into the lanes. False: nobody waits for it
 * any more. */
bool cpi_confirming_is_mapped(struct cpi_confirming *confirming, int64_t number, bool is_partial);

/* Tells the source, which is open, when every lane has passed it. It is complete if nothing has been owed all the time:
 * what a resync has listed may be parked after a lane has told what fails. */
void cpi_confirming_look(struct cpi_confirming *confirming, struct cpi_requests *requests,
                         const struct cpi_lanes *lanes, struct cpi_source *source);

/* The source has been closed: what came from it is none of the next one's. */
void cpi_confirming_forget(struct cpi_confirming *confirming);

/* Milliseconds until there is something to do; -1: never. */
int cpi_confirming_due_ms(const struct cpi_confirming *confirming);

#endif
