/*
 * The marker: a key of our own in Redis, by which it is noticed that Redis has lost data.
 *
 * FLUSHALL, an eviction, an empty restart: they take the marker along with the documents. It is planted before a resync
 * lists anything and looked at every second from then on; when it is gone or another one, a resync is due. A loss in
 * the middle of a resync is thus noticed as well. What a marker cannot show, a server that came back with older data,
 * shows in the server's run_id; a replica that was promoted, and the primary before it that lives on as a replica, in
 * what INFO says of replication (target.h).
 *
 * Syncers that serve the same keys share one marker: it belongs to the data, so whoever finds one leaves it as it is.
 *
 * The resync plants it; a thread of its own looks at it, whatever else is going on, and asks for a resync.
 */
#ifndef CPI_MARKER_H
#define CPI_MARKER_H

#include "env.h"
#include "base/thread.h"

#include <pthread.h>

struct cpi_marker {
    const struct cpi_env *env;
    struct cpi_thread thread;

    /* Over all below, the connection included: held while Redis is asked, so that planting and looking never meet. */
    pthread_mutex_t mutex;
    struct cpi_target *target; /* a connection for nothing else */
    char key[48];              /* cachepusher:marker:…, made of the entities' key templates */
    char epoch[24];            /* the value found or planted last; "": none */
    bool planted;              /* at least once */
    bool away;                 /* that Redis is away has been logged */
    bool refused;              /* that Redis does not let us has been logged */
};

cp_code cpi_marker_init(struct cpi_marker *marker, const struct cpi_env *env, cp_error *err);
void cpi_marker_fini(struct cpi_marker *marker);

/* The thread that looks: once a second, as soon as one is planted. */
cp_code cpi_marker_start(struct cpi_marker *marker, cp_error *err);

/* Once the resync thread has ended: returns when this one has, too, which draining brings about, and closes the
 * connection. */
void cpi_marker_join(struct cpi_marker *marker);

/* The resync thread. Plants one unless there is one; pg is open, and asked whether we may write. False: Redis is away,
 * try again. Where Redis refuses for good (an ACL), does with the run_id alone, and says so once. *lost: data may have
 * been lost since the last look, and no resync has been asked for. */
bool cpi_marker_plant(struct cpi_marker *marker, struct cpi_pg *pg, bool *lost);

#endif
