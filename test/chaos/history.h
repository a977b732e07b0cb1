/*
 * What the writers have done, by customer: every version that may have been committed, in order, with what it made of
 * the customer. And what a reader of Redis may therefore see.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum { CUSTOMERS = 1000 }; /* ids 1 to this; see chaos.sql */

struct history;

/* Every customer exists, in version 0. */
struct history *history_create(void);
void history_destroy(struct history *history);

/* ---- the writers' side ---- */

/* A version higher than any before. */
uint64_t history_draw(struct history *history);

/* Before COMMIT or ROLLBACK is sent, and with the customer's lock held. */
void history_intend(struct history *history, int id, uint64_t version, bool stays);

/* COMMIT has been acknowledged, or certainly did not happen. Neither is told when the connection broke over it. */
void history_committed(struct history *history, int id, uint64_t version);
void history_rolled_back(struct history *history, int id, uint64_t version);

/* The last version that was certainly committed. */
uint64_t history_last(struct history *history, int id);

/* ---- the reader's side ---- */

enum loss {
    LOSS_NONE,
    LOSS_ALL,   /* Redis has lost everything: documents may be missing until they are written again */
    LOSS_RECENT /* Redis holds older data than before: everything seen so far means nothing */
};

/* Around whatever loses data: what the reader asks meanwhile, or has asked before and is told only now, means nothing.
 * Main thread. */
void history_suspend(struct history *history);
void history_resume(struct history *history, enum loss loss);

/* Every reading is made under a number, which is to be taken before the reader looks which server to ask. */
unsigned history_epoch(struct history *history);

/* The reader has found a document, or none. Blames whoever has let it happen. Only one thread may read, for it has to
 * tell in the order of its readings. */
void history_saw(struct history *history, int id, uint64_t version, unsigned epoch);
void history_saw_none(struct history *history, int id, unsigned epoch);

#endif
