/*
 * Resync: puts every id of an entity through the lanes, those that Postgres lists and those that only Redis still has.
 *
 * It repairs whatever may be missing: at start (the warm-up), after events may have been missed, after TRUNCATE, after
 * an overflow, or on request. It enqueues ids and never values, so it runs beside live changes and cannot overwrite
 * anything newer. It never empties the cache first.
 *
 * One thread, idle most of the time, and the only producer of the bulk rings.
 */
#ifndef CPI_RESYNC_H
#define CPI_RESYNC_H

#include "base/pulse.h"
#include "env.h"
#include "resync/marker.h"

struct cpi_resync;

/* Both have to outlive it. The thread sleeps by env->requests' resync_bell. */
struct cpi_resync *cpi_resync_create(const struct cpi_env *env, struct cpi_marker *marker, cp_error *err);
cp_code cpi_resync_start(struct cpi_resync *resync, cp_error *err);

/* Any thread: waits until the first run is done, if one is configured. timeout_ms -1: without limit. False: the time
 * has passed, or the syncer is stopping. */
bool cpi_resync_wait_ready(struct cpi_resync *resync, int timeout_ms);

/* Wakes the thread and all threads in wait_ready(), so that they see that the syncer is stopping. */
void cpi_resync_wake(struct cpi_resync *resync);

void cpi_resync_join(struct cpi_resync *resync);

/* After the threads have ended: whether a resync that stands for received events (a "*", or ids that had to be dropped)
 * has not been completed. */
bool cpi_resync_owes_events(const struct cpi_resync *resync);

/* After the threads have ended: whether any resync but the first has not been completed. */
bool cpi_resync_is_cut_short(struct cpi_resync *resync);

void cpi_resync_destroy(struct cpi_resync *resync);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_resync_pulse(struct cpi_resync *resync);

#endif
