/*
 * The queue of results: bounded, filled by the threads of one or several syncers, emptied by one of the host's.
 *
 * Everything is under one mutex: the list, how much room is taken, and whether the descriptor is readable. Copies are
 * made outside of it, into room that was reserved before.
 *
 * No wake-up is lost. The descriptor is an eventfd that is written when the first result comes and read when the last
 * one goes, both with the mutex held: whenever nobody holds it, the eventfd is readable exactly if there is a result.
 * So whoever is told NULL and then polls sleeps only while there is none.
 *
 * What is dropped is counted where it would have been: at the result before it, or, where there is none before it, in
 * the queue. So telling of it takes no memory and cannot fail.
 */
#ifndef CPI_RESULTS_H
#define CPI_RESULTS_H

#include "base/stop.h"
#include "results/item.h"

/* A syncer that uses a queue, for cp_results_destroy(). */
cp_code cpi_results_join(struct cp_results *results, cp_error *err); /* CP_ERR_ARGUMENT: another process' */
void cpi_results_leave(struct cp_results *results);

/* Whether such results are wanted. */
bool cpi_results_wants(const struct cp_results *results, cp_result_kind kind);
bool cpi_results_wants_log(const struct cp_results *results, cp_level level);

/* The syncer's threads, several at a time. stop is the syncer's, which holds up nobody once it drains. False: there is
 * no memory for the document; it counts as not told. */
bool cpi_results_put_document(struct cp_results *results, cp_syncer *syncer, const struct cpi_stop *stop,
                              const cp_document *document);
void cpi_results_put_log(struct cp_results *results, cp_syncer *syncer, const cp_log_entry *entry);
void cpi_results_put_state(struct cp_results *results, cp_syncer *syncer, const cp_health *health);

/* A syncer drains: whoever waits is to look. */
void cpi_results_wake(struct cp_results *results);

#endif
