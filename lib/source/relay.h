/*
 * What is enqueued here by hand while another syncer is the writer, or may be: it is announced to that one, over a
 * connection for nothing else. Keeps count of what the writer may not have heard of.
 *
 * Belongs to the listener's thread.
 */
#ifndef CPI_RELAY_H
#define CPI_RELAY_H

#include "base/backoff.h"
#include "env.h"

struct cpi_relay {
    const struct cpi_env *env;
    struct cpi_pg pg;
    struct cpi_backoff backoff;
    int64_t retry_at_ms;
    struct cpi_outage outage; /* an outage has been logged */
    uint64_t routed;          /* ids that went to our own workers since our last resync was asked for */
    uint64_t unannounced;     /* what the writer, another syncer, may not have heard of */
};

void cpi_relay_init(struct cpi_relay *relay, const struct cpi_env *env);
void cpi_relay_close(struct cpi_relay *relay);

/* We are the writer, and are to read everything, or at least what was owed to the writer before: nothing is. */
void cpi_relay_reset(struct cpi_relay *relay);

/* n ids went to our own workers. If another syncer takes over before they have settled, it has to hear of them. */
void cpi_relay_note_routed(struct cpi_relay *relay, size_t n);

/* Another syncer is to read everything. */
void cpi_relay_note_resync(struct cpi_relay *relay);

/* Announces the events, which are empty afterwards, and whatever else is owed: as ids where they are at hand, otherwise
 * by having everything read again. What cannot be announced now is owed. */
void cpi_relay_send(struct cpi_relay *relay, struct cpi_events *events);

/* Milliseconds until what is owed is to be tried again; -1: nothing is owed. */
int cpi_relay_due_ms(const struct cpi_relay *relay);

/* For the last time: from here on the grace time is what ends a wait, and a try is made at once. */
void cpi_relay_finish(struct cpi_relay *relay);

/* After the thread has ended: how many ids the writer may not have heard of. is_taken: it is another syncer, and ids
 * that went to our own workers count, too. */
uint64_t cpi_relay_owed(const struct cpi_relay *relay, bool is_taken);

#endif
