/*
 * Orphans: ids that have a key in Redis although Postgres lists no such document. The ids found in Redis are gathered
 * and sorted; those that the listing names are struck out, and the rest are orphans.
 *
 * An integer id takes 8 bytes, so a million cost less than the library holds anyway. Postgres needs no extra query.
 */
#ifndef CPI_ORPHANS_H
#define CPI_ORPHANS_H

#include "model/id.h"

#include <stddef.h>

/* Zero is a valid empty one, for integers. */
struct cpi_orphans {
    enum cpi_id_type type;
    union cpi_id *ids;
    size_t count;
    size_t capacity;
    unsigned char *struck; /* a bit each, once they are sorted */
    size_t last;           /* struck; listings come in order, mostly the same as ours */
    size_t first;          /* none before it is left */
};

/* Empties it, for ids of a type. */
void cpi_orphans_clear(struct cpi_orphans *orphans, enum cpi_id_type type);

/* Takes over the id, on success only. The same id may be added twice. False: out of memory; also from sort. */
bool cpi_orphans_add(struct cpi_orphans *orphans, const union cpi_id *id);

/* After the last add, and before anything is struck. */
bool cpi_orphans_sort(struct cpi_orphans *orphans);

/* Strikes an id out, if it was added. */
void cpi_orphans_strike(struct cpi_orphans *orphans, const union cpi_id *id);

/* How many are not struck. */
size_t cpi_orphans_left(const struct cpi_orphans *orphans);

/* One that is not struck; NULL: none. Returns the same one until it is struck. */
const union cpi_id *cpi_orphans_first(struct cpi_orphans *orphans);

#endif
