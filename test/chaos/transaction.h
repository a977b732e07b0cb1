/* Transactions of a fault's own, as the writers do not make them: rows that are copied in with triggers off, and
 * changes that are prepared now and committed, or rolled back, later. The history knows of them as of the writers'. */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include "world.h"

enum { TRANSACTION_IDS = 40 };

struct transaction {
    char name[32]; /* of one that is prepared */
    int ids[TRANSACTION_IDS];
    bool stays[TRANSACTION_IDS];
    int count;
    uint64_t version;
};

/* COPY of new customers, and of addresses of those that are there, in a session that fires no trigger. */
void transaction_copy(struct world *world, uint64_t *random);

/* Changes some customers, and prepares that. Their rows stay locked until it ends. */
void transaction_prepare(struct world *world, uint64_t *random, struct transaction *transaction);
void transaction_end(struct world *world, struct transaction *transaction, bool commits);

#endif
