/*
 * Resync: puts every id of an entity through the lanes, those that Postgres lists and those that only Redis still has.
 *
 * It is the one answer to doubt: at start (the warm-up), after a connection on which events may have been missed, after
 * TRUNCATE, after an overflow, or because somebody asks. It enqueues ids and never values, so that it runs beside live
 * changes and cannot overwrite anything newer; and it never empties the cache first.
 *
 * One thread, idle most of the time, which is the only producer of the bulk rings.
 */
#ifndef CPI_RESYNC_H
#define CPI_RESYNC_H

#include "env.h"
#include "resync/marker.h"

struct cpi_resync;

/* Both have to outlive it. The thread sleeps by env->requests' resync_bell. */
struct cpi_resync *cpi_resync_create(const struct cpi_env *env, struct cpi_marker *marker, cp_error *err);
cp_code cpi_resync_start(struct cpi_resync *resync, cp_error *err);

/* Any thread: waits until the first run (or none, as configured) is through. timeout_ms -1: for ever. False: the time
 * has passed, or the syncer is stopping. */
bool cpi_resync_wait_ready(struct cpi_resync *resync, int timeout_ms);

/* Wakes the thread, and whoever waits for ready, to see that the syncer is stopping. */
void cpi_resync_wake(struct cpi_resync *resync);

void cpi_resync_join(struct cpi_resync *resync);

/* After the threads have ended: whether events were received (a "*", or ids that had to be forgotten) in whose place a
 * resync was asked for that has not been completed. */
bool cpi_resync_is_incomplete(const struct cpi_resync *resync);

void cpi_resync_destroy(struct cpi_resync *resync);

#endif
