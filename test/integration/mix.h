/* Random rows and random writes; the same seed gives the same ones. */
#ifndef MIX_H
#define MIX_H

#include "harness.h"

struct mix {
    PGconn *pg;
    uint64_t state;
    unsigned ids; /* customers are picked from 1 to this */
};

/* A new seed for each run, or CP_TEST_SEED. It is printed. */
uint64_t choose_seed(void);

unsigned roll(uint64_t *state, unsigned sides);

/* Text of up to about 8 * pieces bytes with everything that is easily escaped wrongly. */
void random_text(uint64_t *state, char *text, size_t size, unsigned pieces);

/* Customers 1 to mix->ids, and one and a half times as many addresses. */
void insert_rows(struct mix *mix);

/* One write: a statement on one row or many, or a transaction of several with savepoints, which may be rolled back.
 * False: Postgres refused it, and not because of a concurrent writer. */
bool write_once(struct mix *mix);

#endif
