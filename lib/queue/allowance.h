/*
 * The allowance: how many keys of each entity resyncs may still delete.
 *
 * What a resync reads again and finds without a document is deleted, and nobody has announced it. Where that is most of
 * an entity, something else is wrong: a fetch function with a broken join gives nothing for every id, another database
 * lists nothing. So only max_delete_percent of the keys that a run has found in Redis may go, or some hundred if that
 * is more. What goes beyond is withheld, until a run is unlimited: somebody has given the word. Announced deletions do
 * not pass here.
 *
 * A run that has withheld something is repeated, and gets no new allowance for it: otherwise each would delete its
 * share of what the one before has left. What was deleted counts until a run has gone through with nothing withheld.
 *
 * An id that a run has read may settle after its end, since it failed. It takes from what the run has left. The first
 * that is withheld then is told, so that another run is made: it says what is kept, and why.
 */
#ifndef CPI_ALLOWANCE_H
#define CPI_ALLOWANCE_H

#include "cachepusher.h"

#include <pthread.h>

/* So many keys are deleted without asking, however few there are. */
enum { CPI_ALLOWANCE_FREE = 200 };

enum cpi_allowed {
    CPI_ALLOWED,
    CPI_WITHHELD,
    CPI_WITHHELD_LATE /* the same, the first since the entity's last run, which has not said so */
};

struct cpi_allowance {
    unsigned percent;
    pthread_mutex_t mutex; /* protects all below; held for a few additions, never longer */
    struct cpi_allowance_entity *entities;
};

/* percent: config->max_delete_percent. A failed one needs fini, too, and a zeroed one may have it. */
cp_code cpi_allowance_init(struct cpi_allowance *allowance, uint32_t entity_count, unsigned percent, cp_error *err);
void cpi_allowance_fini(struct cpi_allowance *allowance);

/* ---- the resync thread ---- */

/* A run comes to an entity. unlimited: somebody has given the word. */
void cpi_allowance_begin(struct cpi_allowance *allowance, uint32_t entity, bool unlimited);

/* How many keys of it the run has found in Redis, so far. */
void cpi_allowance_found(struct cpi_allowance *allowance, uint32_t entity, uint64_t found);

/* Whether so many of the keys found may go, before any of them has. */
bool cpi_allowance_covers(struct cpi_allowance *allowance, uint32_t entity, uint64_t count);

/* The run has gone through the entity, and everything has settled. How many keys were withheld in it, of *found. */
uint64_t cpi_allowance_end(struct cpi_allowance *allowance, uint32_t entity, uint64_t *found);

/* ---- workers ---- */

/* A key is to be deleted that nobody has announced. */
enum cpi_allowed cpi_allowance_take(struct cpi_allowance *allowance, uint32_t entity);

#endif
