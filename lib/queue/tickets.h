/*
 * Tickets: which marks behind what has been announced and enqueued have been passed. Callers and the resync thread take
 * tickets and wait; the listener sends a barrier behind those that were taken, one at a time: all that are taken
 * meanwhile share the next. So however many are taken, none is replaced by a newer one for ever.
 *
 *   taken ──▶ barrier under way ──▶ through: every lane has passed it ──▶ settled: what was dropped has been read again
 */
#ifndef CPI_TICKETS_H
#define CPI_TICKETS_H

#include "base/bell.h"
#include "base/stop.h"

#include <pthread.h>

/* Tickets up to `number` have settled once as many resyncs that events called for have been completed. */
struct cpi_ticket_debt {
    uint64_t number; /* 0: none */
    uint64_t repairs;
};

struct cpi_tickets {
    struct cpi_bell *listener_bell;
    pthread_mutex_t mutex; /* protects all below; held for a copy, never longer */
    pthread_cond_t changed;
    uint64_t taken;   /* the newest ticket */
    uint64_t covered; /* the newest that the barrier under way is behind */
    uint64_t through; /* the newest that every lane has passed */
    uint64_t settled; /* the newest of which nothing is left to do */
    int64_t barrier;  /* under way; 0: none */
    int64_t barriers; /* numbers given so far */
    bool is_standby;  /* another syncer writes */
    struct cpi_ticket_debt
        first; /* of what is through and has not settled: the oldest, which later ones do not hold up */
    struct cpi_ticket_debt last; /* and all since; of number 0 while there is no first */
};

/* The bell, the listener's, has to outlive it. */
void cpi_tickets_init(struct cpi_tickets *tickets, struct cpi_bell *listener_bell);
void cpi_tickets_fini(struct cpi_tickets *tickets);

/* ---- any thread ---- */

/* A new ticket; numbers begin at 1 and only grow. */
uint64_t cpi_tickets_take(struct cpi_tickets *tickets);

/* Whether such a ticket was taken at all; 0 is one of before the first. */
bool cpi_tickets_knows(struct cpi_tickets *tickets, uint64_t number);

/* Whether every lane has passed it, whatever resync may be owed. */
bool cpi_tickets_is_through(struct cpi_tickets *tickets, uint64_t number);

enum cpi_ticket_state { CPI_TICKET_SETTLED, CPI_TICKET_OPEN, CPI_TICKET_STANDBY };

/* Waits until it has settled, another syncer writes, the syncer stops, or for timeout_ms (-1: without limit). */
enum cpi_ticket_state cpi_tickets_wait(struct cpi_tickets *tickets, const struct cpi_stop *stop, uint64_t number,
                                       int timeout_ms);

/* The syncer stops: whoever waits is to look. */
void cpi_tickets_wake(struct cpi_tickets *tickets);

/* ---- the listener ---- */

/* Whether a barrier should be sent: tickets have been taken, and none is under way. */
bool cpi_tickets_wants_barrier(struct cpi_tickets *tickets);

/* The number of the barrier to be sent now; 0: none. It has another number than all before. */
int64_t cpi_tickets_begin(struct cpi_tickets *tickets);

/* The barrier under way; 0: none. */
int64_t cpi_tickets_barrier(struct cpi_tickets *tickets);

/* It will not come back: its tickets share the next one. */
void cpi_tickets_lose(struct cpi_tickets *tickets);

/* Every lane has passed it. repairs: how many resyncs had been called for by then (cpi_requests_repairs()). */
void cpi_tickets_pass(struct cpi_tickets *tickets, uint64_t repairs);

/* How many have been completed. True: tickets have settled by it. */
bool cpi_tickets_note_repaired(struct cpi_tickets *tickets, uint64_t repaired);

void cpi_tickets_stand_by(struct cpi_tickets *tickets, bool is_standby);

#endif
