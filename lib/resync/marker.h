/*
 * The marker: a key of our own in Redis, by which it is noticed that Redis has lost data.
 *
 * FLUSHALL, an eviction, an empty restart: they take the marker along with the documents. It is planted before a resync
 * lists anything and looked at every second from then on; when it is gone or another one, a resync is due. A loss in
 * the middle of a resync is thus noticed as well.
 *
 * The marker is a number, and a look increments it, so that Redis cannot go back in time unnoticed: in an older copy of
 * the data, put in place by SWAPDB or from a snapshot, the number is smaller. A copy that was a second old when it was
 * put in place is seen for what it is within a second; a younger one may have the number of now, and is not. INCR looks
 * and writes in one, and where it was not answered the number still tells how often it was executed, so no trace is
 * ever written over. When data was lost, and by each process, a new and random number is begun with: those of an epoch
 * are not come to again.
 *
 * A server that came back with older data also shows in its run_id; a replica that was promoted, and the primary before
 * it that lives on as a replica, in what INFO says of replication (target.h).
 *
 * One syncer writes at a time, and it alone looks; the next one begins an epoch of its own.
 *
 * The resync plants it; a thread of its own looks at it, whatever else is going on, and asks for a resync.
 */
#ifndef CPI_MARKER_H
#define CPI_MARKER_H

#include "env.h"
#include "base/pulse.h"
#include "base/thread.h"

#include <pthread.h>

struct cpi_marker {
    const struct cpi_env *env;
    struct cpi_thread thread;
    struct cpi_pulse pulse;

    /* Over all below, the connection included: held while Redis is asked, so that planting and looking never meet. */
    pthread_mutex_t mutex;
    struct cpi_target *target; /* a connection for nothing else */
    char key[CPI_MARKER_KEY_BYTES];
    int64_t known;      /* the number as we know it; 0: none of ours */
    int64_t unanswered; /* increments since that were sent and not answered */
    bool planted;       /* at least once */
    struct cpi_outage outage;
    bool refused;   /* that Redis does not let us has been logged */
    bool has_ended; /* join() has closed the connection for good */
};

cp_code cpi_marker_init(struct cpi_marker *marker, const struct cpi_env *env, cp_error *err);
void cpi_marker_fini(struct cpi_marker *marker);

/* The thread that looks: once a second, as soon as one is planted. */
cp_code cpi_marker_start(struct cpi_marker *marker, cp_error *err);

/* Once the threads have ended that plant it or look at it, those of the resync and of checkpoints: returns when this
 * one has, too, which draining brings about, and closes the connection. */
void cpi_marker_join(struct cpi_marker *marker);

/* The resync thread. Plants one unless there is one; pg is open, and asked whether we may write. False: Redis is away,
 * try again. Where Redis refuses for good (an ACL), does with the run_id alone, and says so once. *lost: data may have
 * been lost since the last look, and no resync has been asked for. */
bool cpi_marker_plant(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost);

/* Any thread: looks now. *same: Redis has lost nothing since it was planted; else a resync has been requested, or none
 * is planted. Fails where it could not be looked at. */
cp_code cpi_marker_look(struct cpi_marker *marker, bool *same, cp_error *err);

#endif
