/* A syncer, from its making to its end. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_SYNCER_H
#define CACHEPUSHER_SYNCER_H

#include "callbacks.h"
#include "config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the syncer ---- */

/* Fills Redis with the documents of a configuration's entities, and follows their changes. */
typedef struct cp_syncer cp_syncer;

/* Validates the configuration as a whole and wires up a syncer; connects to nothing yet. On success the syncer owns
 * config; on failure (NULL) the caller still does. A configuration that a syncer owns makes no second one
 * (CP_ERR_ARGUMENT). callbacks may be NULL and are copied. */
CP_API cp_syncer *cp_syncer_create(cp_config *config, const cp_callbacks *callbacks, cp_error *err);

/* Connects once to both servers to see that they answer and hold what the configuration names, and starts the threads.
 * Blocks meanwhile; cp_syncer_stop() in another thread cuts it short. When it fails for want of a server, a table or a
 * function, nothing runs and it may be called again: that is how to wait for servers that come up later. Where a
 * thread cannot be started (CP_ERR_SYSTEM), err->retriable says whether it may be called again, or the syncer has been
 * stopped and another one has to be made. CP_ERR_ARGUMENT: it runs already. CP_ERR_STOPPED: it has been stopped. Once
 * it has succeeded, lost connections are made again for ever, in the background. */
CP_API cp_code cp_syncer_start(cp_syncer *syncer, cp_error *err);

/* Waits until every document that existed when the warm-up began has settled (with warmup "none": until changes are
 * listened for), timeout_ms at most; -1 waits for ever. CP_ERR_TIMEOUT: not yet, and the message says why. An id whose
 * own fetch fails does not hold this up: it is retried for ever and counted in cp_stats.failing. While another syncer
 * of the name writes, and this one stands by, it is not ready, and the message says so, with the name that they share.
 */
CP_API cp_code cp_syncer_wait_ready(cp_syncer *syncer, int timeout_ms, cp_error *err);

/* Has a document read and stored again, as a notification would: for writes that no trigger sees. `id` is text in the
 * form of the entity's id type. Returns at once; the work is done by the workers, once the syncer runs, or, while it
 * stands by, by the syncer that writes. */
CP_API cp_code cp_syncer_enqueue(cp_syncer *syncer, const char *entity, const char *id, cp_error *err);

/* The same for every document of the entity that rows of a mapped table are a part of: a table of its "watch" that has
 * "maps" (or that a declared document includes so), as it is named there and in cp_parked.table. `value` is that of the
 * rows' column, as text; what is none of the column's type is parked. CP_ERR_ARGUMENT: the entity maps no such table.
 */
CP_API cp_code cp_syncer_enqueue_rows(cp_syncer *syncer, const char *entity, const char *table, const char *value,
                                      cp_error *err);

/* Has every document of an entity (NULL: of all) read and stored again and keys without a row removed, beside live
 * changes. Returns at once; a request made while a resync runs is served by one more run after it. */
CP_API cp_code cp_syncer_resync(cp_syncer *syncer, const char *entity, cp_error *err);

/* ---- the end of a syncer ---- */

/* Stops listening, settles what is queued within grace_ms, and ends the threads. CP_OK: everything received has
 * settled; of one that never ran, nothing had been enqueued. CP_ERR_TIMEOUT: the message says how many ids
 * had not, or that a resync was cut short which an overflow or '*' had called for; the next warm-up repairs them. May
 * take a connection's timeout longer than grace_ms when a server hangs. Stopped stays stopped; calling it again is
 * harmless, and from another thread, with a grace that ends sooner, hurries the call that waits. */
CP_API cp_code cp_syncer_stop(cp_syncer *syncer, int grace_ms, cp_error *err);

/* Stops without grace if still running, and frees. NULL is allowed. In a forked child it closes the child's copies of
 * the syncer's sockets, leaves its memory to the end of the process, and tells the servers nothing. */
CP_API void cp_syncer_destroy(cp_syncer *syncer);

#ifdef __cplusplus
}
#endif

#endif
