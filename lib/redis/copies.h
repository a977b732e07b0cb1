/*
 * Copies of a round's documents, one behind the other, for targets that send none: to be lent to whoever wants to look
 * at them once they have settled (output.h). Belongs to its target's thread.
 */
#ifndef CPI_COPIES_H
#define CPI_COPIES_H

#include "redis/output.h"

#include <stdbool.h>

/* Zero is a valid empty one. */
struct cpi_copies {
    struct cpi_output output; /* of no memory while it is lent */
    size_t used;
};

/* *at: where the copy begins. False: out of memory. */
bool cpi_copies_add(struct cpi_copies *copies, const char *document, size_t length, size_t *at);

/* Forgets all, and keeps the memory. */
void cpi_copies_clear(struct cpi_copies *copies);
void cpi_copies_fini(struct cpi_copies *copies);

void cpi_copies_lend(struct cpi_copies *copies, struct cpi_output *output);
void cpi_copies_give_back(struct cpi_copies *copies, struct cpi_output *output);

#endif
