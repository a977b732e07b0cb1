/* Random rows and random writes, the same ones for the same seed. */
#ifndef MIX_H
#define MIX_H

#include "harness.h"

struct mix {
    PGconn *pg;
    uint64_t state;
    unsigned ids; /* customers are picked from 1 to this */
};

/* A seed that is new in every run, or CP_TEST_SEED. Printed. */
uint64_t choose_seed(void);

unsigned roll(uint64_t *state, unsigned sides);

/* Text of up to about 8 * pieces bytes with everything in it that somebody may have escaped wrongly. */
void random_text(uint64_t *state, char *text, size_t size, unsigned pieces);

/* Customers 1 to mix->ids, and as many addresses as that and half again. */
void insert_rows(struct mix *mix);

/* One write: a statement about one row or many, or a transaction of several with savepoints, which may be rolled back.
 * False: Postgres refused for another reason than a conflict with a concurrent writer. */
bool write_once(struct mix *mix);

#endif
