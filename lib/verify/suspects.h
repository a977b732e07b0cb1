/*
 * Suspects: ids that did not compare equal, and the rule by which a mismatch counts.
 *
 * Redis always lags a little behind a row that changes, so a mismatch proves nothing, not even one seen twice. It
 * counts if at every one of many looks Redis held the same value (or nothing) and Postgres returned something else. One
 * look that finds both equal clears the id. A row that flips between two values can show the same stale value twice by
 * chance, but hardly at all looks.
 */
#ifndef CPI_SUSPECTS_H
#define CPI_SUSPECTS_H

#include "verify/compare.h"

enum cpi_outcome {
    CPI_LOOK_AGAIN,
    CPI_CLEARED,   /* equal now */
    CPI_CONFIRMED, /* stale */
    CPI_IN_FLIGHT, /* changed between any two looks; not a difference */
    CPI_EXPIRED,   /* no key, of an entity whose keys expire; not a difference */
    CPI_NOT_READ,  /* its fetch function fails; unknown */
};

struct cpi_suspect {
    struct cpi_event event; /* its id is owned */
    uint64_t digest;        /* of the value in Redis, the same at each of */
    uint16_t same;          /* looks in a row; 0: not looked at yet */
    uint16_t looks;         /* in total */
    uint8_t outcome;        /* enum cpi_outcome, of the last look */
    uint8_t verdict;        /* enum cpi_verdict, of the last look */
    int64_t since_ms;       /* the first of those in a row */
};

_Static_assert(sizeof(struct cpi_suspect) <= 48, "up to a million of them are kept");

/* Belongs to one thread, or is protected by its owner's mutex. Zero and the entities is a valid empty one. */
struct cpi_suspects {
    const struct cpi_entity *entities;
    struct cpi_suspect *items;
    size_t count;
    size_t capacity;
};

/* How long to look, and how many looks are needed. */
struct cpi_patience {
    int for_ms;
    unsigned looks;
};

/* The wait between looks, so that there are enough of them. */
int cpi_patience_interval_ms(const struct cpi_patience *patience);

/* Copies the id. False: out of memory. */
bool cpi_suspects_add(struct cpi_suspects *suspects, uint32_t entity, const union cpi_id *id);

/* Copies the id to a place from 0 to count, replacing what is there. False: out of memory. */
bool cpi_suspects_put(struct cpi_suspects *suspects, size_t place, uint32_t entity, const union cpi_id *id);

/* Takes the result of a look and sets verdict and outcome. */
void cpi_suspect_look(struct cpi_suspect *suspect, const struct cpi_entity *entity, const struct cpi_compared *compared,
                      const struct cpi_patience *patience, int64_t now_ms);

/* Sorts by entity, then id, and removes duplicates, keeping the one with more looks. */
void cpi_suspects_sort(struct cpi_suspects *suspects);

/* Removes those with another outcome than the one to keep. Confirmed ones are moved to `confirmed`, unless that is
 * NULL. False: out of memory for that. */
bool cpi_suspects_keep(struct cpi_suspects *suspects, enum cpi_outcome keep, struct cpi_suspects *confirmed);

void cpi_suspects_clear(struct cpi_suspects *suspects);
void cpi_suspects_fini(struct cpi_suspects *suspects);

#endif
