/*
 * Between the listener and the mapper: values of rows on their way there, ids of documents on their way back, and marks
 * behind either, which keep their place. Both ways are bounded, and neither thread waits for the other: what finds no
 * room on its way there is dropped, and told; the mapper brings no more until some has been taken.
 */
#ifndef CPI_MAIL_H
#define CPI_MAIL_H

#include "base/bell.h"
#include "model/event.h"

#include <pthread.h>

/* What comes back once everything before it has been mapped, or was parked. */
struct cpi_mail_marks {
    int64_t barrier;  /* 0: none */
    int64_t position; /* the same */
    bool is_partial;  /* of the position: something before it fails */
};

struct cpi_mail {
    const struct cpi_entity *entities;
    size_t entity_count; /* events beyond are to be mapped */
    uint32_t capacity;
    struct cpi_bell bell;           /* the mapper's */
    struct cpi_bell *listener_bell; /* rung when something comes back */

    pthread_mutex_t mutex; /* over all below; held for copies, never longer */
    struct cpi_events in;
    struct cpi_events out;
    size_t taken;    /* of out */
    uint32_t held;   /* values that the mapper holds */
    bool works;      /* it has something to do */
    bool forgets;    /* what it holds is not wanted any more */
    bool closed;     /* it may end */
    int64_t partial; /* the newest position that is partial; 0: none */
};

/* entities and listener_bell have to outlive it. It may be given to fini after a failure, too. */
cp_code cpi_mail_init(struct cpi_mail *mail, const struct cpi_entity *entities, size_t entity_count, uint32_t capacity,
                      struct cpi_bell *listener_bell, cp_error *err);
void cpi_mail_fini(struct cpi_mail *mail);

/* ---- the listener ---- */

/* Takes those out of events that are to be mapped, and returns how many. dropped is called for each for which there is
 * no room or memory, with its target. */
size_t cpi_mail_put(struct cpi_mail *mail, struct cpi_events *events, void (*dropped)(void *context, uint32_t target),
                    void *context);

/* Puts a mark (CPI_BARRIER, CPI_POSITION) behind everything put so far. False: out of memory; the mark is lost. */
bool cpi_mail_mark(struct cpi_mail *mail, uint16_t kind, int64_t number);

/* Moves up to `most` ids that have come back to the end of events, and marks that stand between and behind them. */
void cpi_mail_take(struct cpi_mail *mail, uint32_t most, struct cpi_events *events, struct cpi_mail_marks *marks);

/* Whether take() would find anything. */
bool cpi_mail_has_come(struct cpi_mail *mail);

/* How many more values a source that loses nothing had better bring now: up to three quarters of the capacity. */
uint32_t cpi_mail_room(struct cpi_mail *mail);

/* Whether everything put has been mapped, was parked, or has been forgotten, and been taken. */
bool cpi_mail_is_idle(struct cpi_mail *mail);

/* What is on its way is not wanted any more: everything will be read again. */
void cpi_mail_forget(struct cpi_mail *mail);

/* Nothing more will be put: the mapper ends. */
void cpi_mail_close(struct cpi_mail *mail);

/* How many values and ids there are, the mapper's included. */
uint64_t cpi_mail_count(struct cpi_mail *mail);

/* ---- the mapper ---- */

/* Swaps what was put with *in, which has to be empty. *forgets: nothing from before is wanted any more. */
void cpi_mail_collect(struct cpi_mail *mail, struct cpi_events *in, bool *forgets);

/* Whether something has been put, or it is to forget or to end. */
bool cpi_mail_is_waiting(struct cpi_mail *mail);
bool cpi_mail_is_closed(struct cpi_mail *mail);

/* Whether a page of ids may be brought; is_further: not the first one of its values, which leaves room for those of
 * others. */
bool cpi_mail_may_bring(struct cpi_mail *mail, bool is_further);

/* Takes over the ids; events is empty afterwards. False: out of memory; some may have been taken. */
bool cpi_mail_bring(struct cpi_mail *mail, struct cpi_events *events);

/* A mark is passed, behind everything brought so far. False: out of memory. */
bool cpi_mail_pass(struct cpi_mail *mail, uint16_t kind, int64_t number, bool is_partial);

/* After each cycle: how many values it holds, and whether some are yet to be mapped. */
void cpi_mail_report(struct cpi_mail *mail, uint32_t held, bool works);

#endif
