/* Waiting for what has been written. Part of cachepusher.h, which has the rules. */
#ifndef CACHEPUSHER_TICKET_H
#define CACHEPUSHER_TICKET_H

#include "syncer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tickets ----
 *
 * A ticket is a mark behind what has been written so far. It is passed once all of that has settled: Redis has
 * acknowledged documents that were read after it. A host that takes events from elsewhere, say from Kafka, acknowledges
 * them with it:
 *
 *     for (size_t i = 0; i < batch.count; i++) {
 *         cp_syncer_enqueue(syncer, "customer", batch.ids[i], &err);
 *     }
 *     cp_ticket ticket;
 *     if (cp_syncer_ticket(syncer, &ticket, &err) == CP_OK && cp_syncer_wait(syncer, ticket, -1, &err) == CP_OK) {
 *         commit_offsets(&batch);
 *     }
 */

/* A mark. Numbers only grow: whoever holds several may wait for the greatest alone. Of no meaning to another syncer. */
typedef uint64_t cp_ticket;

/* A mark behind every change that was committed, and announced, in Postgres before the call, and every id that
 * cp_syncer_enqueue() had accepted. Returns at once; any number of threads may take tickets, which cost a notification
 * among all that are taken while it is on its way. Not behind cp_syncer_resync(). CP_ERR_STANDBY, retriable: another
 * syncer of the name writes, and only that one knows what has settled. CP_ERR_STOPPED: the syncer is stopping. */
CP_API cp_code cp_syncer_ticket(cp_syncer *syncer, cp_ticket *ticket, cp_error *err);

/* Waits until everything before the mark has settled, timeout_ms at most; 0 only asks, -1 waits for ever.
 * CP_ERR_TIMEOUT, retriable: not yet. CP_ERR_STANDBY, retriable: another syncer of the name writes now; the ticket
 * stays good, and is passed once this one writes again and has read everything again. CP_ERR_STOPPED: the syncer is
 * stopping, and it had not been passed. CP_ERR_ARGUMENT: there was no such ticket.
 *
 * While a server is away it waits. What was missed while nobody listened, or dropped since too much waited
 * (max_pending), is read again by a resync, and no ticket passes before that has been completed; the same goes for the
 * warm-up. One is not complete as long as an entity cannot be listed, or it withholds deletions (max_delete_percent).
 * An id that fails by itself does not hold it up: it is retried for ever, and cp_syncer_parked() tells which these are.
 */
CP_API cp_code cp_syncer_wait(cp_syncer *syncer, cp_ticket ticket, int timeout_ms, cp_error *err);

/* Read your own writes: cp_syncer_enqueue(), cp_syncer_ticket() and cp_syncer_wait() in one, for a document that the
 * caller has just committed. CP_OK: it has been read after the call began, and Redis holds that or something newer.
 * CP_ERR_PARKED, retriable: the document cannot be read, or is refused by Redis; the message says why. It is also the
 * answer when more ids of its worker fail than that one remembers (cp_syncer_parked()), since this may be one. Other
 * codes are those of the three calls. After any but CP_ERR_ARGUMENT the id may have been enqueued all the same. */
CP_API cp_code cp_syncer_enqueue_wait(cp_syncer *syncer, const char *entity, const char *id, int timeout_ms,
                                      cp_error *err);

#ifdef __cplusplus
}
#endif

#endif
