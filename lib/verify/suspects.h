/*
 * Suspects: ids that did not compare equal, and the rule by which a difference counts.
 *
 * Behind a row that changes Redis is always a little late, so that a difference proves nothing, not even one seen
 * twice. It counts when Redis has held the very same value (or nothing) at every one of many looks over a while, and at
 * each of them Postgres gave something else. One look that finds both equal clears the id. A row that is changed to and
 * fro, on which "the same value twice" would come true by chance, hardly survives all looks by chance.
 */
#ifndef CPI_SUSPECTS_H
#define CPI_SUSPECTS_H

#include "verify/compare.h"

enum cpi_outcome {
    CPI_LOOK_AGAIN,
    CPI_CLEARED,   /* equal now */
    CPI_CONFIRMED, /* stale */
    CPI_IN_FLIGHT, /* changes so often that it was never seen at rest: no difference */
    CPI_EXPIRED,   /* no key, of an entity whose keys expire: no difference */
    CPI_NOT_READ,  /* its fetch function fails: cannot tell */
};

struct cpi_suspect {
    struct cpi_event event; /* its id is owned */
    uint64_t digest;        /* of what Redis held, at each of */
    uint16_t same;          /* looks in a row; 0: not looked at yet */
    uint16_t looks;         /* altogether */
    uint8_t outcome;        /* enum cpi_outcome, of the last look */
    uint8_t verdict;        /* enum cpi_verdict, of the last look */
    int64_t since_ms;       /* the first of those in a row */
};

_Static_assert(sizeof(struct cpi_suspect) <= 48, "up to a million of them are kept");

/* Of one thread, or under its owner's mutex. Zero and the entities is a valid empty one. */
struct cpi_suspects {
    const struct cpi_entity *entities;
    struct cpi_suspect *items;
    size_t count;
    size_t capacity;
};

/* How long the looks go on, and how many there have to be. */
struct cpi_patience {
    int for_ms;
    unsigned looks;
};

/* The wait between looks that makes enough of them. */
int cpi_patience_interval_ms(const struct cpi_patience *patience);

/* Copies the id. False: out of memory. */
bool cpi_suspects_add(struct cpi_suspects *suspects, uint32_t entity, const union cpi_id *id);

/* The same at a place from 0 to count, instead of what is there. */
bool cpi_suspects_put(struct cpi_suspects *suspects, size_t place, uint32_t entity, const union cpi_id *id);

/* Takes a look into account: sets verdict and outcome. */
void cpi_suspect_look(struct cpi_suspect *suspect, const struct cpi_entity *entity, const struct cpi_compared *compared,
                      const struct cpi_patience *patience, int64_t now_ms);

/* Sorts by entity, then id. Of what is there twice the one that has been looked at more often stays. */
void cpi_suspects_sort(struct cpi_suspects *suspects);

/* Removes those whose outcome is not the one to keep. Those that are confirmed go to `confirmed`, unless that is NULL;
 * false: out of memory for it. */
bool cpi_suspects_keep(struct cpi_suspects *suspects, enum cpi_outcome keep, struct cpi_suspects *confirmed);

void cpi_suspects_clear(struct cpi_suspects *suspects);
void cpi_suspects_fini(struct cpi_suspects *suspects);

#endif
