/*
 * What the writers have done: for each customer every version that may have been committed, in order, with its effect.
 * And what readers may therefore see, each of its own view: of Redis, or of the cache in a process.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum { CUSTOMERS = 1000 }; /* ids 1 to this; see chaos.sql */

enum { VIEWS = 2, VIEW_REDIS = 0 }; /* where there is a Redis, it is the first */

struct history;

/* Initially every customer exists, in version 0. names: of the views, for messages; they have to outlive it. */
struct history *history_create(const char *const names[VIEWS]);
void history_destroy(struct history *history);

/* Whoever keeps what is seen there may forget everything at any time, and read it again. */
void history_may_forget(struct history *history, int view);

/* ---- the writers' side ---- */

/* A version higher than all before. */
uint64_t history_draw(struct history *history);

/* Call before COMMIT or ROLLBACK is sent, with the customer's lock held. */
void history_intend(struct history *history, int id, uint64_t version, bool stays);

/* COMMIT has been acknowledged, or certainly did not happen. Call neither if the connection was lost during COMMIT. */
void history_committed(struct history *history, int id, uint64_t version);
void history_rolled_back(struct history *history, int id, uint64_t version);

/* The last version that was certainly committed. */
uint64_t history_last(struct history *history, int id);

/* ---- the reader's side ---- */

enum loss {
    LOSS_NONE,
    LOSS_ALL,   /* everything is lost; documents may be missing until they are written again */
    LOSS_RECENT /* there is older data than before; what was seen so far no longer counts */
};

/* Call before and after data is lost. Readings made in between, or begun before and answered only now, do not count.
 * Main thread. */
void history_suspend(struct history *history, int view);
void history_resume(struct history *history, int view, enum loss loss);

/* The number of a reading. Take it before choosing the server to ask. */
unsigned history_epoch(struct history *history, int view);

/* The reader has found a document, or none. Blames the daemon if it must not be so. Only one thread may read a view,
 * since readings have to be reported in order. */
void history_saw(struct history *history, int view, int id, uint64_t version, unsigned epoch);
void history_saw_none(struct history *history, int view, int id, unsigned epoch);

#endif
